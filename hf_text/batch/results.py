"""Answers and errors -> lines of the output, in the shape of the results of OpenAI's Batch API.

``response`` is what the server answered (``status_code``, ``request_id``, ``body``; null if it did not), ``error`` is
null or ``{"code", "message"}``, where the code is the name of the exception. Beyond that shape the body has the
``provider``, and the message the model's ``reasoning``, where there are any.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from ..completion import Completion
from ..errors import APIStatusError, HFTextError
from ..events import Usage
from ..protocol.jsons import loads

__all__ = ["LINE_BEGINNING", "build_failure", "build_result", "encode_line", "parse_line"]

LINE_BEGINNING = b'{"id": "batch_req_'
"""How every line begins that ``encode_line`` makes."""


def build_result(custom_id: str, completion: Completion) -> dict[str, Any]:
    """The line for a row that was answered."""
    response = {"status_code": 200, "request_id": completion.request_id, "body": _build_body(completion)}
    return _build_line(custom_id, response, None)


def build_failure(custom_id: str, error: HFTextError) -> dict[str, Any]:
    """The line for a row that failed."""
    answered = error.underlying
    response = None
    if isinstance(answered, APIStatusError) and answered.status_code is not None:
        response = {"status_code": answered.status_code, "request_id": answered.request_id, "body": answered.body}
    return _build_line(custom_id, response, {"code": type(error).__name__, "message": str(error)})


def encode_line(line: dict[str, Any]) -> bytes:
    """The line as bytes, with its newline. What UTF-8 cannot carry, or some readers take for a newline, is escaped."""
    text = json.dumps(line, ensure_ascii=False)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, from a model that was cut within an emoji
        data = b""
    if not data or len(text.splitlines()) > 1:
        data = json.dumps(line).encode()
    return data + b"\n"


def parse_line(data: bytes) -> tuple[str, bool]:
    """Whose result a line is (its ``custom_id``), and whether it is an answer. Raises ValueError for anything else."""
    try:
        line = loads(data)
    except RecursionError:
        line = None
    if not isinstance(line, dict) or not isinstance(line.get("custom_id"), str) or "response" not in line:
        raise ValueError("no result of a batch")
    response = line["response"]
    answered = line.get("error") is None and isinstance(response, dict) and response.get("status_code") == 200
    return line["custom_id"], answered


def _build_line(custom_id: str, response: dict[str, Any] | None, error: dict[str, str] | None) -> dict[str, Any]:
    line_id = f"batch_req_{uuid.uuid4().hex[:24]}"
    return {"id": line_id, "custom_id": custom_id, "response": response, "error": error}


def _build_body(completion: Completion) -> dict[str, Any]:
    message = completion.to_message()
    if completion.tool_calls and not completion.text:
        message["content"] = None
    if completion.reasoning:
        message["reasoning"] = completion.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": completion.finish_reason}
    body = {
        "id": f"chatcmpl-{uuid.uuid4().hex[:24]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": completion.model,
        "choices": [choice],
        "usage": None if completion.usage is None else _build_usage(completion.usage),
    }
    return body if completion.provider is None else {**body, "provider": completion.provider}


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
