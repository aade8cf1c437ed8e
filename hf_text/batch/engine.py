"""The course of a run: take rows, ask each at the pace that its model allows, give what came of it.

One thread decides, the one that iterates. The executor only asks, and hands each finished future over in a queue. Every
model has a lane of its own, so that one that is slow or limited does not hold up the others.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any

from ..completion import Completion
from ..errors import (
    HFTextError,
    InvalidRequestError,
    ModelNotSupportedError,
    NotFoundError,
    StreamCancelledError,
    TransportError,
)
from .costs import Costs
from .executors import Groups, explain_lost
from .outcomes import Outcome
from .pace import Pace, Ticket
from .progress import Tally, reason_of
from .rows import Row
from .verdicts import is_down, is_fatal, is_throttled, may_succeed_later
from .work import Result, Worker, ask, ask_group

__all__ = ["Engine", "Limits"]

_TICK = 1.0  # seconds; how often the run looks up while it waits
_GRACE = 1.0  # seconds; how long what was cancelled is waited for
_LOOKAHEAD = 1000  # rows that are read ahead while the lane of the next one is full, if there are several
_MAX_THREADS = 10_000  # of all lanes together; they are made as they are needed

_UNPRICED = 4  # rows in flight before the first cost is known, where it is bounded
_MAX_TRIES = 3  # of a row that fails in a way that may pass
_MAX_ALONE = 5  # refusals of a row while others are answered
_MAX_PAUSE = 30.0
_STOPPED_BY_COST = ("max_cost", "unknown price")
_LAST_ROWS, _LAST_ROWS_SECONDS = 3, 60.0  # so few rows, refused for so long, are given up rather than the run
_UNREACHABLE_SECONDS = 1.0  # without any answer yet: how long an address without a server is tried
_UNKNOWN_ROWS = 20  # so many that all fail for want of the model, with no answer to any, end the run
_LONGEST_WAIT = 3600.0  # the longest time that a server may ask for and still be waited for


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a run.

    Attributes:
        max_workers: the most rows in flight for each model.
        max_cost: USD, those of earlier runs included.
        max_failures: rows that may fail.
        deadline: seconds that the run may take.
        max_outage: seconds that a server may be away.
        drain: seconds that what is under way may take once the run ends at a deadline.
    """

    max_workers: int = 16
    max_cost: float | None = None
    max_failures: int | None = None
    deadline: float | None = None
    max_outage: float = 900.0
    drain: float = 25.0


@dataclass(slots=True, eq=False)
class _Task:
    """A row on its way.

    Attributes:
        number: which row it is, in the order of the inputs.
        ticket: that of its request under way.
        tries: how often it failed in a way that may pass.
        alone: how often it was refused while others were answered.
        answers: how many answers its lane had when it was sent last.
        due: when it may be sent again.
        first_refused: when it was refused first; 0 if never.
    """

    row: Row
    number: int
    ticket: Ticket | None = None
    tries: int = 0
    alone: int = 0
    answers: int = 0
    due: float = 0.0
    first_refused: float = 0.0


class _Lane:
    """The rows of one model."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.waiting: deque[_Task] = deque()
        self.again: list[_Task] = []  # to be sent again
        self.in_flight = 0
        self.answers = 0
        self.unknown = 0.0  # rows that failed because the server does not know the model; -inf if one failed otherwise
        self.last_refusal: HFTextError | None = None

    def has_due(self, now: float) -> bool:
        return bool(self.waiting) or any(task.due <= now for task in self.again)

    def take(self, now: float, fresh: bool = False) -> _Task:
        """The next row; a fresh one, if there is one and it is wanted, before those to be sent again."""
        if fresh and self.waiting:
            return self.waiting.popleft()
        for task in self.again:
            if task.due <= now:
                self.again.remove(task)
                return task
        return self.waiting.popleft()

    def next_due(self, now: float) -> float:
        """Seconds until something may be sent; infinite if nothing is there."""
        soonest = min((task.due for task in self.again), default=float("inf"))
        return self.pace.wait() if self.waiting else max(soonest - now, self.pace.wait())


_Event = tuple[Future[Any], list[_Task]] | tuple[_Lane, Ticket] | None  # None only wakes up


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
        self._rows: Iterator[Row | Outcome] | None = rows  # None: there are no more
        self._worker = worker
        self._limits = limits
        self._tally = tally
        self._pace_of = pace_of
        self._costs = costs
        self._own = ThreadPoolExecutor(_MAX_THREADS, "hf_text-batch") if executor is None else None
        self._executor = executor or self._own
        self._groups = Groups() if executor is not None else None
        self._ordered = ordered
        self._lanes: dict[str | None, _Lane] = {}
        self._lookahead = _LOOKAHEAD if several else 0
        self._strict = strict
        self._running: dict[Future[Any], list[_Task]] = {}
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._ready: deque[Outcome] = deque()
        self._held: dict[int, Outcome] = {}  # finished before their turn
        self._taken = self._given = 0
        self._submitted = 0
        self._began = monotonic()
        self._ticked = self._began
        self._cancel_at = float("inf")
        self._ended_by: BaseException | None = None
        self._cancelled = False
        self._closed = False

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        while not self._ready:
            try:
                going_on = self._advance()
            except BaseException:  # Ctrl-C too: what is under way is stopped
                self.cancel()
                raise
            if not going_on:
                self._forget_needless_stop()
                self._close()
                if self._ended_by is not None:
                    error, self._ended_by = self._ended_by, None
                    raise error
                raise StopIteration
        return self._ready.popleft()

    def stop(self, reason: str, within: float | None = None) -> None:
        """Start no more rows; what is under way may take ``within`` seconds (None: as long as it takes). May be called
        within a signal handler.
        """
        if self._tally.stopped_by is None:
            self._tally.stopped_by = reason
        if within is not None:
            self._cancel_at = min(self._cancel_at, monotonic() + within)
        self._ticked = float("-inf")  # tell at once
        self._events.put(None)

    def cancel(self) -> list[Outcome]:
        """Stop all that is under way. Returns what had finished, and was not given yet."""
        if self._closed:
            return []
        self._cancelled = True
        self._worker.cancel()
        pending = [future for future in list(self._running) if not future.cancel()]
        with suppress(BaseException):  # a second Ctrl-C: then it is not waited for
            if self._own is not None:
                wait(pending, timeout=_GRACE)
        for future, tasks in list(self._running.items()):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._settle(tasks, future.result())
        self._close()
        finished = [*self._ready, *(self._held[number] for number in sorted(self._held))]
        self._ready.clear()
        self._held.clear()
        return finished

    def close(self) -> None:
        """As ``cancel()``."""
        self.cancel()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.cancel()

    def _forget_needless_stop(self) -> None:
        """A limit that was reached by the last row has kept no row from being asked."""
        if self._tally.stopped_by not in _STOPPED_BY_COST or self._rows is None or self._tally.rows is None:
            return
        if not any(lane.waiting or lane.again for lane in self._lanes.values()):
            with suppress(HFTextError, OSError):  # then there is another row, or it cannot be told
                if next(self._rows, None) is None:
                    self._tally.stopped_by = None

    def _close(self) -> None:
        self._closed = True
        self._running.clear()
        self._tally.in_flight = 0
        if self._own is not None:
            self._own.shutdown(wait=not self._cancelled)

    # One step

    def _advance(self) -> bool:
        """Start what may be started, and wait for something to happen. Returns whether there is more to come."""
        now = monotonic()
        self._check_limits(now)
        self._start_more(now)
        if self._ordered and self._ending:
            self._release_held()
        if self._ready:
            return True
        if not self._running and not self._has_more():
            return False
        if now >= self._cancel_at and not self._cancelled:
            self._cancelled = True
            self._worker.cancel()
            if self._own is None:  # elsewhere: not waited for
                self._ready.extend(self.cancel())
                return bool(self._ready)
        self._take_event(self._longest_wait(now))
        return True

    def _has_more(self) -> bool:
        if self._ending:
            return False
        return self._rows is not None or any(lane.waiting or lane.again for lane in self._lanes.values())

    @property
    def _ending(self) -> bool:
        return self._ended_by is not None or self._tally.stopped_by is not None

    def _longest_wait(self, now: float) -> float:
        """Not longer than a tick: on Windows, Ctrl-C does not end a wait."""
        times = [_TICK - (now - self._ticked), self._cancel_at - now]
        if not self._ending:
            most = self._limits.max_workers
            free = [lane for lane in self._lanes.values() if lane.in_flight < most]
            times += [lane.pace.wait() if self._rows is not None else lane.next_due(now) for lane in free]
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
            self._tally.waiting = self._why_waiting()
            self.on_tick()

    def _take(self, event: tuple[Any, Any]) -> None:
        source, detail = event
        if isinstance(source, _Lane):
            source.pace.began(detail)
        elif source in self._running:
            tasks: list[_Task] = detail
            try:
                results = source.result()
            except (HFTextError, KeyboardInterrupt, SystemExit):
                raise
            except (Exception, CancelledError) as error:
                if self._own is not None:
                    raise  # a mistake in the code
                raise explain_lost(error) from error
            self._settle(tasks, results)
            self._running.pop(source, None)  # only now: an interrupt before this finds the future in cancel()

    # Starting

    def _start_more(self, now: float) -> None:
        while not self._ending and not self._must_learn_the_price():
            lane = self._next_lane(now)
            if lane is not None:
                self._start(lane, now)
            elif not self._may_take_row(now) or not self._take_row():
                return

    def _must_learn_the_price(self) -> bool:
        """Whether a few rows are under way whose cost will tell how many more may be started."""
        bounded = self._limits.max_cost is not None and not self._tally.priced
        return bounded and self._tally.in_flight >= _UNPRICED

    def _next_lane(self, now: float) -> _Lane | None:
        most = self._limits.max_workers
        for lane in self._lanes.values():
            if lane.in_flight < most and lane.has_due(now) and lane.pace.wait() <= 0:
                return lane
        return None

    def _may_take_row(self, now: float) -> bool:
        """Rows are read as they can be sent; with several models some are read ahead, for the lanes that are free."""
        if self._ordered and self._taken - self._given >= _LOOKAHEAD:
            return False
        waiting = sum(len(lane.waiting) for lane in self._lanes.values())
        if len(self._lanes) > 1 or self._lookahead:
            return waiting < _LOOKAHEAD
        most = self._limits.max_workers
        return not waiting and all(lane.in_flight < most and lane.pace.wait() <= 0 for lane in self._lanes.values())

    def _take_row(self) -> bool:
        """Read a row into its lane. False if there are no more."""
        row = None
        if self._rows is not None:
            try:
                row = next(self._rows, None)
            except (HFTextError, OSError) as error:  # a bad row, or inputs that cannot be read
                self._ended_by = error
        if row is None:
            self._rows = None
            if self._ended_by is None:
                self._tally.rows = self._tally.resumed + self._tally.given_up + self._taken
            return False
        number = self._taken
        self._taken += 1
        if isinstance(row, Outcome):
            self._give(number, row)
            return False  # it is to be given at once
        lane = self._lanes.get(row.model)
        if lane is None:
            lane = self._lanes[row.model] = _Lane(self._pace_of(row.model))
        lane.waiting.append(_Task(row, number))
        return True

    def _start(self, lane: _Lane, now: float) -> None:
        count = 1 if self._groups is None else self._groups.size
        fresh = lane.pace.outage > 0  # a probe: the row that was refused would not tell whether it is about the row
        if fresh and not lane.waiting:
            self._take_row()
        tasks: list[_Task] = []
        while len(tasks) < count and lane.has_due(now) and (not tasks or lane.pace.wait() <= 0.05):
            task = lane.take(now, fresh)
            task.ticket = lane.pace.start()
            task.answers = lane.answers
            tasks.append(task)
            if len(tasks) < count and not lane.waiting and self._may_take_row(now):
                self._take_row()
        lane.in_flight += 1
        self._tally.in_flight += len(tasks)
        self._submitted += 1
        assert self._executor is not None
        future: Future[Any]
        if self._groups is None:
            ticket = tasks[0].ticket
            assert ticket is not None
            began = partial(self._events.put, (lane, ticket)) if ticket.probe else None
            future = self._executor.submit(ask, self._worker, tasks[0].row, began)
        else:
            rows = [task.row for task in tasks]
            try:
                future = self._executor.submit(ask_group, self._worker, rows, self._submitted)
            except RuntimeError as error:  # it was shut down, or is broken
                raise explain_lost(error) from error
        self._running[future] = tasks
        future.add_done_callback(partial(self._hand_over, tasks))

    def _hand_over(self, tasks: list[_Task], future: Future[Any]) -> None:
        self._events.put((future, tasks))

    # What came of it

    def _settle(self, tasks: list[_Task], results: Result | list[Result]) -> None:
        lane = self._lanes[tasks[0].row.model]
        lane.in_flight -= 1
        self._tally.in_flight -= len(tasks)
        if not isinstance(results, list):
            self._settle_one(lane, tasks[0], results)
            return
        if self._groups is not None:
            self._groups.note(results)
        for task, result in zip(tasks, results, strict=False):
            self._settle_one(lane, task, result)
        lane.again.extend(tasks[len(results) :])  # were not asked

    def _settle_one(self, lane: _Lane, task: _Task, result: Result) -> None:
        ticket = task.ticket
        assert ticket is not None
        if isinstance(result, Completion):
            lane.answers += 1
            lane.pace.answered(ticket, result.usage.total_tokens if result.usage else 0)
            self._give_answer(task, result)
        elif isinstance(result, StreamCancelledError) and self._cancelled:
            pass  # it was not asked: the next run asks it
        elif is_fatal(result):
            self._ended_by = self._ended_by or result
        elif is_throttled(result):
            self._settle_refusal(lane, task, ticket, result)
        else:
            lane.pace.failed(ticket)
            self._settle_failure(lane, task, result)

    def _settle_refusal(self, lane: _Lane, task: _Task, ticket: Ticket, error: HFTextError) -> None:
        now = monotonic()
        self._tally.add_refusal(error)
        lane.last_refusal = error
        task.first_refused = task.first_refused or now
        left = lane.in_flight + len(lane.waiting) + len(lane.again)
        if lane.answers > task.answers or (task.alone and not left):  # others are answered
            task.alone += 1
        if task.alone > 1:  # it is about this row, and says nothing about the others
            lane.pace.failed(ticket)
            task.due = now + min(2.0**task.alone / 4, _MAX_PAUSE)
        else:
            lane.pace.refused(ticket, error.underlying.retry_after, down=is_down(error))
        if (error.underlying.retry_after or 0.0) > _LONGEST_WAIT or self._nobody_is_there(lane, error):
            self._ended_by = self._ended_by or error
        elif task.alone >= _MAX_ALONE or self._is_last_and_hopeless(lane, task, now):
            self._give_failure(task, error)
        else:
            lane.again.append(task)

    def _nobody_is_there(self, lane: _Lane, error: HFTextError) -> bool:
        """No connection at all, from the first request on: rather a wrong address than an outage."""
        unreachable = isinstance(error.underlying, TransportError) and not self._tally.answered
        return unreachable and lane.pace.outage >= _UNREACHABLE_SECONDS

    def _is_last_and_hopeless(self, lane: _Lane, task: _Task, now: float) -> bool:
        left = lane.in_flight + len(lane.waiting) + len(lane.again) + 1
        return self._rows is None and left <= _LAST_ROWS and now - task.first_refused >= _LAST_ROWS_SECONDS

    def _settle_failure(self, lane: _Lane, task: _Task, error: HFTextError) -> None:
        if isinstance(error, InvalidRequestError) and self._strict and not task.row.own.get("media"):
            self._ended_by = self._ended_by or InvalidRequestError(f"{task.row.place}: {error}")
            return
        if isinstance(error.underlying, (ModelNotSupportedError, NotFoundError)) and not lane.answers:
            lane.unknown += 1
            no_lane_works = not self._tally.answered and all(other.unknown > 0 for other in self._lanes.values())
            if lane.unknown >= _UNKNOWN_ROWS and no_lane_works:
                self._end_for_want_of_model(error)
                return  # the next run asks this row again
        else:
            lane.unknown = float("-inf")
        task.tries += 1
        if task.tries < _MAX_TRIES and may_succeed_later(error) and not self._ending:
            task.due = monotonic() + 0.25 * 2.0**task.tries
            lane.again.append(task)
        else:
            self._give_failure(task, error)

    def _end_for_want_of_model(self, error: HFTextError) -> None:
        if self._ended_by is None:
            error.add_advice(
                f"The first {_UNKNOWN_ROWS} rows all failed like this, so the run ended: correct the model or the "
                "address, and run it again."
            )
            self._ended_by = error

    def _give_answer(self, task: _Task, completion: Completion) -> None:
        row = task.row
        cost = self._costs.of(completion) if self._costs else None
        self._tally.add_answer(completion, cost)
        if cost is None and self._limits.max_cost is not None:
            self.stop("unknown price")
        self._give(task.number, Outcome(row.custom_id, completion, None, row.columns or {}, cost, row.asked))

    def _give_failure(self, task: _Task, error: HFTextError) -> None:
        row = task.row
        self._give(task.number, Outcome(row.custom_id, None, error, row.columns or {}, None, row.asked))

    def _give(self, number: int, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._tally.add_failure(outcome.error)
        if not self._ordered:
            self._ready.append(outcome)
            return
        self._held[number] = outcome
        while self._given in self._held:
            self._ready.append(self._held.pop(self._given))
            self._given += 1

    # Ending

    def _check_limits(self, now: float) -> None:
        if self._ending:
            return
        limits, tally = self._limits, self._tally
        if limits.deadline is not None and now - self._began >= limits.deadline:
            self.stop("deadline", limits.drain)
        if limits.max_failures is not None and tally.failures > limits.max_failures:
            self.stop("max_failures")
        if limits.max_cost is not None:
            under_way = tally.in_flight * tally.mean_cost
            if tally.spent + tally.cost + under_way >= limits.max_cost:
                self.stop("max_cost")
        for lane in self._lanes.values():
            if lane.last_refusal is not None and lane.pace.outage >= limits.max_outage:
                self._ended_by = lane.last_refusal

    def _release_held(self) -> None:
        """The order has gaps now: rows that were not asked."""
        self._ordered = False
        self._ready.extend(self._held.pop(number) for number in sorted(self._held))

    def _why_waiting(self) -> str:
        for lane in self._lanes.values():
            if lane.last_refusal is not None and lane.pace.outage:
                return f"{lane.pace.outage:.0f} s for the server ({reason_of(lane.last_refusal)})"
        pauses = [lane.pace.wait() for lane in self._lanes.values()]
        if pauses and min(pauses) > 1.0:
            return f"{min(pauses):.0f} s, as the server asks"
        return ""
