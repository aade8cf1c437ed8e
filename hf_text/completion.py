"""The whole answer, and how it came about."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from .events import ToolCall, Usage

__all__ = ["Attempt", "Completion", "Timings"]

# Code, maths, and in what is left the dollars that are to be seen. What counts as maths is pandoc's rule: no blank
# within the dollars, and no digit behind them.
_DOLLARS = r"""(?xms)
      ^[ ]{0,3}(`{3,}|~{3,})[^\n]*\n(?:.*?^[ ]{0,3}\1[`~]*[ ]*$|.*)
      | ^(?:[ ]{4}|\t)[ \t]*(?![-*+\d\s])[^\n]*
      | (?<!`)(`+)(?!`)(?:[^\n]|\n(?![ ]*\n))+?(?<!`)\2(?!`)
      | \$\$.+?\$\$
      | (?<!\\)\$(?=\S)[^$\n]*[^$\s\\]\$(?!\d)
      | (?P<seen>\\?\$)
"""


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
        """What a notebook shows: the answer as Markdown, the reasoning folded away above it."""
        text = _escape_dollars(self.text)
        if not self.reasoning:
            return text
        escaped = _escape_dollars(self.reasoning.replace("&", "&amp;").replace("<", "&lt;"))
        quoted = "\n".join(f"> {line}" for line in escaped.splitlines())  # a code fence left open ends with the quote
        return f"<details><summary>Reasoning</summary>\n\n{quoted}\n\n</details>\n\n{text}"


def _escape_dollars(text: str) -> str:
    """Markdown in which amounts of money are not taken for maths.

    Jupyter takes ``\\$`` for the beginning of maths (https://github.com/jupyterlab/jupyterlab/issues/8645), and so it
    does an entity; one in an element of its own is paired with no other.
    """
    return re.sub(_DOLLARS, lambda found: "<span>&#36;</span>" if found["seen"] else found[0], text)
