"""Templates: from the columns of a row to what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any

from ..checks import refusal, show
from ..errors import InvalidRequestError
from .columns import plain

__all__ = ["Template", "build_prompt", "check_template"]

Template = str | Sequence[Mapping[str, Any]] | Callable[[Any], Any]
"""A prompt with ``{column}`` in it, messages with such texts, or a function from a row to a prompt or a row."""

_formatter = Formatter()


def check_template(template: Any) -> None:
    """Raises InvalidRequestError for what cannot be a template."""
    if template is None or callable(template):
        return
    if isinstance(template, str) and template:
        _fields(template)
    elif isinstance(template, Sequence) and template and all(isinstance(message, Mapping) for message in template):
        for message in template:
            _fields(str(message.get("content", "")))
    else:
        raise refusal("template", 'a text such as "Label: {text}", messages, or a function of a row', template)


def build_prompt(template: Template, value: object, place: str) -> Any:
    """What is asked for this row: a prompt, messages, or what the function returns. Raises InvalidRequestError for a
    column that is not there, or is empty.
    """
    if not isinstance(template, str) and callable(template):
        return template(value)
    if isinstance(template, str):
        return _fill(template, value, place)
    return [
        {**message, "content": _fill(content, value, place)}
        if isinstance(content := message.get("content"), str)
        else message
        for message in template
    ]


def _fill(template: str, value: object, place: str) -> str:
    columns = value if isinstance(value, Mapping) else dict.fromkeys(_names(template), value)
    parts: list[str] = []
    for text, name, form, conversion in _formatter.parse(template):
        parts.append(text)
        if name is not None:
            found = _formatter.convert_field(_column(columns, name, place), conversion)
            parts.append(format(found, form or ""))
    return "".join(parts)


def _column(columns: Mapping[str, Any], name: str, place: str) -> Any:
    if name not in columns:
        known = ", ".join(map(str, columns))
        is_text = not name or name.strip(" \n\t\"'") != name
        braces = "; write a literal brace twice, {{ or }}" if is_text else ""
        raise InvalidRequestError(f"{place}: the template names {show(name)}, but the columns are {known}{braces}")
    value = plain(columns[name])
    if value is None:
        raise InvalidRequestError(f"{place}: the column {show(name)} of the template is empty")
    return value


def _names(template: str) -> set[str]:
    return {name for name in _fields(template) if name}


def _fields(template: str) -> list[str]:
    """The columns that a text names. Raises InvalidRequestError for braces that do not match."""
    try:
        return [name for _, name, _, _ in _formatter.parse(template) if name is not None]
    except ValueError as error:
        message = f"template: {error}; write a literal brace twice, {{{{ or }}}}"
        raise InvalidRequestError(message) from None
