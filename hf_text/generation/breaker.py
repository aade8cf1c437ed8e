"""A circuit breaker: a target that failed is skipped for a while, so that the next call does not pay for it again.

Nobody is refused. A target whose circuit is open only comes last in the order, so the only way to a model is asked all
the same. When the time is over the circuit is half-open: one call probes the target, while the others still avoid it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ..transport.locks import ForkSafeLock
from ..tuning import DEFAULT_TUNING, Tuning
from .failover import Target

__all__ = ["Breaker"]

_MAX_KEPT = 1000


class Breaker:
    """The targets that failed recently, and the one that served a model last. Safe to share among threads.

    Args:
        tuning: how long a target that failed is skipped, and the clock.
    """

    def __init__(self, tuning: Tuning = DEFAULT_TUNING) -> None:
        self._clock = tuning.clock
        self._seconds = tuning.skip_seconds
        self._until: dict[Target, float] = {}  # by target that failed: when its circuit is half-open
        self._probed: set[Target] = set()  # half-open: a probe is in flight
        self._served: dict[str, Target] = {}  # by model
        self._lock = ForkSafeLock()  # for changes; a look into a dict needs none

    def trip(self, targets: Collection[Target]) -> None:
        """These failed."""
        now = self._clock()
        with self._lock:
            oldest = now - self._seconds  # a half-open circuit may still wait for its probe
            self._until = {target: until for target, until in self._until.items() if until > oldest}
            self._until.update((target, now + self._seconds) for target in targets)
            self._probed = {target for target in self._probed if target in self._until and target not in targets}

    def reset(self, model: str, targets: Sequence[Target]) -> None:
        """These served the model. The last of them is the one to go back to."""
        if not self._until and self._served.get(model) == targets[-1]:
            return
        with self._lock:
            if len(self._served) >= _MAX_KEPT:
                self._served.clear()
            for target in targets:
                self._until.pop(target, None)
            self._served[model] = targets[-1]

    def is_open(self, target: Target) -> bool:
        """Whether the target failed recently."""
        until = self._until.get(target)
        return until is not None and until > self._clock()

    def substitute(self, model: str, target: Target) -> Target | None:
        """For a target that is skipped: the one that served the model last, unless that one is skipped too."""
        served = self._served.get(model)
        return served if served and self.is_open(target) and not self.is_open(served) else None

    def sort(self, targets: Iterable[Target]) -> Iterator[Target]:
        """The targets in their order, with those that failed recently last. None is looked up before it is needed."""
        skipped = []
        for target in targets:
            if self._claim(target):
                yield target
            else:
                skipped.append(target)
        yield from skipped

    def _claim(self, target: Target) -> bool:
        """Whether a call may ask this target now. When its circuit is half-open one call may, as a probe; the others
        skip it until the probe reports, or for as long again if it never does because its reader left.
        """
        if target not in self._until:
            return True
        with self._lock:
            now = self._clock()
            if self._until.get(target, now) > now:
                return False
            if target in self._probed:
                self._probed.discard(target)
                del self._until[target]
            elif target in self._until:
                self._probed.add(target)
                self._until[target] = now + self._seconds
            return True
