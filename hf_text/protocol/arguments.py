"""Accumulates the streamed arguments of one tool call.

Servers send arguments in fragments, repeat them at the end, resend a longer text each time, or send ``{}`` first.
The end of a JSON value can be found from its text, so the stream is split into complete values. If there are several,
the one that contains all the others is used. If none does, the text is kept unchanged and is not valid JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..patterns import pattern

__all__ = ["GrowingArguments", "JsonText", "holds"]

_NOT_BLANK = re.compile(r"\S")
_MARKS = pattern(r'\\(?:.|\Z)|["{}\[\]]', re.DOTALL)

_MAX_VALUES = 50  # compared with each other; more than this is garbage, not repetition
_MAX_BEGINNINGS = 16  # positions tried as the start of a repeated value
_UNREAD, _NOT_JSON = object(), object()


class GrowingArguments:
    """JSON text received in fragments.

    Attributes:
        begun: whether anything other than white space was received.
    """

    __slots__ = ("_depth", "_first", "_pieces", "_quoted", "_unread", "_values", "begun")

    def __init__(self) -> None:
        self.begun: bool = False
        self._values: list[str] = []  # complete values
        self._restart()

    def _restart(self) -> None:
        self._pieces: list[str] = []  # fragments of the current, incomplete value
        self._first = ""  # its first non-blank character
        self._depth = 0  # number of open brackets
        self._quoted = False  # inside a JSON string
        self._unread = ""  # a trailing backslash whose escaped character has not been received

    @property
    def complete(self) -> bool:
        """Whether the text so far is a complete JSON value, so that more text can only start another."""
        return self.begun and self._depth <= 0 and not self._quoted

    def add(self, text: str) -> None:
        """Add a fragment. Only brackets are tracked: parsing the whole text each time would take quadratic time."""
        self.begun = self.begun or bool(text.strip())
        start = 0
        while start < len(text):
            self._first = self._first or _first_character(text, start)
            end = self._find_end(text, start)
            self._pieces.append(text[start:end])
            start = end
            if self._depth == 0 and self._first in ("{", "["):
                self._values.append("".join(self._pieces))
                self._restart()

    def _find_end(self, text: str, start: int) -> int:
        """Track brackets from ``start`` to the end of the value or of the text, and return that position."""
        if self._unread and start < len(text):  # skip the character escaped at the end of the last fragment
            self._unread = ""
            start += 1
        mark = ""
        for found in _MARKS.finditer(text, start):
            mark = found[0]
            if mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted and mark in "{}[]":
                self._depth += (mark in "{[") - (mark in "}]")
                if self._depth == 0:
                    return found.end()
        self._unread = mark if mark == "\\" else ""
        return len(text)

    def text(self) -> str:
        """Return the value that contains the others, or else everything received."""
        rest = _told_last(self._pieces)
        if not self._values or not rest.strip():
            return _pick(self._values) + rest
        return _pick([*self._values, rest])


class JsonText:
    """A JSON text that is parsed at most once, however often it is compared."""

    __slots__ = ("_value", "bare", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.bare = text.strip()
        self._value: Any = _UNREAD

    @property
    def value(self) -> Any:
        """The parsed value. Raises ValueError if the text is not JSON."""
        if self._value is _UNREAD:
            try:
                self._value = json.loads(self.text)
            except (ValueError, RecursionError):
                self._value = _NOT_JSON
        if self._value is _NOT_JSON:
            raise ValueError("not JSON")
        return self._value


def _pick(values: list[str]) -> str:
    different = list({value.strip(): value for value in reversed(values)}.values())[::-1]
    if not different or len(different) > _MAX_VALUES:
        return "".join(values)
    best = JsonText(different[0])
    for text in different[1:]:
        value = JsonText(text)
        if holds(value, best):
            best = value
        elif not holds(best, value) and not best.bare.startswith(value.bare):
            return "".join(values)
    return best.text


def _told_last(pieces: list[str]) -> str:
    """Join the fragments of a value. If later fragments repeat it from the start, return the last repetition."""
    whole = "".join(pieces)
    if len(pieces) < 2 or _is_json(whole):
        return whole
    beginnings = [number for number, piece in enumerate(pieces) if number and piece.lstrip().startswith("{")]
    for number in beginnings[: -_MAX_BEGINNINGS - 1 : -1]:
        last = "".join(pieces[number:])
        before = pieces[:number]
        if _is_json(last) and (last.startswith("".join(before)) or all(map(last.startswith, before))):
            return last
    return whole


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def holds(larger: JsonText, smaller: JsonText) -> bool:
    """Whether ``larger`` contains everything in ``smaller``: it is equal, or extends it."""
    if larger.bare == smaller.bare:
        return True
    try:
        return _extends(larger.value, smaller.value)
    except (ValueError, RecursionError):
        return False


def _extends(larger: Any, smaller: Any) -> bool:
    if isinstance(larger, dict) and isinstance(smaller, dict):
        return all(key in larger and _extends(larger[key], value) for key, value in smaller.items())
    if isinstance(larger, list) and isinstance(smaller, list):
        pairs = zip(larger, smaller, strict=False)
        return len(larger) >= len(smaller) and all(_extends(value, other) for value, other in pairs)
    if isinstance(larger, str) and isinstance(smaller, str):
        return larger.startswith(smaller)
    return type(larger) is type(smaller) and bool(larger == smaller)


def _first_character(text: str, start: int) -> str:
    found = _NOT_BLANK.search(text, start)
    return found[0] if found else ""
