"""What a stream yields: text as ``str``, and a closed set of frozen events.

``str()`` of every event that is not text is ``""``, so ``"".join(map(str, events))`` is the answer.

``ProviderInfo.name``, ``Reasoning.token``, ``ToolCalls.get_list()`` and ``get_dict()`` exist for code that was
written for g4f's events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "ConversationEvent",
    "Event",
    "FinishReason",
    "ProviderInfo",
    "Reasoning",
    "ToolCall",
    "ToolCalls",
    "ToolResult",
    "Usage",
]


class _Silent:
    """An event that adds nothing to the text."""

    __slots__ = ()

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class ProviderInfo(_Silent):
    """The provider and model of the answer. Comes exactly once, before everything else.

    Attributes:
        provider: the inference provider, such as ``"novita"``; None if the server does not say.
        model: the model as it was requested.
        url: the address that the request went to, without query.
        label: a human-readable name.
    """

    provider: str | None
    model: str
    url: str
    label: str

    @property
    def name(self) -> str:
        """The provider, or the label if the server does not say."""
        return self.provider or self.label

    def get_dict(self) -> dict[str, Any]:
        """``{"name", "url", "label", "model"}``."""
        return {"name": self.name, "url": self.url, "label": self.label, "model": self.model}


@dataclass(frozen=True, slots=True)
class Reasoning(_Silent):
    """A piece of the model's reasoning, from ``reasoning``, ``reasoning_content`` or ``<think>`` tags."""

    text: str

    @property
    def token(self) -> str:
        """The same as ``text``."""
        return self.text

    def get_dict(self) -> dict[str, Any]:
        """``{"token"}``."""
        return {"token": self.text}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool, complete.

    Attributes:
        id: the provider's id of the call, to be returned with the result; made up if the provider gave none.
        name: the function to call.
        arguments: its arguments, the JSON text that the model wrote.
        extra: what the provider sent with it beyond the protocol, under its own names (Gemini's ``extra_content`` with
            the signature of a thought); extras inside ``function`` are under that name.
    """

    id: str
    name: str
    arguments: str
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def parse(self) -> Any:
        """The arguments as values; ``{}`` for an empty text and ``null``. An object that is quoted once more, as some
        models write it, is accepted too. Raises ValueError if the model wrote broken JSON.
        """
        value = json.loads(self.arguments) if self.arguments.strip() else None
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = json.loads(value)
        return {} if value is None else value

    def to_dict(self) -> dict[str, Any]:
        """The call in the form of the chat protocol, for a message of the conversation, with the extras that the
        provider sent: some providers reject the next turn without them.
        """
        extra = dict(self.extra)
        if extra.get("type") == "custom":
            inside = {"name": self.name, "input": self.arguments, **extra.pop("function", {})}
            return {"id": self.id, **extra, "custom": inside}
        inside = {"name": self.name, "arguments": self.arguments, **extra.pop("function", {})}
        return {"id": self.id, "type": "function", "function": inside, **extra}


@dataclass(frozen=True, slots=True)
class ToolCalls(_Silent):
    """All tool calls that the model requests."""

    calls: tuple[ToolCall, ...]

    def get_list(self) -> list[dict[str, Any]]:
        """The calls in the form of the chat protocol."""
        return [call.to_dict() for call in self.calls]


@dataclass(frozen=True, slots=True)
class Usage(_Silent):
    """Tokens that the answer took, as the provider counts them. Comes at most once.

    ``reasoning_tokens`` are a part of ``completion_tokens``, ``cached_tokens`` a part of ``prompt_tokens``; None
    if the provider does not report them.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None

    def get_dict(self) -> dict[str, Any]:
        """The counts in the form of the chat protocol, without unknown ones."""
        counts: dict[str, Any] = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }
        if self.cached_tokens is not None:
            counts["prompt_tokens_details"] = {"cached_tokens": self.cached_tokens}
        if self.reasoning_tokens is not None:
            counts["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        return counts


@dataclass(frozen=True, slots=True)
class FinishReason(_Silent):
    """Why the model stopped: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``; any other word
    is the provider's own. Comes at most once.
    """

    reason: str

    def get_dict(self) -> dict[str, Any]:
        """``{"reason"}``."""
        return {"reason": self.reason}


@dataclass(frozen=True, slots=True)
class ToolResult(_Silent):
    """The result of a tool call in a conversation.

    Attributes:
        call: the call.
        result: what the tool returned; None if it failed.
        error: why it failed: the exception of the tool; a LookupError for an unknown tool, a ValueError for
            arguments that do not fit, a PermissionError for a call that was not approved, an InterruptedError for one
            that was cancelled. None if it did not fail.
        content: the text that the model gets.
    """

    call: ToolCall
    result: Any = None
    error: Exception | None = None
    content: str = ""

    def to_message(self) -> dict[str, Any]:
        """The result as a message of the conversation."""
        return {"role": "tool", "tool_call_id": self.call.id, "content": self.content}


Event = str | ProviderInfo | Reasoning | ToolCalls | Usage | FinishReason

ConversationEvent = Event | ToolResult
