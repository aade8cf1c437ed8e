"""The type of an answer: its schema in the request, and its value from the model's text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, get_origin

from ..checks import refusal
from ..schemas import UnfitError, load_json, schema_as_given, schema_of_type

__all__ = ["Output"]

_KEY = "value"  # the key that wraps a value that is not an object


class Output:
    """The type of an answer.

    A schema that is not for an object is sent as an object with one key, ``value``: some servers accept nothing
    else. Answers are accepted with and without that key.

    Args:
        output_type: a type, a ``TypeAdapter``, or a JSON schema.

    Attributes:
        name: a name for the type, of letters, digits, _ and -.
        schema: the JSON schema to send.

    Raises MissingExtraError, and InvalidRequestError for a type that has no schema.
    """

    def __init__(self, output_type: Any) -> None:
        if output_type is None or isinstance(output_type, (str, bytes, list)):
            raise refusal("output_type", "a type, a TypeAdapter or a JSON schema", output_type)
        given = isinstance(output_type, Mapping)
        self._inner = (schema_as_given if given else schema_of_type)(output_type, "output_type")
        schema = {key: value for key, value in self._inner.schema.items() if key != "$schema"}  # Fireworks rejects it
        self.name: str = _name_of(schema.get("title") or output_type)
        self._wrapped = schema.get("type") != "object"
        self._openers = "{" if not self._wrapped else "[{" if schema.get("type") == "array" else "{["
        self.schema: dict[str, Any] = _wrap(schema) if self._wrapped else schema

    def load(self, text: str) -> Any:
        """Read the value from an answer: from the whole text, else from its only fenced block, else from the text
        between its outermost braces or brackets. Raises UnfitError.
        """
        problem: UnfitError | None = None
        for candidate in _find_json(text, self._openers):
            try:
                value = load_json(candidate)
            except UnfitError as error:
                problem = problem or error
                continue
            try:
                return self._fit(value)
            except UnfitError as error:
                problem = error
        if self._wrapped and text.strip():  # such as "blue" for a Literal of colours
            with suppress(UnfitError):
                return self._inner.load(text.strip())
        assert problem is not None
        raise problem

    def _fit(self, value: Any) -> Any:
        inner = self._wrapped and isinstance(value, dict) and set(value) == {_KEY}
        return self._inner.load(value[_KEY] if inner else value)


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    definitions: dict[str, Any] = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    inner = {key: value for key, value in schema.items() if key not in definitions}
    outer = {"type": "object", "properties": {_KEY: inner}, "required": [_KEY], "additionalProperties": False}
    return {**outer, **definitions}


def _name_of(named: Any) -> str:
    named = named.__name__ if isinstance(named, type) and not get_origin(named) else named
    text = named if isinstance(named, str) else ""
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", text)[:64].strip("_") or "answer"


def _find_json(text: str, openers: str) -> Iterator[str]:
    """Yield the parts of the text that may be the JSON of an answer, the likeliest first."""
    yield text.strip()
    blocks = _fenced_blocks(text)
    if len(blocks) == 1:
        yield blocks[0]
    for opener in openers:
        start, end = text.find(opener), text.rfind("}" if opener == "{" else "]")
        if 0 <= start < end:
            yield text[start : end + 1]


def _fenced_blocks(text: str) -> list[str]:
    """Return the content of Markdown's fenced blocks; the last one may lack its closing fence."""
    blocks: list[list[str]] = []
    inside = False
    for line in text.split("\n"):
        if line.strip().startswith("```"):
            inside = not inside
            if inside:
                blocks.append([])
        elif inside:
            blocks[-1].append(line)
    return ["\n".join(block) for block in blocks]
