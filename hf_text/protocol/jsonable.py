"""Copies values into plain JSON types in one walk that checks each value and tracks its path."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..checks import check_text, plain_value, refusal
from ..errors import InvalidRequestError

__all__ = ["build_json", "is_int", "is_number"]

# JSON Schema keywords that hold values, not schemas: null means null in them (Draft 2020-12; "example" is OpenAPI's).
# "enum" and "examples" are lists, so null in place of such a list is meaningless.
_NULLABLE_KEYWORDS = frozenset({"const", "default", "example"})
_LITERAL_KEYWORDS = _NULLABLE_KEYWORDS | {"enum", "examples"}

# serde_json, which several servers use to parse requests, stops at 128 levels.
_MAX_DEPTH = 120

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1


def is_int(value: object) -> bool:
    """Whether it is an int, not a bool, that every server can parse."""
    return isinstance(value, int) and not isinstance(value, bool) and _INT_MIN <= value <= _INT_MAX


def is_number(value: object) -> bool:
    """Whether it is such an int, or a finite float."""
    return is_int(value) or (isinstance(value, float) and math.isfinite(value))


def build_json(value: Any, place: str, *, keep_none: bool = False, depth: int = 0) -> Any:
    """Copy a value into plain JSON types, without None values in mappings unless they are meaningful there.

    Args:
        value: the value; numbers, enums, models and dataclasses of other libraries become their JSON equivalents.
        place: the path of the value, for errors.
        keep_none: whether None is also kept in mappings.
        depth: the nesting depth of the value.

    Raises:
        InvalidRequestError: a value cannot be written as JSON or UTF-8; the message names its place and shows it.
    """
    if depth > _MAX_DEPTH:
        raise InvalidRequestError(f"{place[:80]}… is nested more than {_MAX_DEPTH} levels deep, or contains itself")
    if isinstance(value, str):
        return check_text(value, place)
    if value is None or isinstance(value, bool) or is_number(value):
        return value
    if isinstance(value, Mapping):
        return _build_json_object(value, place, keep_none, depth + 1)
    if isinstance(value, (list, tuple)):
        return [
            build_json(item, f"{place}[{index}]", keep_none=keep_none, depth=depth + 1)
            for index, item in enumerate(value)
        ]
    plain = plain_value(value)
    if plain is not value:
        return build_json(plain, place, keep_none=keep_none, depth=depth + 1)
    raise refusal(place, "a JSON value (its numbers finite, its ints of 64 bits)", value)


def _build_json_object(value: Mapping[Any, Any], place: str, keep_none: bool, depth: int) -> dict[str, Any]:
    built = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise refusal(f"each key of {place}", "a str", key)
        if item is not None or keep_none or key in _NULLABLE_KEYWORDS:
            literal = keep_none or key in _LITERAL_KEYWORDS
            inner = f'{place}["{check_text(key, f"a key of {place}")}"]'
            built[key] = build_json(item, inner, keep_none=literal, depth=depth)
    return built
