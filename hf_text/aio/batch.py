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
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any

from anyio import CapacityLimiter, CancelScope, from_thread
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
from ..errors import InvalidRequestError
from ..signatures import show_arguments
from .client import AsyncClient

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


class Outcomes(AsyncIterator[Outcome]):
    """What comes of rows, as it comes: ``hf_text.batch.Outcomes``, awaited."""

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
        if self._outcomes is None and not self._closed:
            self._outcomes = self._make()
        return None if self._outcomes is None or self._closed else next(self._outcomes, None)

    def _stop(self) -> None:
        if self._outcomes is not None:
            self._outcomes.drain(0.0)


def generate(rows: Any, **options: Any) -> Outcomes:
    """Ask for every row, and iterate over what came of it; arguments and errors as for ``hf_text.batch.generate``.

    ``client`` is an AsyncClient, and the rows may be an async iterable. It is not awaited. Nothing is sent, and no
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
    stop = blocking.Stop()
    work = partial(blocking.run, _rows(inputs), output, stop=stop, **_blocking(options))
    return await _run(work, stop.now)


async def generate_frame(frame: Any, *args: Any, **options: Any) -> Any:
    """Ask for each row of a block, and give the block back with the answers; as ``hf_text.batch.generate_frame``."""
    outcomes: Any = None
    return await _run(partial(blocking.generate_frame, frame, *args, **_blocking(options)), lambda: outcomes)


show_arguments(generate, blocking.generate)
show_arguments(run, blocking.run)
show_arguments(generate_frame, blocking.generate_frame)
