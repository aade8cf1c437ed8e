"""What a task of asyncio awaits any number of times, and which continues the task at once."""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

__all__ = ["Waiter"]

T = TypeVar("T")


class Waiter(Generic[T]):
    """Awaited by one task at a time.

    A future serves once, and schedules its task for the next iteration of the loop: both together cost as much as to
    read a token. A task waits as well for any other object that has ``_asyncio_future_blocking`` and the methods below
    (see ``asyncio.isfuture``). This one continues the task within the callback that brings the result. A cancellation
    may come from within another task, so it is scheduled, as by a future.

    Args:
        loop: the loop of the task.

    Attributes:
        loop: as above.
        wake_up: continues the task that waits; None if none does.
        context: the context of that task.
        continuing: whether the task that was continued last has not yet come to its next wait.
    """

    _asyncio_future_blocking = False

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self.wake_up: Callable[[Waiter[T]], None] | None = None
        self.context: Context
        self.continuing = False
        self._schedules = loop.get_debug()  # else its report of a slow callback would not name the task
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
        """Continue the task with this result. To be called in a callback of the loop, in the context of the task."""
        self._result = result
        self._continue()

    def set_exception(self, error: BaseException) -> None:
        """The same with an error."""
        self._error = error
        self._continue()

    def _continue(self) -> None:
        wake_up, self.wake_up = self.wake_up, None
        if wake_up is None:  # cancelled in the meantime
            return
        if self._schedules:
            self.loop.call_soon(wake_up, self, context=self.context)
            return
        self.continuing = True
        try:
            wake_up(self)
        finally:
            self.continuing = False

    # What a task calls

    def get_loop(self) -> AbstractEventLoop:
        """The loop of the task."""
        return self.loop

    def add_done_callback(self, wake_up: Callable[[Waiter[T]], None], *, context: Context) -> None:
        """The task waits from now on."""
        self.wake_up, self.context = wake_up, context

    def done(self) -> bool:
        """Whether no task waits: ``anyio.wait_all_tasks_blocked()`` asks this of what each task waits for."""
        return self.wake_up is None

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the task; False if it does not wait any more."""
        wake_up, self.wake_up = self.wake_up, None
        if wake_up is None:
            return False
        self._error = CancelledError() if msg is None else CancelledError(msg)
        self.loop.call_soon(wake_up, self, context=self.context)
        return True

    def result(self) -> None:
        """Raise the error if there is one. The result itself is what awaiting gives."""
        error, self._error = self._error, None
        if error is None:
            return
        try:
            raise error
        finally:
            del error  # it holds this frame
