"""Whether the body of a chat completion request is one, and the answer if it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .access import POWERED
from .replies import Response

__all__ = ["refuse_body"]

_ROLES = ("system", "developer", "user", "assistant", "tool")
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "max_tokens": (int, "integer"),
    "max_completion_tokens": (int, "integer"),
    "temperature": ((int, float), "number"),
    "top_p": ((int, float), "number"),
    "seed": (int, "integer"),
    "stop": ((str, list), "string or list"),
    "stream": (bool, "boolean"),
    "stream_options": (dict, "dictionary"),
    "tools": (list, "list"),
    "tool_choice": ((str, dict), "string or dictionary"),
    "response_format": (dict, "dictionary"),
    "reasoning_effort": (str, "string"),
}


def refuse_body(body: Any) -> Response | None:
    """The 400 or 422 for a body that is not a chat completion request; None if it is one."""
    if not isinstance(body, dict):
        return _unprocessable("body: Input should be a valid dictionary")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Response.error(400, "you must provide a model parameter", headers=POWERED)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Response.error(400, "'messages' must be a list with at least one message", headers=POWERED)
    fault = _find_fault(body)
    return None if fault is None else _unprocessable(fault)


def _unprocessable(message: str) -> Response:
    return Response.error(422, message, "detail-list")


def _find_fault(body: Mapping[str, Any]) -> str | None:
    for name, (types, words) in _TYPES.items():
        if body.get(name) is not None and not isinstance(body[name], types):
            return f"{name}: Input should be a valid {words}"
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and body[name] < 1:
            return f"{name}: Input should be greater than or equal to 1"
    for number, tool in enumerate(body.get("tools") or ()):
        if not _has_function_name(tool):
            return f"tools[{number}].function.name: Field required"
    if isinstance(body.get("tool_choice"), dict) and not _has_function_name(body["tool_choice"]):
        return "tool_choice.function.name: Field required"
    found = (f"messages[{n}]: {fault}" for n, m in enumerate(body["messages"]) if (fault := _find_message_fault(m)))
    return next(found, None)


def _has_function_name(value: Any) -> bool:
    function = value.get("function") if isinstance(value, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _find_message_fault(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "Input should be a valid dictionary"
    if message.get("role") not in _ROLES:
        return f"role should be one of {', '.join(_ROLES)}"
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return None  # it called tools
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        return None
    return None if isinstance(content, str) else "content should be a string or a list of parts"
