"""The quickest JSON reader that is installed: orjson (the extra ``fast``), else the standard library's."""

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
        """As ``json.loads``, but quicker for a str that is exactly one value, as the data of an event is."""
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
        """As ``json.loads``. orjson refuses what that takes (NaN, half a surrogate pair), so it has the last word."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return json.loads(data)


# What may stand between the values of a text: commas, the prefix of an event, the end of a stream.
_BETWEEN = r"[\s,\0\ufeff]*(?:(?i:data)\s*:[\s\0]*)*(\[DONE\])?"


def read_values(text: str) -> Iterator[tuple[Any, str]]:
    """The JSON values that a text holds one after the other, each with its text; ``"[DONE]"`` also without quotes.

    Line feeds within strings are taken. Raises ValueError where something else comes.
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
