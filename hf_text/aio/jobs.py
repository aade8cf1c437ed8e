"""Work in a thread that is always awaited to its end, because its effects cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from anyio import CancelScope, CapacityLimiter, Event, get_cancelled_exc_class
from anyio.from_thread import run_sync as run_in_loop
from anyio.to_thread import run_sync

from .stop_button import stop_button_works

__all__ = ["finish"]

T = TypeVar("T")


async def finish(work: Callable[[], T], limiter: CapacityLimiter) -> tuple[T, BaseException | None]:
    """Do the work in a thread, and wait for its end even if this task is cancelled. Returns the result, and a
    cancellation that occurred meanwhile, for the caller to raise. Raises what the work raises, or the cancellation if
    the work had not begun.
    """
    job = _Job(work)
    interruption: BaseException | None = None
    try:
        with stop_button_works():
            await run_sync(job.run, limiter=limiter)
    except get_cancelled_exc_class() as error:  # before the work began, or by asyncio's cancel(), which ignores shields
        if job.withdraw():
            raise
        interruption = error
    while not job.ended.is_set():
        try:
            with CancelScope(shield=True):
                await job.ended.wait()
        except get_cancelled_exc_class() as error:
            interruption = error
    return job.result(), interruption


class _Job(Generic[T]):
    def __init__(self, work: Callable[[], T]) -> None:
        self.ended = Event()
        self._work = work
        self._tickets = [True]  # whoever pops the single ticket runs the job, or withdraws it
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do the work, in a worker thread."""
        if not self.withdraw():
            return
        try:
            self._value = self._work()
        except BaseException as error:
            self._error = error
        finally:
            run_in_loop(self.ended.set)

    def withdraw(self) -> bool:
        """Withdraw the job if it has not begun; returns whether it was withdrawn."""
        try:
            return self._tickets.pop()
        except IndexError:
            return False

    def result(self) -> T:
        """The result of the work, once it has ended. Raises the error of the work."""
        if self._error is not None:
            raise self._error
        return self._value
