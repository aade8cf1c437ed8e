"""What a stream yields: text as ``str``, and a closed set of frozen events.

``str()`` of every event that is not text is ``""``, so ``"".join(map(str, events))`` is the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Event", "FinishReason", "ProviderInfo", "Reasoning", "ToolCall", "ToolCalls", "Usage"]


class _Silent:
    """An event that adds nothing to the text."""

    __slots__ = ()

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class ProviderInfo(_Silent):
    """Who answers. Comes exactly once, before everything else.

    Attributes:
        provider: the inference provider, such as ``"novita"``; None if the server does not say.
        model: the model as it was asked for.
        url: the address that the request went to, without query.
        label: a name for people.
    """

    provider: str | None
    model: str
    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Reasoning(_Silent):
    """A piece of the model's reasoning, from ``reasoning``, ``reasoning_content`` or ``<think>`` tags."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool, complete.

    Attributes:
        id: the provider's id of the call, to be given back with the result; made up where the provider gave none.
        name: the function to call.
        arguments: its arguments, the JSON text that the model wrote.
        extra: what the provider sent with it beyond the protocol, by its own names (Gemini's ``extra_content`` with the
            signature of a thought); what stood inside ``function`` is under that name.
    """

    id: str
    name: str
    arguments: str
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def parse(self) -> Any:
        """The arguments as values; ``{}`` for an empty text. Raises ValueError where the model wrote broken JSON."""
        return json.loads(self.arguments) if self.arguments.strip() else {}

    def to_dict(self) -> dict[str, Any]:
        """The call in the form of the chat protocol, to be put into a message of the conversation, with what the
        provider sent besides: some refuse the next turn without it.
        """
        extra = dict(self.extra)
        if extra.get("type") == "custom":
            inside = {"name": self.name, "input": self.arguments, **extra.pop("function", {})}
            return {"id": self.id, **extra, "custom": inside}
        inside = {"name": self.name, "arguments": self.arguments, **extra.pop("function", {})}
        return {"id": self.id, "type": "function", "function": inside, **extra}


@dataclass(frozen=True, slots=True)
class ToolCalls(_Silent):
    """All the tools that the model wants to be called."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Usage(_Silent):
    """Tokens that the answer took, as the provider counts them. Comes at most once.

    ``reasoning_tokens`` are a part of ``completion_tokens``, ``cached_tokens`` a part of ``prompt_tokens``; None
    where the provider does not tell.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class FinishReason(_Silent):
    """Why the model stopped: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``; a word that the protocol
    does not know is the provider's own. Comes at most once.
    """

    reason: str


Event = str | ProviderInfo | Reasoning | ToolCalls | Usage | FinishReason
