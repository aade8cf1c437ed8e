"""Where rows are asked: threads of this process, or an executor from outside, which takes them in groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from typing import Any

from ..completion import Completion
from ..errors import HFTextError
from .rows import Row
from .work import Result, Worker, ask, ask_group

__all__ = ["Dispatcher", "Groups", "explain_lost"]

_MAX_THREADS = 10_000  # of all lanes together; they are made as they are needed
_GRACE = 1.0  # seconds; how long what was cancelled is waited for

_TASK_SECONDS = 1.0
_MAX_ROWS = 64


class Dispatcher:
    """Hands rows to those who ask.

    Args:
        worker: what is to be run.
        executor: where; None: threads of its own.

    Attributes:
        elsewhere: whether the executor is one from outside.
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
        """How many rows the next task may have."""
        return self._groups.size if self.elsewhere else 1

    def submit(self, rows: Sequence[Row], began: Callable[[], None] | None) -> Future[Any]:
        """Have the rows asked. ``began`` is called when the answer begins, in a thread of this process.

        Raises BrokenExecutor if the executor was shut down, or is broken.
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
        """What came of the rows of a task that has finished; fewer than there were rows, if the last is an error that
        the others would meet. Raises BrokenExecutor if the executor lost it.
        """
        try:
            results = future.result()
        except (HFTextError, KeyboardInterrupt, SystemExit):
            raise
        except (Exception, CancelledError) as error:
            if self._own is not None:
                raise  # a mistake in the code
            raise explain_lost(error) from error
        if self._own is not None:
            return [results]
        self._groups.note(results)
        return list(results)

    def cancel(self) -> None:
        """Stop what is asked in this process."""
        self._worker.cancel()

    def wait(self, futures: Iterable[Future[Any]]) -> None:
        """Wait a moment for what was cancelled; what is asked elsewhere is not waited for."""
        if self._own is not None:
            wait(list(futures), timeout=_GRACE)

    def close(self, finish: bool) -> None:
        """Let the threads go; ``finish``: after what they do."""
        if self._own is not None:
            self._own.shutdown(wait=finish)


class Groups:
    """How many rows make one task, so that it takes about a second: a task a row costs a scheduler more than the row.

    Attributes:
        size: rows of the next task.
    """

    def __init__(self) -> None:
        self.size: int = 1
        self._seconds: float | None = None  # of a row, on average

    def note(self, results: Sequence[Result]) -> None:
        """These came of a task."""
        for result in results:
            if isinstance(result, Completion):
                seconds = max(result.timings.total, 1e-3)
                self._seconds = seconds if self._seconds is None else self._seconds + (seconds - self._seconds) / 20
        if self._seconds is not None:
            self.size = max(1, min(int(_TASK_SECONDS / self._seconds), 2 * self.size, _MAX_ROWS))


def explain_lost(error: BaseException) -> BrokenExecutor:
    """The error for an executor that lost its workers, or its scheduler."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return BrokenExecutor(
        f"the executor lost its workers or its scheduler ({said}). Finished rows are kept: restart it, and repeat the "
        "same call to resume"
    )
