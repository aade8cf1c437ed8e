"""The quickest JSON reader that is installed: orjson (the extra ``fast``), else the standard library's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

__all__ = ["begin_json", "loads"]

try:
    import orjson
except ImportError:
    loads: Callable[[bytes | bytearray | str], Any] = json.loads
else:

    def loads(data: bytes | bytearray | str) -> Any:
        """As ``json.loads``. orjson refuses what that takes (NaN, half a surrogate pair), so it has the last word."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return json.loads(data)


def begin_json(value: Any, limit: int) -> str:
    """About the first ``limit`` characters of a value as JSON, to be shown; of a large value no more is written.

    The last string may be longer. Empty for what cannot be written, such as a value that is nested too deep.
    """
    pieces, length = [], 0
    try:
        for piece in json.JSONEncoder(ensure_ascii=False).iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length >= limit:
                break
    except (TypeError, ValueError, RecursionError):
        return ""
    return "".join(pieces)
