"""What a run tells about itself: while it goes on, and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from ..completion import Completion
from ..errors import HFTextError

__all__ = ["Progress", "Summary", "Tally"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        rows: how many rows there are; None while that is not known (the inputs can be read only once).
        done: rows that have their answer, those of earlier runs included.
        failed: rows that are recorded as failed.
        tokens: what this run has used so far, prompts and answers, as far as the servers tell.
        seconds: since the run began.
    """

    rows: int | None
    done: int
    failed: int
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run.

    Attributes:
        rows: how many rows the inputs had.
        done: rows that have their answer now, those of earlier runs included.
        failed: rows that are recorded as failed now.
        resumed: rows whose answer stood in the output already: nothing was sent for them.
        prompt_tokens: tokens of the prompts that this run sent, as far as the servers tell.
        completion_tokens: tokens of the answers that this run got, as far as the servers tell.
        seconds: how long it took.
        errors: why rows failed in this run: how many by the name of the error.
    """

    rows: int
    done: int
    failed: int
    resumed: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    errors: Mapping[str, int]


class Tally:
    """The counts of a run, while it goes on.

    Attributes:
        rows: as in ``Progress``.
        resumed: rows that an earlier run had answered.
        given_up: rows that an earlier run recorded as failed, and that are not asked again.
    """

    def __init__(self) -> None:
        self.rows: int | None = None
        self.resumed = 0
        self.given_up = 0
        self._answered = 0
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._tokens = 0
        self._errors: Counter[str] = Counter()
        self._started = monotonic()

    def add_answer(self, completion: Completion) -> None:
        """A row was answered."""
        self._answered += 1
        if completion.usage is not None:
            self._prompt_tokens += completion.usage.prompt_tokens
            self._completion_tokens += completion.usage.completion_tokens
            self._tokens += completion.usage.total_tokens

    def add_failure(self, error: HFTextError) -> None:
        """A row failed."""
        self._errors[type(error).__name__] += 1

    def progress(self) -> Progress:
        """How far the run is."""
        return Progress(self.rows, self._done, self._failed, self._tokens, monotonic() - self._started)

    def summary(self) -> Summary:
        """What came of the run; to be called at its end."""
        return Summary(
            rows=self._done + self._failed,
            done=self._done,
            failed=self._failed,
            resumed=self.resumed,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            seconds=monotonic() - self._started,
            errors=dict(self._errors),
        )

    @property
    def _done(self) -> int:
        return self.resumed + self._answered

    @property
    def _failed(self) -> int:
        return self.given_up + self._errors.total()
