"""What bounds a run, and whether a bound is reached."""

from __future__ import annotations

from dataclasses import dataclass

from .progress import Tally

__all__ = ["LIMITS", "UNKNOWN_PRICE", "Limits"]

UNKNOWN_PRICE = "unknown price"
"""Why a run whose cost is bounded is stopped by an answer without a price."""

LIMITS = frozenset({"max_cost", "max_failures", "deadline", UNKNOWN_PRICE})
"""The reasons for which the limits stop a run."""

_UNPRICED = 4  # rows in flight before the first cost is known, where it is bounded


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run.

    Attributes:
        max_workers: the most rows in flight for each model.
        max_cost: USD, those of earlier runs included.
        max_failures: rows that may fail.
        deadline: seconds that the run may take.
        max_outage: seconds that a server may be away.
        drain: seconds that what is under way may take once the run ends at a deadline.
    """

    max_workers: int = 16
    max_cost: float | None = None
    max_failures: int | None = None
    deadline: float | None = None
    max_outage: float = 900.0
    drain: float = 25.0

    def reached(self, tally: Tally, seconds: float) -> str | None:
        """The name of the limit that a run of this many seconds has reached; None if it has reached none."""
        if self.deadline is not None and seconds >= self.deadline:
            return "deadline"
        if self.max_failures is not None and tally.failures > self.max_failures:
            return "max_failures"
        if self.max_cost is not None:
            under_way = tally.in_flight * tally.mean_cost
            if tally.spent + tally.cost + under_way >= self.max_cost:
                return "max_cost"
        return None

    def must_learn_the_price(self, tally: Tally) -> bool:
        """Whether a few rows are under way whose cost will tell how many more may be started."""
        return self.max_cost is not None and not tally.priced and tally.in_flight >= _UNPRICED
