"""Parses JSON that a model wrote, and defines the error for a value that does not match its schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["NESTED", "UnfitError", "load_json", "load_object"]

NESTED: dict[str, Any] = {"type": "recursion", "loc": (), "msg": "it is nested too deeply"}

_MAX_PROBLEMS = 5
_MAX_WORDS = 200  # characters of one problem


class UnfitError(ValueError):
    """A model's output does not match. ``str()`` lists the problems, a line each, short enough to send to the model.

    Attributes:
        errors: a mapping for each problem: ``loc``, the path to the place in the value; ``msg``; ``type``.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(tuple(errors))
        self.errors: tuple[Mapping[str, Any], ...] = tuple(errors)

    def __str__(self) -> str:
        lines = [_describe(error) for error in self.errors[:_MAX_PROBLEMS]]
        left = len(self.errors) - len(lines)
        return "\n".join([*lines, *([f"and {left} more"] if left else [])])


def load_json(text: str) -> Any:
    """Parse a JSON value. Raises UnfitError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnfitError([{"type": "json_invalid", "loc": (), "msg": f"not valid JSON: {error}"}]) from None


def load_object(text: str) -> dict[str, Any]:
    """Parse the arguments of a call: a JSON object. Empty text is an empty object, and an object inside a JSON string,
    as some models write it, is accepted too. Raises UnfitError.
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
