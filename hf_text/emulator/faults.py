"""Named faults: failures between an app and an inference provider.

Each was observed on the real service, is defined in its documentation, or is a common network failure.
``FAULT_NOTES`` describes each in a short phrase, for the command line.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable
from dataclasses import replace

from .chunks import build_events
from .replies import EVENT_STREAM, Body, Piece, Response
from .styles import STYLES
from .wire import encode_event

__all__ = ["FAULTS", "FAULT_NOTES", "fault"]

_WORDS = ("One", " two", " three", " four")
_ROUTER = {"x-powered-by": "huggingface-moon"}
_CREDITS = (
    "You have depleted your monthly included credits. Purchase pre-paid credits to continue using Inference Providers. "
    "Alternatively, subscribe to PRO to get 20x more included usage."
)
_NGINX = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
)
_KEEP_ALIVE = b": keep-alive\n\n"


def _events(*words: str, finish: str | None = "stop", done: bool = True) -> list[bytes]:
    return build_events(STYLES["openai"], "openai/gpt-oss-120b", words, (), (), None, finish, done)


_BEGUN = _events(*_WORDS[:2], finish=None, done=False)
_HALF = sum(map(len, _BEGUN)) + 10


def _begun(*more: dict[str, object] | str | bytes, done: bool = False) -> Response:
    """A stream of two words that continues with these events."""
    return Response.sse(*_BEGUN, *more, done=done)


def _chunk(delta: dict[str, object], finish: str | None = None, **choice: object) -> dict[str, object]:
    """A chunk with one choice; ``choice`` are further fields of the choice."""
    return {
        "id": "chatcmpl-emulator",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}],
    }


def _call(**fields: object) -> dict[str, object]:
    """A chunk with a fragment of a tool call."""
    return _chunk({"tool_calls": [{"index": 0, **fields}]})


def _comments() -> Iterable[Piece]:
    return itertools.chain.from_iterable(itertools.repeat((_KEEP_ALIVE, 0.02)))


def _begun_then_comments() -> Iterable[Piece]:
    return itertools.chain(_BEGUN, _comments())


def _stream(body: Body, **headers: str) -> Response:
    return Response(headers={**EVENT_STREAM, **headers}, body=body)


def _nginx(status: int, words: str) -> Response:
    return Response(status, {"Content-Type": "text/html"}, _NGINX.format(f"{status} {words}"))


_TABLE: dict[str, tuple[str, Response]] = {
    # The connection
    "closed-before-headers": ("hangs up instead of an answer", Response(end="cut", end_at="start")),
    "reset-before-headers": ("resets the connection (RST) instead of an answer", Response(end="reset", end_at="start")),
    "stall-before-headers": ("accepts the request and sends nothing", Response(end="stall", end_at="start")),
    "cut-in-headers": ("hangs up within the headers", Response.text(*_WORDS, end="cut", end_at="headers")),
    "stall-in-headers": ("stalls within the headers", Response.text(*_WORDS, end="stall", end_at="headers")),
    "stall-after-headers": ("sends the headers of a stream, then nothing", Response.sse(done=False, end="stall")),
    "cut-mid-stream": ("hangs up within an event", Response.text(*_WORDS, end="cut", end_after=_HALF)),
    "cut-between-events": ("hangs up after a whole event", Response.sse(*_BEGUN, done=False, end="cut")),
    "reset-mid-stream": (
        "resets the connection (RST) within an event",
        Response.text(*_WORDS, end="reset", end_after=_HALF),
    ),
    "stall-mid-stream": (
        "stops after two words and keeps the connection",
        Response.sse(*_BEGUN, done=False, end="stall"),
    ),
    "stall-after-done": (
        "the answer is whole, but its body does not end",
        Response.text(*_WORDS, end="stall"),
    ),
    "keep-alive-comments-only": ("sends keep-alive comments forever", _stream(_comments)),
    "keep-alive-comments-mid-stream": ("sends comments forever after two words", _stream(_begun_then_comments)),
    "truncated-json": (
        "a JSON answer shorter than its Content-Length",
        Response.chat("One two three four", end="cut", end_after=40),
    ),
    "not-http": ("answers with something that is not HTTP", Response(raw=b"SSH-2.0-emulator\r\n", keep_alive=False)),
    # The stream
    "empty-body": ("status 200 and nothing else", _stream(b"")),
    "done-only": ("status 200 and only [DONE]", Response.sse()),
    "no-finish-no-done": ("a stream that ends properly, but without a finish reason or [DONE]", _begun()),
    "finish-without-done": ("a finish reason, but no [DONE]", Response.text(*_WORDS, done=False)),
    "done-without-finish": ("[DONE], but no finish reason", Response.text(*_WORDS, finish=None)),
    "no-text": ("a whole stream without any text", Response.text()),
    "chunks-after-stop": (
        "more chunks with a null finish reason after it",
        Response.text(*_WORDS, style="novita-2025"),
    ),
    "chunks-after-done": ("more text after [DONE]", Response.sse(*_events(*_WORDS), *_BEGUN, done=False)),
    "unterminated-event": ("the last event lacks its blank line", _stream(b"".join(_events(*_WORDS))[:-2])),
    "broken-json": ("an event that is not JSON", _begun('{"id":"chatcmpl-emulator","choices":[{"delta"', done=True)),
    "wrong-json": ("an event that is JSON, but not a chunk", _begun('["surprise"]', done=True)),
    "invalid-utf8": (
        "bytes in the text that are not UTF-8",
        _begun(_BEGUN[-1].replace(b" two", b" \xff\xfe"), done=True),
    ),
    "error-in-stream": (
        "an error object after two words (the usual shape)",
        _begun({"error": {"message": "Internal server error", "type": "server_error", "code": 500}}),
    ),
    "error-in-stream-tgi": (
        "an error object after two words (text-generation-inference)",
        _begun({"error": "Request failed during generation: Server error: out of memory", "error_type": "generation"}),
    ),
    "error-in-stream-groq": (
        "an event named error after two words (groq)",
        _begun(
            b"event: error\n"
            + encode_event({"error": {"message": "Failed to call a function.", "code": "tool_use_failed"}})
        ),
    ),
    "error-first": (
        "status 200, and an error as the only event",
        Response.sse({"error": {"message": "Model is overloaded", "type": "overloaded", "code": 503}}, done=False),
    ),
    "error-without-key": (
        "an error object without the key error after two words, and [DONE]",
        _begun({"code": 1302, "message": "High concurrency usage of this API", "success": False}, done=True),
    ),
    "error-in-choice": (
        "an error object in the choice after two words, and [DONE]",
        _begun(_chunk({"content": ""}, "error", error={"code": 502, "message": "Upstream error"}), done=True),
    ),
    "error-as-finish-reason": (
        "the finish reason error after two words, without an explanation",
        _begun(_chunk({}, "error"), done=True),
    ),
    "error-as-field": (
        "a field named error, in place of data, after two words (llama.cpp in 2025)",
        _begun(b'error: {"code":500,"message":"context shift is disabled","type":"server_error"}\n\n', done=True),
    ),
    "error-first-without-key": (
        "status 200, and an error object without the key error as the only event",
        Response.sse({"code": 1302, "msg": "High concurrency usage of this API", "success": False}),
    ),
    "strange-chunk": (
        "an unknown chunk after two words, and [DONE] without a finish reason",
        _begun({"id": "chatcmpl-emulator", "verdict": "moved to another engine"}, done=True),
    ),
    "finish-first": (
        "the finish reason on the first chunk, before the text",
        Response.sse(_chunk({"role": "assistant", "content": ""}, "stop"), *_events(*_WORDS, done=False)),
    ),
    "finish-on-every-chunk": (
        "a finish reason on each chunk of the text",
        Response.sse(*(_chunk({"content": word}, "stop") for word in _WORDS)),
    ),
    "finish-on-every-chunk-cut": (
        "a finish reason on each chunk, and hangs up after two of them",
        Response.sse(*(_chunk({"content": word}, "stop") for word in _WORDS[:2]), done=False, end="cut"),
    ),
    "message-beside-delta": (
        "the whole text in a message next to an empty delta",
        Response.sse(_chunk({}, "stop", message={"role": "assistant", "content": "".join(_WORDS)})),
    ),
    "two-choices": (
        "two choices, alternating",
        Response.sse(
            *(_chunk({"content": word}, index=index) for word in _WORDS for index in (1, 0)), _chunk({}, "stop")
        ),
    ),
    "unknown-deltas": (
        "unknown deltas before the text",
        Response.sse(*[_chunk({"something_new": "a"})] * 3, *_events(*_WORDS, done=False)),
    ),
    "usage-in-choice": (
        "the token counts in the choice (Moonshot)",
        Response.sse(
            *_BEGUN, _chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3})
        ),
    ),
    "reasoning-in-details": (
        "reasoning in reasoning_details alone, then a closing think tag and the text",
        Response.sse(
            _chunk({"reasoning_details": [{"type": "reasoning.text", "text": "Let me count.", "index": 0}]}),
            _chunk({"content": "</think>"}),
            *_events(*_WORDS, done=False),
        ),
    ),
    "think-closed-only": (
        "reasoning in the text that ends with a closing think tag, which nothing opened",
        Response.sse(
            _chunk({"content": "Let me count."}), _chunk({"content": "</think>"}), *_events(*_WORDS, done=False)
        ),
    ),
    "tool-call-repeated": (
        "a tool call repeated in parts and as a whole, next to an empty one",
        Response.sse(
            _call(id="call_1", type="function", function={"name": "now", "arguments": "{}"}),
            _call(function={"arguments": '{"zone":'}),
            _call(function={"arguments": '"UTC"}'}),
            _call(function=None),
            _call(id="call_1", type="function", function={"name": "now", "arguments": '{"zone":"UTC"}'}),
            _chunk({"tool_calls": [{"index": 1, "type": "function", "function": {"name": "", "arguments": ""}}]}),
            _chunk({}, "tool_calls"),
        ),
    ),
    "html-200": ("a web page with status 200", Response.html(200, "Sign in to the network")),
    "json-200": ("status 200, and a JSON answer that is not streamed", Response.chat("One two three four")),
    "truncated-gzip": (
        "a compressed stream that is cut off",
        _stream(gzip.compress(b"".join(_events(*_WORDS)))[:-24], **{"Content-Encoding": "gzip"}),
    ),
    "not-gzip": ("claims to be gzip, but is not", _stream(b"".join(_events(*_WORDS)), **{"Content-Encoding": "gzip"})),
    # Refusals
    "bad-key": (
        "401, the key is wrong",
        Response.error(401, "Invalid credentials in Authorization header", "string", headers=_ROUTER),
    ),
    "credits-used-up": (
        "402, the account has no credits left",
        Response.error(402, _CREDITS, "string", headers=_ROUTER),
    ),
    "provider-payment": (
        "402, one provider requires payment",
        Response.error(402, "Credit limit exceeded, please navigate to your billing page.", provider="together"),
    ),
    "no-permission": (
        "403, the key may not call providers",
        Response.error(
            403,
            "This authentication method does not have sufficient permissions to call Inference Providers on behalf of "
            "user emulator",
            "string",
            headers=_ROUTER,
        ),
    ),
    "model-withdrawn": (
        "410, the provider no longer serves the model",
        Response.error(
            410, "The requested model is deprecated and no longer supported by provider 'novita'.", "string", "novita"
        ),
    ),
    "rate-limited": (
        "429, with Retry-After of one second",
        Response.error(
            429,
            "Rate limit reached for model `openai/gpt-oss-120b`. Please try again in 1s.",
            provider="groq",
            type="tokens",
            code="rate_limit_exceeded",
            headers={"Retry-After": "1"},
        ),
    ),
    "overloaded": (
        "429, the model is overloaded",
        Response.error(429, "Model is overloaded", "tgi", code="overloaded"),
    ),
    "server-error": (
        "500 of one provider",
        Response.error(500, "Internal server error", "together", "together", type="server_error"),
    ),
    "server-error-novita": (
        "500 of another provider, in its format",
        Response.error(
            500, "unknown error in the model inference server", "novita-trace", "novita", type="server_error"
        ),
    ),
    "bad-gateway-html": ("502, a web page", Response.html(502, "Bad Gateway")),
    "unavailable-html": ("503, a web page of nginx", _nginx(503, "Service Temporarily Unavailable")),
    "gateway-timeout-html": ("504, a web page of nginx", _nginx(504, "Gateway Time-out")),
    "empty-500": ("500 without a body", Response(500)),
    "page-in-gbk": (
        "502, a web page in a charset of its own",
        Response(502, {"Content-Type": "text/html; charset=gbk"}, "<html><title>余额不足</title></html>".encode("gbk")),
    ),
    "reset-after-error": (
        "503, a web page, and resets the connection (RST) before its end",
        replace(_nginx(503, "Service Temporarily Unavailable"), end="reset"),
    ),
    "unreadable-encoding": (
        "a stream compressed with an encoding that was not asked for",
        _stream(b"\x0b\x02\x80\xff\xfe compressed", **{"Content-Encoding": "br"}),
    ),
}

FAULTS: dict[str, Response] = {name: reply for name, (_, reply) in _TABLE.items()}
"""The faults, by name."""

FAULT_NOTES: dict[str, str] = {name: note for name, (note, _) in _TABLE.items()}
"""Short descriptions of the faults, by name."""


def fault(name: str) -> Response:
    """The fault with this name, to be used unchanged or modified with ``dataclasses.replace``.

    Raises ValueError for a name that is not in `FAULTS`.
    """
    if name not in FAULTS:
        raise ValueError(f"no fault is named {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name]
