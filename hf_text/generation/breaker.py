"""A circuit breaker: a failed target is skipped for a while, so the next call does not wait for it again.

No call is rejected. A target with an open circuit is only moved to the end of the order, so the only target of a model
is still used. After the time the circuit is half-open: one call probes the target, while other calls still skip it.
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
        tuning: how long a failed target is skipped, and the clock.
    """

    def __init__(self, tuning: Tuning = DEFAULT_TUNING) -> None:
        self._clock = tuning.clock
        self._seconds = tuning.skip_seconds
        self._until: dict[Target, float] = {}  # failed target: the time when its circuit becomes half-open
        self._probed: set[Target] = set()  # half-open targets with a probe in flight
        self._served: dict[str, Target] = {}  # by model
        self._lock = ForkSafeLock()  # for writes; reading a dict needs no lock

    def trip(self, targets: Collection[Target]) -> None:
        """Open the circuits of these targets, which failed."""
        now = self._clock()
        with self._lock:
            oldest = now - self._seconds  # keep half-open circuits that may still wait for their probe
            self._until = {target: until for target, until in self._until.items() if until > oldest}
            self._until.update((target, now + self._seconds) for target in targets)
            self._probed = {target for target in self._probed if target in self._until and target not in targets}

    def reset(self, model: str, targets: Sequence[Target]) -> None:
        """Close the circuits of these targets, which served the model. The last one becomes its substitute."""
        if not self._until and self._served.get(model) == targets[-1]:
            return
        with self._lock:
            if len(self._served) >= _MAX_KEPT:
                self._served.clear()
            for target in targets:
                self._until.pop(target, None)
            self._served[model] = targets[-1]

    def is_open(self, target: Target) -> bool:
        """Whether the circuit of the target is open, because it failed recently."""
        until = self._until.get(target)
        return until is not None and until > self._clock()

    def substitute(self, model: str, target: Target) -> Target | None:
        """The target that last served the model, if ``target`` is skipped and that one is not; else None."""
        served = self._served.get(model)
        return served if served and self.is_open(target) and not self.is_open(served) else None

    def sort(self, targets: Iterable[Target]) -> Iterator[Target]:
        """The targets in their order, with recently failed ones last. Each target is looked up only when needed."""
        skipped = []
        for target in targets:
            if self._claim(target):
                yield target
            else:
                skipped.append(target)
        yield from skipped

    def _claim(self, target: Target) -> bool:
        """Whether a call may use this target now. With a half-open circuit a single call may, as a probe; other calls
        skip the target until the probe ends, or for the same time again if its reader abandoned the stream.
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
