"""``hf_text.batch`` for async code: the same names, arguments and results; what waits is awaited.

The blocking run does the work, in a worker thread that is started for each portion of outcomes; its own threads ask.
A cancelled task stops what is under way. Rows may also come from an async iterable, which is read in the event loop.

::

    from hf_text.aio import batch

    async with batch.generate(rows, model="openai/gpt-oss-120b") as outcomes:
        async for outcome in outcomes:
            ...
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from anyio import CancelScope, CapacityLimiter, from_thread, get_cancelled_exc_class
from anyio.to_thread import run_sync

from .. import batch as blocking
from ..batch import (
    Outcome,
    Pace,
    Percentiles,
    Progress,
    ProviderSummary,
    Stopped,
    Summary,
    failures,
    merge,
    read,
    read_state,
    sort,
    to_frame,
)
from ..batch.frames import Block
from ..batch.runner import Stopper, run_stoppable
from ..checks import refusal
from ..client import Client
from .client import AsyncClient
from .stop_button import stop_button_works

__all__ = [
    "Outcome",
    "Outcomes",
    "Pace",
    "Percentiles",
    "Progress",
    "ProviderSummary",
    "Stopped",
    "Summary",
    "failures",
    "generate",
    "generate_frame",
    "merge",
    "read",
    "read_state",
    "run",
    "sort",
    "to_frame",
]


T = TypeVar("T")

_End = object()


class Outcomes(AsyncIterator[Outcome]):
    """What comes of rows, as it comes: ``hf_text.batch.Outcomes``, awaited. Leaving ``async with`` stops what is under
    way.
    """

    def __init__(self, make: Callable[[], blocking.Outcomes]) -> None:
        self._make = make
        self._outcomes: blocking.Outcomes | None = None
        self._closed = False

    async def __anext__(self) -> Outcome:
        outcome = await _run(self._next, self._stop)
        if outcome is None:
            raise StopAsyncIteration
        return outcome

    @property
    def progress(self) -> Progress | None:
        """How far it is; None before the first outcome was asked for."""
        return None if self._outcomes is None else self._outcomes.progress

    @property
    def stopped_by(self) -> str | None:
        """Why it ended before all rows were done; None if it did not."""
        return None if self._outcomes is None else self._outcomes.stopped_by

    def drain(self, within: float | None = None) -> None:
        """Start no more rows. What is under way still comes; seconds given, it is cancelled after those."""
        if self._outcomes is not None:
            self._outcomes.drain(within)

    async def aclose(self) -> None:
        """Stop all that is under way."""
        self._closed = True
        if self._outcomes is not None:
            with CancelScope(shield=True):
                await run_sync(self._outcomes.close, limiter=CapacityLimiter(1))

    async def __aenter__(self) -> Outcomes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _next(self) -> Outcome | None:
        if self._closed:
            return None
        if self._outcomes is None:
            self._outcomes = self._make()
        return next(self._outcomes, None)

    def _stop(self) -> None:
        self._closed = True
        self.drain(0.0)


def generate(rows: Any, **options: Any) -> Outcomes:
    """Ask for every row, and iterate over what came of it; arguments and errors as for ``hf_text.batch.generate``.

    ``client`` is an AsyncClient, and the rows may be an async iterable. It is not awaited: nothing is sent, and no
    error raised, before the first outcome is asked for.
    """
    return Outcomes(lambda: blocking.generate(_rows(rows), **_blocking(options)))


async def run(inputs: Any, output: str | os.PathLike[str], **options: Any) -> Summary:
    """Ask for every row of the inputs and append each answer to the output; arguments and errors as for
    ``hf_text.batch.run``.

    ``client`` is an AsyncClient, and the inputs may be an async iterable. A function for ``progress`` is called in the
    thread that does the work. A cancelled task cancels what is under way; what had finished is kept. Signals are left
    to the event loop.
    """
    stopper = Stopper()
    return await _run(lambda: run_stoppable(stopper, _rows(inputs), output, **_blocking(options)), stopper.stop)


async def generate_frame(frame: Any, template: Any = None, *, into: str = "answer", **options: Any) -> Any:
    """Ask for each row of a block, and give the block back with the answers; as ``hf_text.batch.generate_frame``."""
    block = Block(frame, template, into, _blocking(options))
    return await _run(block.fill, block.stop)


async def _run(work: Callable[[], T], stop: Callable[[], object]) -> T:
    """Do the work in a thread. If this task is cancelled, ``stop`` is called, and the end of the work waited for."""
    ended = threading.Event()

    def work_and_tell() -> T:
        try:
            return work()
        finally:
            ended.set()

    try:
        with stop_button_works():
            return await run_sync(work_and_tell, abandon_on_cancel=True, limiter=CapacityLimiter(1))
    except get_cancelled_exc_class():
        stop()
        with CancelScope(shield=True):
            await run_sync(ended.wait, 10.0, limiter=CapacityLimiter(1))
        raise


def _blocking(options: dict[str, Any]) -> dict[str, Any]:
    """The options for the blocking functions."""
    client = options.get("client")
    if client is None:
        return options
    if not isinstance(client, AsyncClient):
        raise refusal("client", "an AsyncClient", client)
    return {**options, "client": Client.of(client.operations)}


def _rows(rows: Any) -> Any:
    """Rows for a worker thread; an async iterable is read in the event loop."""
    return _read_in_loop(rows.__aiter__()) if isinstance(rows, AsyncIterable) else rows


def _read_in_loop(rows: AsyncIterator[Any]) -> Iterator[Any]:
    async def take() -> Any:
        try:
            return await rows.__anext__()
        except StopAsyncIteration:
            return _End

    while (row := from_thread.run(take)) is not _End:
        yield row
