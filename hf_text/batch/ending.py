"""Ends a run before all rows are done, for a reason or with an error."""

from __future__ import annotations

from collections.abc import Collection
from time import monotonic

from .progress import Tally

__all__ = ["Ending"]


class Ending:
    """The state of a run that is ending: no more rows are started.

    Args:
        tally: the counts of the run, which show the reason.

    Attributes:
        error: the error to raise when the rows in flight have finished, or None.
        cancelled: whether the rows in flight were cancelled.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._cancel_at = float("inf")
        self.error: BaseException | None = None
        self.cancelled: bool = False

    @property
    def begun(self) -> bool:
        """Whether to start no more rows."""
        return self.error is not None or self._tally.stopped_by is not None

    def stop(self, reason: str, within: float | None = None) -> None:
        """End for this reason, unless there already is one. Rows in flight are cancelled after ``within`` seconds, or
        never if None.
        """
        if self._tally.stopped_by is None:
            self._tally.stopped_by = reason
        if within is not None:
            self._cancel_at = min(self._cancel_at, monotonic() + within)

    def fail(self, error: BaseException) -> None:
        """End with this error, unless there already is one."""
        self.error = self.error or error

    def forgive(self, reasons: Collection[str]) -> None:
        """Clear the reason if it is one of these: no row was left, so the stop had no effect."""
        if self._tally.stopped_by in reasons:
            self._tally.stopped_by = None

    def time_left(self, now: float) -> float:
        """Return the seconds until the rows in flight are cancelled; infinite without a deadline."""
        return self._cancel_at - now

    def must_cancel(self, now: float) -> bool:
        """Whether the rows in flight are past their deadline and not yet cancelled."""
        return now >= self._cancel_at and not self.cancelled

    def raise_error(self) -> None:
        """Raise the run's error, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error
