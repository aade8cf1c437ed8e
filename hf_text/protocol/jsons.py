"""The quickest JSON reader that is installed: orjson (the extra ``fast``), else the standard library's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["loads"]

try:
    import orjson
except ImportError:
    loads: Callable[[bytes | str], Any] = json.loads
else:

    def loads(data: bytes | str) -> Any:
        """As ``json.loads``. orjson refuses what that takes (NaN, half a surrogate pair), so it has the last word."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return json.loads(data)
