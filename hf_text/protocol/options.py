"""Validates the options of a request and converts them to the form that servers accept.

Values outside the protocol are rejected, and the error names the alternative: ``extra_body`` is sent unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..checks import check_text, is_filled, plain_mapping, plain_number, refusal, show
from ..errors import InvalidRequestError
from .jsonable import build_json, is_int, is_number

__all__ = [
    "SINGLE_OPTIONS",
    "build_extra_body",
    "build_response_format",
    "build_stop",
    "build_tool_choice",
    "build_tools",
    "check_option",
]

_TOOL_CHOICES = ("auto", "none", "required")
_SIMPLE_FORMATS = ("text", "json_object")
_SHOWN = 80
_SCHEMA_NAME = "answer"  # for a schema without a title; the protocol requires a name

# Fields that the library relies on, so extra_body must not change them.
_RESERVED = ("model", "messages", "stream")

# The values of "type" in a JSON schema (Draft 2020-12); a response format has other values there.
_SCHEMA_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SCHEMA_KEYWORDS = ("$schema", "$ref", "$defs", "properties", "anyOf", "oneOf", "allOf", "enum", "const", "items")


class _Rule(NamedTuple):
    """What an option must be, in words and as a check."""

    words: str
    fits: Callable[[Any], bool]


def check_option(name: str, value: Any) -> Any:
    """Check an option with one value and return the value to send; None stays None."""
    rule = _RULES[name]
    if value is None:
        return None
    plain = plain_number(value)
    if not rule.fits(plain):
        raise _with_way_out(refusal(name, rule.words, value), name)
    return plain


def _with_way_out(error: InvalidRequestError, name: str) -> InvalidRequestError:
    error.add_advice(f"(If your server supports it: extra_body={{{name!r}: …}})")
    return error


_PENALTY = _Rule("a number from -2 to 2", lambda n: is_number(n) and -2 <= n <= 2)
_FLAG = _Rule("a bool", lambda value: isinstance(value, bool))

_RULES = {
    "max_tokens": _Rule("an int of at least 1", lambda n: is_int(n) and n >= 1),
    "temperature": _Rule("a number from 0 to 2", lambda n: is_number(n) and 0 <= n <= 2),
    "top_p": _Rule("a number above 0 and up to 1", lambda n: is_number(n) and 0 < n <= 1),
    "frequency_penalty": _PENALTY,
    "presence_penalty": _PENALTY,
    "seed": _Rule("an int of 64 bits", is_int),
    "reasoning_effort": _Rule("a str that is not empty", is_filled),
    "logprobs": _FLAG,
    "top_logprobs": _Rule("an int from 0 to 20", lambda n: is_int(n) and 0 <= n <= 20),
    "parallel_tool_calls": _FLAG,
}

SINGLE_OPTIONS = tuple(_RULES)
"""The options with one value, in the order in which they are sent."""


def build_stop(stop: Any) -> list[str] | None:
    """Return the stop sequences as a list; None if there are none."""
    stops = [stop] if isinstance(stop, str) else stop
    if stops is not None and not (isinstance(stops, (list, tuple)) and all(map(is_filled, stops))):
        raise _with_way_out(refusal("stop", "a str that is not empty, or a list of them", stops), "stop")
    return [check_text(text, f"stop[{index}]") for index, text in enumerate(stops)] if stops else None


def build_tools(tools: Any) -> list[Any] | None:
    """Return the tools as a list, which may be empty; None if ``tools`` is None."""
    if tools is None:
        return None
    if not isinstance(tools, (list, tuple)):
        raise refusal("tools", "a list of tools", tools)
    return [build_json(_check_tool(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(tools)]


def _check_tool(given: Any, place: str) -> Mapping[str, Any]:
    tool = plain_mapping(given)
    if tool is None or not is_filled(tool.get("type")):
        rule = (
            'a function tool {"type": "function", "function": {"name": …, "parameters": …}}, or a mapping with "type"'
        )
        raise _with_way_out(refusal(place, rule, given), "tools")
    if tool["type"] == "function":
        _check_function(tool.get("function"), f'{place}["function"]')
    return tool


def _check_function(given: Any, place: str) -> None:
    function = plain_mapping(given)
    if function is None:
        raise _with_way_out(refusal(place, 'a mapping {"name": …, "parameters": …}', given), "tools")
    if not is_filled(function.get("name")):
        raise refusal(f'{place}["name"]', "a str that is not empty", function.get("name"))
    parameters = function.get("parameters")
    if parameters is not None and plain_mapping(parameters) is None:
        raise refusal(f'{place}["parameters"]', "a mapping", parameters)


def build_tool_choice(choice: Any, tools: list[Any] | None) -> Any:
    """Return the tool choice; None if the tool list is empty and the choice therefore has no effect."""
    if choice is None or (tools == [] and choice in ("auto", "none")):
        return None
    if not tools:
        raise InvalidRequestError(f"tool_choice needs tools, and there are none: {show(choice)}")
    mapping = plain_mapping(choice)
    if mapping:
        return build_json(mapping, "tool_choice")
    if isinstance(choice, str) and choice in _TOOL_CHOICES:
        return choice
    names = [tool["function"]["name"] for tool in tools if tool["type"] == "function"]
    if choice not in names:
        rule = f"a mapping or one of {', '.join((*_TOOL_CHOICES, *names))}"
        raise _with_way_out(refusal("tool_choice", rule, choice), "tool_choice")
    return {"type": "function", "function": {"name": choice}}


def build_response_format(given: Any) -> Any:
    """Return the response format as a mapping; a bare JSON schema is wrapped in the protocol's form."""
    if given is None:
        return None
    if isinstance(given, str) and given in _SIMPLE_FORMATS:
        return {"type": given}
    if isinstance(given, type) and hasattr(given, "model_json_schema"):
        name = given.__name__[:_SHOWN]
        raise InvalidRequestError(f"response_format must not be a class; its schema is {name}.model_json_schema()")
    form = _wrap_schema(plain_mapping(given) or {})
    if not is_filled(form.get("type")):
        rule = f'a mapping with "type", a JSON schema, or one of {", ".join(_SIMPLE_FORMATS)}'
        raise _with_way_out(refusal("response_format", rule, given), "response_format")
    return build_json(form, "response_format")


def _wrap_schema(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Wrap a bare JSON schema, which servers reject or silently ignore; return any other format unchanged."""
    if _is_schema(form):
        return {"type": "json_schema", "json_schema": _name_schema(form)}
    inner = form.get("json_schema")
    if form.get("type") == "json_schema" and isinstance(inner, Mapping) and "schema" not in inner and _is_schema(inner):
        return {**form, "json_schema": _name_schema(inner)}
    if "type" not in form and isinstance(form.get("schema"), Mapping):
        return {"type": "json_schema", "json_schema": {"name": _SCHEMA_NAME, **form}}
    return form


def _is_schema(form: Mapping[str, Any]) -> bool:
    kind = form.get("type")
    if kind is None:
        return any(keyword in form for keyword in _SCHEMA_KEYWORDS)
    kinds = kind if isinstance(kind, (list, tuple)) else [kind]
    return bool(kinds) and all(kind in _SCHEMA_TYPES for kind in kinds)


def _name_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Name the schema after its title, using only the characters that OpenAI allows."""
    title = schema.get("title")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", title)[:64].strip("_") if isinstance(title, str) else ""
    return {"name": name or _SCHEMA_NAME, "schema": schema}


def build_extra_body(extra_body: Any) -> dict[str, Any]:
    """Return the fields that are sent unchanged."""
    if extra_body is None:
        return {}
    mapping = plain_mapping(extra_body)
    if mapping is None:
        raise refusal("extra_body", "a mapping", extra_body)
    for name in _RESERVED:
        if name in mapping:
            raise InvalidRequestError(f"extra_body must not contain {name!r}, which has its own argument")
    extra = dict(build_json(mapping, "extra_body"))
    if _counts_above_one(extra.get("n")):
        raise InvalidRequestError(
            f'extra_body["n"] must be 1, not {show(extra["n"])}: one call returns one answer; call again for another'
        )
    return extra


def _counts_above_one(n: Any) -> bool:
    """Whether a server may interpret this as a number above one."""
    try:
        return not isinstance(n, bool) and float(n) > 1
    except (TypeError, ValueError):
        return False
