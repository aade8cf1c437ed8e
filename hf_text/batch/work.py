"""What an executor runs, wherever it runs it: rows, with the client that belongs there."""

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
"""What comes of asking for a row."""


class Worker:
    """A client on its way to where the work is done.

    The threads of this process share the client. Every other process gets one copy of it and keeps that, with its
    connections.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._lock = threading.Lock()
        self._open: set[Any] = set()  # the streams that are being read
        self._cancelled = False
        self._pickled: bytes | None = None

    def ask(self, row: Row, began: Callable[[], None] | None = None) -> Completion:
        """The answer. Raises what ``Client.generate`` raises; StreamCancelledError after ``cancel()``.

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
        """Stop all runs of this process, at once."""
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
    """The answer to a row, or why there is none; as a value, because Dask logs a traceback for what is raised."""
    try:
        return worker.ask(row, began)
    except HFTextError as error:
        return error


def ask_group(worker: Worker, rows: Sequence[Row], number: int) -> list[Result]:
    """The results of rows, one after another; up to the first that says that the others would meet the same.

    ``number`` makes each call another one: Dask answers the same call from its memory.
    """
    results: list[Result] = []
    for row in rows:
        results.append(result := ask(worker, row))
        if isinstance(result, HFTextError) and (is_throttled(result) or is_fatal(result)):
            break
    return results
