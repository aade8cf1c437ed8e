"""The Hub's listing for async code, read page by page in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import StreamCancelledError
from ..transport.call import Call, Interrupted
from .threads import Threads

if TYPE_CHECKING:
    from ..protocol.catalog import HubModel

__all__ = ["Listing"]


class Listing:
    """Pages of models, each requested in a separate call.

    Args:
        new_call: creates a call.
        open_pages: starts the listing; takes a function that returns the call for the next page.
        threads: the threads that read the pages.
    """

    def __init__(
        self,
        new_call: Callable[[], Call],
        open_pages: Callable[[Callable[[], Call]], Iterator[list[HubModel]]],
        threads: Threads,
    ) -> None:
        self._new_call = new_call
        self._call = new_call()
        self._threads = threads
        self._pages = filter(None, open_pages(lambda: self._call))
        self.stopped: bool = False

    async def read(self) -> list[HubModel]:
        """The next page; an empty list at the end, or after ``close()``."""
        if self.stopped:
            return []
        self._call = self._new_call()  # each page has its own clocks
        page: list[HubModel] = []
        with suppress(Interrupted):
            page = await self._threads.run(lambda: next(self._pages, []), self.close)
        if self.stopped:
            raise StreamCancelledError("the listing was closed by another task")
        return page

    def close(self) -> None:
        """Stop, and abandon a page that is being read."""
        self.stopped = True
        self._call.cancel()
