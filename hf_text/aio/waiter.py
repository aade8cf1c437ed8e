"""A reusable awaitable for asyncio that continues its task immediately."""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

__all__ = ["Waiter"]

T = TypeVar("T")


class Waiter(Generic[T]):
    """A reusable future, awaited by one task at a time.

    A future can be used only once, and schedules its task for the next iteration of the loop. Together these cost as
    much as reading a token. A task can also await any other object that has ``_asyncio_future_blocking`` and the
    methods below (see ``asyncio.isfuture``). This one continues the task inside the callback that sets the result. A
    cancellation may come from inside another task, so it is scheduled as in a future.

    Args:
        loop: the loop of the task.

    Attributes:
        loop: as above.
        wake_up: continues the waiting task; None if no task waits.
        context: the context of that task.
        continuing: whether the continued task is still running and has not reached its next wait.
    """

    _asyncio_future_blocking = False

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.wake_up: Callable[[Waiter[T]], None] | None = None
        self.context: Context
        self.continuing = False
        self._schedules = loop.get_debug()  # schedule the task, so that reports of slow callbacks name it
        self._result: T
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Any, None, T]:
        self._asyncio_future_blocking = True
        try:
            yield self
        finally:
            self.wake_up = None
        return self._result

    def set_result(self, result: T) -> None:
        """Continue the task with this result. Call this in a callback of the loop, in the context of the task."""
        self._result = result
        self._continue()

    def set_exception(self, error: BaseException) -> None:
        """Continue the task with this error, as ``set_result()``."""
        self._error = error
        self._continue()

    def _continue(self) -> None:
        wake_up, self.wake_up = self.wake_up, None
        if wake_up is None:  # already cancelled
            return
        if self._schedules:
            self.loop.call_soon(wake_up, self, context=self.context)
            return
        self.continuing = True
        try:
            wake_up(self)
        finally:
            self.continuing = False

    # Called by the task

    def get_loop(self) -> AbstractEventLoop:
        """The loop of the task."""
        return self.loop

    def add_done_callback(self, wake_up: Callable[[Waiter[T]], None], *, context: Context) -> None:
        """Register the waiting task."""
        self.wake_up, self.context = wake_up, context

    def done(self) -> bool:
        """Whether no task waits; used by ``anyio.wait_all_tasks_blocked()``."""
        return self.wake_up is None

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task; returns False if it no longer waits."""
        wake_up, self.wake_up = self.wake_up, None
        if wake_up is None:
            return False
        self._error = CancelledError() if msg is None else CancelledError(msg)
        self.loop.call_soon(wake_up, self, context=self.context)
        return True

    def result(self) -> None:
        """Raise the error if there is one. The result is returned by awaiting."""
        error, self._error = self._error, None
        if error is None:
            return
        try:
            raise error
        finally:
            del error  # no reference cycle: its traceback holds this frame
