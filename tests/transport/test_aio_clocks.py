"""What test_clocks.py asks of the blocking client is asked of the async one."""

from __future__ import annotations

import test_clocks
from aio_twins import twins_of

globals().update(twins_of(test_clocks, "test_many_clocks"))
