"""The history of a conversation, which contains only finished rounds."""

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
"""A message, or an answer, which holds more than its message."""

_SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit on the tokens of a request.

    Attributes:
        most: the maximum number of tokens; None: no limit.
        count: counts the tokens of messages.
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
        """Whether these messages are within the limit."""
        return self.most is None or self.tokens(messages) <= self.most

    def tokens(self, messages: list[dict[str, Any]]) -> int:
        """Count the tokens of these messages with the caller's function."""
        assert self.count is not None
        return check_int("what count_tokens returns", self.count(messages), 0)


@dataclass
class History:
    """The entries of a conversation.

    Attributes:
        entries: the entries of finished rounds.
        answers: every answer that cost something, including answers that were undone.
        unanswered: the turn that failed before it had an effect, so it is not in the entries; ``retry`` sends it again.
    """

    entries: list[Entry] = field(default_factory=list)
    answers: list[Completion] = field(default_factory=list)
    unanswered: list[dict[str, Any]] = field(default_factory=list)
    _in_use: bool = False

    @contextmanager
    def one_turn(self) -> Iterator[None]:
        """Allow one turn at a time. Raises InvalidRequestError for a second one."""
        self.refuse_if_in_use()
        self._in_use = True
        try:
            yield
        finally:
            self._in_use = False

    def refuse_if_in_use(self) -> None:
        """Raise InvalidRequestError during a turn."""
        if self._in_use:
            raise InvalidRequestError(
                "this conversation is answering another turn: read that stream to its end, or close it, first"
            )

    def pending(self) -> set[str]:
        """Return the ids of the last calls that have no result: calls of tools that are run elsewhere."""
        last = self._last(lambda entry: _role(entry) == "assistant")
        if last is None or any(_role(entry) != "tool" for entry in self.entries[last + 1 :]):
            return set()
        message, *results = render(self.entries[last:])
        called = {call["id"] for call in message.get("tool_calls") or ()}
        return called - {result["tool_call_id"] for result in results}

    def without_answer(self) -> list[Entry]:
        """Return the entries without an answer at the end, so that it can be generated again."""
        answered = bool(self.entries) and _role(self.entries[-1]) == "assistant"
        return self.entries[:-1] if answered else list(self.entries)

    def undo(self) -> list[Entry]:
        """Remove the user's last turn and everything after it. Returns the removed entries."""
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
    """Whether the entries contain no turns yet."""
    return all(_role(entry) in _SYSTEM_ROLES for entry in entries)


def render(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Return the entries as messages. Data that a provider requires with the results of tools (reasoning, signatures)
    is omitted from the answers of all providers but the one that answered last.
    """
    entries = list(entries)
    providers = [entry.provider for entry in entries if isinstance(entry, Completion)]
    return [_message(entry, providers[-1:]) for entry in entries]


def fit(entries: Sequence[Entry], budget: Budget) -> list[dict[str, Any]]:
    """Return the messages to send: all of them, or as many of the last ones as fit the budget.

    System messages are kept. Whole turns are left out, the oldest first; then the oldest tool rounds of the current
    turn. So a call is never separated from its results. Raises InvalidRequestError if the rest does not fit.
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
    """Return the selections of messages that may be sent, by index; each is shorter than the one before."""
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
