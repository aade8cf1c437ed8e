"""The lanes of a run, one per model, so that a slow or rate-limited model does not hold up the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..completion import Completion
from ..errors import HFTextError
from .outcomes import Outcome
from .pace import Pace, Ticket
from .progress import reason_of
from .rows import Row

__all__ = ["Lane", "Lanes", "Task"]


@dataclass(slots=True, eq=False)
class Task:
    """A row being processed.

    Attributes:
        row: the row.
        number: its number in the order of the inputs.
        ticket: the ticket of its request in flight.
        tries: the number of its transient failures.
        alone: how often it was rejected while other rows were answered.
        answers: the number of answers of its lane when it was last sent.
        due: when it may be retried.
        first_refused: when it was first rejected; 0 if never.
    """

    row: Row
    number: int
    ticket: Ticket | None = None
    tries: int = 0
    alone: int = 0
    answers: int = 0
    due: float = 0.0
    first_refused: float = 0.0

    def outcome(
        self, completion: Completion | None = None, error: HFTextError | None = None, cost: float | None = None
    ) -> Outcome:
        """Return the outcome of the row."""
        row = self.row
        return Outcome(row.custom_id, completion, error, row.columns or {}, cost, row.asked)


class Lane:
    """The rows of one model.

    Attributes:
        pace: limits how fast they are sent.
        waiting: rows not sent yet.
        again: rows to be retried.
        in_flight: the number of requests, or groups of requests, in flight.
        answers: the number of answered rows.
        unknown: the number of rows that failed because the model is unknown; -inf if a row failed otherwise.
        last_refusal: the error of the last temporary rejection.
    """

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.waiting: deque[Task] = deque()
        self.again: list[Task] = []
        self.in_flight: int = 0
        self.answers: int = 0
        self.unknown: float = 0.0
        self.last_refusal: HFTextError | None = None

    def has_due(self, now: float) -> bool:
        """Whether a row may be sent now."""
        return bool(self.waiting) or any(task.due <= now for task in self.again)

    def take(self, now: float, fresh: bool = False) -> Task:
        """Return the next row: with ``fresh``, an unsent row if there is one; otherwise retries come first."""
        if fresh and self.waiting:
            return self.waiting.popleft()
        for task in self.again:
            if task.due <= now:
                self.again.remove(task)
                return task
        return self.waiting.popleft()

    def next_due(self, now: float) -> float:
        """Return the seconds until a row may be sent; infinite if there is none."""
        soonest = min((task.due for task in self.again), default=float("inf"))
        return self.pace.wait() if self.waiting else max(soonest - now, self.pace.wait())

    @property
    def left(self) -> int:
        """The number of unfinished rows: in flight, waiting, or to be retried."""
        return self.in_flight + len(self.waiting) + len(self.again)


class Lanes:
    """The lanes of a run, created as needed.

    Args:
        pace_of: returns the pace for a model.
        max_workers: the maximum number of requests in flight per lane.
    """

    def __init__(self, pace_of: Callable[[str | None], Pace], max_workers: int) -> None:
        self._pace_of = pace_of
        self._most = max_workers
        self._lanes: dict[str | None, Lane] = {}

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def __len__(self) -> int:
        return len(self._lanes)

    def of(self, model: str | None) -> Lane:
        """Return the lane of a model."""
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = Lane(self._pace_of(model))
        return lane

    @property
    def waiting(self) -> int:
        """The number of rows read but not sent yet."""
        return sum(len(lane.waiting) for lane in self)

    @property
    def have_rows(self) -> bool:
        """Whether any row is waiting to be sent or retried."""
        return any(lane.waiting or lane.again for lane in self)

    def next(self, now: float) -> Lane | None:
        """Return a lane in which a row may be sent now; None if there is none."""
        for lane in self._free():
            if lane.has_due(now) and lane.pace.wait() <= 0:
                return lane
        return None

    def all_free(self) -> bool:
        """Whether every lane could send a row if it had one."""
        return all(lane.in_flight < self._most and lane.pace.wait() <= 0 for lane in self)

    def longest_wait(self, now: float, more: bool) -> float:
        """Return the seconds until a row may be sent; ``more``: whether there are unread rows."""
        waits = (lane.pace.wait() if more else lane.next_due(now) for lane in self._free())
        return min(waits, default=float("inf"))

    def lost_server(self, seconds: float) -> HFTextError | None:
        """Return the last error of a server that has been unavailable for this many seconds; None if there is none."""
        for lane in self:
            if lane.last_refusal is not None and lane.pace.outage >= seconds:
                return lane.last_refusal
        return None

    def why_waiting(self) -> str:
        """Return the reason for waiting, as shown in ``Progress.waiting``."""
        for lane in self:
            if lane.last_refusal is not None and lane.pace.outage:
                return f"{lane.pace.outage:.0f} s for the server ({reason_of(lane.last_refusal)})"
        pauses = [lane.pace.wait() for lane in self]
        if pauses and min(pauses) > 1.0:
            return f"{min(pauses):.0f} s, as the server asks"
        return ""

    def _free(self) -> Iterator[Lane]:
        return (lane for lane in self if lane.in_flight < self._most)
