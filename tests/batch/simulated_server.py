"""A simulated server with a limit. A `Pace` and a fake clock run hours of a batch in a second."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hf_text.batch import Pace
from hf_text.batch.pace import Ticket

__all__ = ["Bucket", "Course", "Flaky", "Slots", "Window", "simulate"]

_ROUND_TRIP = 0.03

Limit = Callable[[float], "float | None"]
"""Takes the time of a request. None lets it in; a number refuses it, and is what Retry-After says (0: nothing)."""


class Bucket:
    """Accepts ``rate`` requests a second, and a burst after a pause."""

    def __init__(self, rate: float, burst: float | None = None, retry_after: float = 0.0) -> None:
        self._rate, self._burst, self._retry_after = rate, burst or rate, retry_after
        self._level, self._at = self._burst, 0.0

    def __call__(self, now: float) -> float | None:
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level < 1:
            return self._retry_after
        self._level -= 1
        return None


class Window:
    """Accepts ``count`` requests in each window of ``seconds``."""

    def __init__(self, count: int, seconds: float, tells: bool = False) -> None:
        self._count, self._seconds, self._tells = count, seconds, tells
        self._window, self._used = -1, 0

    def __call__(self, now: float) -> float | None:
        window = int(now // self._seconds)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used < self._count:
            self._used += 1
            return None
        return (window + 1) * self._seconds - now if self._tells else 0.0


class Flaky:
    """Refuses a random share of the requests at any load."""

    def __init__(self, limit: Limit, share: float) -> None:
        self._limit, self._share, self._random = limit, share, random.Random(1)

    def __call__(self, now: float) -> float | None:
        return 0.0 if self._random.random() < self._share else self._limit(now)


class Slots:
    """Answers ``count`` requests concurrently."""

    def __init__(self, count: int) -> None:
        self.free = count

    def __call__(self, now: float) -> float | None:
        if not self.free:
            return 0.0
        self.free -= 1
        return None


@dataclass
class Course:
    """The result of a simulation.

    Attributes:
        seconds: how long the run took.
        accepted: when each answered request was sent.
        refused: how many requests were refused.
        during_outage: how many of those were refused during the outage, or within a second after it.
    """

    seconds: float = 0.0
    accepted: list[float] = field(default_factory=list)
    refused: int = 0
    during_outage: int = 0

    @property
    def refused_share(self) -> float:
        return self.refused / (self.refused + len(self.accepted))

    def rate(self, since: float, until: float) -> float:
        """Return the requests sent in this period and answered, per second."""
        return sum(since <= at < until for at in self.accepted) / (until - since)


def simulate(
    limit: Limit,
    answer: float,
    *,
    seconds: float = 1e9,
    rows: int = 10**9,
    workers: int = 10_000,
    outage: tuple[float, float] = (0.0, 0.0),
    down: bool = True,
    silent: bool = False,
    stalls: Sequence[tuple[float, float]] = (),
    **options: Any,
) -> Course:
    """Send requests until ``rows`` are answered or ``seconds`` have passed.

    Args:
        limit: the server's limit.
        answer: seconds that an answer takes, give or take a fifth.
        outage: start and end of a period in which the server refuses everything: with 503 if ``down``, else with 429.
        silent: whether the server sends nothing until the answer is complete.
        stalls: start and end of each period in which the client does nothing because its machine is busy.
        options: passed to `Pace`.
    """
    course, chance = Course(), random.Random(1)
    time, in_flight, count = [0.0], 0, 0
    pace = Pace(clock=lambda: time[0], **options)
    events: list[tuple[float, int, str, Ticket, Any]] = []

    def awake(at: float) -> float:
        return next((end for begin, end in stalls if begin <= at < end), at)

    def after(delay: float, kind: str, ticket: Ticket, detail: Any = None) -> None:
        nonlocal count
        count += 1
        at = time[0] + delay
        heapq.heappush(events, (at if kind == "arrive" else awake(at), count, kind, ticket, detail))

    def arrive(ticket: Ticket) -> None:
        away = outage[0] <= time[0] < outage[1]
        retry_after = 0.0 if away else limit(time[0])
        if retry_after is not None:
            after(_ROUND_TRIP / 2, "refused", ticket, (retry_after or None, away and down))
            return
        duration = answer * chance.uniform(0.8, 1.2)
        if not silent:
            after(_ROUND_TRIP / 2 + min(0.2, duration / 2), "began", ticket)
        after(duration, "answered", ticket)

    while time[0] < seconds and len(course.accepted) < rows:
        left = rows - len(course.accepted)
        while in_flight < min(workers, left) and awake(time[0]) <= time[0] and not pace.wait():
            in_flight += 1
            after(_ROUND_TRIP / 2, "arrive", pace.start())
        next_start = awake(time[0] + max(pace.wait(), 1e-4)) if in_flight < min(workers, left) else float("inf")
        if not events or events[0][0] >= next_start:  # after a stall, requests go out before responses are read
            time[0] = next_start
            continue
        time[0], _, kind, ticket, detail = heapq.heappop(events)
        if kind == "arrive":
            arrive(ticket)
        elif kind == "began":
            pace.began(ticket)
        elif kind == "answered":
            in_flight -= 1
            course.accepted.append(ticket.sent_at)
            pace.answered(ticket, 100)
            if isinstance(limit, Slots):
                limit.free += 1
        else:
            in_flight -= 1
            course.refused += 1
            course.during_outage += outage[0] <= time[0] < outage[1] + 1
            pace.refused(ticket, detail[0], down=detail[1])
    course.seconds = time[0]
    return course
