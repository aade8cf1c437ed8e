"""Converts answers and errors to and from output lines, in the format of results of OpenAI's Batch API.

``response`` is the server's response (``status_code``, ``request_id``, ``body``; null if there was none), ``error`` is
null or ``{"code", "message"}``, where the code is the name of the exception. In addition to that format, a line has
``asked`` (a fingerprint of the request), ``cost`` (USD, or null), ``timings``, ``attempts`` if there were several, and
the kept ``columns``; the body has the ``provider``, and fields outside the protocol as ``extra``; the message has the
model's ``reasoning``.

The ``id`` begins with a checksum of the rest of the line. A line with a valid checksum need not be parsed.
"""

from __future__ import annotations

import json
import os
import re
import time
import zlib
from binascii import unhexlify
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..completion import Completion, Logprob
from ..errors import APIStatusError, HFTextError
from ..events import Usage
from ..protocol.jsons import loads
from .index import NO_FINGERPRINT

__all__ = ["LINE_BEGINNING", "Head", "Line", "build_line", "parse_head", "parse_line"]

LINE_BEGINNING = b'{"id": "batch_req_'
"""The beginning of every line written by this module."""

_OWN_HEAD = re.compile(
    rb'\{"id": "batch_req_(.{8})[0-9a-f]{16}", "custom_id": "([^"\\]*)", "asked": "(.{16})", "cost": ([^ ,]+), ',
    re.DOTALL,  # match any bytes: the checksum shows whether this module wrote the line
)
_CHECKED_FROM = len(LINE_BEGINNING) + 24 + len('", ')
_ANSWERED_END = b'"error": null}'
_encode = json.JSONEncoder(ensure_ascii=False).encode
_encode_ascii = json.JSONEncoder().encode


@dataclass(frozen=True, slots=True)
class Line:
    """The result of a row to be recorded.

    Attributes:
        custom_id: its name.
        asked: the fingerprint of the request.
        result: the answer, or the error.
        cost: USD; None if unknown.
        columns: the columns copied from the inputs.
    """

    custom_id: str
    asked: bytes
    result: Completion | HFTextError
    cost: float | None = None
    columns: Mapping[str, Any] | None = None


Head = tuple[str, bool, bytes, "float | None"]
"""The fields of a line that the journal needs: the row's name, whether it is an answer, the fingerprint of the request,
and the cost in USD; zeros and None if missing. A plain tuple for speed: millions are created."""


def build_line(line: Line) -> bytes:
    """Encode a line, with its newline. Characters that UTF-8 cannot encode or that some readers treat as a newline are
    escaped.
    """
    content = _build_content(line)
    text = _encode(content)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a lone surrogate, from an answer that was cut inside an emoji
        data = b""
    if not data or len(text.splitlines()) > 1:
        data = _encode_ascii(content).encode()
    rest = data[1:]
    return b'%b%08x%b", %b\n' % (LINE_BEGINNING, zlib.crc32(rest), os.urandom(8).hex().encode(), rest)


def parse_head(data: bytes) -> Head:
    """Read the head of a line without its newline. Raises ValueError if it is not a complete result."""
    found = _OWN_HEAD.match(data)
    if found is None:
        return _head_of(parse_line(data))
    checksum, name, asked, cost = found.groups()
    if checksum != b"%08x" % zlib.crc32(data[_CHECKED_FROM:]):
        return _head_of(parse_line(data))  # edited by hand, or damaged
    answered = data.endswith(_ANSWERED_END)
    return name.decode(), answered, unhexlify(asked), None if cost == b"null" else float(cost)


def parse_line(data: bytes) -> dict[str, Any]:
    """Parse the result in a line. Raises ValueError for anything else."""
    try:
        line = loads(data)
    except RecursionError:
        line = None
    if not isinstance(line, dict) or not isinstance(line.get("custom_id"), str) or "response" not in line:
        raise ValueError("not a result of a batch")
    return line


def _head_of(line: dict[str, Any]) -> Head:
    response, asked, cost = line["response"], line.get("asked"), line.get("cost")
    try:
        fingerprint = bytes.fromhex(asked) if isinstance(asked, str) else b""
    except ValueError:
        fingerprint = b""
    return (
        line["custom_id"],
        line.get("error") is None and isinstance(response, dict) and response.get("status_code") == 200,
        fingerprint if len(fingerprint) == len(NO_FINGERPRINT) else NO_FINGERPRINT,
        float(cost) if isinstance(cost, (int, float)) and not isinstance(cost, bool) else None,
    )


def _build_content(line: Line) -> dict[str, Any]:
    result = line.result
    content: dict[str, Any] = {"custom_id": line.custom_id, "asked": line.asked.hex(), "cost": line.cost}
    if isinstance(result, Completion):
        timings = result.timings
        content["timings"] = {"first_token": _round(timings.first_token), "total": _round(timings.total)}
        content["response"] = {"status_code": 200, "request_id": result.request_id, "body": _build_body(result)}
    else:
        content["response"] = _build_response(result.underlying)
    if len(result.attempts) > 1:
        content["attempts"] = [asdict(attempt) for attempt in result.attempts]
    if line.columns:
        content["columns"] = dict(line.columns)
    failed = isinstance(result, HFTextError)
    content["error"] = {"code": type(result).__name__, "message": str(result)} if failed else None
    return content


def _build_response(error: HFTextError) -> dict[str, Any] | None:
    if not isinstance(error, APIStatusError) or error.status_code is None:
        return None
    return {"status_code": error.status_code, "request_id": error.request_id, "body": error.body}


def _build_body(completion: Completion) -> dict[str, Any]:
    message = completion.to_message(reasoning=False)
    if completion.reasoning:
        message["reasoning"] = completion.reasoning
    logprobs = _build_logprobs(completion.logprobs) if completion.logprobs else None
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": completion.finish_reason}
    body = {
        "id": f"chatcmpl-{os.urandom(12).hex()}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": completion.model,
        "choices": [choice],
        "usage": None if completion.usage is None else _build_usage(completion.usage),
    }
    if completion.system_fingerprint is not None:
        body["system_fingerprint"] = completion.system_fingerprint
    if completion.provider is not None:
        body["provider"] = completion.provider
    if completion.extra:
        body["extra"] = dict(completion.extra)
    return body


def _build_logprobs(logprobs: Sequence[Logprob]) -> dict[str, Any]:
    tokens = [
        {
            "token": token,
            "logprob": logprob,
            "top_logprobs": [{"token": text, "logprob": number} for text, number in top],
        }
        for token, logprob, top in logprobs
    ]
    return {"content": tokens}


def _build_usage(usage: Usage) -> dict[str, Any]:
    built: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        built["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        built["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return built


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
