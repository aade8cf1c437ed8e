"""What test_verification.py asks of the blocking client is asked of the async one."""

from __future__ import annotations

import test_verification
from aio_twins import twins_of

globals().update(twins_of(test_verification))
