"""One value of the inputs -> a row: a name, and the arguments of ``Client.stream``.

Two forms are read. A request of OpenAI's Batch API says what goes over the wire: fields of its body that are no
arguments of ours are sent as they are, and no default is added. The short form says what ``Client.stream`` is to be
called with.

A row without ``custom_id`` is named by its content and by how many rows before it had the same, so that the next run
knows it again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from ..checks import check_text, is_filled, refusal, show
from ..client import Client
from ..completion import Completion
from ..errors import InvalidRequestError
from ..events import ToolCall, ToolCalls

__all__ = ["OPTIONS", "Row", "RowParser"]

OPTIONS = frozenset(signature(Client.stream).parameters) - {"self", "messages"}
"""What a row in the short form may set besides its prompt."""

# Fields of a request's body that are arguments of Client.stream under the same name.
_BODY_ARGUMENTS = OPTIONS - {"media", "include_usage", "max_input_length", "extra_body", "provider", "timeout"}

_ENVELOPE = ("custom_id", "method", "url", "body")

# Ours to decide: every answer is streamed, and recorded as if it had not been.
_ABOUT_STREAMING = ("stream", "stream_options")

# What cannot be recorded; to ask for it and drop it would be to pay for nothing.
_UNANSWERABLE: dict[str, tuple[object, ...]] = {"n": (None, 1), "logprobs": (None, False), "top_logprobs": (None, 0)}

_FORMS = 'a str, {"prompt": …}, {"messages": …} or a request of the Batch API {"custom_id": …, "body": …}'


@dataclass(frozen=True, slots=True)
class Row:
    """One question.

    Attributes:
        custom_id: its name in the output; no other row has it.
        arguments: those of ``Client.stream``.
    """

    custom_id: str
    arguments: dict[str, Any]


class RowParser:
    """Makes the rows of one run, and sees to it that no two have the same name.

    It remembers the names: some hundred bytes for each row.

    Args:
        defaults: arguments of ``Client.stream`` for rows that do not set them.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults
        self._counts: dict[str, int] = {}  # how often each name was used

    def parse(self, value: object, place: str) -> Row:
        """The row for a value. Raises InvalidRequestError that names the place; arguments are not checked here."""
        request = {"prompt": value} if isinstance(value, str) else value
        if not isinstance(request, Mapping):
            raise refusal(place, _FORMS, value)
        if "body" in request:
            own, base = _parse_batch_request(request, place), {"max_tokens": None}
        else:
            own, base = _parse_short_form(request, place), {}
        row_id = self._name(request.get("custom_id"), own, place)
        return Row(row_id, _merge({"include_usage": True, **base, **self._defaults}, own))

    def _name(self, custom_id: object, own: Mapping[str, Any], place: str) -> str:
        if custom_id is None:
            name = _hash_content(own, place)
            count = self._counts[name] = self._counts.get(name, 0) + 1
            return name if count == 1 else f"{name}-{count}"
        if not isinstance(custom_id, str) or not custom_id:
            raise refusal(f"{place}: custom_id", "a str that is not empty", custom_id)
        check_text(custom_id, f"{place}: custom_id")
        if custom_id in self._counts:
            raise InvalidRequestError(f"{place}: an earlier row has the same custom_id {show(custom_id)}")
        self._counts[custom_id] = 1
        return custom_id


def _parse_short_form(request: Mapping[str, Any], place: str) -> dict[str, Any]:
    own = {key: value for key, value in request.items() if key != "custom_id"}
    if ("prompt" in own) == ("messages" in own):
        raise refusal(place, _FORMS, request)
    if "prompt" in own:
        own["messages"] = own.pop("prompt")
        if not is_filled(own["messages"]):
            raise refusal(f"{place}: the prompt", "a str that is not empty", own["messages"])
    for key in own:
        if key not in OPTIONS and key != "messages":
            raise InvalidRequestError(
                f"{place}: {show(key)} is no option. There are {', '.join(sorted(OPTIONS))}; "
                "fields that the server knows besides go into extra_body"
            )
    return own


def _parse_batch_request(request: Mapping[str, Any], place: str) -> dict[str, Any]:
    _check_envelope(request, place)
    body = request["body"]
    if not isinstance(body, Mapping) or "messages" not in body:
        raise refusal(f"{place}: the body", 'a mapping with "messages"', body)
    for key, allowed in _UNANSWERABLE.items():
        if body.get(key) not in allowed:
            raise InvalidRequestError(f"{place}: the body asks for {key}={show(body[key])}, which a result cannot hold")
    own = {key: value for key, value in body.items() if key in _BODY_ARGUMENTS or key == "messages"}
    rest = {key: value for key, value in body.items() if key not in own and key not in _ABOUT_STREAMING}
    return {**own, "extra_body": rest} if rest else own


def _check_envelope(request: Mapping[str, Any], place: str) -> None:
    for key in request:
        if key not in _ENVELOPE:
            raise InvalidRequestError(
                f"{place}: {show(key)} has no place beside the body. There are {', '.join(_ENVELOPE)}"
            )
    if request.get("method", "POST") != "POST":
        raise refusal(f"{place}: the method", "POST", request["method"])
    url = request.get("url", "/v1/chat/completions")
    if not isinstance(url, str) or not url.endswith("/chat/completions"):
        raise refusal(f"{place}: the url", "/v1/chat/completions", url)


def _merge(defaults: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The row's own arguments before the defaults; their ``extra_body`` field by field."""
    merged = {**defaults, **own}
    if merged.get("model") is None:
        merged["model"] = defaults.get("model")
    extras = [arguments.get("extra_body") for arguments in (defaults, own)]
    if all(isinstance(extra, Mapping) for extra in extras):
        merged["extra_body"] = {**extras[0], **extras[1]}  # type: ignore[dict-item]
    return merged


def _hash_content(own: Mapping[str, Any], place: str) -> str:
    """A name for what the row asks; it must never change between versions."""
    try:
        content = json.dumps(own, sort_keys=True, separators=(",", ":"), default=_to_json)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{place} cannot be told from others and needs a custom_id: {error}") from None
    return f"row-{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def _to_json(value: object) -> object:
    """What a row may hold besides JSON, so that the same content gives the same name."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Completion):
        return value.to_message()
    if isinstance(value, ToolCall):
        return value.to_dict()
    if isinstance(value, ToolCalls):
        return value.calls
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is among its values")
