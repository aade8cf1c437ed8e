"""How a run ends before all rows are done: stopped for a reason, or by an error."""

from __future__ import annotations

from collections.abc import Collection
from time import monotonic

from .progress import Tally

__all__ = ["Ending"]


class Ending:
    """Whether a run is ending: then no more rows are started.

    Args:
        tally: the counts of the run, where the reason is shown.

    Attributes:
        error: what the run ends with, when what is under way has finished; None: nothing.
        cancelled: whether what is under way was cancelled.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._cancel_at = float("inf")
        self.error: BaseException | None = None
        self.cancelled: bool = False

    @property
    def begun(self) -> bool:
        """Whether no more rows are to be started."""
        return self.error is not None or self._tally.stopped_by is not None

    def stop(self, reason: str, within: float | None = None) -> None:
        """End for this reason, unless there is one already. What is under way may take ``within`` seconds; None: as
        long as it takes.
        """
        if self._tally.stopped_by is None:
            self._tally.stopped_by = reason
        if within is not None:
            self._cancel_at = min(self._cancel_at, monotonic() + within)

    def fail(self, error: BaseException) -> None:
        """End with this error, unless there is one already."""
        self.error = self.error or error

    def forgive(self, reasons: Collection[str]) -> None:
        """The run was stopped for nothing, if it was for one of these reasons: no row was left."""
        if self._tally.stopped_by in reasons:
            self._tally.stopped_by = None

    def time_left(self, now: float) -> float:
        """Seconds until what is under way is to be cancelled; infinite if it may take as long as it takes."""
        return self._cancel_at - now

    def must_cancel(self, now: float) -> bool:
        """Whether what is under way has had its time, and was not cancelled yet."""
        return now >= self._cancel_at and not self.cancelled

    def raise_error(self) -> None:
        """Raise what the run ends with, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error
