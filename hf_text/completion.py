"""The whole answer, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .events import ToolCall, Usage
from .markdown import render

__all__ = ["Attempt", "Completion", "Timings"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was made for an answer.

    Attributes:
        provider: the inference provider that answered or was asked; None if unknown.
        status: the HTTP status; None if no answer came.
        seconds: how long it took, up to its end.
        error: why it ended without an answer; None for the attempt that gave the answer.
    """

    provider: str | None
    status: int | None
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, counted from the start of the call.

    Attributes:
        first_token: until the first text, reasoning or tool call; None if there was none.
        total: until the end.
    """

    first_token: float | None = None
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer: all of it, or (on an error, or before the end) what had arrived.

    Attributes:
        text: the answer. ``str(completion)`` gives the same.
        reasoning: what the model thought before it answered.
        tool_calls: the tools that it wants to be called.
        finish_reason: why it stopped; None if the provider did not say, or the answer is not whole.
        usage: tokens, as the provider counts them; None if it does not.
        model: the model, as it was asked for.
        provider: the inference provider that answered; None if the server does not say.
        request_id: the server's id of the request.
        timings: seconds to the first token and to the end.
        attempts: every request that was made for it, the successful one last.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str = ""
    provider: str | None = None
    request_id: str | None = None
    timings: Timings = field(default_factory=Timings)
    attempts: tuple[Attempt, ...] = ()

    def __str__(self) -> str:
        return self.text

    def to_message(self) -> dict[str, Any]:
        """The answer as a message of the conversation, to be followed by the user's next turn or the tools' results."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return message

    def _repr_markdown_(self) -> str:
        """What a notebook shows: the answer as Markdown, the reasoning folded away above it. Nothing in it can act:
        raw HTML, scripts and pictures are shown as they are written.
        """
        return render(self.text, self.reasoning)
