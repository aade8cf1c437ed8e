"""Conversion of answers and errors to Pydantic AI's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .. import errors
from ..aio.stream import AsyncStream
from ..completion import Completion
from ..errors import HFTextError, StreamCancelledError
from ..events import Reasoning
from . import importing
from .kept import keep

with importing("pydantic_ai", "pydantic-ai"):
    from pydantic_ai import exceptions
    from pydantic_ai.messages import ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart
    from pydantic_ai.models import StreamedResponse
    from pydantic_ai.usage import RequestUsage

__all__ = ["SYSTEM", "HFTextStreamedResponse", "build_response", "raising_theirs"]

SYSTEM = "hf_text"

_FINISHES = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_calls": "tool_call"}
_ERRORS: dict[type[HFTextError], type[exceptions.ModelAPIError]] = {
    errors.RateLimitError: exceptions.ModelRateLimitError,
    errors.PaymentRequiredError: exceptions.ModelQuotaExceededError,
    errors.AuthenticationError: exceptions.ModelAuthenticationError,
    errors.ModelNotSupportedError: exceptions.ModelNotFoundError,
    errors.NotFoundError: exceptions.ModelNotFoundError,
    errors.ServerError: exceptions.ModelServerError,
    errors.APIStatusError: exceptions.ModelRequestRejectedError,
    errors.RequestTimeoutError: exceptions.ModelTimeoutError,
    errors.TransportError: exceptions.ModelConnectionError,
}


def build_response(answer: Completion, url: str) -> ModelResponse:
    """Convert a complete answer."""
    return ModelResponse(
        parts=_build_parts(answer),
        usage=_build_usage(answer),
        model_name=answer.model,
        provider_name=SYSTEM,
        provider_url=url,
        provider_response_id=answer.request_id,
        provider_details=_build_details(answer),
        finish_reason=_FINISHES.get(answer.finish_reason or ""),
    )


@dataclass
class HFTextStreamedResponse(StreamedResponse):
    """The answer as it arrives."""

    _model_name: str
    _provider_url: str
    _stream: AsyncStream
    _timestamp: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    async def _get_event_iterator(self) -> AsyncIterator[Any]:
        with raising_theirs(self._model_name, in_stream=True):
            async for event in self._stream.events():
                if isinstance(event, str):
                    for told in self._parts_manager.handle_text_delta(vendor_part_id="text", content=event):
                        yield told
                elif isinstance(event, Reasoning):
                    thought = {"vendor_part_id": "reasoning", "content": event.text, "provider_name": SYSTEM}
                    for told in self._parts_manager.handle_thinking_delta(**thought):
                        yield told
            if self._stream.stopped:
                return
            answer = self._stream.completion
        for call in answer.tool_calls:
            yield self._parts_manager.handle_tool_call_part(
                vendor_part_id=call.id, tool_name=call.name, args=call.arguments, tool_call_id=call.id
            )
        self._usage = _build_usage(answer)
        self.finish_reason = _FINISHES.get(answer.finish_reason or "")
        self.provider_response_id = answer.request_id
        self.provider_details = _build_details(answer)

    async def close_stream(self) -> None:
        """Stop the answer, and close its connection."""
        self._stream.close()

    def get_stream_cancel_errors(self) -> tuple[type[BaseException], ...]:
        """The error that a reader gets when another task closes its stream."""
        return (StreamCancelledError,)

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._model_name

    @property
    def provider_name(self) -> str:
        """The provider's name in traces."""
        return SYSTEM

    @property
    def provider_url(self) -> str:
        """The server's base URL."""
        return self._provider_url

    @property
    def timestamp(self) -> datetime:
        """When the answer began."""
        return self._timestamp


@contextmanager
def raising_theirs(model: str, in_stream: bool = False) -> Iterator[None]:
    """Convert errors of this library to Pydantic AI's."""
    try:
        yield
    except (errors.InvalidRequestError, errors.MissingAuthError) as error:
        raise exceptions.UserError(str(error)) from error
    except HFTextError as error:
        cause = error.underlying
        kind = next((theirs for ours, theirs in _ERRORS.items() if isinstance(cause, ours)), exceptions.ModelAPIError)
        if cause.status_code is None or kind is exceptions.ModelAPIError:
            raise kind(model_name=model, message=str(error), in_stream=in_stream) from error
        told = {"status_code": cause.status_code, "model_name": model, "body": getattr(cause, "body", None)}
        raise exceptions.ModelHTTPError.for_category(
            kind, **told, hint=str(error), retry_after=cause.retry_after, in_stream=in_stream
        ) from error


def _build_parts(answer: Completion) -> list[ModelResponsePart]:
    parts: list[ModelResponsePart] = []
    if answer.reasoning:
        parts.append(ThinkingPart(answer.reasoning, provider_name=SYSTEM))
    if answer.text:
        parts.append(TextPart(answer.text))
    return [*parts, *(ToolCallPart(call.name, call.arguments, tool_call_id=call.id) for call in answer.tool_calls)]


def _build_usage(answer: Completion) -> RequestUsage:
    usage = answer.usage
    if usage is None:
        return RequestUsage(unmeasured_requests=1)
    details = {} if usage.reasoning_tokens is None else {"reasoning_tokens": usage.reasoning_tokens}
    return RequestUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens or 0,
        details=details,
    )


def _build_details(answer: Completion) -> dict[str, Any]:
    kept = keep(answer)
    return {
        "finish_reason": answer.finish_reason,
        "provider": answer.provider,
        **({} if kept is None else {"kept": kept}),
    }
