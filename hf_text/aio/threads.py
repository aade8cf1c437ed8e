"""Worker threads for blocking work, with a separate limiter, so streams never exhaust the application's threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from anyio import CapacityLimiter, get_cancelled_exc_class
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync

from ..checks import check_int
from .stop_button import stop_button_works

__all__ = ["MAX_THREADS", "ONE_THREAD", "SHARED_THREADS", "Threads"]

T = TypeVar("T")

MAX_THREADS = 200


class Threads:
    """Worker threads.

    Args:
        limit: the maximum number of busy threads per event loop.
    """

    def __init__(self, limit: int = MAX_THREADS) -> None:
        self.limit: int = check_int("max_threads", limit, 1)

    async def run(self, work: Callable[[], T], cancel: Callable[[], None]) -> T:
        """Do the work in a thread. If this task is cancelled, call ``cancel``, which must end the work soon."""
        try:
            with stop_button_works():
                return await run_sync(work, abandon_on_cancel=True, limiter=self.limiter())
        except get_cancelled_exc_class():
            cancel()
            raise

    def limiter(self) -> CapacityLimiter:
        """The limiter for the running event loop."""
        limiters = _limiters.get(None)
        if limiters is None:
            limiters = WeakKeyDictionary()
            _limiters.set(limiters)
        if self not in limiters:
            limiters[self] = CapacityLimiter(self.limit)
        return limiters[self]


_limiters: RunVar[WeakKeyDictionary[Threads, CapacityLimiter]] = RunVar("hf_text")

SHARED_THREADS = Threads()
"""The threads for streams that are not given a client's threads."""

ONE_THREAD = Threads(1)
"""For preparation that is done once for many streams."""
