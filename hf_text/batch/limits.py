"""The limits of a run."""

from __future__ import annotations

from dataclasses import dataclass

from .progress import Tally

__all__ = ["LIMITS", "UNKNOWN_PRICE", "Limits"]

UNKNOWN_PRICE = "unknown price"
"""The reason for which a run with ``max_cost`` stops after an answer without a known price."""

LIMITS = frozenset({"max_cost", "max_failures", "deadline", UNKNOWN_PRICE})
"""The reasons for which the limits stop a run."""

_UNPRICED = 4  # with max_cost, rows in flight before the first cost is known


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a run.

    Attributes:
        max_workers: the maximum number of rows in flight for each model.
        max_cost: the maximum cost in USD, including earlier runs.
        max_failures: the number of rows that may fail.
        deadline: the maximum duration of the run in seconds.
        max_outage: how many seconds a server may be unavailable.
        drain: how many seconds rows in flight may take after the deadline.
    """

    max_workers: int = 16
    max_cost: float | None = None
    max_failures: int | None = None
    deadline: float | None = None
    max_outage: float = 900.0
    drain: float = 25.0

    def reached(self, tally: Tally, seconds: float) -> str | None:
        """Return the name of the limit that the run has reached after this many seconds, or None."""
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
        """Whether to start no more rows until the cost of those in flight shows how many more are affordable."""
        return self.max_cost is not None and not tally.priced and tally.in_flight >= _UNPRICED
