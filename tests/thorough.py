"""How often tests repeat their checks. ``HF_TEXT_TEST_THOROUGH=1`` makes them thorough, which takes minutes."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("HF_TEXT_TEST_THOROUGH") == "1"


def repeated(times: int) -> int:
    """This number if the tests are thorough, else a tenth of it and at least 2."""
    return times if THOROUGH else max(2, times // 10)
