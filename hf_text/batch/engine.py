"""The main loop of a run: reads rows, sends each at its model's pace, and yields the outcomes.

All decisions are made in one thread, the one that iterates. The dispatcher only sends requests, and finished futures
come back through a queue. ``limits`` bounds a run, ``ending`` and ``early_ends`` end it, ``failures`` handles errors.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from ..completion import Completion
from ..errors import StreamCancelledError
from .costs import Costs
from .deliveries import Deliveries
from .ending import Ending
from .executors import Dispatcher
from .failures import Failures
from .intake import Intake
from .lanes import Lane, Lanes, Task
from .limits import LIMITS, UNKNOWN_PRICE, Limits
from .outcomes import Outcome
from .pace import Pace, Ticket
from .progress import Tally
from .rows import Row
from .work import Result, Worker

__all__ = ["Engine"]

_TICK = 1.0  # seconds; the longest wait between two ticks
_LOOKAHEAD = 1000  # rows read ahead while the lane of the next row is full, if there are several lanes

_Event = tuple[Future[Any], list[Task]] | tuple[Lane, Ticket] | None  # None only wakes up the loop


class Engine:
    """Sends rows and iterates over their outcomes.

    Args:
        rows: the rows, and the outcomes of rows that cannot be sent.
        worker: sends the requests.
        limits: the limits of the run.
        tally: the counts of the run.
        pace_of: returns the pace for a model.
        costs: the prices; None disables pricing.
        executor: where requests are sent; None uses threads of its own.
        ordered: whether to yield outcomes in the order of the rows.
        several: whether to expect rows for several models.
        strict: whether a row with a bad argument ends the run; otherwise only the row fails, as with bad media.

    Attributes:
        on_tick: called about once a second, even without events.
    """

    def __init__(
        self,
        rows: Iterator[Row | Outcome],
        worker: Worker,
        limits: Limits,
        tally: Tally,
        pace_of: Callable[[str | None], Pace],
        costs: Costs | None = None,
        executor: Executor | None = None,
        ordered: bool = False,
        several: bool = False,
        strict: bool = True,
    ) -> None:
        self.on_tick: Callable[[], object] = lambda: None
        self._limits = limits
        self._tally = tally
        self._costs = costs
        self._dispatcher = Dispatcher(worker, executor)
        self._lanes = Lanes(pace_of, limits.max_workers)
        self._ending = Ending(tally)
        self._intake = Intake(rows, tally, self._ending)
        self._failures = Failures(self._lanes, tally, self._ending, worker.client.operations.tuning, strict)
        self._deliveries = Deliveries(ordered)
        self._several = several
        self._running: dict[Future[Any], list[Task]] = {}
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._began = monotonic()
        self._ticked = self._began
        self._closed = False

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        while not self._deliveries:
            try:
                going_on = self._advance()
            except (
                BaseException
            ):  # including Ctrl-C: rows in flight are stopped, and finished ones are kept for cancel()
                self._cancel_all()
                raise
            if not going_on:
                self._end()
                raise StopIteration
        return self._deliveries.take()

    def stop(self, reason: str, within: float | None = None) -> None:
        """Start no more rows; rows in flight are cancelled after ``within`` seconds (None: never). May be called from a
        signal handler.
        """
        self._ending.stop(reason, within)
        self._ticked = float("-inf")  # report at once
        self._events.put(None)

    def cancel(self) -> list[Outcome]:
        """Cancel all rows in flight. Returns the finished outcomes that were not yielded yet."""
        self._cancel_all()
        return self._deliveries.take_all()

    def _cancel_all(self) -> None:
        if self._closed:
            return
        self._ending.cancelled = True
        self._dispatcher.cancel()
        pending = [future for future in list(self._running) if not future.cancel()]
        with suppress(BaseException):  # a second Ctrl-C ends the wait
            self._dispatcher.wait(pending)
        for future, tasks in list(self._running.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._settle(tasks, self._dispatcher.results_of(future))
        self._close()

    def close(self) -> None:
        """Like ``cancel()``, without a result."""
        self.cancel()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.cancel()

    def _end(self) -> None:
        """Finish the run after the last row in flight. Raises the error that ended it."""
        left = self._ending.cancelled or self._ending.error is not None or self._lanes.have_rows
        if not left and self._intake.is_exhausted():
            self._ending.forgive(LIMITS)  # the last rows reached the limit, so it prevented none
        self._close()
        self._ending.raise_error()

    def _close(self) -> None:
        self._closed = True
        self._running.clear()
        self._tally.in_flight = 0
        self._dispatcher.close(finish=not self._ending.cancelled)

    # One step

    def _advance(self) -> bool:
        """Start the rows that may be started, and wait for an event. Returns whether the run continues."""
        if self._closed:
            return False
        now = monotonic()
        self._check_limits(now)
        self._start_more(now)
        if self._ending.begun:
            self._deliveries.release()
        if self._deliveries:
            return True
        if not self._running and not self._has_more():
            return False
        if self._ending.must_cancel(now):
            if self._dispatcher.elsewhere:  # do not wait for them
                self._cancel_all()
                self._deliveries.release()
                return bool(self._deliveries)
            self._ending.cancelled = True
            self._dispatcher.cancel()
        self._take_event(self._longest_wait(now))
        return True

    def _check_limits(self, now: float) -> None:
        if self._ending.begun:
            return
        reached = self._limits.reached(self._tally, now - self._began)
        if reached is not None:
            self.stop(reached, self._limits.drain if reached == "deadline" else None)
        lost = self._lanes.lost_server(self._limits.max_outage)
        if lost is not None:
            self._ending.fail(lost)

    def _has_more(self) -> bool:
        return not self._ending.begun and (self._intake.more or self._lanes.have_rows)

    def _longest_wait(self, now: float) -> float:
        """Return the longest wait for an event, at most one tick: on Windows, Ctrl-C does not interrupt a wait."""
        times = [_TICK - (now - self._ticked), self._ending.time_left(now)]
        if not self._ending.begun:
            times.append(self._lanes.longest_wait(now, more=self._intake.more))
        return min(max(min(times), 0.0), _TICK)

    def _take_event(self, timeout: float) -> None:
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            event = None
        if event is not None:
            self._take(event)
        now = monotonic()
        if now - self._ticked >= _TICK:
            self._ticked = now
            self._tally.waiting = self._lanes.why_waiting()
            self.on_tick()

    def _take(self, event: tuple[Any, Any]) -> None:
        source, detail = event
        if isinstance(source, Lane):
            source.pace.began(detail)
        elif source in self._running:
            self._settle(detail, self._dispatcher.results_of(source))
            self._running.pop(source, None)  # last: if interrupted earlier, cancel() still finds the future

    # Starting

    def _start_more(self, now: float) -> None:
        while not self._ending.begun and not self._limits.must_learn_the_price(self._tally):
            lane = self._lanes.next(now)
            if lane is not None:
                self._start(lane, now)
            elif not self._may_take_row() or not self._take_row():
                return

    def _may_take_row(self) -> bool:
        """Whether to read a row: only if it can be sent, except that rows of several models are read ahead."""
        if self._deliveries.behind(self._intake.taken) >= _LOOKAHEAD:
            return False
        waiting = self._lanes.waiting
        if self._several or len(self._lanes) > 1:
            return waiting < _LOOKAHEAD
        return not waiting and self._lanes.all_free()

    def _take_row(self) -> bool:
        """Read a row into its lane. Returns False if there are no more, or if an outcome is ready instead."""
        number = self._intake.taken
        row = self._intake.read()
        if row is None:
            return False
        if isinstance(row, Outcome):
            self._give(number, row)
            return False  # yield it at once
        self._lanes.of(row.model).waiting.append(Task(row, number))
        return True

    def _start(self, lane: Lane, now: float) -> None:
        tasks = self._take_group(lane, now)
        lane.in_flight += 1
        self._tally.in_flight += len(tasks)
        ticket = tasks[0].ticket
        began = partial(self._events.put, (lane, ticket)) if ticket is not None and ticket.probe else None
        future = self._dispatcher.submit([task.row for task in tasks], began)
        self._running[future] = tasks
        future.add_done_callback(partial(self._hand_over, tasks))

    def _take_group(self, lane: Lane, now: float) -> list[Task]:
        """Take the row of the next request, or the rows of the next group."""
        count = self._dispatcher.size
        fresh = lane.pace.outage > 0  # probe with a new row: if the same row fails again, the row may be the cause
        if fresh and not lane.waiting:
            self._take_row()
        tasks: list[Task] = []
        while len(tasks) < count and lane.has_due(now) and (not tasks or lane.pace.wait() <= 0.05):
            task = lane.take(now, fresh)
            task.ticket = lane.pace.start()
            task.answers = lane.answers
            tasks.append(task)
            if len(tasks) < count and not lane.waiting and self._may_take_row():
                self._take_row()
        return tasks

    def _hand_over(self, tasks: list[Task], future: Future[Any]) -> None:
        self._events.put((future, tasks))

    # Finishing

    def _settle(self, tasks: list[Task], results: list[Result]) -> None:
        lane = self._lanes.of(tasks[0].row.model)
        lane.in_flight -= 1
        self._tally.in_flight -= len(tasks)
        for task, result in zip(tasks, results, strict=False):
            if isinstance(result, Completion):
                self._settle_answer(lane, task, result)
            elif isinstance(result, StreamCancelledError) and self._ending.cancelled:
                pass  # left for the next run
            elif self._failures.settle(lane, task, result, more=self._intake.more):
                self._give(task.number, task.outcome(error=result))
        lane.again.extend(tasks[len(results) :])  # not sent

    def _settle_answer(self, lane: Lane, task: Task, completion: Completion) -> None:
        assert task.ticket is not None
        lane.answers += 1
        lane.pace.answered(task.ticket, completion.usage.total_tokens if completion.usage else 0)
        cost = self._costs.of(completion) if self._costs else None
        self._tally.add_answer(completion, cost)
        if cost is None and self._limits.max_cost is not None:
            self.stop(UNKNOWN_PRICE)
        self._give(task.number, task.outcome(completion, cost=cost))

    def _give(self, number: int, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._tally.add_failure(outcome.error)
        self._deliveries.add(number, outcome)
