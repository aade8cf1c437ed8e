"""The error bodies of servers: one builder for each shape, named after the server that uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .wire import encode_json

__all__ = ["ERROR_SHAPES", "build_error"]

_TRACE = "0123456789abcdef0123456789abcdef"

Shape = Callable[[int, str, "str | None", str], Any]

ERROR_SHAPES: dict[str, Shape] = {
    # The unified router, groq, OpenAI
    "openai": lambda status, message, code, kind: {
        "error": {"message": message, "type": kind, "param": None, "code": code}
    },
    # The Hub, and the router's errors about accounts (401, 402, 403)
    "string": lambda status, message, code, kind: {"error": message},
    "novita": lambda status, message, code, kind: {
        "code": status,
        "reason": code or "INVALID_REQUEST_BODY",
        "message": message,
        "metadata": {},
    },
    "novita-trace": lambda status, message, code, kind: {"message": f"{message} trace_id: {_TRACE}", "type": kind},
    # together, also in its 5xx responses
    "together": lambda status, message, code, kind: {
        "id": "emulator",
        "error": {"message": message, "type": kind, "param": None, "code": code},
    },
    "fireworks": lambda status, message, code, kind: {
        "error": {"object": "error", "type": kind, "code": code or "invalid_request_error", "message": message}
    },
    "cerebras": lambda status, message, code, kind: {"message": message, "type": kind, "param": None, "code": code},
    # z.ai: the code is a numeric string
    "zai-org": lambda status, message, code, kind: {"error": {"code": code or "1211", "message": message}},
    "tgi": lambda status, message, code, kind: {"error": message, "error_type": code or "validation"},
    # nebius (vLLM)
    "detail": lambda status, message, code, kind: {"detail": message},
    # FastAPI
    "detail-list": lambda status, message, code, kind: {
        "detail": [{"type": code or "value_error", "loc": ["body", "messages"], "msg": message, "input": None}]
    },
    "object": lambda status, message, code, kind: {"object": "error", "message": message},
    "errors": lambda status, message, code, kind: {"errors": [{"message": message, "code": code}]},
    # OAuth, RFC 6749 section 5.2
    "oauth": lambda status, message, code, kind: {"error": code or "invalid_request", "error_description": message},
}


def build_error(shape: str, status: int, message: str, code: str | None, kind: str) -> tuple[str, bytes]:
    """Content type and body of an error. ``"text"`` is plain text; the others are `ERROR_SHAPES`."""
    if shape == "text":
        return "text/plain; charset=utf-8", message.encode()
    if shape not in ERROR_SHAPES:
        raise ValueError(f"shape must be text or one of {', '.join(sorted(ERROR_SHAPES))}, not {shape!r}")
    return "application/json; charset=utf-8", encode_json(ERROR_SHAPES[shape](status, message, code, kind))
