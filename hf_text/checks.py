"""Arguments: checked, refused by name, shown in errors, and taken in the types of other libraries."""

from __future__ import annotations

import operator
import re
import reprlib
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from .errors import HFTextWarning, InvalidRequestError

__all__ = [
    "check_int",
    "check_text",
    "is_filled",
    "is_plain_path",
    "plain_mapping",
    "plain_number",
    "plain_value",
    "refusal",
    "show",
    "warn",
    "without_self",
]

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
    number = plain_number(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise refusal(name, f"a whole number from {least} up", value)
    return number


def refusal(place: str, rule: str, value: object) -> InvalidRequestError:
    """The error that says: what stands at ``place`` must be ``rule``, and is not."""
    found = "None" if value is None else f"{type(value).__name__}: {show(value)}"
    return InvalidRequestError(f"{place} must be {rule}, not {found}")


def is_filled(value: object) -> bool:
    """Whether the value is a str that is not empty."""
    return isinstance(value, str) and value != ""


def is_plain_path(text: str) -> bool:
    """Whether the text is a name, or a path of names, that leads nowhere else when it becomes a part of a URL."""
    return all(re.fullmatch(r"[\w.-]+", name) and name not in (".", "..") for name in text.split("/"))


def plain_value(value: Any) -> Any:
    """A number, an ``Enum`` member or a record of another library as JSON has it; anything else as it is."""
    if isinstance(value, Enum):
        return value.value
    mapping = plain_mapping(value)
    return plain_number(value) if mapping is None else mapping


def plain_number(value: Any) -> Any:
    """A number of NumPy, ``decimal`` and the like as Python's own int, float or bool; anything else as it is.

    They are known by what they can do (``__index__``, ``__float__``), so nothing is imported for it. An array is not
    a number, unless it has no dimensions.
    """
    kind = type(value)
    if isinstance(value, float):
        return float(value)
    if value is None or isinstance(value, (int, str)) or getattr(value, "shape", ()) != ():
        return value
    if kind.__name__ in ("bool", "bool_"):  # NumPy's
        return bool(value)
    for name, convert in (("__index__", operator.index), ("__float__", _as_float_or_int)):
        if hasattr(kind, name):
            with suppress(TypeError, ValueError, OverflowError):  # an array of floats, a signalling NaN
                return convert(value)
    return value


def plain_mapping(value: Any) -> Mapping[str, Any] | None:
    """A mapping as it is, a pydantic model or a dataclass as a dict of its fields; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if hasattr(value, "model_dump"):
        dumped = value.model_dump()
        return dumped if isinstance(dumped, Mapping) else None
    # One level: what is in it may be an object of ours with a form of its own.
    return {field.name: getattr(value, field.name) for field in fields(value)} if is_dataclass(value) else None


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
    given = dict(arguments)
    for name in ("self", "cls", "__class__"):
        given.pop(name, None)
    return given


def warn(message: str) -> None:
    """Warn, at the line outside this package from which it was called: that is the line that the user can change."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] == "hf_text":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, HFTextWarning, stacklevel=level)


def _as_float_or_int(value: Any) -> float | int:
    """A Decimal that is whole is an int: databases give every number as a Decimal."""
    number = float(value)
    whole = getattr(value, "to_integral_value", None)
    return int(value) if whole is not None and abs(number) < 2.0**64 and whole() == value else number
