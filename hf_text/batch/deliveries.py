"""Outcomes on their way to the caller: as they come, or in the order of the rows."""

from __future__ import annotations

from collections import deque

from .outcomes import Outcome

__all__ = ["Deliveries"]


class Deliveries:
    """Outcomes that can be given, and those that are held until it is their turn.

    Args:
        ordered: whether they are given in the order of the rows.
    """

    def __init__(self, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[Outcome] = deque()
        self._held: dict[int, Outcome] = {}
        self._next = 0  # the number of the row whose turn it is

    def __bool__(self) -> bool:
        """Whether one can be given."""
        return bool(self._ready)

    def add(self, number: int, outcome: Outcome) -> None:
        """This came of the row with this number."""
        if not self._ordered:
            self._ready.append(outcome)
            return
        self._held[number] = outcome
        while self._next in self._held:
            self._ready.append(self._held.pop(self._next))
            self._next += 1

    def take(self) -> Outcome:
        """Give one."""
        return self._ready.popleft()

    def take_all(self) -> list[Outcome]:
        """Give all, with those that are held."""
        self.release()
        found = list(self._ready)
        self._ready.clear()
        return found

    def release(self) -> None:
        """Hold none any longer: the order has gaps, because rows are left that are not asked."""
        self._ordered = False
        self._ready.extend(self._held.pop(number) for number in sorted(self._held))

    def behind(self, taken: int) -> int:
        """How many of the rows read so far wait for their turn; 0 without an order."""
        return taken - self._next if self._ordered else 0
