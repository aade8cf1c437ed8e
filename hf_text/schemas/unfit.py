"""What a model wrote, read as JSON, and the error for what does not fit a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["NESTED", "UnfitError", "load_json", "load_object"]

NESTED: dict[str, Any] = {"type": "recursion", "loc": (), "msg": "it is nested too deeply"}

_MAX_PROBLEMS = 5
_MAX_WORDS = 200  # characters of one problem


class UnfitError(ValueError):
    """What a model wrote does not fit. ``str()`` gives the problems, a line each, short enough to be sent to the model.

    Attributes:
        errors: a mapping for each problem: ``loc``, the way to the place in the value; ``msg``; ``type``.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(tuple(errors))
        self.errors: tuple[Mapping[str, Any], ...] = tuple(errors)

    def __str__(self) -> str:
        lines = [_describe(error) for error in self.errors[:_MAX_PROBLEMS]]
        left = len(self.errors) - len(lines)
        return "\n".join([*lines, *([f"and {left} more"] if left else [])])


def load_json(text: str) -> Any:
    """The JSON value in a text. Raises UnfitError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnfitError([{"type": "json_invalid", "loc": (), "msg": f"not valid JSON: {error}"}]) from None


def load_object(text: str) -> dict[str, Any]:
    """The arguments of a call: a JSON object. Nothing at all is an empty one, and one that is quoted once more (an
    object in a JSON string, as some models write it) is taken too. Raises UnfitError.
    """
    value = load_json(text) if text.strip() else None
    if isinstance(value, str):
        value = load_json(value) if value.strip() else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnfitError([{"type": "object", "loc": (), "msg": f"must be a JSON object, not {_kind_of(value)}"}])
    return value


def _kind_of(value: Any) -> str:
    kinds: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean"}
    return kinds.get(type(value), "a number")


def _describe(error: Mapping[str, Any]) -> str:
    place = ".".join(map(str, error.get("loc", ())))
    words = str(error.get("msg", ""))
    words = words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"
    return f"{place}: {words}" if place else words
