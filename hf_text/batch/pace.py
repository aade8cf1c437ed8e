"""How fast a server may be asked.

A limit of requests per second is not a limit of concurrency: with answers of 20 s, a limit of 10/s needs 200
requests in flight. So the rate is steered, not the number in flight. What the server lets through is the measure.

* **Beginning**: 8 requests at once, then 16/s, doubled every quarter of a second, until the first refusal.
* **Refusals** (429), if they are 3 % or more since the last cut, set 95 % of what was let through, at most once a
  second. From there the rate returns to the measure along a cubic, stays near it, and then goes beyond it: CUBIC, as
  TCP does it (RFC 9438). It stays below a measure the longer, the oftener that was confirmed. Fewer refusals change
  nothing: a few random ones must not bring a run to a halt.
* **Nobody there** (502, 503, 504, no connection; or nothing is let through any more) shuts the door. One probe at a
  time asks whether the server is back, after pauses of a second or a tenth of the outage. The first probe that is let
  in opens it at a quarter of the former rate, doubled every quarter of a second. If 429 shut it and no rate was found
  to be limited before, a quota was used up: then the measure is that of the last minute.
* **What the server asks for** (``Retry-After``, ``RateLimit``) is waited for by all.

No I/O and no sleep: the clock is an argument, and what is to be waited for is told.
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
_CATCH_UP = 0.05  # seconds of requests that may be sent at once if the thread wakes up late
_REOPENING = 0.25  # seconds, to double after an outage

_CUT = 0.05
_PLATEAU = (3.0, 30.0)  # seconds from a cut back to the measure: of the first one, and of one that was confirmed
_GROWTH = 3.0  # of the plateau, for each measure that confirms the last one
_SAME = 0.15  # how far two measures may be apart to confirm each other
_FEW = 0.03  # the share of refusals since the last cut that changes nothing
_CHANCES, _MAX_CHANCE = 3, 0.2  # cuts in a row below the measure, and their share, that are put down to chance
_SHARE_SAMPLES = (100, 400)  # the fewest requests that it is taken of, and the most

_SAMPLES = 50
_WINDOW = (1.0, 60.0)  # seconds of the measure: the shortest, and the longest for slow rates
_KEPT = 8192

_DOWN_STREAK = 3  # requests in a row that reached no server
_REFUSED_STREAK, _REFUSED_SECONDS = 5, 0.5  # in a row, and for so long, nothing was let through
_PROBE_SHARE, _MIN_PROBE_PAUSE, _MAX_PROBE_PAUSE = 0.1, 1.0, 60.0
_PATIENCE = 0.75  # seconds; a probe that is out for longer than every refusal took was let in


class Ticket:
    """One request, from the moment in which it is sent."""

    __slots__ = ("probe", "refused", "sent_at", "tokens")

    def __init__(self, sent_at: float, tokens: float, probe: bool) -> None:
        self.sent_at: float = sent_at
        self.tokens: float = tokens
        self.probe: bool = probe
        self.refused: bool = False


class Pace:
    """The rate at which one model of one server is asked. Safe to share among threads, and among runs.

    Args:
        rate: maximum requests per second; None: as many as the server takes.
        tokens_per_minute: maximum tokens per minute, prompts and answers. A row counts with the average
            so far until it is answered. None: no limit.
        clock: returns the time, in seconds.

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
        # The curve: doubling from `_base` up to `_ceiling`, or (a negative period) the cubic around `_ceiling`.
        self._mark, self._base, self._ceiling, self._period = self._began_at, _FIRST_RATE, _MAX_RATE, _DOUBLING
        self._plateau = _PLATEAU[0]
        self._cut_at = float("-inf")
        self._before_cut = (_MAX_RATE, self._plateau, self._cut_at)
        self._measured_from = self._opened_at = self._began_at
        self._few = _FEW
        self._below = 0  # cuts in a row below the measure
        self._next_at = self._began_at
        self._free = _FIRST_BURST if rate is None else 0  # requests that need not wait for each other
        self._resume_at = self._tokens_at = float("-inf")
        self._tokens_per_row = 0.0
        self._shut_at: float | None = None
        self._probe: Ticket | None = None
        self._unproven: tuple[Ticket, float] | None = (
            None  # a probe that opened the door by its silence, and `_shut_at`
        )
        self._probe_at = self._slowest_refusal = 0.0

    @property
    def rate(self) -> float:
        """Requests a second, now; what is aimed at, not what is sent. 0 while the door is shut."""
        with self._lock:
            return 0.0 if self._shut_at is not None else self._curve(self._clock())

    @property
    def outage(self) -> float:
        """For how many seconds the server has been away; 0 if it is there."""
        with self._lock:
            return 0.0 if self._shut_at is None else self._clock() - self._shut_at

    def wait(self) -> float:
        """Seconds until the next request may be sent; 0 if it may now. Ask again after each event."""
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
        """A request is sent now. Its ticket goes to ``began``, ``answered``, ``refused`` or ``failed``."""
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
        """Put the next request at its distance."""
        if self._free:
            self._free -= 1
            return
        rate = self._curve(now)
        late = max(1 / rate, _CATCH_UP)
        idle = now - late - max(self._next_at, self._resume_at, self._tokens_at)
        if idle > 0:  # more could have been sent: that does not prove that more is allowed (RFC 7661)
            self._mark += min(idle, now - self._mark)
        self._next_at = max(self._next_at, now - late) + 1 / rate

    def began(self, ticket: Ticket) -> None:
        """The answer to this request has begun: it was let in."""
        with self._lock:
            if self._shut_at is not None and ticket.sent_at > self._shut_at:
                self._open(self._clock())
            elif self._unproven is not None and ticket.sent_at > self._unproven[1]:
                self._unproven = None

    def answered(self, ticket: Ticket, tokens: int = 0) -> None:
        """This request was answered; ``tokens`` counts prompt and answer."""
        with self._lock:
            self.began(ticket)
            if tokens:
                first = not self._tokens_per_row
                self._tokens_per_row = tokens if first else self._tokens_per_row + (tokens - self._tokens_per_row) / 20
                self._tokens_at += (tokens - ticket.tokens) * self._token_seconds

    def failed(self, ticket: Ticket) -> None:
        """This request failed for a reason of its own: the server is there."""
        self.began(ticket)

    def refused(
        self, ticket: Ticket, retry_after: float | None = None, *, down: bool = False, alone: bool = False
    ) -> None:
        """This request was refused for now.

        Args:
            ticket: the request.
            retry_after: seconds that the server asks to wait, if it says so.
            down: whether the server was unavailable (502, 503, 504, no connection), rather than over its limit (429).
            alone: whether this is about the row, again and again, while others are answered. The request was not let
                through, but that says nothing about the rate.
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
        """The rate at this time."""
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
        through = self._measure(ticket.sent_at, *_WINDOW, self._measured_from)  # what became of later ones is not known
        if now - self._began_at < 1.0:  # a burst shows how many may arrive at once, not how many in a second
            through = max(through, _FIRST_RATE)
        self._before_cut = (self._ceiling if self._period < 0 else through, self._plateau, self._cut_at)
        if self._period > 0:  # what a pause had saved up is used up from here on
            self._measured_from = now
        self._note_ceiling(through)
        self._follow_cubic(max(now, self._resume_at), through)
        self._cut_at = now

    def _is_chance(self, now: float, share: float) -> bool:
        """Whether refusals no longer depend on the rate: a few, again and again, below the measured limit. That share
        is then accepted for as long as it is confirmed.
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
        """The measure of a refusal. The oftener it is confirmed, the longer the rate stays below it."""
        shortest, longest = _PLATEAU
        self._plateau = min(_GROWTH * self._plateau, longest) if self._confirms(through) else shortest
        self._ceiling = min(through, self._max_rate)

    def _confirms(self, through: float) -> bool:
        return abs(through - self._ceiling) <= _SAME * self._ceiling

    def _measure(self, now: float, shortest: float, longest: float, begin: float) -> float:
        """Requests a second that were let through in the last seconds before ``now``, from ``begin`` on."""
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
        """The share of refusals since the last cut."""
        fewest, most = _SHARE_SAMPLES
        fewest = min(fewest, max(10, int(20 * self._ceiling)))  # at slow rates every refusal counts
        sent = refused = 0
        for ticket in islice(reversed(self._sent), most):
            if ticket.sent_at < self._cut_at:
                break
            sent += 1
            refused += ticket.refused
        return refused / max(sent, fewest)

    # The door

    def _is_gone(self, ticket: Ticket, now: float, down: bool) -> bool:
        """Whether nothing was let through around this refusal."""
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
        return down  # since the very beginning

    def _shut(self, ticket: Ticket, now: float, down: bool) -> None:
        # What became of those sent later is not known yet.
        earlier = (sent for sent in reversed(self._sent) if sent.sent_at <= ticket.sent_at)
        last = next((sent.sent_at for sent in earlier if not sent.refused), now)
        if self._cut_at >= last:  # that was the beginning of this
            self._ceiling, self._plateau, self._cut_at = self._before_cut
        # A rate that was found to be limited since the door opened was not a quota, so this is an outage. Else a quota
        # may have been used up in a burst: then the measure is that of a minute.
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
        """The probe was not let in; its refusal was only read late (on a busy machine). It is still the same outage."""
        if self._cut_at >= self._opened_at:
            self._ceiling, self._plateau, self._cut_at = self._before_cut
        self._shut_at, self._unproven = since, None
        self._slowest_refusal = max(self._slowest_refusal, now - ticket.sent_at)
        self._pause_probes(now)

    def _pause_probes(self, now: float) -> None:
        outage = now - (self._shut_at or now)
        self._probe_at = now + min(max(_PROBE_SHARE * outage, _MIN_PROBE_PAUSE), _MAX_PROBE_PAUSE)

    def _open(self, now: float, silent: Ticket | None = None) -> None:
        """Let requests through again; ``silent``: for a probe that was not refused so far."""
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
