"""Performs the effects of a procedure in an event loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from anyio.lowlevel import checkpoint

from ..completion import Completion
from ..events import ConversationEvent, Event, ToolResult
from ..procedures.driver import Driver
from ..procedures.effects import Generate, Procedure, Run
from ..schemas.written import written_function
from .jobs import finish
from .stream import AsyncStream
from .tasks import this_task
from .threads import Threads

__all__ = ["AsyncReader"]

T = TypeVar("T")


class AsyncReader(Generic[T]):
    """A procedure that runs as its events are read; the async counterpart of ``procedures.reader.Reader``.

    Args:
        procedure: the procedure.
        open_stream: ``AsyncClient.stream``.
        threads: the threads that run functions that are not async.

    Attributes:
        driver: runs the procedure, and can stop it.
    """

    def __init__(self, procedure: Procedure[T], open_stream: Callable[..., AsyncStream], threads: Threads) -> None:
        self.driver: Driver[T] = Driver(procedure, this_task)
        self._open_stream = open_stream
        self._threads = threads
        self._asked: Generate | None = None
        self._running = False  # whether a function has begun
        self._stream: AsyncStream

    async def read(self) -> Sequence[ConversationEvent]:
        """Wait for the next events; an empty list at the end. Raises what the procedure raises."""
        driver = self.driver
        if not driver.begin():
            return []
        try:
            while (effect := driver.effect()) is not None:
                if isinstance(effect, ToolResult):
                    driver.send(None)
                    return [effect]
                self._running, interruption = False, None
                try:
                    await checkpoint()  # start nothing in a cancelled task
                    if isinstance(effect, Generate):
                        value = await self._generate(effect)
                    else:
                        value, interruption = await self._run(effect)
                except BaseException as error:  # cancellation too: the procedure cleans up
                    if isinstance(effect, Run) and not self._running:
                        driver.stop()
                        raise
                    driver.throw(error)
                else:
                    if isinstance(effect, Generate) and isinstance(value, list):
                        return value
                    driver.send(value)
                if interruption is not None:
                    driver.stop()
                    raise interruption
            return []
        finally:
            driver.end()

    async def finish(self) -> T:
        """Run the procedure to its end and return its result."""
        try:
            while await self.read():
                pass
        finally:
            self.driver.stop()
        return self.driver.result  # type: ignore[return-value]

    async def _generate(self, effect: Generate) -> list[Event] | Completion:
        """The next events of the answer; the complete answer once there are no more."""
        if effect is not self._asked:
            self._asked, self._stream = effect, self._open_stream(effect.messages, **effect.options)
            self.driver.attach(self._stream)
        return await self._stream.read() or self._stream.completion

    async def _run(self, effect: Run) -> tuple[Any, BaseException | None]:
        """The result of the function, and a cancellation that occurred while the function could not be stopped."""

        def run() -> Any:
            self._running = True
            return effect()

        interruption = None
        if inspect.iscoroutinefunction(written_function(effect.function)):
            value = run()
        elif effect.cancel is not None:
            value = await self._threads.run(run, effect.cancel)
        else:
            value, interruption = await finish(run, self._threads.limiter())
        if inspect.isawaitable(value) and interruption is None:
            value = await value
        return value, interruption
