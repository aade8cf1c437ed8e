"""The async adapter: the blocking core in worker threads, for asyncio and trio.

Nothing is decided here. What blocks, such as connecting, is done in a thread; answers are waited for by the event loop,
and what has arrived is read there. A cancelled task cancels its call, which shuts the socket down and so ends the
thread. The threads have a limiter of their own, so that streams never use up those of the host application.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from anyio import CapacityLimiter, get_cancelled_exc_class, get_current_task, move_on_after, wait_readable
from anyio.lowlevel import RunVar, checkpoint
from anyio.to_thread import run_sync

from ..checks import check_int
from ..client import Client
from ..completion import Completion
from ..errors import InvalidRequestError, StreamCancelledError
from ..events import Event
from ..generation.stream import Stream
from ..protocol.catalog import HubModel, Model, ProviderMapping
from ..signatures import method_with_arguments_of, show_arguments
from ..transport.call import Interrupted
from .items import AsyncItems
from .stop_button import stop_button_works

__all__ = ["AsyncClient", "AsyncStream", "read_async"]

T = TypeVar("T")

_MAX_THREADS = 200


class AsyncClient:
    """``Client`` for async code: the same names, arguments and errors; what waits is awaited.

    Can be used from several event loops at once.

    Args:
        max_threads: how many calls may connect and send, or list models, at once in an event loop; further ones wait
            (default 200).
        args, options: as for ``Client``.
    """

    def __init__(self, *args: Any, max_threads: int = _MAX_THREADS, **options: Any) -> None:
        self._client = Client(*args, **options)
        self._threads = _Threads(max_threads)

    show_arguments(__init__, Client.__init__)

    @classmethod
    def of(cls, client: Client, max_threads: int = _MAX_THREADS) -> AsyncClient:
        """The adapter for a client that is there already."""
        self = cls.__new__(cls)
        self._client = client
        self._threads = _Threads(max_threads)
        return self

    @method_with_arguments_of(Client.stream)
    def stream(self, *args: Any, **options: Any) -> AsyncStream:
        """Begin an answer, to be read as it arrives; arguments and errors as for ``Client.stream``. It is not
        awaited.
        """
        return AsyncStream(self._client.stream(*args, **options), self._threads)

    @method_with_arguments_of(Client.generate)
    async def generate(self, *args: Any, **options: Any) -> Completion:
        """The whole answer; arguments and errors as for ``Client.generate``."""
        async with self.stream(*args, **options) as stream:
            while await stream.read():
                pass
            return stream.completion

    @method_with_arguments_of(Client.models)
    async def models(self, **options: Any) -> list[Model]:
        """The models of the server; arguments and errors as for ``Client.models``."""
        call = self._client._new_call()
        return await self._threads.run(lambda: self._client._select_models(call, **options), call.cancel)

    @method_with_arguments_of(Client.mapping)
    async def mapping(self, model: str) -> dict[str, ProviderMapping]:
        """Who serves a model; arguments and errors as for ``Client.mapping``."""
        call = self._client._new_call()
        return await self._threads.run(lambda: self._client._map(call, model), call.cancel)

    @method_with_arguments_of(Client.hub_models)
    def hub_models(self, **options: Any) -> AsyncGenerator[HubModel, None]:
        """The models on the Hub that a provider serves; arguments and errors as for ``Client.hub_models``."""
        return AsyncItems(_Listing(self._client, self._threads, options))

    async def aclose(self) -> None:
        """Close the connections that are kept alive."""
        self._client.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Async{repr(self._client)[1:]}"


class AsyncStream:
    """A streamed answer, for async code.

    ``async for text in stream`` gives the text, ``stream.events()`` all that arrives; ``async with`` closes it in
    the end. It can be read once. ``cancel()`` and ``close()`` are not awaited and never block; a cancelled task
    stops its stream by itself.
    """

    def __init__(self, stream: Stream, threads: _Threads) -> None:
        self._stream = stream
        self._threads = threads
        self._begun = False
        self._reading = False
        self._closer: int | None = None  # the task that closed it

    def __aiter__(self) -> AsyncIterator[str]:
        self._stream._take()
        return AsyncItems(self, str)

    def events(self) -> AsyncGenerator[Event, None]:
        """All that arrives, as ``Stream.events()``."""
        self._stream._take()
        return AsyncItems(self)

    @property
    def completion(self) -> Completion:
        """The whole answer, once the stream has ended; before that, or after an error, what has arrived so far."""
        return self._stream.completion

    async def read(self) -> list[Event]:
        """Wait for the next events and take all that have arrived; an empty list at the end, or if this task
        closed it.
        """
        if self._closer is not None and self._closer == _this_task():
            return []
        if self._reading:
            raise InvalidRequestError("this stream is being read already")
        self._reading = True
        stream, call = self._stream, self._stream._call
        events: list[Event] | None = []
        try:
            while events == []:
                call.blocking = not call.pollable
                if call.blocking:
                    events = await self._threads.run(stream._step, stream.cancel)
                else:
                    events = await self._poll()
        finally:
            self._reading = False
        return events or []

    async def _poll(self) -> list[Event] | None:
        """As ``Stream._step()``, but wait for events as long as no thread is needed to do it."""
        stream, call = self._stream, self._stream._call
        if not stream._begin_reading():
            return None
        try:
            if not self._begun:
                self._begun = True
                await checkpoint()  # a task that is cancelled already sends nothing
            while (events := stream._advance()) == [] and call.pollable:
                with stop_button_works(), move_on_after(call.longest_wait()):
                    await wait_readable(call.fileno())
            return events
        except get_cancelled_exc_class():
            stream.cancel()
            raise
        finally:
            stream._end_reading()

    def cancel(self) -> None:
        """As ``Stream.cancel()``."""
        self._stream.cancel()

    def close(self) -> None:
        """As ``Stream.close()``; another task that reads gets ``StreamCancelledError``."""
        if self._closer is None:
            self._closer = _this_task()
        self._stream.cancel()

    async def aclose(self) -> None:
        """As ``close()``, for ``contextlib.aclosing``."""
        self.close()

    @property
    def _stopped(self) -> bool:
        return self._stream._closer is not None

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Async{repr(self._stream)[1:]}"


def read_async(stream: Stream) -> AsyncGenerator[Event, None]:
    """The events of a stream, for async code."""
    return AsyncStream(stream, _threads).events()


class _Listing:
    """The Hub's listing, a page at a time, read in threads."""

    def __init__(self, client: Client, threads: _Threads, options: dict[str, Any]) -> None:
        self._client = client
        self._threads = threads
        self._call = client._new_call()
        self._pages = filter(None, client._hub_pages(lambda: self._call, **options))
        self._stopped = False

    async def read(self) -> list[HubModel]:
        if self._stopped:
            return []
        self._call = self._client._new_call()  # each page has its own clocks
        page: list[HubModel] = []
        with suppress(Interrupted):
            page = await self._threads.run(lambda: next(self._pages, []), self.close)
        if self._stopped:
            raise StreamCancelledError("the listing was closed by another task")
        return page

    def close(self) -> None:
        self._stopped = True
        self._call.cancel()


def _this_task() -> int | None:
    """The task that runs; None in a callback, and where no event loop runs."""
    try:
        return get_current_task().id
    except RuntimeError:
        return None


_limiters: RunVar[WeakKeyDictionary[_Threads, CapacityLimiter]] = RunVar("hf_text")


class _Threads:
    """Worker threads, at most so many at once in an event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = check_int("max_threads", limit, 1)

    async def run(self, work: Callable[[], T], cancel: Callable[[], None]) -> T:
        """Do the work in a thread; if this task is cancelled, ``cancel`` is to end the work soon."""
        try:
            with stop_button_works():
                return await run_sync(work, abandon_on_cancel=True, limiter=self._limiter())
        except get_cancelled_exc_class():
            cancel()
            raise

    def _limiter(self) -> CapacityLimiter:
        limiters = _limiters.get(None)
        if limiters is None:
            limiters = WeakKeyDictionary()
            _limiters.set(limiters)
        if self not in limiters:
            limiters[self] = CapacityLimiter(self._limit)
        return limiters[self]


_threads = _Threads(_MAX_THREADS)
