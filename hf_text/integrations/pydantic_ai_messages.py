"""Conversion of Pydantic AI's messages to the protocol's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..events import ToolCall
from ..protocol.media import build_media_parts
from . import importing
from .kept import give_back

with importing("pydantic_ai", "pydantic-ai"):
    from pydantic_ai.exceptions import UserError
    from pydantic_ai.messages import (
        BinaryContent,
        CachePoint,
        ImageUrl,
        ModelMessage,
        ModelRequest,
        ModelResponse,
        SystemPromptPart,
        TextContent,
        TextPart,
        ToolCallPart,
        ToolReturnPart,
        UserPromptPart,
    )

__all__ = ["build_messages"]


def build_messages(messages: Iterable[ModelMessage], instructions: Sequence[str], model: str) -> list[dict[str, Any]]:
    """Convert messages, and insert the instructions after the leading system prompts."""
    built: list[dict[str, Any]] = []
    for message in messages:
        built += _build_request(message) if isinstance(message, ModelRequest) else _build_response(message, model)
    start = next((number for number, turn in enumerate(built) if turn["role"] != "system"), len(built))
    return [*built[:start], *({"role": "system", "content": text} for text in instructions), *built[start:]]


def _build_request(message: ModelRequest) -> Iterator[dict[str, Any]]:
    shown: list[Any] = []
    for part in message.parts:
        if isinstance(part, SystemPromptPart):
            yield {"role": "system", "content": part.content}
        elif isinstance(part, UserPromptPart):
            yield {"role": "user", "content": _build_content(part.content)}
        elif isinstance(part, ToolReturnPart):
            text, files = part.model_response_str_and_user_content()
            shown += files
            yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": text}
        else:
            raise UserError(f"a part of the kind {part.part_kind!r} cannot be sent; let an Agent prepare the messages")
    if shown:
        yield {"role": "user", "content": _build_content(shown)}


def _build_response(message: ModelResponse, model: str) -> Iterator[dict[str, Any]]:
    """Convert an assistant turn. Reasoning is sent back only with tool calls, and only to the model it came from."""
    turn: dict[str, Any] = {
        "role": "assistant",
        "content": "\n\n".join(part.content for part in message.parts if isinstance(part, TextPart)),
    }
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    if calls:
        turn["tool_calls"] = [
            ToolCall(part.tool_call_id, part.tool_name, part.args_as_json_str()).to_dict() for part in calls
        ]
        give_back(turn, (message.provider_details or {}).get("kept"), model)
    if calls or turn["content"]:
        yield turn


def _build_content(content: str | Sequence[Any]) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [part for item in content for part in _build_item(item)]


def _build_item(item: Any) -> list[dict[str, Any]]:
    if isinstance(item, (str, TextContent)):
        return [{"type": "text", "text": item if isinstance(item, str) else item.content}]
    if isinstance(item, BinaryContent):
        return build_media_parts([item.data])
    if isinstance(item, ImageUrl):
        return build_media_parts([item.url])
    if isinstance(item, CachePoint):
        return []
    raise UserError(f"{type(item).__name__} cannot be sent: pictures, and sounds as bytes, can")
