"""The work that an executor runs: requests for rows, with the client of the process that runs them."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from ..client import Client
from ..completion import Completion
from ..errors import HFTextError
from .rows import Row
from .verdicts import is_fatal, is_throttled

__all__ = ["Result", "Worker", "ask", "ask_group"]

Result = Completion | HFTextError
"""The result of a request for a row."""


class Worker:
    """A client that can be sent to other processes.

    The threads of this process share the client. Every other process gets one copy and keeps it, with its connections.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = threading.Lock()
        self._open: set[Any] = set()  # open streams
        self._cancelled = False
        self._pickled: bytes | None = None

    def ask(self, row: Row, began: Callable[[], None] | None = None) -> Completion:
        """Return the answer. Raises as ``Client.generate``, and StreamCancelledError after ``cancel()``.

        ``began`` is called when the answer begins.
        """
        with self.client.stream(**row.arguments) as stream:
            stream.raise_refusals()
            with self._lock:
                self._open.add(stream)
                if self._cancelled:
                    stream.cancel()
            try:
                while stream.read():
                    if began is not None:
                        began()
                        began = None
                return stream.completion
            finally:
                with self._lock:
                    self._open.discard(stream)

    def cancel(self) -> None:
        """Cancel all open streams of this process at once."""
        with self._lock:
            self._cancelled = True
            for stream in self._open:
                stream.cancel()

    def __reduce__(self) -> Any:
        if self._pickled is None:
            self._pickled = pickle.dumps(self.client)
        return _worker_of_this_process, (self._pickled,)


@lru_cache(maxsize=4)
def _worker_of_this_process(pickled: bytes) -> Worker:
    return Worker(pickle.loads(pickled))


def ask(worker: Worker, row: Row, began: Callable[[], None] | None = None) -> Result:
    """Return the answer to a row, or the error as a value: Dask logs a traceback for raised exceptions."""
    try:
        return worker.ask(row, began)
    except HFTextError as error:
        return error


def ask_group(worker: Worker, rows: Sequence[Row], number: int) -> list[Result]:
    """Return the results of rows, sent one after another, up to the first error that would also affect the others.

    ``number`` makes each call unique: Dask caches the results of identical calls.
    """
    results: list[Result] = []
    for row in rows:
        results.append(result := ask(worker, row))
        if isinstance(result, HFTextError) and (is_throttled(result) or is_fatal(result)):
            break
    return results
