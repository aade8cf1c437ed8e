"""The options of a call, for type checkers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypedDict, TypeVar

from .events import ToolCall
from .tools import Tools
from .transport.call import Timeouts

__all__ = ["AsyncConversationOptions", "ConversationOptions", "Validator"]

T_co = TypeVar("T_co", covariant=True)


class Validator(Protocol[T_co]):
    """A ``pydantic.TypeAdapter``, as a type checker sees it."""

    def validate_python(self, object: Any, /) -> T_co:
        """The value of its type."""


class _ConversationOptions(TypedDict, total=False):
    """The options that both conversation classes share."""

    # Arguments of Conversation but client, approve (.ci/signatures.py)
    model: str | None
    system: str | None
    tools: Tools
    max_rounds: int
    max_input_tokens: int | None
    count_tokens: Callable[[list[dict[str, Any]]], int] | None
    tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: str | Sequence[str] | None
    seed: int | None
    response_format: str | Mapping[str, Any] | None
    reasoning_effort: str | None
    frequency_penalty: float | None
    presence_penalty: float | None
    parallel_tool_calls: bool | None
    logprobs: bool | None
    top_logprobs: int | None
    include_usage: bool | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
    provider: str | Sequence[str] | None
    timeout: Timeouts | float


class ConversationOptions(_ConversationOptions, total=False):
    """The settings of ``Conversation``."""

    approve: Callable[[ToolCall], bool | str] | None


class AsyncConversationOptions(_ConversationOptions, total=False):
    """The settings of ``AsyncConversation``."""

    approve: Callable[[ToolCall], bool | str | Awaitable[bool | str]] | None
