"""The complete answer, with its metadata and request attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from .attributes import advise_attributes
from .events import ToolCall, Usage

__all__ = ["Attempt", "Completion", "Logprob", "Timings"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request that was made for an answer.

    Attributes:
        provider: the inference provider that answered or was requested; None if unknown.
        status: the HTTP status; None if there was no response.
        seconds: how long it took.
        error: why it failed; None for the attempt that succeeded.
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


class Logprob(NamedTuple):
    """One token of the answer, if log probabilities were requested.

    Attributes:
        token: its text.
        logprob: its natural log probability.
        top: the most likely tokens at its position, each with its log probability, as many as were requested.
    """

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@advise_attributes("completion", is_dict_elsewhere=True)
@dataclass(frozen=True, slots=True)
class Completion:
    """A complete answer, or the part of it that arrived before an error or cancellation.

    Attributes:
        text: the answer. ``str(completion)`` returns the same.
        reasoning: the model's reasoning before its answer.
        tool_calls: the tool calls that it requests.
        finish_reason: why it stopped: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``, or the
            provider's own value if the protocol has no equivalent; None if the provider sent none, or the answer is
            incomplete.
        usage: the provider's token counts; None if it sent none.
        model: the requested model.
        provider: the inference provider that answered; None if the server does not name it.
        request_id: the server's id of the request.
        timings: seconds to the first token and to the end.
        attempts: every request made for it, the successful one last.
        system_fingerprint: the server's identifier of its configuration, if it sends one.
        logprobs: the tokens with their log probabilities, if they were requested.
        extra: data beyond the protocol, under the provider's names: ``citations``, ``search_results``, ``images``,
            ``audio``, ``annotations`` …; under ``finish_reason`` the provider's own value, if it differs; under
            ``model`` the name of the model that answered, if the server ignored the requested one.
        reasoning_key: the name under which the provider sent the reasoning: ``"reasoning_content"``, ``"reasoning"`` …,
            ``"<think>"`` for tags in the text; ``""`` if there was none.
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
    system_fingerprint: str | None = None
    logprobs: tuple[Logprob, ...] = field(default=(), repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)
    reasoning_key: str = ""

    def __str__(self) -> str:
        return self.text

    def __format__(self, spec: str) -> str:
        return format(self.text, spec)

    def __repr__(self) -> str:
        from .shown import describe

        return describe(self)

    @property
    def truncated(self) -> bool:
        """Whether the provider cut the answer off: at the maximum length (``length``), or because of its content
        (``content_filter``).
        """
        return self.finish_reason in ("length", "content_filter")

    def to_message(self, reasoning: bool | None = None) -> dict[str, Any]:
        """The answer as an assistant message, to be followed by the user's next turn or the tools' results.

        Args:
            reasoning: whether to include the reasoning, under the name under which it arrived. None: only if there are
                tool calls, because some providers (DeepSeek, Gemini, MiniMax) reject tool results without it, while
                others reject it in any other turn, or treat it as part of the answer.
        """
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["content"] = self.text or None
            message["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        if reasoning or (reasoning is None and self.tool_calls):
            message.update(self._reasoning_fields())
        return message

    def _reasoning_fields(self) -> dict[str, Any]:
        """The message fields with the reasoning. Details are passed back unchanged: they may be signed."""
        details = {key: self.extra[key] for key in ("reasoning_details", "thinking_blocks") if key in self.extra}
        if not self.reasoning or self.reasoning_key in details:
            return details
        if self.reasoning_key == "<think>":
            return {**details, "content": f"<think>{self.reasoning}</think>{self.text}"}
        if self.reasoning_key == "content":
            thinking = {"type": "thinking", "thinking": [{"type": "text", "text": self.reasoning}]}
            return {"content": [thinking, *([{"type": "text", "text": self.text}] if self.text else [])]}
        return {self.reasoning_key or "reasoning_content": self.reasoning, **details}

    def to_dict(self) -> dict[str, Any]:
        """The completion as a dict of JSON values, for ``from_dict()``."""
        values = asdict(self)
        values["tool_calls"] = [asdict(call) for call in self.tool_calls]
        values["attempts"] = [asdict(attempt) for attempt in self.attempts]
        values["logprobs"] = [[token, logprob, [list(pair) for pair in top]] for token, logprob, top in self.logprobs]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Completion:
        """The completion from the result of ``to_dict()``, also after a round trip through JSON. Unknown keys are
        ignored, missing keys get their defaults. Raises TypeError for anything else.
        """
        made: dict[str, Any] = {key: values[key] for key in cls.__dataclass_fields__ if key in values}
        for key, make in _MAKERS.items():
            if key in made:
                made[key] = make(made[key])
        return cls(**made)

    def _repr_markdown_(self) -> str:
        """The display in a notebook: the answer as Markdown, the reasoning collapsed above it, and the model and
        provider in small type below. Active content is disabled: raw HTML, scripts and pictures are shown as source.
        """
        from .shown import as_markdown, footer

        return as_markdown(self, footer(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The display of IPython in a terminal: the text at the top level, the ``repr`` inside other values."""
        from .shown import as_text, footer

        alone = len(getattr(printer, "stack", ())) <= 1
        printer.text(as_text(self, footer(self)) if alone else repr(self))


def _make_logprobs(logprobs: Any) -> tuple[Logprob, ...]:
    return tuple(
        Logprob(token, logprob, tuple((text, number) for text, number in top)) for token, logprob, top in logprobs
    )


# Constructors for the fields that ``to_dict()`` converts to plain values.
_MAKERS: dict[str, Callable[[Any], Any]] = {
    "tool_calls": lambda calls: tuple(ToolCall(**call) for call in calls),
    "usage": lambda usage: None if usage is None else Usage(**usage),
    "timings": lambda timings: Timings(**timings),
    "attempts": lambda attempts: tuple(Attempt(**attempt) for attempt in attempts),
    "logprobs": _make_logprobs,
}
