"""What test_client.py asks of the blocking client is asked of the async one."""

from __future__ import annotations

import test_client
from aio_twins import twins_of

globals().update(twins_of(test_client, "test_a_pickled_client", "test_a_key_that_was_found_is_not"))
