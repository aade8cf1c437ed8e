"""Conversion of llm's turns to the protocol's messages, and of events to llm's."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hf_text

from ..completion import Completion
from ..errors import HFTextWarning, StructuredOutputError
from ..events import Event, Reasoning, ToolCall, Usage
from ..protocol.media import build_media_parts
from ..schemas import UnfitError
from ..structured.output import Output
from . import importing
from .kept import give_back, keep

with importing("llm", "llm"):
    import llm
    from llm.parts import AttachmentPart, Message, StreamEvent, TextPart, ToolCallPart, ToolResultPart

__all__ = ["build_arguments", "build_format", "find_schema", "finish", "finish_value", "translate"]


def build_arguments(prompt: Any, model: str | None) -> dict[str, Any]:
    """The arguments of ``Client.stream`` for a prompt, except the schema. The option ``model`` overrides the model."""
    options = {name: value for name, value in prompt.options.model_dump().items() if value is not None}
    options.pop("bill_to", None)
    options.setdefault("model", model)
    if "provider" in options:
        names = [name.strip() for name in options["provider"].split(",")]
        options["provider"] = names if len(names) > 1 else names[0]
    tools = [_describe(tool) for tool in prompt.tools]
    return {**options, "messages": _build_messages(prompt.messages, options["model"]), "tools": tools or None}


def _describe(tool: Any) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
    return {"type": "function", "function": {key: value for key, value in described.items() if value}}


def find_schema(prompt: Any, conversation: Any) -> dict[str, Any] | None:
    """The schema that the answer must match. In a chain of tool calls, llm passes it only in the first round."""
    schema: dict[str, Any] | None = prompt.schema
    if schema or not prompt.tool_results or conversation is None:
        return schema
    rounds = (response.prompt for response in reversed(conversation.responses))
    return next((each.schema for each in rounds if each.schema or not each.tool_results), None)


def build_format(schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The schema as ``response_format``."""
    return schema and {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _build_messages(turns: Iterable[Message], model: str | None) -> list[dict[str, Any]]:
    """Convert the turns to the form of the protocol."""
    return [message for turn in turns for message in _build_turn(turn, model)]


def _build_turn(turn: Message, model: str | None) -> Iterator[dict[str, Any]]:
    results = [part for part in turn.parts if isinstance(part, ToolResultPart)]
    for result in results:
        yield {"role": "tool", "tool_call_id": result.tool_call_id, "content": result.output}
    calls = [part for part in turn.parts if isinstance(part, ToolCallPart)]
    text = "".join(part.text for part in turn.parts if isinstance(part, TextPart))
    attached = [part.attachment for part in turn.parts if isinstance(part, AttachmentPart) and part.attachment]
    media = [*attached, *(attachment for result in results for attachment in result.attachments)]
    message: dict[str, Any] = {"role": "user" if turn.role == "tool" else turn.role, "content": text}
    if calls:
        message["tool_calls"] = [
            ToolCall(part.tool_call_id or "", part.name, json.dumps(part.arguments)).to_dict() for part in calls
        ]
        give_back(message, (calls[0].provider_metadata or {}).get("hf_text"), model)
    if media:
        message["content"] = [*([{"type": "text", "text": text}] if text else []), *_build_media(media)]
    if message["content"] or calls or turn.role == "assistant":
        yield message


def _build_media(attachments: Iterable[Any]) -> list[dict[str, Any]]:

    return build_media_parts([each.url or each.content or Path(each.path) for each in attachments])


def translate(event: Event) -> Iterator[StreamEvent]:
    """Convert an event to llm's, while the answer arrives."""
    if isinstance(event, str):
        yield StreamEvent("text", event)
    elif isinstance(event, Reasoning):
        yield StreamEvent("reasoning", event.text)


def finish(response: Any, schema: Mapping[str, Any] | None, answer: Completion) -> Iterator[StreamEvent]:
    """Yield the tool calls at the end of an answer, and record the answer for ``llm logs``."""
    told = {"hf_text": keep(answer)}
    for call in answer.tool_calls:
        response.add_tool_call(llm.ToolCall(call.name, _load(call), call.id))
        yield StreamEvent("tool_call_name", call.name, tool_call_id=call.id, provider_metadata=told)
        yield StreamEvent("tool_call_args", call.arguments, tool_call_id=call.id)
    if not answer.reasoning and answer.usage and answer.usage.reasoning_tokens:
        yield StreamEvent("reasoning", "", redacted=True)
    if schema and not answer.tool_calls:
        _check(schema, answer)
    if answer.truncated:
        warnings.warn(f"the answer was cut off (finish reason {answer.finish_reason})", HFTextWarning, stacklevel=2)
    _record(response, answer, [answer])


def finish_value(response: Any, parsed: hf_text.Parsed[Any]) -> Iterator[StreamEvent]:
    """Yield the answer to a prompt with a schema, as JSON, and record it."""
    yield StreamEvent("text", json.dumps(parsed.value, ensure_ascii=False))
    _record(response, parsed.completion, parsed.completions)


def _load(call: ToolCall) -> dict[str, Any]:
    """The arguments of a call. Those that are not a JSON object get llm's form ``_raw``: the tool rejects them, and the
    model receives the error.
    """
    try:
        arguments = call.parse()
    except ValueError:
        arguments = None
    return arguments if isinstance(arguments, dict) else {"_raw": call.arguments}


def _check(schema: Mapping[str, Any], answer: Completion) -> None:
    """Raise StructuredOutputError if the answer does not match the schema."""
    try:
        Output(schema).load(answer.text)
    except UnfitError as error:
        problem = error
    else:
        return
    message = f"the answer does not match the schema: {'; '.join(str(problem).splitlines())}"
    raise StructuredOutputError(message, errors=problem.errors, partial=answer, attempts=answer.attempts)


def _record(response: Any, answer: Completion, answers: Iterable[Completion]) -> None:
    response.set_resolved_model(f"{answer.model.split(':')[0]}:{answer.provider}" if answer.provider else answer.model)
    counted = [each.usage for each in answers if each.usage]
    if counted:
        response.set_usage(
            input=sum(usage.prompt_tokens for usage in counted),
            output=sum(usage.completion_tokens for usage in counted),
            details=_details(counted[-1]) or None,
        )
    told = answer.to_dict()
    left_out = ("text", "reasoning", "tool_calls", "logprobs", "reasoning_key")  # llm stores these in other columns
    response.response_json = {key: value for key, value in told.items() if value and key not in left_out}


def _details(usage: Usage) -> dict[str, int]:
    details = {"reasoning_tokens": usage.reasoning_tokens, "cached_tokens": usage.cached_tokens}
    return {name: count for name, count in details.items() if count}
