"""Adaptive request rate for a server.

A limit of requests per second is not a limit of concurrency: with answers of 20 s, a limit of 10/s needs 200
requests in flight. So the rate is controlled, not the number in flight, based on the rate that the server accepts.

* **Start**: 8 requests at once, then 16/s, doubled every quarter of a second until the first rejection.
* **Rejections** (429): if they are 3 % or more since the last cut, the rate is cut to 95 % of the accepted rate, at
  most once a second. It then returns to the accepted rate along a cubic curve, stays near it, and later exceeds it:
  CUBIC, as in TCP (RFC 9438). The more often the accepted rate is confirmed, the longer the rate stays below it. Fewer
  rejections change nothing: a few random ones must not stall a run.
* **Outages** (502, 503, 504, no connection; or no request is accepted any more): sending stops (the door is shut). One
  probe at a time checks whether the server is back, with pauses of a second or a tenth of the outage. The first
  accepted probe reopens the door at a quarter of the former rate, doubled every quarter of a second. If 429 shut the
  door and no rate limit was found before, a quota was used up: the accepted rate is then measured over the last minute.
* **Requested delays** (``Retry-After``, ``RateLimit``) apply to all requests.

This module does no I/O and does not sleep: the clock is an argument, and methods return how long to wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from time import monotonic

from ..checks import refusal

__all__ = ["Pace", "Ticket"]

_FIRST_RATE = 16.0
_FIRST_BURST = 8
_MAX_RATE = 1e6
_DOUBLING = 0.25  # seconds
_CATCH_UP = 0.05  # seconds' worth of requests that may be sent at once after the thread wakes up late
_REOPENING = 0.25  # seconds to double after an outage

_CUT = 0.05
_PLATEAU = (3.0, 30.0)  # seconds from a cut back to the measured limit: shortest, and longest after confirmations
_GROWTH = 3.0  # factor of the plateau for each measurement that confirms the last one
_SAME = 0.15  # relative difference up to which two measurements confirm each other
_FEW = 0.03  # share of rejections since the last cut that is ignored
_CHANCES, _MAX_CHANCE = 3, 0.2  # consecutive cuts below the limit, and the share of rejections, treated as random
_SHARE_SAMPLES = (100, 400)  # minimum and maximum number of requests for the share

_SAMPLES = 50
_WINDOW = (1.0, 60.0)  # seconds of a measurement: shortest, and longest for slow rates
_KEPT = 8192

_DOWN_STREAK = 3  # consecutive requests that reached no server
_REFUSED_STREAK, _REFUSED_SECONDS = 5, 0.5  # consecutive rejections, and their minimum duration, that mean an outage
_PROBE_SHARE, _MIN_PROBE_PAUSE, _MAX_PROBE_PAUSE = 0.1, 1.0, 60.0
_PATIENCE = 0.75  # seconds; a probe pending for longer than any rejection took counts as accepted


class Ticket:
    """One request, from the moment it is sent."""

    __slots__ = ("probe", "refused", "sent_at", "tokens")

    def __init__(self, sent_at: float, tokens: float, probe: bool) -> None:
        self.sent_at: float = sent_at
        self.tokens: float = tokens
        self.probe: bool = probe
        self.refused: bool = False


class Pace:
    """The request rate for one model of one server. Safe to share among threads and runs.

    Args:
        rate: maximum requests per second; None: as the server allows.
        tokens_per_minute: maximum tokens per minute, prompts and answers. Until a row is answered, it counts as the
            average so far. None: no limit.
        clock: returns the time in seconds.

    Raises InvalidRequestError for a rate or a number of tokens that is not positive.
    """

    def __init__(
        self,
        rate: float | None = None,
        tokens_per_minute: float | None = None,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._max_rate = _MAX_RATE if rate is None else _check_positive("rate", rate)
        self._token_seconds = 60 / _check_positive("tokens_per_minute", tokens_per_minute) if tokens_per_minute else 0.0
        self._clock = clock
        self._lock = threading.RLock()
        self._began_at = clock()
        self._sent: deque[Ticket] = deque(maxlen=_KEPT)
        # The curve: doubling from `_base` up to `_ceiling`, or (if the period is negative) the cubic around `_ceiling`.
        self._mark, self._base, self._ceiling, self._period = self._began_at, _FIRST_RATE, _MAX_RATE, _DOUBLING
        self._plateau = _PLATEAU[0]
        self._cut_at = float("-inf")
        self._before_cut = (_MAX_RATE, self._plateau, self._cut_at)
        self._measured_from = self._opened_at = self._began_at
        self._few = _FEW
        self._below = 0  # consecutive cuts below the measured limit
        self._next_at = self._began_at
        self._free = _FIRST_BURST if rate is None else 0  # requests that may be sent without spacing
        self._resume_at = self._tokens_at = float("-inf")
        self._tokens_per_row = 0.0
        self._shut_at: float | None = None
        self._probe: Ticket | None = None
        self._unproven: tuple[Ticket, float] | None = (
            None  # a pending probe that reopened the door, and the former `_shut_at`
        )
        self._probe_at = self._slowest_refusal = 0.0

    @property
    def rate(self) -> float:
        """The current target rate in requests per second, not the actual one. 0 during an outage."""
        with self._lock:
            return 0.0 if self._shut_at is not None else self._curve(self._clock())

    @property
    def outage(self) -> float:
        """How many seconds the server has been unavailable; 0 if it is available."""
        with self._lock:
            return 0.0 if self._shut_at is None else self._clock() - self._shut_at

    def wait(self) -> float:
        """Return the seconds until the next request may be sent; 0 if it may be sent now. Changes with every event."""
        with self._lock:
            now = self._clock()
            asked_for = self._resume_at - now
            if self._shut_at is None:
                return max(0.0, asked_for, self._next_at - now, self._tokens_at - now)
            if self._probe is None:
                return max(0.0, asked_for, self._probe_at - now)
            patience = self._probe.sent_at + _PATIENCE + 2 * self._slowest_refusal - now
            if patience > 0:
                return patience
            self._open(now, self._probe)
            return max(0.0, asked_for, self._next_at - now)

    def start(self) -> Ticket:
        """Register a request being sent. Pass its ticket to ``began``, ``answered``, ``refused`` or ``failed``."""
        with self._lock:
            now = self._clock()
            ticket = Ticket(now, self._tokens_per_row, self._shut_at is not None)
            self._sent.append(ticket)
            if ticket.probe:
                self._probe = ticket
            else:
                self._space(now)
            if self._token_seconds:
                self._tokens_at = max(self._tokens_at, now - 1.0) + ticket.tokens * self._token_seconds
            return ticket

    def _space(self, now: float) -> None:
        """Schedule the earliest time of the next request."""
        if self._free:
            self._free -= 1
            return
        rate = self._curve(now)
        late = max(1 / rate, _CATCH_UP)
        idle = now - late - max(self._next_at, self._resume_at, self._tokens_at)
        if idle > 0:  # idle time does not prove that a higher rate is allowed (RFC 7661)
            self._mark += min(idle, now - self._mark)
        self._next_at = max(self._next_at, now - late) + 1 / rate

    def began(self, ticket: Ticket) -> None:
        """Register that the answer to this request has begun, so it was accepted."""
        with self._lock:
            if self._shut_at is not None and ticket.sent_at > self._shut_at:
                self._open(self._clock())
            elif self._unproven is not None and ticket.sent_at > self._unproven[1]:
                self._unproven = None

    def answered(self, ticket: Ticket, tokens: int = 0) -> None:
        """Register an answered request; ``tokens`` counts prompt and answer."""
        with self._lock:
            self.began(ticket)
            if tokens:
                first = not self._tokens_per_row
                self._tokens_per_row = tokens if first else self._tokens_per_row + (tokens - self._tokens_per_row) / 20
                self._tokens_at += (tokens - ticket.tokens) * self._token_seconds

    def failed(self, ticket: Ticket) -> None:
        """Register a request that failed for a reason of its own: the server is available."""
        self.began(ticket)

    def refused(
        self, ticket: Ticket, retry_after: float | None = None, *, down: bool = False, alone: bool = False
    ) -> None:
        """Register a temporarily rejected request.

        Args:
            ticket: the request.
            retry_after: the delay in seconds requested by the server, if any.
            down: whether the server was unavailable (502, 503, 504, no connection) rather than rate-limited (429).
            alone: whether the row is rejected repeatedly while others are answered. The request counts as rejected,
                but does not affect the rate.
        """
        with self._lock:
            now = self._clock()
            ticket.refused = True
            self._tokens_at -= ticket.tokens * self._token_seconds
            if alone:
                self.began(ticket)
                return
            self._resume_at = max(self._resume_at, now + (retry_after or 0.0))
            if self._shut_at is not None:
                self._note_probe(ticket, now)
            elif self._unproven is not None and (ticket is self._unproven[0] or self._is_gone(ticket, now, down)):
                self._shut_again(ticket, now, self._unproven[1])
            elif self._is_gone(ticket, now, down):
                self._shut(ticket, now, down)
            elif ticket.sent_at >= self._cut_at and now - self._cut_at >= 1.0:
                self._cut(ticket, now, bool(retry_after))

    def _note_probe(self, ticket: Ticket, now: float) -> None:
        if ticket is self._probe:
            self._slowest_refusal = max(self._slowest_refusal, now - ticket.sent_at)
            self._probe = None
            self._pause_probes(now)

    # The curve

    def _curve(self, now: float) -> float:
        """Return the rate at this time."""
        since = now - self._mark
        if self._period > 0:
            rate: float = self._base * 2.0 ** min(since / self._period, 64)
            if rate < self._ceiling:
                return min(rate, self._max_rate)
            self._follow_cubic(self._mark, self._ceiling)
        at = since / self._plateau - 1.0
        rate = self._ceiling * (1 + _CUT * min(at, 1.0) ** 3)
        if at > 1.0:
            rate *= 2.0 ** min(at - 1.0, 64)
        return float(min(rate, self._max_rate))

    def _follow_cubic(self, mark: float, ceiling: float) -> None:
        self._mark, self._ceiling, self._period = mark, min(ceiling, _MAX_RATE), -1.0

    def _cut(self, ticket: Ticket, now: float, asked_to_wait: bool) -> None:
        share = self._share()
        if self._period < 0 and not asked_to_wait and (share < self._few or self._is_chance(now, share)):
            return
        through = self._measure(ticket.sent_at, *_WINDOW, self._measured_from)  # the outcome of later ones is unknown
        if now - self._began_at < 1.0:  # the first burst shows the allowed burst size, not the allowed rate
            through = max(through, _FIRST_RATE)
        self._before_cut = (self._ceiling if self._period < 0 else through, self._plateau, self._cut_at)
        if self._period > 0:  # from here on, allowance saved up during a pause is used up
            self._measured_from = now
        self._note_ceiling(through)
        self._follow_cubic(max(now, self._resume_at), through)
        self._cut_at = now

    def _is_chance(self, now: float, share: float) -> bool:
        """Whether rejections no longer depend on the rate: a few occur repeatedly below the measured limit. That share
        is then tolerated for as long as it is confirmed.
        """
        below = self._curve(now) < self._ceiling and share < _MAX_CHANCE
        self._below = self._below + 1 if below else 0
        if self._below < _CHANCES:
            self._few = self._few if below else max(_FEW, self._few * 0.7)
            return False
        self._below = 0
        self._few = min(2 * share, 1.5 * _MAX_CHANCE)
        self._plateau = _PLATEAU[0]
        return True

    def _note_ceiling(self, through: float) -> None:
        """Record the accepted rate as the limit. The more often it is confirmed, the longer the rate stays below it."""
        shortest, longest = _PLATEAU
        self._plateau = min(_GROWTH * self._plateau, longest) if self._confirms(through) else shortest
        self._ceiling = min(through, self._max_rate)

    def _confirms(self, through: float) -> bool:
        return abs(through - self._ceiling) <= _SAME * self._ceiling

    def _measure(self, now: float, shortest: float, longest: float, begin: float) -> float:
        """Return the accepted requests per second in the last seconds before ``now``, not before ``begin``."""
        through = sent = 0
        since = begin
        for ticket in reversed(self._sent):
            age = now - ticket.sent_at
            if age < 0:
                continue
            if ticket.sent_at < begin:
                break
            if age > longest or (age > shortest and sent >= _SAMPLES):
                since = ticket.sent_at
                break
            sent += 1
            through += not ticket.refused
        return max(through, 1) / max(now - since, 1.0)

    def _share(self) -> float:
        """Return the share of rejections since the last cut."""
        fewest, most = _SHARE_SAMPLES
        fewest = min(fewest, max(10, int(20 * self._ceiling)))  # at slow rates every rejection counts
        sent = refused = 0
        for ticket in islice(reversed(self._sent), most):
            if ticket.sent_at < self._cut_at:
                break
            sent += 1
            refused += ticket.refused
        return refused / max(sent, fewest)

    # The door

    def _is_gone(self, ticket: Ticket, now: float, down: bool) -> bool:
        """Whether no request was accepted around this rejection."""
        streak = 0
        for earlier in reversed(self._sent):
            if earlier.sent_at > ticket.sent_at:
                continue
            if not earlier.refused:
                return False
            streak += 1
            if down and streak >= _DOWN_STREAK:
                return True
            if streak >= _REFUSED_STREAK and now - earlier.sent_at >= _REFUSED_SECONDS:
                return True
        return down  # no request was ever accepted

    def _shut(self, ticket: Ticket, now: float, down: bool) -> None:
        # The outcome of requests sent later is not known yet.
        earlier = (sent for sent in reversed(self._sent) if sent.sent_at <= ticket.sent_at)
        last = next((sent.sent_at for sent in earlier if not sent.refused), now)
        if self._cut_at >= last:  # the last cut was already caused by this outage: undo it
            self._ceiling, self._plateau, self._cut_at = self._before_cut
        # If a rate limit was found since the door opened, this is an outage and not a quota. Otherwise a quota may have
        # been used up in a burst: measure over a minute.
        if not down and self._cut_at < self._opened_at:
            through = self._measure(now, _WINDOW[1], _WINDOW[1], self._began_at)
            if not self._confirms(through):
                self._ceiling, self._plateau = min(through, self._max_rate), _PLATEAU[1]
        elif self._period > 0:
            self._ceiling = min(self._measure(last, *_WINDOW, self._measured_from), self._max_rate)
        self._shut_at, self._probe = now, None
        self._slowest_refusal = now - ticket.sent_at
        self._pause_probes(now)

    def _shut_again(self, ticket: Ticket, now: float, since: float) -> None:
        """Continue the same outage: the probe was rejected, but the rejection was read late (on a busy machine)."""
        if self._cut_at >= self._opened_at:
            self._ceiling, self._plateau, self._cut_at = self._before_cut
        self._shut_at, self._unproven = since, None
        self._slowest_refusal = max(self._slowest_refusal, now - ticket.sent_at)
        self._pause_probes(now)

    def _pause_probes(self, now: float) -> None:
        outage = now - (self._shut_at or now)
        self._probe_at = now + min(max(_PROBE_SHARE * outage, _MIN_PROBE_PAUSE), _MAX_PROBE_PAUSE)

    def _open(self, now: float, silent: Ticket | None = None) -> None:
        """Resume sending; ``silent`` is a probe that is still pending and was not rejected so far."""
        self._unproven = None if silent is None or self._shut_at is None else (silent, self._shut_at)
        self._shut_at = self._probe = None
        self._measured_from = self._opened_at = now
        self._mark, self._base, self._period = now, max(0.01, self._ceiling / 4), _REOPENING
        self._next_at = now
        self._free = 0


def _check_positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise refusal(name, "a positive number", value)
    return float(value)
