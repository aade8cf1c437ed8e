"""What test_cancellation.py asks of the blocking client is asked of the async one."""

from __future__ import annotations

import test_cancellation
from aio_twins import twins_of

globals().update(twins_of(test_cancellation, "test_a_stop_frees_a_reader_within"))
