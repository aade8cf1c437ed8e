"""The lanes of a run: every model has its own, so that one that is slow or limited does not hold up the others."""

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
    """A row on its way.

    Attributes:
        row: what is asked.
        number: which row it is, in the order of the inputs.
        ticket: that of its request under way.
        tries: how often it failed in a way that may pass.
        alone: how often it was refused while others were answered.
        answers: how many answers its lane had when it was sent last.
        due: when it may be sent again.
        first_refused: when it was refused first; 0 if never.
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
        """What came of the row."""
        row = self.row
        return Outcome(row.custom_id, completion, error, row.columns or {}, cost, row.asked)


class Lane:
    """The rows of one model.

    Attributes:
        pace: how fast they may be sent.
        waiting: those that were not sent yet.
        again: those to be sent again.
        in_flight: requests, or groups of them, under way.
        answers: how many rows were answered.
        unknown: how many rows failed because the server does not know the model; -inf if one failed otherwise.
        last_refusal: what the last row was refused with that may be sent again.
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
        """Whether a row may be sent."""
        return bool(self.waiting) or any(task.due <= now for task in self.again)

    def take(self, now: float, fresh: bool = False) -> Task:
        """The next row; a fresh one, if there is one and it is wanted, before those to be sent again."""
        if fresh and self.waiting:
            return self.waiting.popleft()
        for task in self.again:
            if task.due <= now:
                self.again.remove(task)
                return task
        return self.waiting.popleft()

    def next_due(self, now: float) -> float:
        """Seconds until something may be sent; infinite if nothing is there."""
        soonest = min((task.due for task in self.again), default=float("inf"))
        return self.pace.wait() if self.waiting else max(soonest - now, self.pace.wait())

    @property
    def left(self) -> int:
        """How many rows have not come to an end: under way, waiting, or to be sent again."""
        return self.in_flight + len(self.waiting) + len(self.again)


class Lanes:
    """The lanes of a run, which are made as rows need them.

    Args:
        pace_of: the pace for a model.
        max_workers: the most requests in flight in each lane.
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
        """The lane of a model."""
        lane = self._lanes.get(model)
        if lane is None:
            lane = self._lanes[model] = Lane(self._pace_of(model))
        return lane

    @property
    def waiting(self) -> int:
        """How many rows were read and not sent yet."""
        return sum(len(lane.waiting) for lane in self)

    @property
    def have_rows(self) -> bool:
        """Whether a row is to be sent, now or later."""
        return any(lane.waiting or lane.again for lane in self)

    def next(self, now: float) -> Lane | None:
        """A lane in which a row may be sent now; None if there is none."""
        for lane in self._free():
            if lane.has_due(now) and lane.pace.wait() <= 0:
                return lane
        return None

    def all_free(self) -> bool:
        """Whether every lane could send a row if it had one."""
        return all(lane.in_flight < self._most and lane.pace.wait() <= 0 for lane in self)

    def longest_wait(self, now: float, more: bool) -> float:
        """Seconds until a row may be sent; ``more``: whether there are rows that were not read yet."""
        waits = (lane.pace.wait() if more else lane.next_due(now) for lane in self._free())
        return min(waits, default=float("inf"))

    def lost_server(self, seconds: float) -> HFTextError | None:
        """The last refusal of a server that has been unavailable for this many seconds; None if there is none."""
        for lane in self:
            if lane.last_refusal is not None and lane.pace.outage >= seconds:
                return lane.last_refusal
        return None

    def why_waiting(self) -> str:
        """What is waited for, as ``Progress.waiting`` shows it."""
        for lane in self:
            if lane.last_refusal is not None and lane.pace.outage:
                return f"{lane.pace.outage:.0f} s for the server ({reason_of(lane.last_refusal)})"
        pauses = [lane.pace.wait() for lane in self]
        if pauses and min(pauses) > 1.0:
            return f"{min(pauses):.0f} s, as the server asks"
        return ""

    def _free(self) -> Iterator[Lane]:
        return (lane for lane in self if lane.in_flight < self._most)
