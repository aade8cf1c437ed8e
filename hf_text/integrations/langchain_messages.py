"""Conversion of LangChain's messages to the protocol's, and of answers to LangChain's messages and chunks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..completion import Completion
from ..events import Reasoning, ToolCall
from . import importing
from .kept import give_back, keep

with importing("langchain_core", "langchain"):
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_openai_messages
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

__all__ = ["as_chunk", "as_result", "build_chunk", "build_last_chunk", "build_message", "build_messages"]

# Content types that other vendors' models produce, and those that tool_calls duplicates.
_NOT_SENT = {"thinking", "redacted_thinking", "reasoning", "tool_call", "function_call", "invalid_tool_call"}


def build_messages(messages: Sequence[BaseMessage], model: str | None) -> list[dict[str, Any]]:
    """Convert messages to the form of the protocol. Pictures in tool results are moved to a user turn after them: most
    servers accept only text in a tool result.
    """
    built: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = []
    for message in messages:
        if message.type != "tool" and shown:
            built.append({"role": "user", "content": shown})
            shown = []
        for turn in convert_to_openai_messages([message]):
            if isinstance(turn["content"], list):
                turn["content"] = [part for part in turn["content"] if part.get("type") not in _NOT_SENT]
            if turn["role"] == "tool" and isinstance(turn["content"], list):
                shown += [part for part in turn["content"] if part["type"] != "text"]
                texts = [part["text"] for part in turn["content"] if part["type"] == "text"]
                turn["content"] = "\n".join(texts) or "See the next message."
            if turn.get("tool_calls"):
                give_back(turn, message.additional_kwargs.get("hf_text"), model)
            built.append(turn)
    return [*built, {"role": "user", "content": shown}] if shown else built


def build_chunk(event: str | Reasoning) -> ChatGenerationChunk:
    """The chunk for a piece of text or reasoning."""
    if isinstance(event, str):
        return ChatGenerationChunk(message=AIMessageChunk(event))
    return ChatGenerationChunk(message=AIMessageChunk("", additional_kwargs={"reasoning_content": event.text}))


def build_last_chunk(answer: Completion) -> ChatGenerationChunk:
    """The last chunk, with the tool calls, the metadata and the usage."""
    chunks = [
        {"type": "tool_call_chunk", "index": index, "id": call.id, "name": call.name, "args": _whole(call)}
        for index, call in enumerate(answer.tool_calls)
    ]
    message = AIMessageChunk(
        "",
        tool_call_chunks=chunks,
        additional_kwargs=_kept(answer),
        response_metadata=_metadata(answer),
        usage_metadata=_usage([answer]),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message, generation_info={"finish_reason": answer.finish_reason})


def build_message(answer: Completion, text: str | None = None, answers: Iterable[Completion] = ()) -> AIMessage:
    """The message of a complete answer, with the usage of all answers that were needed for it."""
    thought = {"reasoning_content": answer.reasoning} if answer.reasoning else {}
    calls, broken = [], []
    for call in answer.tool_calls if text is None else ():
        arguments, problem = _load(call)
        if problem is None:
            calls.append({"type": "tool_call", "id": call.id, "name": call.name, "args": arguments})
        else:
            told = {"id": call.id, "name": call.name, "args": call.arguments, "error": problem}
            broken.append({"type": "invalid_tool_call", **told})
    return AIMessage(
        answer.text if text is None else text,
        tool_calls=calls,
        invalid_tool_calls=broken,
        additional_kwargs={**thought, **_kept(answer)},
        response_metadata=_metadata(answer),
        usage_metadata=_usage(answers or [answer]),
    )


def as_result(message: AIMessage) -> ChatResult:
    """The message as the result of a model."""
    info = {"finish_reason": message.response_metadata.get("finish_reason")}
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])


def as_chunk(result: ChatResult) -> ChatGenerationChunk:
    """The result as the only chunk of a stream."""
    fields = result.generations[0].message.model_dump(exclude={"type"})
    return ChatGenerationChunk(message=AIMessageChunk(**fields, chunk_position="last"))


def _load(call: ToolCall) -> tuple[dict[str, Any], str | None]:
    try:
        arguments = call.parse()
    except ValueError as error:
        return {}, f"not JSON: {error}"
    return (arguments, None) if isinstance(arguments, dict) else ({}, "not a JSON object")


def _whole(call: ToolCall) -> str:
    """The arguments for a chunk. Invalid JSON is quoted as a JSON string, which makes the call invalid: LangChain would
    complete truncated JSON and call the tool with part of its arguments.
    """
    return call.arguments if _load(call)[1] is None else json.dumps(call.arguments)


def _kept(answer: Completion) -> dict[str, Any]:
    kept = keep(answer)
    return {} if kept is None else {"hf_text": kept}


def _metadata(answer: Completion) -> dict[str, Any]:
    told = answer.to_dict()
    names = ("finish_reason", "provider", "request_id", "system_fingerprint", "timings", "attempts", "extra")
    metadata = {name: told[name] for name in names if told[name]}
    if answer.logprobs:
        metadata["logprobs"] = told["logprobs"]
    return {"model_name": answer.model, "model_provider": "hf_text", **metadata}


def _usage(answers: Iterable[Completion]) -> dict[str, Any] | None:
    counted = [answer.usage for answer in answers if answer.usage]
    if not counted:
        return None
    return {
        "input_tokens": sum(usage.prompt_tokens for usage in counted),
        "output_tokens": sum(usage.completion_tokens for usage in counted),
        "total_tokens": sum(usage.total_tokens for usage in counted),
        "input_token_details": _detail("cache_read", [usage.cached_tokens for usage in counted]),
        "output_token_details": _detail("reasoning", [usage.reasoning_tokens for usage in counted]),
    }


def _detail(name: str, counts: Sequence[int | None]) -> dict[str, int]:
    known = [count for count in counts if count is not None]
    return {name: sum(known)} if known else {}
