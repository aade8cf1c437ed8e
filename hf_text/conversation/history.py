"""What was said: the messages, kept so that only finished rounds are in them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..checks import check_int, refusal
from ..completion import Completion
from ..errors import InvalidRequestError

__all__ = ["Budget", "Entry", "History", "fit", "is_silent", "render"]

Entry = dict[str, Any] | Completion
"""A message, or an answer, which knows more than its message does."""

_SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens may be sent.

    Attributes:
        most: the most tokens; None for no bound.
        count: how many tokens messages have.
    """

    most: int | None = None
    count: Callable[[list[dict[str, Any]]], int] | None = None

    def __post_init__(self) -> None:
        if (self.most is None) != (self.count is None):
            raise InvalidRequestError("max_input_tokens and count_tokens go together: one counts what the other limits")
        if self.most is not None:
            check_int("max_input_tokens", self.most, 1)
        if self.count is not None and not callable(self.count):
            raise refusal("count_tokens", "a function from the list of messages to their number of tokens", self.count)

    def fits(self, messages: list[dict[str, Any]]) -> bool:
        """Whether these messages may be sent."""
        return self.most is None or self.tokens(messages) <= self.most

    def tokens(self, messages: list[dict[str, Any]]) -> int:
        """How many tokens these messages have, as the caller counts."""
        assert self.count is not None
        return check_int("what count_tokens returns", self.count(messages), 0)


@dataclass
class History:
    """The entries of a conversation.

    Attributes:
        entries: those of finished rounds.
        answers: every whole answer, also those that were taken back: they have cost something.
        unanswered: the turn that failed before it had an effect, and so is not in the entries; ``retry`` asks it again.
    """

    entries: list[Entry] = field(default_factory=list)
    answers: list[Completion] = field(default_factory=list)
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    _in_use: bool = False

    @contextmanager
    def one_turn(self) -> Iterator[None]:
        """Keep others out: one turn at a time. Raises InvalidRequestError for a second one."""
        self.refuse_if_in_use()
        self._in_use = True
        try:
            yield
        finally:
            self._in_use = False

    def refuse_if_in_use(self) -> None:
        """Raise InvalidRequestError while a turn is under way."""
        if self._in_use:
            raise InvalidRequestError(
                "this conversation is answering another turn: read that stream to its end, or close it, first"
            )

    def pending(self) -> set[str]:
        """The calls at the end that have no result: tools that are run elsewhere."""
        last = self._last(lambda entry: _role(entry) == "assistant")
        if last is None or any(_role(entry) != "tool" for entry in self.entries[last + 1 :]):
            return set()
        message, *results = render(self.entries[last:])
        called = {call["id"] for call in message.get("tool_calls") or ()}
        return called - {result["tool_call_id"] for result in results}

    def without_answer(self) -> list[Entry]:
        """The entries without an answer at the end, so that it can be given again."""
        answered = bool(self.entries) and _role(self.entries[-1]) == "assistant"
        return self.entries[:-1] if answered else list(self.entries)

    def undo(self) -> list[Entry]:
        """Take the last turn of the user back, with all that followed it. Returns it."""
        if self.unanswered:
            taken: list[Entry] = [*self.unanswered]
            self.unanswered = []
            return taken
        start = self._last(lambda entry: _role(entry) == "user")
        taken = [] if start is None else self.entries[start:]
        del self.entries[len(self.entries) - len(taken) :]
        return taken

    def _last(self, wanted: Callable[[Entry], bool]) -> int | None:
        return next((index for index in range(len(self.entries) - 1, -1, -1) if wanted(self.entries[index])), None)


def is_silent(entries: Iterable[Entry]) -> bool:
    """Whether it has no turns yet."""
    return all(_role(entry) in _SYSTEM_ROLES for entry in entries)


def render(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The entries as messages. What a provider wants back with the results of tools (reasoning, signatures) is left out
    of the answers of any other provider than the one that answered last.
    """
    entries = list(entries)
    providers = [entry.provider for entry in entries if isinstance(entry, Completion)]
    return [_message(entry, providers[-1:]) for entry in entries]


def fit(entries: Sequence[Entry], budget: Budget) -> list[dict[str, Any]]:
    """The messages to send: all, or as many of the last as there is room for.

    The system's messages stay. Whole turns are left out, the oldest first; then the oldest rounds of tools of the turn
    under way. So a call and its results are never parted. Raises InvalidRequestError if what must stay does not fit.
    """
    messages = render(entries)
    if budget.fits(messages):
        return messages
    ways = [[messages[index] for index in kept] for kept in _shorter(messages)]
    first = bisect_left(ways, True, key=budget.fits)
    if first == len(ways):
        least = budget.tokens(ways[-1] if ways else messages)
        raise InvalidRequestError(
            f"the last turn has {least} tokens, and max_input_tokens is {budget.most}; nothing was sent"
        )
    return ways[first]


def _shorter(messages: Sequence[dict[str, Any]]) -> list[list[int]]:
    """What may be kept, by index; each less than the one before."""
    head = next((i for i, message in enumerate(messages) if message["role"] not in _SYSTEM_ROLES), len(messages))
    turns = [i for i in range(head, len(messages)) if messages[i]["role"] == "user"]
    end = range(len(messages))
    kept = [[*end[:head], *end[start:]] for start in turns if start > head]
    if not turns:
        return kept
    rounds = [i for i in end[turns[-1] + 1 :] if messages[i]["role"] == "assistant"]
    return [*kept, *([*end[:head], turns[-1], *end[start:]] for start in rounds[1:])]


def _message(entry: Entry, provider: list[str | None]) -> dict[str, Any]:
    if not isinstance(entry, Completion):
        return dict(entry)
    if [entry.provider] == provider:
        return entry.to_message()
    calls = tuple(replace(call, extra={}) for call in entry.tool_calls)
    return replace(entry, tool_calls=calls).to_message(reasoning=False)


def _role(entry: Entry) -> str:
    return "assistant" if isinstance(entry, Completion) else str(entry["role"])
