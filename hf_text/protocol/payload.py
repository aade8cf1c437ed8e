"""The body of a chat request: what the caller asked for, checked, and nothing else.

Servers differ in what they refuse: unknown fields, fields that are null, numbers out of range. So only what was given
is sent, None is dropped from it, and what no server accepts is refused here, with the argument's name. Values whose
form is the caller's (tools, response_format, extra_body) are copied by one walk that checks each and knows its path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from ..checks import check_text, is_filled, plain_number, refusal
from ..errors import InvalidRequestError
from .jsonable import build_json
from .media import has_media
from .options import (
    SINGLE_OPTIONS,
    build_extra_body,
    build_response_format,
    build_stop,
    build_tool_choice,
    build_tools,
    check_option,
)

__all__ = ["build_payload", "encode_payload"]

_PIECE_CHARACTERS = 1 << 20

_NO_OPTIONS: dict[str, Any] = dict.fromkeys(SINGLE_OPTIONS)

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def build_payload(
    *,
    model: str,
    messages: Sequence[Mapping[str, Any]],
    stream: bool = True,
    stop: str | Sequence[str] | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    tool_choice: str | Mapping[str, Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    include_usage: bool = False,
    extra_body: Mapping[str, Any] | None = None,
    **single: Any,
) -> dict[str, Any]:
    """The body of a request to ``/chat/completions``, with ``model`` first: a proxy may route by the body's beginning.

    An option that is None is left out, and so is None inside an option or a message, except where it has a meaning: in
    lists, as a value in a JSON schema (``default``, ``const``, ``example``, and inside ``enum`` and ``examples``), and
    as the content of a turn that calls tools. Numbers may be NumPy's or Decimal, mappings pydantic models or
    dataclasses.

    Args:
        model: the model, with or without a suffix for the router.
        messages: checked messages; they are not changed.
        stop: texts that end the answer; some servers take four at most. They are sent as a list, the form that every
            server reads.
        tools: function tools in OpenAI's form, or tools of another type, which are sent as they are; none if empty.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, the name of one of the tools, or a mapping, sent as it is.
        response_format: ``"text"``, ``"json_object"``, a mapping with ``type``, or a JSON schema, which is sent in the
            form of the protocol.
        include_usage: ask for the token counts at the end of a stream; nothing is asked if ``stream`` is false.
        extra_body: more fields, which may also replace the above, except ``model``, ``messages`` and ``stream``. ``n``
            above 1 is refused: one call gives one answer.
        single: the options with one value (``SINGLE_OPTIONS``). ``top_logprobs`` needs ``logprobs=True``;
            ``parallel_tool_calls`` is not sent where there are no tools.

    Raises:
        InvalidRequestError: an argument is not as above, or holds what JSON cannot; the message says where.
    """
    extra = build_extra_body(extra_body)
    given = {**_NO_OPTIONS, **single} if single else _NO_OPTIONS  # in the order in which they are sent
    options = {name: check_option(name, value) for name, value in given.items() if value is not None}
    if "top_logprobs" in options and extra.get("logprobs", options.get("logprobs")) is not True:
        raise InvalidRequestError("top_logprobs needs logprobs=True")
    listed = build_tools(tools)
    options["tool_choice"] = build_tool_choice(tool_choice, listed)
    options["tools"] = listed or None
    if not listed:
        options.pop("parallel_tool_calls", None)
    options["stop"] = build_stop(stop)
    options["response_format"] = build_response_format(response_format)
    if _check_bool(include_usage, "include_usage") and stream:
        options["stream_options"] = {"include_usage": True}
    return {
        "model": check_text(_check_model(model), "model"),
        "messages": [_build_message(message) for message in messages],
        "stream": _check_bool(stream, "stream"),
        **{name: value for name, value in options.items() if value is not None},
        **extra,
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
        return _encode({name: build_json(value, name, keep_none=True) for name, value in payload.items()})


def _check_model(model: Any) -> str:
    if not is_filled(model):
        raise refusal("model", "a str that is not empty", model)
    return str(model)


def _check_bool(value: Any, name: str) -> bool:
    plain = value if isinstance(value, bool) else plain_number(value)
    if not isinstance(plain, bool):
        raise refusal(name, "a bool", value)
    return plain


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
