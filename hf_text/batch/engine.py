"""The course of a run: take rows, ask each at the pace that its model allows, give what came of it.

One thread decides, the one that iterates. The dispatcher only asks, and each finished future comes back in a queue.
What bounds a run is in ``limits``, what ends it in ``ending`` and ``early_ends``, what follows an error in
``failures``.
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

_TICK = 1.0  # seconds; how often the run looks up while it waits
_LOOKAHEAD = 1000  # rows that are read ahead while the lane of the next one is full, if there are several

_Event = tuple[Future[Any], list[Task]] | tuple[Lane, Ticket] | None  # None only wakes up


class Engine:
    """Asks for rows, and iterates over what came of them.

    Args:
        rows: the rows, and outcomes of those that cannot be asked.
        worker: who asks.
        limits: what bounds the run.
        tally: where it is counted.
        pace_of: the pace for a model.
        costs: the prices; None: nothing is priced.
        executor: where the work is done; None: threads of its own.
        ordered: whether the outcomes come in the order of the rows.
        several: whether rows of several models are to be expected.
        strict: whether a row with a bad argument ends the run; else it fails alone, as one with bad media does.

    Attributes:
        on_tick: is called about once a second, also while nothing comes.
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
            ):  # Ctrl-C too: what is under way is stopped, and what had finished is kept for cancel()
                self._cancel_all()
                raise
            if not going_on:
                self._end()
                raise StopIteration
        return self._deliveries.take()

    def stop(self, reason: str, within: float | None = None) -> None:
        """Start no more rows; what is under way may take ``within`` seconds (None: as long as it takes). May be called
        within a signal handler.
        """
        self._ending.stop(reason, within)
        self._ticked = float("-inf")  # tell at once
        self._events.put(None)

    def cancel(self) -> list[Outcome]:
        """Stop all that is under way. Returns what had finished, and was not given yet."""
        self._cancel_all()
        return self._deliveries.take_all()

    def _cancel_all(self) -> None:
        if self._closed:
            return
        self._ending.cancelled = True
        self._dispatcher.cancel()
        pending = [future for future in list(self._running) if not future.cancel()]
        with suppress(BaseException):  # a second Ctrl-C: then it is not waited for
            self._dispatcher.wait(pending)
        for future, tasks in list(self._running.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._settle(tasks, self._dispatcher.results_of(future))
        self._close()

    def close(self) -> None:
        """As ``cancel()``."""
        self.cancel()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.cancel()

    def _end(self) -> None:
        """All that was under way has finished. Raises what ended the run."""
        left = self._ending.cancelled or self._ending.error is not None or self._lanes.have_rows
        if not left and self._intake.is_exhausted():
            self._ending.forgive(LIMITS)  # the limit was reached by the last rows, and kept none from being asked
        self._close()
        self._ending.raise_error()

    def _close(self) -> None:
        self._closed = True
        self._running.clear()
        self._tally.in_flight = 0
        self._dispatcher.close(finish=not self._ending.cancelled)

    # One step

    def _advance(self) -> bool:
        """Start what may be started, and wait for something to happen. Returns whether there is more to come."""
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
            if self._dispatcher.elsewhere:  # not waited for
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
        """Not longer than a tick: on Windows, Ctrl-C does not end a wait."""
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
            self._running.pop(source, None)  # only now: an interrupt before this finds the future in cancel()

    # Starting

    def _start_more(self, now: float) -> None:
        while not self._ending.begun and not self._limits.must_learn_the_price(self._tally):
            lane = self._lanes.next(now)
            if lane is not None:
                self._start(lane, now)
            elif not self._may_take_row() or not self._take_row():
                return

    def _may_take_row(self) -> bool:
        """Rows are read as they can be sent; with several models some are read ahead, for the lanes that are free."""
        if self._deliveries.behind(self._intake.taken) >= _LOOKAHEAD:
            return False
        waiting = self._lanes.waiting
        if self._several or len(self._lanes) > 1:
            return waiting < _LOOKAHEAD
        return not waiting and self._lanes.all_free()

    def _take_row(self) -> bool:
        """Read a row into its lane. False if there are no more."""
        number = self._intake.taken
        row = self._intake.read()
        if row is None:
            return False
        if isinstance(row, Outcome):
            self._give(number, row)
            return False  # it is to be given at once
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
        """The rows of the next request, or of the next group of them."""
        count = self._dispatcher.size
        fresh = lane.pace.outage > 0  # a probe: the row that was refused would not tell whether it is about the row
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

    # What came of it

    def _settle(self, tasks: list[Task], results: list[Result]) -> None:
        lane = self._lanes.of(tasks[0].row.model)
        lane.in_flight -= 1
        self._tally.in_flight -= len(tasks)
        for task, result in zip(tasks, results, strict=False):
            if isinstance(result, Completion):
                self._settle_answer(lane, task, result)
            elif isinstance(result, StreamCancelledError) and self._ending.cancelled:
                pass  # it was not asked: the next run asks it
            elif self._failures.settle(lane, task, result, more=self._intake.more):
                self._give(task.number, task.outcome(error=result))
        lane.again.extend(tasks[len(results) :])  # were not asked

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
