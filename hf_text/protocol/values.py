"""Values of JSON that others write: what each can be taken for; None, or nothing, where it is of another type."""

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
    "plain_number",
    "with_plain_keys",
]

# Pickling and copying take several frames a level, and the caller's own stack may be deep already.
_MAX_LEVELS = 50


def as_text(value: Any) -> str | None:
    """A str that is not empty, of whole characters."""
    return join_surrogates(value) if isinstance(value, str) and value else None


def as_flag(value: Any) -> bool | None:
    """True or False."""
    return value if isinstance(value, bool) else None


def as_object(value: Any) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_strings(value: Any) -> tuple[str, ...]:
    """The strings in an array."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def as_number(value: Any) -> float | None:
    """A JSON number that can be an amount. Not a bool, which Python counts as an int, and not negative, NaN or huge."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        return None
    return float(value)


def as_count(value: Any) -> int | None:
    """A number of tokens; 0 is what servers write that do not know."""
    return int(as_number(value) or 0) or None


def plain_number(value: Any) -> Any:
    """The number that a string of at most 15 digits writes, and as many decimals; anything else as it is."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}(\.[0-9]{0,15})?\s*", value):
        return float(value)
    return value


def as_seconds(milliseconds: Any) -> float | None:
    """Milliseconds in seconds."""
    value = as_number(milliseconds)
    return None if value is None else round(value / 1000, 9)


def with_plain_keys(value: dict[str, Any]) -> dict[str, Any]:
    """The object with its keys in lower case and without what stands between words: ``Error_Message`` and
    ``errorMessage`` are ``errormessage``. Of several that then are equal the first that says something counts.
    """
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = key.replace("_", "").replace("-", "").lower()
        if not plain.get(name):
            plain[name] = item
    return plain


def as_bounded(value: Any, levels: int = _MAX_LEVELS) -> Any:
    """A copy of a JSON value that can be shown, copied and pickled anywhere: half characters are replaced, and what is
    nested deeper than ``levels`` is replaced by the beginning of its text.
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
