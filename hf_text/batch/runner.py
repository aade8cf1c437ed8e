"""The course of a run: take rows, keep a bounded number of them in flight, record each as soon as it is finished.

One thread decides and writes, the one that called ``run``. The executor only asks, and hands each finished future
over in a queue.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ..checks import refusal
from ..client import Client
from ..completion import Completion
from ..errors import HFTextError, InvalidRequestError
from ..tools import Tools
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names
from .inputs import Inputs, Source
from .journal import Journal
from .pace import LONGEST_WAIT, Pace, is_fatal, is_throttled
from .progress import Progress, Summary, Tally
from .results import build_failure, build_result
from .rows import OPTIONS, Row, RowParser
from .work import Outcome, Worker, ask

__all__ = ["run"]

_TICK = 1.0  # seconds; how often the run looks up while it waits
_GRACE = 1.0  # seconds; how long a run that is interrupted waits for what it has cancelled
_MAX_TRIES = 12  # with the pauses between them about four minutes


@explain_wrong_names
def run(
    inputs: Inputs,
    output: str | PathLike[str],
    *,
    client: Client | None = None,
    model: str | None = None,
    max_workers: int = 16,
    executor: Executor | None = None,
    progress: Callable[[Progress], object] | None = None,
    retry_failed: bool = True,
    include_usage: bool = True,
    # The arguments of Client.stream but messages, media, by .ci/signatures.py
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    tools: Tools | None = None,
    tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    reasoning_effort: str | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    parallel_tool_calls: bool | None = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    provider: str | Sequence[str] | None = None,
    timeout: Timeouts | float = DEFAULT,
) -> Summary:
    """Ask for every row of the inputs and append each answer to the output, in the order in which they come.

    Rows that have their answer in the output already are not sent. The forms of rows and results, and what ends a
    run, are described at the top of ``hf_text.batch``.

    Args:
        inputs: the path of a JSONL file, such a file opened, or an iterable of rows. Only the rows in flight are held
            in memory, and of each row its ``custom_id``.
        output: the path of a JSONL file. If it exists it must hold results; they are kept.
        client: who asks; default ``Client()``. For other processes it is pickled, and its key with it.
        model: the model for rows that name none.
        max_workers: the most rows in flight (default 16).
        executor: where the work is done, such as a ``ProcessPoolExecutor`` or Dask's ``Client.get_executor()``;
            default: threads. It is not shut down. For more than 16 workers give ``max_workers`` too.
        progress: is called in this thread, at the start and after each row.
        retry_failed: whether rows that an earlier run recorded as failed are asked again (default True). Their new
            line then replaces the old.
        include_usage: whether to ask for the token counts. None asks Hugging Face; other servers are not asked, because
            some refuse the question and many count unasked.
        max_tokens: the most tokens that the answer may have. None leaves it to the server, as for every option from
            here on.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: texts that end the answer.
        seed: for answers that can be repeated, where the provider supports it.
        tools: what the model may call: functions, which are described by their signature and docstring (see ``tool``;
            needs the extra ``schema``), or mappings in the form of the protocol. They are not run here: a
            ``Conversation`` does so.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
        response_format: ``"json_object"``, or a JSON schema in the form of the protocol. For a type see ``parse``.
        reasoning_effort: such as ``"low"``; the words that are known depend on the model.
        frequency_penalty: -2 to 2; positive values make repeated tokens less likely, by how often they came.
        presence_penalty: -2 to 2; positive values make tokens that came already less likely.
        parallel_tool_calls: whether the model may call several tools at once.
        logprobs: whether to give the log-probability of each token (``Completion.logprobs``).
        top_logprobs: 0 to 20: how many likely tokens to give for each position; needs ``logprobs``.
        extra_body: further fields for the body of the request.
        extra_headers: further headers for this request.
        provider: as for the client, for this call.
        timeout: as for the client, for this call.

    The options from ``max_tokens`` on are for rows that do not set them.

    Raises InvalidRequestError for a bad argument or row, which names the line, and if another run writes to the
    output; OSError if a file cannot be read or written; and the error that ended the run, as above.
    """
    arguments = locals()
    defaults = {name: arguments[name] for name in OPTIONS - {"media"}}
    parser = _row_parser(
        {name: value for name, value in defaults.items() if value is not None and value is not DEFAULT}
    )
    most = _check_max_workers(max_workers)
    if executor is not None and not isinstance(executor, Executor):
        raise refusal("executor", "a concurrent.futures.Executor", executor)
    if client is not None and not isinstance(client, Client):
        raise refusal("client", "a Client", client)
    source, tally = Source(inputs), Tally()
    with ExitStack() as stack:
        chosen = stack.enter_context(Client()) if client is None else client
        if source.repeatable:
            tally.rows = _check_all(source, parser(), chosen)
        journal = stack.enter_context(Journal(output, source.path))
        checker = None if source.repeatable else chosen
        pending = stack.enter_context(closing(_take_pending(source, parser(), checker, journal, tally, retry_failed)))
        if executor is None:
            executor = stack.enter_context(ThreadPoolExecutor(most, thread_name_prefix="hf_text-batch"))
        _Run(pending, journal, tally, Worker(chosen), executor, Pace(most), progress).work()
        journal.drop_replaced()
        return tally.summary()


def _row_parser(defaults: Mapping[str, Any]) -> Callable[[], RowParser]:
    return lambda: RowParser(defaults)


def _check_max_workers(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refusal("max_workers", "an int of at least 1", value)
    return value


def _check_all(source: Source, parser: RowParser, client: Client) -> int:
    """How many rows there are. Raises InvalidRequestError for a bad one, MissingAuthError if there is no key."""
    count = 0
    for place, value in source:
        _check_row(parser.parse(value, place), place, client)
        count += 1
    return count


def _check_row(row: Row, place: str, client: Client) -> None:
    """Have the client check the arguments, all but the media: to look at those they would have to be read."""
    try:
        client.stream(**{**row.arguments, "media": None}).close()
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{place}: {error}") from None


def _take_pending(
    source: Source, parser: RowParser, checker: Client | None, journal: Journal, tally: Tally, retry_failed: bool
) -> Generator[Row, None, None]:
    """The rows to be asked, one by one; the others are counted. ``checker`` checks what was not checked before."""
    count = 0
    for place, value in source:
        count += 1
        row = parser.parse(value, place)
        if row.custom_id in journal.done:
            tally.resumed += 1
        elif row.custom_id in journal.failed and not retry_failed:
            tally.given_up += 1
        else:
            if checker is not None:
                _check_row(row, place, checker)
            yield row
    tally.rows = count


@dataclass(slots=True)
class _Task:
    """A row that is being worked on."""

    row: Row
    tries: int = 0
    epoch: int = 0


class _Run:
    """One run, with everything it needs made ready."""

    def __init__(
        self,
        rows: Iterator[Row],
        journal: Journal,
        tally: Tally,
        worker: Worker,
        executor: Executor,
        pace: Pace,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self._rows: Iterator[Row] | None = rows  # None: there are no more
        self._journal = journal
        self._tally = tally
        self._worker = worker
        self._executor = executor
        self._pace = pace
        self._progress = progress
        self._again: deque[_Task] = deque()  # refused for now
        self._running: dict[Future[Outcome], _Task] = {}
        self._finished: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
        self._ended_by: HFTextError | None = None

    def work(self) -> None:
        """Do all rows. Raises the error that ended the run when all that was under way is finished; others at once."""
        try:
            self._report()
            while self._start_more():
                self._take_finished()
        except BaseException:  # Ctrl-C too: what is under way is stopped
            self._cancel()
            raise
        if self._ended_by is not None:
            raise self._ended_by
        self._report()

    def _start_more(self) -> bool:
        """Start rows while there is room. Returns whether there is anything to wait for."""
        while len(self._running) < self._pace.limit and not self._pace.pause() and (task := self._next_task()):
            task.tries += 1
            task.epoch = self._pace.epoch
            future = self._executor.submit(ask, self._worker, task.row, task.tries)
            self._running[future] = task
            future.add_done_callback(self._finished.put)
        return bool(self._running) or (self._ended_by is None and (bool(self._again) or self._rows is not None))

    def _next_task(self) -> _Task | None:
        if self._ended_by is not None:
            return None
        if self._again:
            return self._again.popleft()
        row = None
        if self._rows is not None:
            try:
                row = next(self._rows, None)
            except HFTextError as error:  # a bad row
                self._ended_by = error
        if row is None:
            self._rows = None
            return None
        return _Task(row)

    def _take_finished(self) -> None:
        # Not longer than a tick: on Windows, Ctrl-C does not end a wait.
        timeout = min(self._pace.pause() or _TICK, _TICK)
        try:
            future = self._finished.get(timeout=timeout)
        except queue.Empty:
            self._journal.sync_if_due()
            return
        self._settle(future, self._running[future])
        del self._running[future]  # only now: an interrupt before this finds the future in _cancel()

    def _settle(self, future: Future[Outcome], task: _Task) -> None:
        outcome = future.result()  # raises what is no error of ours: a process died, or a mistake in the code
        if isinstance(outcome, Completion):
            self._record_answer(task, outcome)
        elif is_fatal(outcome):
            self._ended_by = self._ended_by or outcome
        elif is_throttled(outcome):
            self._settle_refusal(task, outcome)
        else:
            self._record_failure(task, outcome)

    def _record_answer(self, task: _Task, completion: Completion) -> None:
        self._journal.append(task.row.custom_id, build_result(task.row.custom_id, completion))
        self._tally.add_answer(completion)
        self._pace.answered()
        if any(attempt.status == 429 for attempt in completion.attempts):
            self._pace.slow_down(task.epoch)
        self._report()

    def _record_failure(self, task: _Task, error: HFTextError) -> None:
        self._journal.append(task.row.custom_id, build_failure(task.row.custom_id, error))
        self._tally.add_failure(error)
        self._report()

    def _settle_refusal(self, task: _Task, error: HFTextError) -> None:
        retry_after = error.retry_after
        self._pace.refused(task.epoch, retry_after)
        if self._pace.refusals >= _MAX_TRIES or (retry_after or 0.0) > LONGEST_WAIT:
            self._ended_by = self._ended_by or error
        elif task.tries >= _MAX_TRIES:  # others were answered meanwhile: it is this row
            self._record_failure(task, error)
        else:
            self._again.append(task)

    def _cancel(self) -> None:
        """Stop all that is under way, and keep what was finished before that."""
        self._worker.cancel()
        stopped, _ = wait([future for future in self._running if not future.cancel()], timeout=_GRACE)
        for future in stopped:
            custom_id = self._running[future].row.custom_id
            outcome = future.result() if future.exception() is None else None
            if isinstance(outcome, Completion) and custom_id not in self._journal.done:
                self._journal.append(custom_id, build_result(custom_id, outcome))

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._tally.progress())
