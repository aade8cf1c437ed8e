"""What test_failover.py asks of the blocking client is asked of the async one."""

from __future__ import annotations

import test_failover
from aio_twins import twins_of

globals().update(twins_of(test_failover))
