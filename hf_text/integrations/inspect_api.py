"""A model provider for Inspect."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..aio import AsyncClient
from ..completion import Completion
from ..errors import (
    AuthenticationError,
    BadRequestError,
    HFTextError,
    RateLimitError,
    ServerError,
    StreamError,
    TransportError,
)
from ..events import ToolCall
from ..protocol.media import build_media_parts
from . import importing
from .kept import give_back, keep

with importing("inspect_ai", "inspect"):
    from inspect_ai.model import (
        ChatCompletionChoice,
        ChatMessage,
        ChatMessageAssistant,
        ChatMessageTool,
        ContentAudio,
        ContentImage,
        ContentReasoning,
        ContentText,
        GenerateConfig,
        Logprob,
        Logprobs,
        ModelAPI,
        ModelCall,
        ModelOutput,
        ModelUsage,
        RetryDecision,
        TopLogprob,
    )
    from inspect_ai.tool import ToolCall as InspectToolCall
    from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo

__all__ = ["HFTextAPI"]

_OPTIONS = {
    **{name: name for name in ("max_tokens", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")},
    **{name: name for name in ("logprobs", "top_logprobs", "parallel_tool_calls", "reasoning_effort", "extra_headers")},
    "stop_seqs": "stop",
}
_STOPS = {"stop": "stop", "length": "max_tokens", "tool_calls": "tool_calls", "content_filter": "content_filter"}
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window)|maximum context|prompt is too long|too many tokens", re.IGNORECASE
)


class HFTextAPI(ModelAPI):
    """A model for Inspect. ``-M`` passes arguments to ``hf_text.Client``: ``provider``, ``bill_to``, ``timeout`` …"""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **model_args: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, ["HF_TOKEN"], config or GenerateConfig())
        self.client = AsyncClient(self.api_key, api_base=base_url, **model_args)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> Any:
        """The complete answer, and the record of the call. Raises HFTextError."""
        arguments = {
            "messages": list(_build_messages(input, self.model_name)),
            "model": self.model_name,
            **_build_tools(tools, tool_choice),
            **_build_options(config),
        }
        try:
            answer = await self.client.generate(**arguments)
        except BadRequestError as error:
            if not _TOO_LONG.search(str(error)):
                raise
            return ModelOutput.from_content(self.model_name, str(error), "model_length")
        record = {key: value for key, value in arguments.items() if key != "extra_headers"}
        return _build_output(answer), ModelCall.create(record, answer.to_dict())

    def should_retry(self, ex: Exception) -> RetryDecision:
        """Whether the error may be transient, so that the same request can succeed. The client has already retried."""
        cause = ex.underlying if isinstance(ex, HFTextError) else ex
        if isinstance(cause, RateLimitError):
            return RetryDecision.rate_limit(retry_after=cause.retry_after)
        passing = isinstance(cause, (ServerError, TransportError, StreamError))
        return RetryDecision.transient() if passing else RetryDecision.no()

    def is_auth_failure(self, ex: Exception) -> bool:
        """Whether the key was rejected."""
        return isinstance(ex, AuthenticationError)

    def canonical_name(self) -> str:
        """The model's name without the provider suffix."""
        return self.model_name.partition(":")[0]

    def connection_key(self) -> str:
        """The key: connections are limited per account."""
        return str(self.initial_api_key)

    async def aclose(self) -> None:
        """Close the idle connections."""
        await self.client.aclose()


def _build_options(config: GenerateConfig) -> dict[str, Any]:
    if (config.num_choices or 1) > 1:
        raise ValueError("num_choices: one call returns one answer; use epochs")
    options = {ours: getattr(config, theirs) for theirs, ours in _OPTIONS.items()}
    more = {"top_k": config.top_k, "logit_bias": config.logit_bias}
    options["extra_body"] = {
        **{name: value for name, value in more.items() if value is not None},
        **(config.extra_body or {}),
    }
    if config.response_schema is not None:
        named = config.response_schema.model_dump(exclude_none=True, include={"name", "description", "strict"})
        named["schema"] = config.response_schema.json_schema.model_dump(exclude_none=True)
        options["response_format"] = {"type": "json_schema", "json_schema": named}
    return {name: value for name, value in options.items() if value not in (None, {})}


def _build_tools(tools: list[ToolInfo], choice: ToolChoice) -> dict[str, Any]:
    if not tools:
        return {}
    described = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters.model_dump(exclude_none=True),
            },
        }
        for tool in tools
    ]
    named = choice.name if isinstance(choice, ToolFunction) else {"any": "required"}.get(choice, choice)
    return {"tools": described, "tool_choice": named}


def _build_messages(messages: Iterable[ChatMessage], model: str) -> Iterator[dict[str, Any]]:
    """Convert messages to the form of the protocol. Inspect has already moved pictures out of tool results."""
    for message in messages:
        turn: dict[str, Any] = {"role": message.role, "content": _build_content(message.content)}
        if isinstance(message, ChatMessageTool):
            text = f"Error: {message.error.message}" if message.error else message.text
            turn |= {"tool_call_id": message.tool_call_id or "", "content": text}
        elif isinstance(message, ChatMessageAssistant):
            turn["content"] = message.text
            if message.tool_calls:
                turn["tool_calls"] = [
                    ToolCall(call.id, call.function, json.dumps(call.arguments)).to_dict()
                    for call in message.tool_calls
                ]
                give_back(turn, (message.metadata or {}).get("hf_text"), model)
        yield turn


def _build_content(content: str | list[Any]) -> str | list[dict[str, Any]]:
    return content if isinstance(content, str) else [part for item in content for part in _build_item(item)]


def _build_item(item: Any) -> list[dict[str, Any]]:
    if isinstance(item, ContentText):
        return [{"type": "text", "text": item.text}]
    if isinstance(item, ContentReasoning):
        return []
    if isinstance(item, ContentImage):
        return build_media_parts([item.image])
    if isinstance(item, ContentAudio):
        return build_media_parts([item.audio])
    raise ValueError(f"{type(item).__name__} cannot be sent: pictures and sounds can")


def _build_output(answer: Completion) -> ModelOutput:
    kept = keep(answer)
    thought = [ContentReasoning(reasoning=answer.reasoning)] if answer.reasoning else []
    message = ChatMessageAssistant(
        content=[*thought, ContentText(text=answer.text)] if thought else answer.text,
        tool_calls=list(_build_calls(answer)) or None,
        model=answer.model,
        source="generate",
        metadata=kept and {"hf_text": kept},
    )
    choice = ChatCompletionChoice(
        message=message, stop_reason=_STOPS.get(answer.finish_reason or "", "unknown"), logprobs=_build_logprobs(answer)
    )
    told = {"provider": answer.provider, "finish_reason": answer.finish_reason}
    return ModelOutput(
        model=answer.model,
        choices=[choice],
        usage=_build_usage(answer),
        time=answer.timings.total,
        metadata=told,
        response_id=answer.request_id,
    )


def _build_calls(answer: Completion) -> Iterator[InspectToolCall]:
    for call in answer.tool_calls:
        try:
            arguments = call.parse()
            problem = None if isinstance(arguments, dict) else "the arguments are not a JSON object"
        except ValueError as error:
            problem = f"the arguments are not JSON: {error}"
        given = {} if problem else arguments
        yield InspectToolCall(id=call.id, function=call.name, arguments=given, parse_error=problem)


def _build_usage(answer: Completion) -> ModelUsage | None:
    usage = answer.usage
    return usage and ModelUsage(
        input_tokens=usage.prompt_tokens - (usage.cached_tokens or 0),
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_tokens_cache_read=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


def _build_logprobs(answer: Completion) -> Logprobs | None:
    tokens = [
        Logprob(token=token, logprob=number, top_logprobs=[TopLogprob(token=t, logprob=n) for t, n in top])
        for token, number, top in answer.logprobs
    ]
    return Logprobs(content=tokens) if tokens else None
