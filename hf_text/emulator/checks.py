"""Validation of chat completion requests, and the error responses for invalid ones."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .access import POWERED
from .replies import Response

__all__ = ["refuse_body", "refuse_fields"]

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
    "logprobs": (bool, "boolean"),
    "top_logprobs": (int, "integer"),
    "parallel_tool_calls": (bool, "boolean"),
    "frequency_penalty": ((int, float), "number"),
    "presence_penalty": ((int, float), "number"),
}

# Providers that reject unknown fields, and the fields that they know in addition to the above.
_STRICT = ("fireworks-ai",)
_KNOWN = {*_TYPES, "model", "messages", "n", "user", "top_k", "min_p", "logit_bias", "repetition_penalty"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def refuse_body(body: Any) -> Response | None:
    """The 400 or 422 for an invalid chat completion request; None if it is valid."""
    if not isinstance(body, dict):
        return _unprocessable("body: Input should be a valid dictionary")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Response.error(400, "you must provide a model parameter", headers=POWERED)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Response.error(400, "'messages' must be a list with at least one message", headers=POWERED)
    fault = _find_fault(body)
    return None if fault is None else _unprocessable(fault)


def refuse_fields(body: Mapping[str, Any], provider: str) -> Response | None:
    """The 400 for a field that this provider does not know; None if it knows all fields."""
    extra = sorted(set(body) - _KNOWN)
    if provider not in _STRICT or not extra:
        return None
    return Response.error(400, f"Extra inputs are not permitted, field: '{extra[0]}'", "fireworks", provider)


def _unprocessable(message: str) -> Response:
    return Response.error(422, message, "detail-list")


def _find_fault(body: Mapping[str, Any]) -> str | None:
    for name, (types, words) in _TYPES.items():
        if body.get(name) is not None and not isinstance(body[name], types):
            return f"{name}: Input should be a valid {words}"
    for name in ("max_tokens", "max_completion_tokens"):
        if body.get(name) is not None and body[name] < 1:
            return f"{name}: Input should be greater than or equal to 1"
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        return "top_logprobs: logprobs must be true"
    for number, tool in enumerate(body.get("tools") or ()):
        if fault := _find_tool_fault(tool):
            return f"tools[{number}].function.{fault}"
    if fault := _find_choice_fault(body.get("tool_choice"), body.get("tools") or ()):
        return f"tool_choice{fault}"
    found = (f"messages[{n}]: {fault}" for n, m in enumerate(body["messages"]) if (fault := _find_message_fault(m)))
    return next(found, None) or _find_open_call(body["messages"])


def _find_tool_fault(tool: Any) -> str | None:
    if not _has_function_name(tool):
        return "name: Field required"
    function = tool["function"]
    if not _NAME.fullmatch(function["name"]):
        return f"name: String should match pattern '{_NAME.pattern}'"
    parameters = function.get("parameters", {"type": "object"})
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        return "parameters: Input should be a JSON schema of type 'object'"
    return None


def _find_choice_fault(choice: Any, tools: Sequence[Mapping[str, Any]]) -> str | None:
    if choice is None:
        return None
    if not tools:
        return ": tools must not be empty where it is set"
    if not isinstance(choice, dict):
        return None if choice in ("auto", "none", "required") else f": unknown value {choice!r:.40}"
    if not _has_function_name(choice):
        return ".function.name: Field required"
    name = choice["function"]["name"]
    return None if any(tool["function"]["name"] == name for tool in tools) else f": unknown tool {name!r:.80}"


def _find_open_call(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """The message about a call without its result, or a result without its call. The strictest servers require results
    right after their calls.
    """
    open_calls: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                return f"messages[{number}]: no call with the id {message.get('tool_call_id')!r} waits for a result"
            open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            return f"messages[{number}]: tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}"
        open_calls = {str(call.get("id")) for call in message.get("tool_calls") or ()}
    return f"tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}" if open_calls else None


def _has_function_name(value: Any) -> bool:
    function = value.get("function") if isinstance(value, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _find_message_fault(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "Input should be a valid dictionary"
    if message.get("role") not in _ROLES:
        return f"role should be one of {', '.join(_ROLES)}"
    content = message.get("content")
    if message["role"] == "assistant":
        if "content" not in message:
            return "missing field `content`"  # servers in Rust require the field, even if null
        if content is None:
            return None if message.get("tool_calls") else "content should be a string or a list of parts"
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        return None
    return None if isinstance(content, str) else "content should be a string or a list of parts"
