"""The stream of the async client: the same steps, run by an event loop."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from types import TracebackType
from typing import Any

from anyio import get_cancelled_exc_class

from ..attributes import advise_attributes
from ..completion import Completion
from ..errors import HFTextError, InvalidRequestError
from ..events import Event, ProviderInfo
from ..generation.steps import Step, Steps
from ..tracebacks import shorten
from ..transport.call import SOCKET, WRITE, Wait
from .items import AsyncItems
from .tasks import stop_if_cancelled, this_task
from .threads import ONE_THREAD, SHARED_THREADS, Threads
from .waiting import LoopWait, running_loop, wait_by_anyio

__all__ = ["AsyncStream"]


@advise_attributes("stream")
class AsyncStream:
    """A streamed answer, for async code.

    ``async for text in stream`` yields the text, ``stream.events()`` everything that arrives; ``async with`` closes it
    at the end. It can be read once. ``cancel()`` and ``close()`` are not awaited and never block; a cancelled task
    stops its stream.
    """

    def __init__(self, steps: Steps, threads: Threads = SHARED_THREADS) -> None:
        self._steps = steps
        self._threads = threads
        self._begun = False
        self._reading = False
        self._loop_wait: LoopWait | None = None
        self._closer: int | None = None  # the task that closed the stream

    def __aiter__(self) -> AsyncIterator[str]:
        """The pieces of the text, as they arrive. Raises HFTextError."""
        self._steps.claim()
        return AsyncItems(self, str)

    def events(self) -> AsyncGenerator[Event, None]:
        """Everything that arrives, as ``Stream.events()``."""
        self._steps.claim()
        return AsyncItems(self)

    async def start(self) -> AsyncStream:
        """Send the request now, and wait until the answer begins; as ``Stream.start()``."""
        if self.info is None:
            self._steps.put_back(await self.read())
        return self

    @property
    def info(self) -> ProviderInfo | None:
        """The provider that answers; None before the first content has arrived."""
        return self._steps.transcript.info

    @property
    def partial(self) -> Completion:
        """The answer received so far, at any time."""
        return self._steps.transcript.completion()

    @property
    def completion(self) -> Completion:
        """The complete answer, once the stream has been read to its end; raises StreamError as
        ``Stream.completion``.
        """
        try:
            return self._steps.completion()
        except HFTextError as error:
            shorten(error)
            raise

    @property
    def stopped(self) -> bool:
        """Whether it was closed or cancelled before its end."""
        return self._steps.stopped

    async def read(self) -> list[Event]:
        """Wait for the next events and return all that have arrived; an empty list at the end, or if this task
        closed the stream.
        """
        if self._closer is not None and self._closer == this_task():
            return []
        if self._reading:
            raise InvalidRequestError("this stream is already being read")
        self._reading = True
        steps = self._steps
        try:
            while True:
                steps.call.blocking = False
                if not steps.begin():
                    return []
                try:
                    if not self._begun:
                        self._begun = True
                        await stop_if_cancelled()  # send nothing in a cancelled task
                    step = SOCKET if steps.call.rest() else steps.advance()
                    if step is SOCKET or step is WRITE:
                        step = await self._next_step(step)
                except get_cancelled_exc_class():
                    steps.cancel()
                    raise
                finally:
                    steps.end()
                if step is Wait.THREAD or step is Wait.FIRST:
                    steps.call.blocking = True
                    threads = ONE_THREAD if step is Wait.FIRST else self._threads
                    step = await threads.run(steps.step, steps.cancel)
                if isinstance(step, list):
                    return step
                if step is None:
                    return []
        except HFTextError as error:
            shorten(error)
            raise
        finally:
            self._reading = False

    def _next_step(self, wait_for: Step) -> Awaitable[Step | None]:
        """An awaitable of the next step that is not a wait for the socket."""
        wait = self._loop_wait
        if wait is None or not wait.continuing or get_running_loop() is not wait.loop:
            loop = running_loop()
            if loop is None:
                return wait_by_anyio(self._steps, wait_for)
            if wait is None or wait.loop is not loop:
                wait = self._loop_wait = LoopWait(self._steps, loop)
        try:
            wait.watch(wait_for)
        except NotImplementedError:  # Windows' ProactorEventLoop
            return wait_by_anyio(self._steps, wait_for)
        return wait

    def cancel(self) -> None:
        """As ``Stream.cancel()``."""
        self._steps.cancel()

    def close(self) -> None:
        """As ``Stream.close()``; another task that is reading gets ``StreamCancelledError``."""
        if self._closer is None:
            self._closer = this_task()
        self._steps.cancel()

    async def aclose(self) -> None:
        """As ``close()``, for ``contextlib.aclosing``."""
        self.close()

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_steps"):
            self._steps.close()

    def __repr__(self) -> str:
        return f"<AsyncStream of {self._steps.transcript.model!r}, {self._steps.state}>"

    def __reduce__(self) -> Any:
        raise TypeError("an AsyncStream cannot be pickled; its completion can")
