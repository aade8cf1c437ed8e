"""Arguments: checked, refused by name, and shown in errors."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from .errors import InvalidRequestError

__all__ = ["check_int", "check_text", "is_filled", "refusal", "show", "without_self"]

_SHOWN = 80


class _ShortRepr(reprlib.Repr):
    """``repr`` that never writes out a whole file just to show its beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _SHOWN

    def repr_bytes(self, value: bytes | bytearray, level: int) -> str:
        return repr(value[:_SHOWN])

    repr_bytearray = repr_bytes

    def repr_int(self, value: int, level: int) -> str:
        # Python refuses to write out an int of more than 4300 digits.
        return repr(value) if value.bit_length() < 1000 else f"<an int of {value.bit_length()} bits>"


_SHORT_REPR = _ShortRepr()


def show(value: object) -> str:
    """The value as it is shown in an error: its ``repr``, cut to 80 characters."""
    text = _SHORT_REPR.repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def check_int(name: str, value: Any, least: int) -> int:
    """The argument ``name``, a whole number from ``least`` up. Raises InvalidRequestError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise refusal(name, f"a whole number from {least} up", value)
    return value


def refusal(place: str, rule: str, value: object) -> InvalidRequestError:
    """The error that says: what stands at ``place`` must be ``rule``, and is not."""
    found = "None" if value is None else f"{type(value).__name__}: {show(value)}"
    return InvalidRequestError(f"{place} must be {rule}, not {found}")


def is_filled(value: object) -> bool:
    """Whether the value is a str that is not empty."""
    return isinstance(value, str) and value != ""


def check_text(text: str, place: str) -> str:
    """The text itself; raises InvalidRequestError if it holds a lone surrogate, which no UTF-8 can carry."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            near = show(text[max(0, error.start - 20) : error.start + 20])
            raise InvalidRequestError(
                f"{place} has a lone surrogate at index {error.start}, which cannot be sent as UTF-8: {near}"
            ) from None
    return text


def without_self(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The ``locals()`` of a method that does nothing before: its arguments, to be handed on as they are."""
    return {name: value for name, value in arguments.items() if name not in ("self", "cls", "__class__")}
