"""How many rows may be worked on at once: additive increase, multiplicative decrease, as TCP does it (RFC 5681).

A server that refuses for now (429, 503, no connection) halves the number and is left alone for the time that it asks
for, else for one that grows from refusal to refusal; each full round of answers adds one again.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from ..errors import (
    APIStatusError,
    AuthenticationError,
    HFTextError,
    MissingAuthError,
    PaymentRequiredError,
    RequestTimeoutError,
    TransportError,
)

__all__ = ["LONGEST_WAIT", "Pace", "is_fatal", "is_throttled"]

LONGEST_WAIT = 3600.0
"""The longest time, in seconds, that a server may ask for and still be waited for."""

_FIRST_PAUSE = 0.25
_MAX_PAUSE = 60.0


class Pace:
    """How many rows may be in flight now, and when the next one may start.

    A refusal belongs to the time in which its request was sent: of all the requests that were in flight together only
    the first refusal slows down. So each request is to note the ``epoch`` in which it starts.

    Args:
        most: never more rows than this.

    Attributes:
        clock: what tells the time, in seconds.
        epoch: how often it was slowed down.
        refusals: how often in a row, without an answer between.
    """

    def __init__(self, most: int) -> None:
        self.clock: Callable[[], float] = monotonic
        self.epoch = 0
        self.refusals = 0
        self._most = most
        self._limit = float(most)
        self._resume_at = 0.0

    @property
    def limit(self) -> int:
        """How many rows may be in flight now; at least 1."""
        return int(self._limit)

    def pause(self) -> float:
        """Seconds until the next row may start; 0 if it may now."""
        return max(0.0, self._resume_at - self.clock())

    def answered(self) -> None:
        """A row was answered."""
        self.refusals = 0
        self._limit = min(self._most, self._limit + 1 / self._limit)

    def refused(self, epoch: int, retry_after: float | None = None) -> None:
        """The server refused a request of this epoch for now; it may have said for how many seconds."""
        if epoch == self.epoch:
            self.refusals += 1
            self.slow_down(epoch)
            backoff = min(_MAX_PAUSE, _FIRST_PAUSE * 2.0 ** (self.refusals - 1))
            retry_after = backoff if retry_after is None else retry_after
        self._resume_at = max(self._resume_at, self.clock() + (retry_after or 0.0))

    def slow_down(self, epoch: int) -> None:
        """A request of this epoch had to wait, but was answered: halve the number, without a pause."""
        if epoch == self.epoch:
            self.epoch += 1
            self._limit = max(1.0, self._limit / 2)


def is_throttled(error: HFTextError) -> bool:
    """Whether the same row may be answered later, and any other row would have met the same."""
    error = error.underlying
    if isinstance(error, APIStatusError):
        return error.status_code in (429, 503)
    if isinstance(error, RequestTimeoutError):
        return error.clock == "connect"
    return isinstance(error, TransportError)


def is_fatal(error: HFTextError) -> bool:
    """Whether every other row would meet the same for good: the key, or the account's credits."""
    error = error.underlying
    if isinstance(error, PaymentRequiredError):
        return error.scope == "account"
    return isinstance(error, (MissingAuthError, AuthenticationError))
