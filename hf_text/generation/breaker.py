"""A circuit breaker: who failed is passed over for a short time, so that the next call does not pay for it again.

Nobody is refused. Who failed only comes last in the order, so a target that is the only way to a model is asked all the
same; and when the time is over, one call finds out whether it works again, while the others still go around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from time import monotonic

from ..transport.locks import ForkSafeLock
from .failover import Target

__all__ = ["Breaker"]

_SECONDS = 30.0
_MAX_KEPT = 1000


class Breaker:
    """Which targets failed lately, and which one served a model last. Safe to share among threads.

    Args:
        seconds: how long a target that failed is passed over.

    Attributes:
        clock: what tells the time, in seconds.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self.clock: Callable[[], float] = monotonic
        self._seconds = seconds
        self._until: dict[Target, float] = {}  # by target that failed: when it is no longer passed over
        self._tried: set[Target] = set()  # those of them that a call tries again, which has not told how it went
        self._served: dict[str, Target] = {}  # by model
        self._lock = ForkSafeLock()  # for changes; a look into a dict needs none

    def trip(self, targets: Collection[Target]) -> None:
        """These failed."""
        now = self.clock()
        with self._lock:
            oldest = now - self._seconds  # whose time is over may still be waiting for the call that finds out
            self._until = {target: until for target, until in self._until.items() if until > oldest}
            self._until.update((target, now + self._seconds) for target in targets)
            self._tried = {target for target in self._tried if target in self._until and target not in targets}

    def reset(self, model: str, targets: Iterable[Target]) -> None:
        """These served the model. The last of them is the one to go back to."""
        with self._lock:
            if len(self._served) >= _MAX_KEPT:
                self._served.clear()
            for target in targets:
                self._until.pop(target, None)
                self._served[model] = target

    def is_open(self, target: Target) -> bool:
        """Whether the target failed lately."""
        until = self._until.get(target)
        return until is not None and until > self.clock()

    def stand_in(self, model: str, target: Target) -> Target | None:
        """For a target that is passed over: who served the model last, unless that one is passed over too."""
        served = self._served.get(model)
        return served if served and self.is_open(target) and not self.is_open(served) else None

    def sort(self, targets: Iterable[Target]) -> Iterator[Target]:
        """The targets in their order, but those that failed lately at the end. None is looked for before it is due."""
        passed_over = []
        for target in targets:
            if self._claim(target):
                yield target
            else:
                passed_over.append(target)
        yield from passed_over

    def _claim(self, target: Target) -> bool:
        """Whether a call may ask this target now. When its time is over one call may, and for as long again no other
        until that one has told how it went; it may never do so, if its reader leaves.
        """
        if target not in self._until:
            return True
        with self._lock:
            now = self.clock()
            if self._until.get(target, now) > now:
                return False
            if target in self._tried:
                self._tried.discard(target)
                del self._until[target]
            elif target in self._until:
                self._tried.add(target)
                self._until[target] = now + self._seconds
            return True
