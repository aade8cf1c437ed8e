"""Display of an answer: one line in a list, Markdown in a notebook, text in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .markdown import escape, render
from .printable import one_line, printable
from .tables import price

if TYPE_CHECKING:
    from .completion import Completion

__all__ = ["as_markdown", "as_text", "describe", "facts", "footer"]

_SHOWN = 60  # characters
_CALL_SHOWN = 500
_DOT = " · "

_CUT = {
    "length": "cut off at the largest number of tokens (max_tokens)",
    "content_filter": "cut off by the provider's content filter",
}


def describe(completion: Completion) -> str:
    """A one-line description of an answer."""
    text = completion.text
    said = repr(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")
    calls = [f"calls {call.name}" for call in completion.tool_calls]
    reason = completion.finish_reason or "not complete"
    return one_line(f"<Completion {', '.join([said, *calls, reason, *facts(completion)])}>")


def facts(completion: Completion, cost: float | None = None) -> list[str]:
    """Model, provider, tokens, time and cost, each if known."""
    usage, timings = completion.usage, completion.timings
    return [
        *([completion.model] if completion.model else []),
        *([completion.provider] if completion.provider else []),
        *([f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"] if usage else []),
        *([f"{timings.total:.1f} s"] if timings.total else []),
        *([] if cost is None else [price(cost)]),
    ]


def footer(completion: Completion, cost: float | None = None, wrong: str | None = None) -> list[str]:
    """The notes below an answer: a problem, if there is one, and the facts.

    Args:
        completion: the answer.
        cost: its cost; None if unknown.
        wrong: the problem; None to derive it from the finish reason.
    """
    if wrong is None:
        wrong = _CUT.get(completion.finish_reason or "")
        if completion.finish_reason is None and completion.model:
            wrong = "not complete"
    return [*([wrong] if wrong else []), *facts(completion, cost)]


def as_markdown(completion: Completion, notes: Iterable[str]) -> str:
    """The answer as safe Markdown, with its reasoning collapsed above it and the notes in small type below."""
    parts = [render(completion.text, completion.reasoning)] if completion.text or completion.reasoning else []
    parts += [f"calls <code>{escape(call)}</code>" for call in _calls(completion)]
    small = _DOT.join(map(escape, notes))
    return "\n\n".join([*parts, *([f"<sub>{small}</sub>"] if small else [])])


def as_text(completion: Completion, notes: Iterable[str]) -> str:
    """The answer as plain text without its reasoning, with the notes below it."""
    parts = [printable(completion.text)] if completion.text else []
    parts += [f"calls {one_line(call)}" for call in _calls(completion)]
    small = _DOT.join(map(one_line, notes))
    return "\n\n".join([*parts, *([f"[{small}]"] if small else [])])


def _calls(completion: Completion) -> list[str]:
    calls = [f"{call.name}({call.arguments})" for call in completion.tool_calls]
    return [call if len(call) <= _CALL_SHOWN else f"{call[:_CALL_SHOWN]}…" for call in calls]
