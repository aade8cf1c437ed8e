"""What follows when a row is refused or fails: it is sent again, it is recorded as failed, or the run ends."""

from __future__ import annotations

from time import monotonic

from ..errors import HFTextError, InvalidRequestError
from ..tuning import Tuning
from .early_ends import add_advice_on_model, model_is_unknown, nobody_is_there
from .ending import Ending
from .lanes import Lane, Lanes, Task
from .pace import Ticket
from .progress import Tally
from .verdicts import is_down, is_fatal, is_throttled, may_succeed_later

__all__ = ["Failures"]

_MAX_TRIES = 3  # of a row that fails in a way that may pass
_MAX_ALONE = 5  # refusals of a row while others are answered
_LAST_ROWS = 3  # so few rows, refused for long, are given up rather than the run
_LONGEST_WAIT = 3600.0  # the longest time that a server may ask for and still be waited for


class Failures:
    """Decides what follows the errors of a run.

    Args:
        lanes: of the run.
        tally: of the run.
        ending: what ends the run.
        tuning: the pauses before a row is sent again.
        strict: whether a row with a bad argument ends the run; else it fails alone, as one with bad media does.
    """

    def __init__(self, lanes: Lanes, tally: Tally, ending: Ending, tuning: Tuning, strict: bool) -> None:
        self._lanes = lanes
        self._tally = tally
        self._ending = ending
        self._tuning = tuning
        self._strict = strict

    def settle(self, lane: Lane, task: Task, error: HFTextError, more: bool) -> bool:
        """Tell the pace, and have the row sent again or the run ended. Returns whether the row failed for good, and is
        to be recorded. ``more``: whether there are rows that were not read yet.
        """
        ticket = task.ticket
        assert ticket is not None
        if is_fatal(error):
            self._ending.fail(error)
            return False
        if is_throttled(error):
            return self._settle_refusal(lane, task, ticket, error, more)
        lane.pace.failed(ticket)
        return self._settle_failure(lane, task, error)

    def _settle_refusal(self, lane: Lane, task: Task, ticket: Ticket, error: HFTextError, more: bool) -> bool:
        now = monotonic()
        self._tally.add_refusal(error)
        lane.last_refusal = error
        task.first_refused = task.first_refused or now
        if lane.answers > task.answers or (task.alone and not lane.left):  # others are answered
            task.alone += 1
        asked = error.underlying.retry_after or 0.0
        alone = task.alone > 1  # it is about this row, and says nothing about the others
        lane.pace.refused(ticket, error.underlying.retry_after, down=is_down(error), alone=alone)
        if alone:
            task.due = now + self._pause(task.alone)
        if asked > _LONGEST_WAIT or nobody_is_there(lane, self._tally.answered, error):
            self._ending.fail(error)
            return False
        last = not more and lane.left < _LAST_ROWS
        if task.alone >= _MAX_ALONE or (last and now - task.first_refused >= self._tuning.last_rows_seconds):
            return True
        lane.again.append(task)
        return False

    def _settle_failure(self, lane: Lane, task: Task, error: HFTextError) -> bool:
        if isinstance(error, InvalidRequestError) and self._strict and not task.row.own.get("media"):
            self._ending.fail(InvalidRequestError(f"{task.row.place}: {error}"))
            return False
        if model_is_unknown(self._lanes, lane, self._tally.answered, error):
            if self._ending.error is None:
                self._ending.fail(add_advice_on_model(error))
            return False  # the next run asks this row again
        task.tries += 1
        if task.tries >= _MAX_TRIES or not may_succeed_later(error) or self._ending.begun:
            return True
        task.due = monotonic() + self._pause(task.tries)
        lane.again.append(task)
        return False

    def _pause(self, times: int) -> float:
        """Seconds before a row that failed this many times is sent again."""
        return min(self._tuning.first_pause * 2.0**times, self._tuning.longest_pause)
