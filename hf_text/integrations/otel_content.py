"""Prompts and answers in the form of OpenTelemetry's conventions, for programs that record them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.util.genai.types import (
    FunctionToolDefinition,
    InputMessage,
    MessagePart,
    OutputMessage,
    ReasoningPart,
    TextPart,
    ToolCallRequestPart,
    ToolCallResponsePart,
    UriPart,
)

from ..completion import Completion
from ..tools import describe_tools

__all__ = ["describe_answer", "describe_functions", "describe_messages"]


def describe_messages(messages: Iterable[Mapping[str, Any]]) -> list[InputMessage]:
    """The messages of the request."""
    return [_input(message) for message in messages]


def describe_functions(tools: Any) -> list[FunctionToolDefinition]:
    """The functions in an argument ``tools``."""
    functions = [tool["function"] for tool in describe_tools(tools) or () if "function" in tool]
    return [
        FunctionToolDefinition(known["name"], known.get("description"), known.get("parameters")) for known in functions
    ]


def _input(message: Mapping[str, Any]) -> InputMessage:
    """A message in OpenTelemetry's form."""
    content = message.get("content")
    if message["role"] == "tool":
        return InputMessage("tool", [ToolCallResponsePart(content, message.get("tool_call_id"))])
    parts = [part for item in ([content] if isinstance(content, str) else content or []) for part in _parts(item)]
    calls = [call for call in message.get("tool_calls") or [] if "function" in call]
    for call in calls:
        function = call["function"]
        parts.append(ToolCallRequestPart(function.get("arguments"), function.get("name", ""), call.get("id")))
    return InputMessage(message["role"], parts)


def _parts(item: Any) -> Iterator[MessagePart]:
    """A part of a message. Media are included only as URLs: embedded data is large and private to the user."""
    if isinstance(item, str):
        yield TextPart(item)
    elif isinstance(item.get("text"), str):
        yield TextPart(item["text"])
    elif isinstance(item.get("image_url"), Mapping) and not item["image_url"].get("url", "data:").startswith("data:"):
        yield UriPart(None, "image", item["image_url"]["url"])


def describe_answer(answer: Completion, reason: str | None) -> OutputMessage:
    """An answer in OpenTelemetry's form."""
    parts: list[MessagePart] = []
    if answer.reasoning:
        parts.append(ReasoningPart(answer.reasoning))
    if answer.text:
        parts.append(TextPart(answer.text))
    parts += [ToolCallRequestPart(call.arguments, call.name, call.id) for call in answer.tool_calls]
    return OutputMessage("assistant", parts, reason)
