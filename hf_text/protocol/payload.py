"""The body of a chat request: what the caller asked for, checked, and nothing else.

Servers differ in what they refuse: unknown fields, fields that are null, numbers out of range. So only what was given
is sent, None is dropped from it, and what no server accepts is refused here, with the argument's name. Values whose
form is the caller's (tools, response_format, extra_body) are copied by one walk that checks each and knows its path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from ..checks import check_text, is_filled, refusal, show
from ..errors import InvalidRequestError
from .media import has_media

__all__ = ["build_payload", "encode_payload"]

_TOOL_CHOICES = ("auto", "none", "required")
_SIMPLE_FORMATS = ("text", "json_object")

# What the library itself must know of a request, so extra_body may not change it behind its back.
_RESERVED = ("model", "messages", "stream")

# JSON Schema keywords that hold values, not schemas: null means null in them (Draft 2020-12; "example" is OpenAPI's).
# "enum" and "examples" are lists, so null in place of such a list says nothing.
_NULLABLE_KEYWORDS = frozenset({"const", "default", "example"})
_LITERAL_KEYWORDS = _NULLABLE_KEYWORDS | {"enum", "examples"}

# serde_json, which reads requests in several servers, stops at 128 levels.
_MAX_DEPTH = 120

_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1

_PIECE_CHARACTERS = 1 << 20

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def build_payload(
    *,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    stream: bool = True,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    reasoning_effort: str | None = None,
    include_usage: bool = False,
    extra_body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a request to ``/chat/completions``, with ``model`` first: a proxy may route by the body's beginning.

    An option that is None is left out, and so is None inside an option or a message, except where it has a meaning: in
    lists, and as a value in a JSON schema (``default``, ``const``, ``example``, and inside ``enum`` and ``examples``).

    Args:
        model: the model, with or without a suffix for the router.
        messages: checked messages; they are not changed.
        max_tokens: at least 1; tokens of reasoning count.
        temperature, top_p: 0 to 2; above 0 and up to 1.
        stop: up to four texts that end the answer. They are sent as a list, the form that every server reads.
        seed: any int of 64 bits.
        tools: function tools in OpenAI's form, at least one.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, the name of one of the tools, or a mapping, sent as it is.
        response_format: ``"text"``, ``"json_object"`` or a mapping with ``type``.
        reasoning_effort: such as ``"low"``; which words there are depends on the provider.
        include_usage: ask for the token counts at the end of a stream; nothing is asked if ``stream`` is false.
        extra_body: more fields, which may also replace the above, except ``model``, ``messages`` and ``stream``.

    Raises:
        InvalidRequestError: an argument is not as above, or holds what JSON cannot; the message tells where.
    """
    options = {
        "stream_options": {"include_usage": True} if _check_bool(include_usage, "include_usage") and stream else None,
        "max_tokens": _check(max_tokens, "max_tokens", "an int of at least 1", lambda n: _is_int(n) and n >= 1),
        "temperature": _check(
            temperature, "temperature", "a number from 0 to 2", lambda n: _is_number(n) and 0 <= n <= 2
        ),
        "top_p": _check(top_p, "top_p", "a number above 0 and up to 1", lambda n: _is_number(n) and 0 < n <= 1),
        "stop": _build_stop(stop),
        "seed": _check(seed, "seed", "an int of 64 bits", _is_int),
        "tools": _build_tools(tools),
        "tool_choice": _build_tool_choice(tool_choice, tools),
        "response_format": _build_response_format(response_format),
        "reasoning_effort": _check(reasoning_effort, "reasoning_effort", "a str that is not empty", is_filled),
    }
    return {
        "model": check_text(_check(model, "model", "a str that is not empty", is_filled, needed=True), "model"),
        "messages": [_build_message(message) for message in messages],
        "stream": _check_bool(stream, "stream"),
        **{name: value for name, value in options.items() if value is not None},
        **_build_extra_body(extra_body),
    }


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """The body as it goes over the wire: compact JSON in UTF-8.

    Raises:
        InvalidRequestError: it holds what JSON or UTF-8 cannot: the message names the place, such as
            ``messages[3]["x"]``, and shows the value.
    """
    try:
        return _encode(payload)
    except (TypeError, ValueError, RecursionError):
        # The encoder does not tell the place. The walk does, and makes dicts and lists of other mappings and sequences.
        return _encode({name: _build_json(value, name, keep_none=True) for name, value in payload.items()})


def _check(value: Any, name: str, rule: str, is_valid: Callable[[Any], bool], *, needed: bool = False) -> Any:
    if (value is not None or needed) and not is_valid(value):
        raise refusal(name, rule, value)
    return value


def _check_bool(value: Any, name: str) -> Any:
    return _check(value, name, "a bool", lambda value: isinstance(value, bool), needed=True)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and _INT_MIN <= value <= _INT_MAX


def _is_number(value: object) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


def _build_stop(stop: Any) -> list[str] | None:
    stops = [stop] if isinstance(stop, str) else stop
    rule = "a str that is not empty, or up to four of them"
    _check(stops, "stop", rule, lambda s: isinstance(s, (list, tuple)) and len(s) <= 4 and all(map(is_filled, s)))
    return [check_text(text, f"stop[{index}]") for index, text in enumerate(stops)] if stops else None


def _build_tools(tools: Any) -> list[Any] | None:
    if tools is None:
        return None
    if not isinstance(tools, (list, tuple)) or not tools:
        raise refusal("tools", "a list of at least one function tool", tools)
    for index, tool in enumerate(tools):
        _check_tool(tool, f"tools[{index}]")
    return list(_build_json(tools, "tools"))


def _check_tool(tool: Any, place: str) -> None:
    if not isinstance(tool, Mapping) or tool.get("type") != "function" or not isinstance(tool.get("function"), Mapping):
        raise refusal(place, 'a function tool {"type": "function", "function": {"name": …, "parameters": …}}', tool)
    function = tool["function"]
    _check(function.get("name"), f'{place}["function"]["name"]', "a str that is not empty", is_filled, needed=True)
    parameters = function.get("parameters")
    _check(parameters, f'{place}["function"]["parameters"]', "a mapping", lambda value: isinstance(value, Mapping))


def _build_tool_choice(choice: Any, tools: Any) -> Any:
    if choice is None:
        return None
    if tools is None:
        raise InvalidRequestError(f"tool_choice needs tools, and there are none: {show(choice)}")
    if isinstance(choice, Mapping) and choice:
        return _build_json(choice, "tool_choice")
    names = [tool["function"]["name"] for tool in tools]
    if isinstance(choice, str) and choice in _TOOL_CHOICES:
        return choice
    if choice not in names:
        raise refusal("tool_choice", f"a mapping or one of {', '.join((*_TOOL_CHOICES, *names))}", choice)
    return {"type": "function", "function": {"name": choice}}


def _build_response_format(form: Any) -> Any:
    if form is None:
        return None
    if isinstance(form, str) and form in _SIMPLE_FORMATS:
        return {"type": form}
    if not isinstance(form, Mapping) or not is_filled(form.get("type")):
        raise refusal("response_format", f'a mapping with "type", or one of {", ".join(_SIMPLE_FORMATS)}', form)
    return _build_json(form, "response_format")


def _build_extra_body(extra_body: Any) -> dict[str, Any]:
    if extra_body is None:
        return {}
    if not isinstance(extra_body, Mapping):
        raise refusal("extra_body", "a mapping", extra_body)
    for name in _RESERVED:
        if name in extra_body:
            raise InvalidRequestError(f"extra_body must not hold {name!r}, which is an argument of its own")
    return dict(_build_json(extra_body, "extra_body"))


def _build_message(message: Mapping[str, Any]) -> dict[str, Any]:
    built = _drop_none(message)
    if "content" in message and (built.get("tool_calls") or built.get("function_call")):
        built["content"] = message["content"]  # null too: servers in Rust insist on the field (DeepSeek)
    if isinstance(built.get("content"), list):
        built["content"] = [_drop_none(part, "image_url", "input_audio") for part in built["content"]]
    if isinstance(built.get("tool_calls"), list):
        built["tool_calls"] = [_drop_none(call, "function") for call in built["tool_calls"]]
    return built


def _drop_none(mapping: Mapping[str, Any], *inner: str) -> dict[str, Any]:
    """A copy without None, neither in the mapping nor in the mappings under the keys ``inner``."""
    kept = {key: value for key, value in mapping.items() if value is not None}
    for key in inner:
        if isinstance(kept.get(key), Mapping):
            kept[key] = _drop_none(kept[key])
    return kept


def _build_json(value: Any, place: str, *, keep_none: bool = False, depth: int = 0) -> Any:
    """A copy of what JSON can say, without None values in mappings unless they mean something there."""
    if depth > _MAX_DEPTH:
        raise InvalidRequestError(f"{place[:80]}… is nested more than {_MAX_DEPTH} levels deep, or contains itself")
    if isinstance(value, str):
        return check_text(value, place)
    if value is None or isinstance(value, bool) or _is_number(value):
        return value
    if isinstance(value, Mapping):
        return _build_json_object(value, place, keep_none, depth + 1)
    if isinstance(value, (list, tuple)):
        return [
            _build_json(item, f"{place}[{index}]", keep_none=keep_none, depth=depth + 1)
            for index, item in enumerate(value)
        ]
    raise refusal(place, "a JSON value (its numbers finite, its ints of 64 bits)", value)


def _build_json_object(value: Mapping[Any, Any], place: str, keep_none: bool, depth: int) -> dict[str, Any]:
    built = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise refusal(f"each key of {place}", "a str", key)
        if item is not None or keep_none or key in _NULLABLE_KEYWORDS:
            literal = keep_none or key in _LITERAL_KEYWORDS
            inner = f'{place}["{check_text(key, f"a key of {place}")}"]'
            built[key] = _build_json(item, inner, keep_none=literal, depth=depth)
    return built


def _encode(payload: Mapping[str, Any]) -> bytes:
    if not has_media(payload.get("messages", ())):
        return _ENCODER.encode(payload).encode()
    # In one piece, media would be in memory five times, and a single emoji would make that four bytes a character.
    body = BytesIO()
    for piece in _encode_in_pieces(payload):
        body.write(piece)
    return body.getvalue()


def _encode_in_pieces(value: Any) -> Iterator[bytes]:
    """The JSON of a value, in pieces of bounded length."""
    if isinstance(value, str):
        yield b'"'
        for start in range(0, len(value), _PIECE_CHARACTERS):
            yield _ENCODER.encode(value[start : start + _PIECE_CHARACTERS])[1:-1].encode()
        yield b'"'
    elif isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            yield (b"," if index else b"{") + _ENCODER.encode({key: 0})[1:-2].encode()
            yield from _encode_in_pieces(item)
        yield b"}" if value else b"{}"
    elif isinstance(value, (list, tuple)):
        yield b"["
        for index, item in enumerate(value):
            yield b"," if index else b""
            yield from _encode_in_pieces(item)
        yield b"]"
    else:
        yield _ENCODER.encode(value).encode()
