"""Executors from outside: how many rows make a task, and what it means when one is lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor

from ..completion import Completion
from .work import Result

__all__ = ["Groups", "explain_lost"]

_TASK_SECONDS = 1.0
_MAX_ROWS = 64


class Groups:
    """How many rows make one task, so that it takes about a second: a task a row costs a scheduler more than the row.

    Attributes:
        size: rows of the next task.
    """

    def __init__(self) -> None:
        self.size: int = 1
        self._seconds: float | None = None  # of a row, on average

    def note(self, results: Sequence[Result]) -> None:
        """These came of a task."""
        for result in results:
            if isinstance(result, Completion):
                seconds = max(result.timings.total, 1e-3)
                self._seconds = seconds if self._seconds is None else self._seconds + (seconds - self._seconds) / 20
        if self._seconds is not None:
            self.size = max(1, min(int(_TASK_SECONDS / self._seconds), 2 * self.size, _MAX_ROWS))


def explain_lost(error: BaseException) -> BrokenExecutor:
    """The error for an executor that lost its workers, or its scheduler."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return BrokenExecutor(
        f"the executor lost its workers or its scheduler ({said}). Finished rows are kept: restart it, and repeat the "
        "same call to resume"
    )
