"""Checks of arguments, their error messages, and conversion from the types of other libraries."""

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
    """A ``repr`` that does not format the whole of a large value just to show its beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _SHOWN

    def repr_bytes(self, value: bytes | bytearray, level: int) -> str:
        return repr(value[:_SHOWN])

    repr_bytearray = repr_bytes

    def repr_int(self, value: int, level: int) -> str:
        # Python raises ValueError when an int of more than 4300 digits is converted to text.
        return repr(value) if value.bit_length() < 1000 else f"<an int of {value.bit_length()} bits>"


_SHORT_REPR = _ShortRepr()


def show(value: object) -> str:
    """The value for an error message: its ``repr``, cut to 80 characters."""
    text = _SHORT_REPR.repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def check_int(name: str, value: Any, least: int) -> int:
    """The value of the argument ``name`` as an int that is at least ``least``. Raises InvalidRequestError."""
    number = plain_number(value)
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise refusal(name, f"a whole number from {least} up", value)
    return number


def refusal(place: str, rule: str, value: object) -> InvalidRequestError:
    """The error for a value at ``place`` that violates ``rule``: "<place> must be <rule>, not <value>"."""
    found = "None" if value is None else f"{type(value).__name__}: {show(value)}"
    return InvalidRequestError(f"{place} must be {rule}, not {found}")


def is_filled(value: object) -> bool:
    """Whether the value is a non-empty str."""
    return isinstance(value, str) and value != ""


def is_plain_path(text: str) -> bool:
    """Whether the text is a name, or a path of names, that is safe as part of a URL path."""
    return all(re.fullmatch(r"[\w.-]+", name) and name not in (".", "..") for name in text.split("/"))


def plain_value(value: Any) -> Any:
    """A number, an ``Enum`` member or a record of another library as a JSON value; anything else unchanged."""
    if isinstance(value, Enum):
        return value.value
    mapping = plain_mapping(value)
    return plain_number(value) if mapping is None else mapping


def plain_number(value: Any) -> Any:
    """A number from NumPy, ``decimal`` and similar libraries as an int, float or bool; anything else unchanged.

    Numbers are recognised by ``__index__`` and ``__float__``, so no library is imported. An array is not a number,
    unless it has no dimensions.
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
    """A mapping unchanged, a pydantic model or a dataclass as a dict of its fields; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if hasattr(value, "model_dump"):
        dumped = value.model_dump()
        return dumped if isinstance(dumped, Mapping) else None
    # One level only: nested values may be objects of this library with their own conversion.
    return {field.name: getattr(value, field.name) for field in fields(value)} if is_dataclass(value) else None


def check_text(text: str, place: str) -> str:
    """The text unchanged; raises InvalidRequestError if it has a lone surrogate, which cannot be encoded as UTF-8."""
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
    """The arguments of a method from its ``locals()``, without ``self``. To be called first in the method."""
    given = dict(arguments)
    for name in ("self", "cls", "__class__"):
        given.pop(name, None)
    return given


def warn(message: str) -> None:
    """Issue a warning for the innermost line outside this package, which is the line that the user can change."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] == "hf_text":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, HFTextWarning, stacklevel=level)


def _as_float_or_int(value: Any) -> float | int:
    """The number as a float, or as an int if it is a whole Decimal: databases return every number as a Decimal."""
    number = float(value)
    whole = getattr(value, "to_integral_value", None)
    return int(value) if whole is not None and abs(number) < 2.0**64 and whole() == value else number
