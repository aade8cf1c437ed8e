"""Async iteration over items that arrive in batches."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import HFTextError, InvalidRequestError
from ..tracebacks import shorten

__all__ = ["AsyncItems", "Source"]

T = TypeVar("T")


class Source(Protocol):
    """A source of items."""

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end; ``read()`` raises if another task stopped it."""

    async def read(self) -> Sequence[Any]:
        """Wait for the next items and return all that have arrived; empty at the end. Raises InvalidRequestError if
        another reader is waiting.
        """

    def close(self) -> None:
        """Abandon the unread items."""


class AsyncItems(AsyncGenerator[T, None]):
    """The items of a source, all of them or those of one class.

    This is not an async generator function, because an abandoned one needs the event loop to close it.
    """

    def __init__(self, source: Source, wanted: type = object) -> None:
        self._source = source
        self._wanted = wanted
        self._items: Iterator[T] | None = iter(())

    async def __anext__(self) -> T:
        while self._items is not None:
            for item in self._items:
                if self._source.stopped:
                    break
                if isinstance(item, self._wanted):
                    return item
            try:
                some = await self._source.read()
            except BaseException as error:  # cancellation too
                if not isinstance(error, InvalidRequestError):  # raised if another reader is reading: do not disturb it
                    self._close()
                if isinstance(error, HFTextError):
                    shorten(error)
                raise
            self._items = iter(some) if some else None
        raise StopAsyncIteration

    async def asend(self, value: None) -> T:
        """As ``__anext__``; the value is ignored."""
        return await self.__anext__()

    async def athrow(self, *error: Any) -> T:
        """Close the source and raise the error."""
        self._close()
        raise error[0]

    async def aclose(self) -> None:
        """Close the source."""
        self._close()

    def _close(self) -> None:
        self._items = None
        self._source.close()

    def __del__(self) -> None:
        self._close()
