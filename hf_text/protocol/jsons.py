"""The fastest installed JSON parser: orjson (the extra ``fast``), or else the standard library's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["begin_json", "loads", "read_values"]

try:
    import orjson
except ImportError:
    _read = json.JSONDecoder().raw_decode

    def loads(data: bytes | bytearray | str) -> Any:
        """Like ``json.loads``, but faster for a str that is exactly one value, such as the data of an event."""
        if isinstance(data, str):
            try:
                value, end = _read(data)
            except ValueError:
                return json.loads(data)
            if end == len(data):
                return value
        return json.loads(data)
else:

    def loads(data: bytes | bytearray | str) -> Any:
        """Like ``json.loads``, and falls back to it: orjson rejects input that it accepts (NaN, lone surrogates)."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return json.loads(data)


# Separators allowed between JSON values: commas, an event's ``data:`` prefix, the end-of-stream marker.
_BETWEEN = r"[\s,\0\ufeff]*(?:(?i:data)\s*:[\s\0]*)*(\[DONE\])?"


def read_values(text: str) -> Iterator[tuple[Any, str]]:
    """Yield consecutive JSON values, each with its source text; ``[DONE]`` is also accepted without quotes.

    Line feeds inside strings are accepted. Raises ValueError for anything else between or after the values.
    """
    between, decoder = re.compile(_BETWEEN), json.JSONDecoder(strict=False)
    start = 0
    while found := between.match(text, start):
        start = found.end()
        if found[1]:
            yield found[1], found[1]
        elif start == len(text):
            return
        else:
            value, end = decoder.raw_decode(text, start)
            yield value, text[start:end]
            start = end


def begin_json(value: Any, limit: int) -> str:
    """Return about the first ``limit`` characters of a value as JSON, for display; the rest is not encoded.

    The last string may exceed the limit. Returns ``""`` if the value cannot be encoded, such as when nested too deep.
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
