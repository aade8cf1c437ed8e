"""Converts untrusted JSON values to expected types; a value of another type becomes None or an empty value."""

from __future__ import annotations

import re
from typing import Any

from ..checks import show
from .surrogates import join_surrogates

__all__ = [
    "as_bounded",
    "as_count",
    "as_flag",
    "as_number",
    "as_object",
    "as_seconds",
    "as_strings",
    "as_text",
    "parse_number",
    "with_plain_keys",
]

# Pickling and copying take several stack frames per level, and the caller's stack may already be deep.
_MAX_LEVELS = 50


def as_text(value: Any) -> str | None:
    """Return a non-empty str, with surrogates joined or replaced."""
    return join_surrogates(value) if isinstance(value, str) and value else None


def as_flag(value: Any) -> bool | None:
    """Return a bool."""
    return value if isinstance(value, bool) else None


def as_object(value: Any) -> dict[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_strings(value: Any) -> tuple[str, ...]:
    """Return the strings in an array."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def as_number(value: Any) -> float | None:
    """Return a number that can be an amount: not a bool, which is an int in Python, and not negative, NaN or huge."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        return None
    return float(value)


def as_count(value: Any) -> int | None:
    """Return a number of tokens; None for 0, which some servers send for unknown."""
    return int(parse_number(value) or 0) or None


def parse_number(value: Any) -> float | None:
    """As ``as_number()``, but read a string of digits too: some servers quote their numbers."""
    is_numeric = isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}(\.[0-9]{0,15})?\s*", value)
    return as_number(float(value) if is_numeric else value)


def as_seconds(milliseconds: Any) -> float | None:
    """Convert milliseconds to seconds."""
    value = parse_number(milliseconds)
    return None if value is None else round(value / 1000, 9)


def with_plain_keys(value: dict[str, Any]) -> dict[str, Any]:
    """Return the object with its keys in lower case and without word separators: ``Error_Message`` and
    ``errorMessage`` become ``errormessage``. If keys collide, the first non-empty value is used.
    """
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = key.replace("_", "").replace("-", "").lower()
        if not plain.get(name):
            plain[name] = item
    return plain


def as_bounded(value: Any, levels: int = _MAX_LEVELS) -> Any:
    """Copy a JSON value so that it can be shown, copied and pickled anywhere: lone surrogates are replaced, and values
    nested deeper than ``levels`` are replaced by the beginning of their text.
    """
    if isinstance(value, str):
        return join_surrogates(value)
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        return show(value)
    if isinstance(value, list):
        return [as_bounded(item, levels - 1) for item in value]
    return {join_surrogates(key): as_bounded(item, levels - 1) for key, item in value.items()}
