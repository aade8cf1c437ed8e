"""`Response` describes one HTTP response of the emulator, including its faults, and has builders for common ones.

A response is a frozen value without a socket, so it can be defined once and used in many tests;
``dataclasses.replace`` makes variants. `sending` sends it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .chunks import CREATED, Call, build_events, build_logprobs, build_message
from .gate import Gate
from .shapes import build_error
from .styles import STYLES
from .wire import Event, build_usage, encode_event, encode_json

__all__ = ["Body", "BodyEnd", "End", "Piece", "Response"]

Piece = bytes | str | float | Gate | socket.socket
"""A piece of a body: bytes or text to send, seconds to pause, a gate to wait at, or a socket that must become
readable."""

End = Literal["complete", "cut", "reset", "stall"]
"""How a response ends."""

Body = bytes | str | Iterable[Piece] | Callable[[], Iterable[Piece]]
"""A complete body, its pieces, or a function that returns the pieces (for an endless body)."""


class BodyEnd(Exception):
    """Raised by the iterator of the pieces to end the response in this way."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.end = end


EVENT_STREAM = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
HTML_PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title></head>\n'
    "<body><main><h1>{status}</h1><p>{title}</p></main></body>\n</html>\n"
)


@dataclass(frozen=True)
class Response:
    """One HTTP response, with its possible faults.

    Attributes:
        status: the HTTP status.
        headers: header names and values; a sequence of pairs if a name occurs twice. A ``Content-Length`` or
            ``Transfer-Encoding`` given here replaces the correct one.
        body: the complete body (bytes or text), or its pieces: bytes, text, seconds to pause, a `Gate` to wait at; or a
            function that returns the pieces. An iterator can be sent only once.
        framing: how the end of the body is marked: ``"length"`` (Content-Length), ``"chunked"`` (each piece is a
            separate chunk and send), ``"close"`` (end of the connection); ``"auto"`` is length for a complete body and
            chunked for pieces.
        encoding: ``"gzip"`` or ``"deflate"`` compresses the body, flushed after each piece.
        pace: seconds between the pieces.
        delay: seconds, or a `Gate`, before the status line.
        header_pace: seconds between the lines of the head.
        end: ``"complete"``; ``"cut"`` closes the connection (FIN) before the end of the body; ``"reset"`` resets it
            (RST); ``"stall"`` sends nothing more and waits for the client to disconnect.
        end_at: where an incomplete response ends: ``"start"`` before anything is sent, ``"headers"`` within the head,
            ``"body"`` in the body.
        end_after: with ``end_at="body"``: after how many bytes of the (encoded) body; None: after all of it, but
            before the last chunk; with a Content-Length, one byte too many is announced then.
        keep_alive: False sends ``Connection: close`` and closes the connection.
        write_size: the maximum number of bytes per write; 1 sends every byte separately.
        raw: bytes to send instead of a generated response, or a function that returns the pieces; then ``end`` applies
            (``end_after`` counts these bytes).
        reason: the reason phrase; None: the standard one.
        http_version: ``"1.1"`` or ``"1.0"``.
    """

    status: int = 200
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = field(default_factory=dict)
    body: Body = b""
    framing: Literal["auto", "chunked", "length", "close"] = "auto"
    encoding: Literal["gzip", "deflate"] | None = None
    pace: float = 0.0
    delay: float | Gate = 0.0
    header_pace: float = 0.0
    end: End = "complete"
    end_at: Literal["start", "headers", "body"] = "body"
    end_after: int | None = None
    keep_alive: bool = True
    write_size: int | None = None
    raw: bytes | Callable[[], Iterable[Piece]] | None = None
    reason: str | None = None
    http_version: str = "1.1"

    def __post_init__(self) -> None:
        if self.end == "complete" and (self.end_after is not None or self.end_at != "body"):
            raise ValueError("end_after and end_at need an end that is not complete: end='cut', 'reset' or 'stall'")
        if self.write_size is not None and self.write_size < 1:
            raise ValueError(f"write_size must be at least 1, not {self.write_size}")
        if isinstance(self.body, list):
            object.__setattr__(self, "body", tuple(self.body))

    @property
    def header_list(self) -> list[tuple[str, str]]:
        """The headers as pairs."""
        return list(self.headers.items()) if isinstance(self.headers, Mapping) else list(self.headers)

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None, **fields: Any) -> Response:
        """A response with this value as JSON. ``fields`` are further attributes of the response."""
        return cls(status=status, headers={**JSON, **(headers or {})}, body=encode_json(value), **fields)

    @classmethod
    def html(cls, status: int = 200, title: str = "Hugging Face", **fields: Any) -> Response:
        """An HTML page with this status and title, as gateways send them."""
        headers = {"Content-Type": "text/html; charset=utf-8", **fields.pop("headers", {})}
        return cls(status=status, headers=headers, body=HTML_PAGE.format(title=title, status=status), **fields)

    @classmethod
    def redirect(cls, location: str, status: int = 307, **fields: Any) -> Response:
        """A redirect to this URL, which may be relative."""
        return cls(status=status, headers={"Location": location, **fields.pop("headers", {})}, **fields)

    @classmethod
    def error(
        cls,
        status: int,
        message: str,
        shape: str = "openai",
        provider: str | None = None,
        *,
        code: str | None = None,
        type: str = "invalid_request_error",
        **fields: Any,
    ) -> Response:
        """An error response, with the message wrapped in the format of one of the servers.

        ``shape`` is one of `ERROR_SHAPES`: ``"openai"``, ``"string"`` (the router itself and the Hub), ``"novita"``,
        ``"detail"``, ``"tgi"`` …. ``provider`` becomes the header ``x-inference-provider``.
        """
        content_type, body = build_error(shape, status, message, code, type)
        headers = {"Content-Type": content_type, **_provider_header(provider)}
        if shape == "string":
            headers["X-Error-Message"] = message
        return cls(status=status, headers={**headers, **fields.pop("headers", {})}, body=body, **fields)

    @classmethod
    def sse(cls, *events: Event, done: bool = True, **fields: Any) -> Response:
        """A stream of these events, then ``[DONE]``. A mapping is sent as JSON, a text as data, bytes unchanged."""
        pieces = [encode_event(event) for event in events]
        if done:
            pieces.append(encode_event("[DONE]"))
        return cls(headers={**EVENT_STREAM, **fields.pop("headers", {})}, body=tuple(pieces), **fields)

    @classmethod
    def text(
        cls,
        *pieces: str,
        reasoning: Iterable[str] = (),
        tool_calls: Iterable[Call] = (),
        usage: tuple[int, int] | None = None,
        finish: str | None = "auto",
        done: bool | None = None,
        provider: str | None = None,
        style: str = "openai",
        model: str = "openai/gpt-oss-120b",
        logprobs: int | None = None,
        **fields: Any,
    ) -> Response:
        """A chat completion stream, in the style of a provider.

        Args:
            pieces: the text, one chunk each.
            reasoning: pieces of reasoning, sent before the text.
            tool_calls: ``(name, arguments)`` each, the arguments as JSON text or as a mapping.
            usage: ``(prompt, completion)`` tokens; None sends no usage.
            finish: the finish reason; None sends none; ``"auto"`` is the provider's reason for a complete answer.
            done: whether ``[DONE]`` ends the stream; None: as the provider does.
            provider: value of the header ``x-inference-provider``; None sends no such header.
            style: one of `STYLES`.
            model: the model that the chunks name.
            logprobs: the number of likely tokens sent for each piece of text; None: no log probabilities.
            fields: further attributes of the response, such as ``pace`` or ``end``.
        """
        if style not in STYLES:
            raise ValueError(f"style must be one of {', '.join(sorted(STYLES))}, not {style!r}")
        parts = (pieces, tuple(reasoning), tuple(tool_calls), usage, finish, done, logprobs)
        events = build_events(STYLES[style], model, *parts)
        headers = {**EVENT_STREAM, **_provider_header(provider), **fields.pop("headers", {})}
        return cls(headers=headers, body=tuple(events), **fields)

    @classmethod
    def chat(
        cls,
        text: str = "",
        *,
        reasoning: str | None = None,
        tool_calls: Iterable[Call] = (),
        usage: tuple[int, int] | None = (1, 1),
        finish: str | None = "auto",
        provider: str | None = None,
        model: str = "openai/gpt-oss-120b",
        logprobs: int | None = None,
        **fields: Any,
    ) -> Response:
        """A non-streamed chat completion: one JSON object. The arguments are those of `text`."""
        message, reason = build_message(text, reasoning, tuple(tool_calls), finish)
        told = None if logprobs is None else build_logprobs([text], logprobs)
        value: dict[str, Any] = {
            "id": "chatcmpl-emulator",
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": told, "finish_reason": reason}],
        }
        if usage is not None:
            value["usage"] = build_usage(*usage)
        return cls.json(value, headers={**_provider_header(provider), **fields.pop("headers", {})}, **fields)


def _provider_header(provider: str | None) -> dict[str, str]:
    return {} if provider is None else {"x-inference-provider": provider}
