"""Passes outcomes to the caller as they arrive, or in the order of the rows."""

from __future__ import annotations

from collections import deque

from .outcomes import Outcome

__all__ = ["Deliveries"]


class Deliveries:
    """A queue of outcomes, with those held back until their turn.

    Args:
        ordered: whether outcomes are returned in the order of the rows.
    """

    def __init__(self, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[Outcome] = deque()
        self._held: dict[int, Outcome] = {}
        self._next = 0  # the number of the next row in order

    def __bool__(self) -> bool:
        """Whether an outcome is ready."""
        return bool(self._ready)

    def add(self, number: int, outcome: Outcome) -> None:
        """Add the outcome of the row with this number."""
        if not self._ordered:
            self._ready.append(outcome)
            return
        self._held[number] = outcome
        while self._next in self._held:
            self._ready.append(self._held.pop(self._next))
            self._next += 1

    def take(self) -> Outcome:
        """Return the next outcome."""
        return self._ready.popleft()

    def take_all(self) -> list[Outcome]:
        """Return all outcomes, including those held back."""
        self.release()
        found = list(self._ready)
        self._ready.clear()
        return found

    def release(self) -> None:
        """Stop holding outcomes back: the order has gaps, because some rows will not be sent."""
        self._ordered = False
        self._ready.extend(self._held.pop(number) for number in sorted(self._held))

    def behind(self, taken: int) -> int:
        """Return how many of the rows read so far still wait for their turn; 0 if unordered."""
        return taken - self._next if self._ordered else 0
