"""Items that come in portions, given one by one to code that awaits them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import HFTextError, InvalidRequestError
from ..tracebacks import shorten

__all__ = ["AsyncItems", "Source"]

T = TypeVar("T")


class Source(Protocol):
    """What items come from."""

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end; ``read()`` raises if another task stopped it."""

    async def read(self) -> Sequence[Any]:
        """Wait for the next items and take all that have arrived; none at the end. Raises InvalidRequestError if
        something else waits.
        """

    def close(self) -> None:
        """Give up what has not been read."""


class AsyncItems(AsyncGenerator[T, None]):
    """The items of a source, all or those of one class.

    Not an async generator function: one that is left half-way needs the event loop to close it, and this does not.
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
            except BaseException as error:  # a cancellation too
                if not isinstance(error, InvalidRequestError):  # else the other reader continues
                    self._close()
                if isinstance(error, HFTextError):
                    shorten(error)
                raise
            self._items = iter(some) if some else None
        raise StopAsyncIteration

    async def asend(self, value: None) -> T:
        """As ``__anext__``: nothing can be sent."""
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
