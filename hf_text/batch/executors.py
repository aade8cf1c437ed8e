"""Runs requests in threads of this process, or in the caller's executor, which receives rows in groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

from ..completion import Completion
from ..errors import HFTextError
from .rows import Row
from .work import Result, Worker, ask, ask_group

__all__ = ["Dispatcher", "Groups", "explain_lost"]

_MAX_THREADS = 10_000  # for all lanes together; created as needed
_GRACE = 1.0  # seconds to wait for cancelled requests

_TASK_SECONDS = 1.0
_MAX_ROWS = 64


class Dispatcher:
    """Submits rows to threads or to an executor.

    Args:
        worker: sends the requests.
        executor: where to run them; None uses threads of its own.

    Attributes:
        elsewhere: whether the executor is the caller's.
    """

    def __init__(self, worker: Worker, executor: Executor | None) -> None:
        self._worker = worker
        self._own = ThreadPoolExecutor(_MAX_THREADS, "hf_text-batch") if executor is None else None
        self._executor = executor
        self._groups = Groups()
        self._submitted = 0
        self.elsewhere: bool = executor is not None

    @property
    def size(self) -> int:
        """The maximum number of rows in the next task."""
        return self._groups.size if self.elsewhere else 1

    def submit(self, rows: Sequence[Row], began: Callable[[], None] | None) -> Future[Any]:
        """Submit the rows. ``began`` is called when the answer begins, only if it runs in a thread of this process.

        Raises BrokenExecutor if the executor was shut down or is broken.
        """
        if self._own is not None:
            return self._own.submit(ask, self._worker, rows[0], began)
        assert self._executor is not None
        self._submitted += 1
        try:
            return self._executor.submit(ask_group, self._worker, rows, self._submitted)
        except RuntimeError as error:
            raise explain_lost(error) from error

    def results_of(self, future: Future[Any]) -> list[Result]:
        """Return the results of a finished task; fewer than its rows if the last result is an error that would also
        affect the others. Raises BrokenExecutor if the executor lost the task.
        """
        try:
            results = future.result()
        except (HFTextError, KeyboardInterrupt, SystemExit):
            raise
        except (Exception, CancelledError) as error:
            if self._own is not None:
                raise  # a bug
            raise explain_lost(error) from error
        if self._own is not None:
            return [results]
        self._groups.note(results)
        return list(results)

    def cancel(self) -> None:
        """Cancel the requests of this process."""
        self._worker.cancel()

    def wait(self, futures: Iterable[Future[Any]]) -> None:
        """Wait briefly for cancelled requests in this process; do not wait for the caller's executor."""
        if self._own is not None:
            wait(list(futures), timeout=_GRACE)

    def close(self, finish: bool) -> None:
        """Shut down the own threads; with ``finish``, wait for their requests."""
        if self._own is not None:
            self._own.shutdown(wait=finish)


class Groups:
    """Chooses the number of rows per task so that a task takes about a second: with one row per task, scheduling costs
    more than the row.

    Attributes:
        size: the number of rows in the next task.
    """

    def __init__(self) -> None:
        self.size: int = 1
        self._seconds: float | None = None  # average per row

    def note(self, results: Sequence[Result]) -> None:
        """Record the results of a task."""
        for result in results:
            if isinstance(result, Completion):
                seconds = max(result.timings.total, 1e-3)
                self._seconds = seconds if self._seconds is None else self._seconds + (seconds - self._seconds) / 20
        if self._seconds is not None:
            self.size = max(1, min(int(_TASK_SECONDS / self._seconds), 2 * self.size, _MAX_ROWS))


def explain_lost(error: BaseException) -> BrokenExecutor:
    """Build the error for an executor that lost its workers or its scheduler."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return BrokenExecutor(
        f"the executor lost its workers or its scheduler ({said}). Finished rows are kept: restart it, and repeat the "
        "same call to resume"
    )
