"""How often the tests repeat what they repeat. ``HF_TEXT_TEST_THOROUGH=1`` makes them thorough, which takes minutes."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("HF_TEXT_TEST_THOROUGH") == "1"


def repeated(times: int) -> int:
    """That many times if the tests are thorough, else a tenth of it and at least twice."""
    return times if THOROUGH else max(2, times // 10)
