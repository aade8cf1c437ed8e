"""Hugging Face models for smolagents.

::

    from smolagents import CodeAgent
    from hf_text.integrations.smolagents import HFTextModel

    agent = CodeAgent(tools=[], model=HFTextModel("openai/gpt-oss-120b"))
    print(agent.run("What is the 20th Fibonacci number?"))
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import hf_text

from ..completion import Completion
from ..errors import HFTextWarning
from . import importing

with importing("smolagents", "smolagents"):
    from smolagents.models import (
        ChatMessage,
        ChatMessageStreamDelta,
        ChatMessageToolCall,
        ChatMessageToolCallFunction,
        ChatMessageToolCallStreamDelta,
        MessageRole,
        Model,
        remove_content_after_stop_sequences,
    )
    from smolagents.monitoring import TokenUsage

__all__ = ["HFTextModel"]


class HFTextModel(Model):
    """A model of Hugging Face Inference Providers, or of any server that speaks the OpenAI chat protocol.

    Errors are ``hf_text.HFTextError``: an agent fails rather than continuing with a partial step.

    Args:
        model_id: the model.
        client: a ``hf_text.Client`` with the key, the server, the provider and the timeouts. None: a default client
            for Hugging Face.
        custom_role_conversions: roles that replace those of smolagents.
        kwargs: options of each answer (``temperature``, ``max_tokens``, ``provider`` …), and the arguments of
            smolagents' ``Model``.
    """

    def __init__(
        self,
        model_id: str,
        *,
        client: hf_text.Client | None = None,
        custom_role_conversions: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.client = client or hf_text.Client()
        self.custom_role_conversions = custom_role_conversions

    def generate(
        self,
        messages: list[Any],
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> ChatMessage:
        """The complete answer; its ``raw`` is the ``hf_text.Completion``."""
        arguments = self._arguments(messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        answer = self.client.generate(**arguments)
        _warn(answer)
        text = answer.text
        if stop_sequences and not self.supports_stop_parameter:
            text = remove_content_after_stop_sequences(text, stop_sequences)
        calls = [
            ChatMessageToolCall(ChatMessageToolCallFunction(call.arguments, call.name), call.id, "function")
            for call in answer.tool_calls
        ]
        return ChatMessage(MessageRole.ASSISTANT, text, calls or None, answer, _usage(answer))

    def generate_stream(
        self,
        messages: list[Any],
        stop_sequences: list[str] | None = None,
        response_format: dict[str, Any] | None = None,
        tools_to_call_from: list[Any] | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatMessageStreamDelta]:
        """The answer as it arrives. Leaving the loop closes the connection."""
        arguments = self._arguments(messages, stop_sequences, response_format, tools_to_call_from, kwargs)
        with self.client.stream(**arguments) as stream:
            for text in stream:
                yield ChatMessageStreamDelta(text)
            answer = stream.completion
        _warn(answer)
        calls = [
            ChatMessageToolCallStreamDelta(
                index, call.id, "function", ChatMessageToolCallFunction(call.arguments, call.name)
            )
            for index, call in enumerate(answer.tool_calls)
        ]
        yield ChatMessageStreamDelta("", calls or None, _usage(answer))

    def _arguments(
        self,
        messages: list[Any],
        stop_sequences: list[str] | None,
        response_format: dict[str, Any] | None,
        tools: list[Any] | None,
        given: dict[str, Any],
    ) -> dict[str, Any]:
        """The arguments of ``Client.stream``."""
        arguments: dict[str, Any] = self._prepare_completion_kwargs(
            messages=messages,
            stop_sequences=stop_sequences,
            response_format=response_format,
            tools_to_call_from=tools,
            custom_role_conversions=self.custom_role_conversions,
            convert_images_to_image_urls=True,
            **given,
        )
        turns = [{**turn, "role": MessageRole(turn["role"]).value} for turn in arguments.pop("messages")]
        return {"model": self.model_id, **arguments, "messages": turns}


def _usage(answer: Completion) -> TokenUsage | None:
    usage = answer.usage
    return None if usage is None else TokenUsage(usage.prompt_tokens, usage.completion_tokens)


def _warn(answer: Completion) -> None:
    """Warn about a truncated answer, because smolagents has no field for the finish reason."""
    if answer.truncated:
        warnings.warn(f"the answer was cut off (finish reason {answer.finish_reason})", HFTextWarning, stacklevel=3)
