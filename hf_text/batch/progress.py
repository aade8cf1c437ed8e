"""The reports of a run: progress while it runs, and a summary at its end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic

from ..completion import Completion
from ..errors import APIStatusError, HFTextError
from ..tables import Table, Tabular, number, price

__all__ = ["Percentiles", "Progress", "ProviderSummary", "Summary", "Tally", "reason_of"]

_TRUNCATED = ("length", "content_filter")


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        rows: the number of rows; None while unknown (the inputs can be read only once).
        done: rows that have their answer, including those of earlier runs.
        failed: rows that are recorded as failed.
        tokens: what this run has used so far, prompts and answers, as far as the servers report it.
        seconds: since the run began.
        rate: rows per second over the last half minute.
        tokens_per_second: over the same time.
        in_flight: rows that have been sent and not answered.
        cost: USD so far, including earlier runs; None while no price is known.
        expected_cost: USD for all rows, extrapolated from those so far; None if unknown.
        seconds_left: until all rows are done, at this rate; None if unknown.
        refused: how often the server rejected a row temporarily, by reason (``"429"``, ``"no connection"``).
        waiting: why no rows are being sent: ``"12 s for the server (503)"``; usually empty.
        stopping: why the run ends before all rows are done; empty if it does not.
    """

    rows: int | None
    done: int
    failed: int
    tokens: int
    seconds: float
    rate: float = 0.0
    tokens_per_second: float = 0.0
    in_flight: int = 0
    cost: float | None = None
    expected_cost: float | None = None
    seconds_left: float | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    waiting: str = ""
    stopping: str = ""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The median, 90th and 99th percentile of the answers' times, in seconds; None without answers."""

    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


@dataclass(frozen=True, slots=True)
class ProviderSummary:
    """The answers of one provider in a run.

    Attributes:
        answers: the number of answers.
        prompt_tokens, completion_tokens: as far as it reports them.
        cost: USD, as far as its prices are known.
        seconds: how long its answers took.
    """

    answers: int
    prompt_tokens: int
    completion_tokens: int
    cost: float
    seconds: Percentiles


@dataclass(frozen=True, slots=True)
class Summary(Tabular):
    """The result of a run. A notebook shows it as a table of the providers.

    Attributes:
        rows: the number of rows, as far as known.
        done: rows that have their answer now, including those of earlier runs.
        failed: rows that are recorded as failed now.
        resumed: rows whose answer was already in the output: nothing was sent for them.
        prompt_tokens: tokens of the prompts that this run sent, as far as the servers report them.
        completion_tokens: tokens of the answers that this run received, as far as the servers report them.
        seconds: how long it took.
        errors: the number of failed rows of this run for each error class.
        truncated: answers of this run that were cut off at ``max_tokens`` or by a filter.
        refused: how often the server rejected a row temporarily, by reason.
        cost: USD for all lines of the output; None if no price is known.
        first_token: seconds to the first token.
        latency: seconds to the end of an answer.
        providers: the answers by provider.
        stopped_by: why the run ended before all rows were done: ``"max_cost"``, ``"max_failures"``, ``"deadline"``,
            ``"unknown price"``, ``"Ctrl-C"``, ``"SIGTERM"``; None if all are done.
    """

    rows: int
    done: int
    failed: int
    resumed: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    errors: Mapping[str, int]
    truncated: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    cost: float | None = None
    first_token: Percentiles = Percentiles()
    latency: Percentiles = Percentiles()
    providers: Mapping[str, ProviderSummary] = field(default_factory=dict)
    stopped_by: str | None = None

    def __repr__(self) -> str:
        return f"<Summary: {self._told()}>"

    def _table(self) -> Table:
        heads = ("provider", "answers", "tokens in", "tokens out", "cost", "median", "90 %", "99 %")
        return Table(self._told(), heads, [_provider_row(*item) for item in self.providers.items()])

    _repr_pretty_ = Tabular._repr_pretty_  # IPython prefers a class's own __repr__ to inherited methods

    def _told(self) -> str:
        """Summarise the run in one line."""
        errors = ", ".join(f"{count:,} {name}" for name, count in self.errors.items())
        facts = (
            f"{self.done:,} of {self.rows:,} rows done",
            f"{self.failed:,} failed{errors and f' ({errors})'}" if self.failed else "",
            f"{self.resumed:,} of them before" if self.resumed else "",
            f"{self.truncated:,} cut off" if self.truncated else "",
            f"{self.seconds:.1f} s",
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens",
            price(self.cost),
            f"stopped by {self.stopped_by}" if self.stopped_by else "",
        )
        return ", ".join(filter(None, facts))


def _provider_row(name: str, provider: ProviderSummary) -> tuple[str, ...]:
    seconds = (provider.seconds.p50, provider.seconds.p90, provider.seconds.p99)
    return (
        name or "the server",
        number(provider.answers),
        number(provider.prompt_tokens),
        number(provider.completion_tokens),
        price(provider.cost) if provider.cost else "",
        *("" if value is None else f"{value:g} s" for value in seconds),
    )


class _Histogram:
    """A histogram of durations, accurate to 2 %, in a few hundred bytes for any number of values."""

    _STEP = math.log(1.04)

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float | None) -> None:
        if seconds is not None:
            self._counts[round(math.log(max(seconds, 1e-6)) / self._STEP)] += 1

    def percentiles(self) -> Percentiles:
        return Percentiles(self._at(0.5), self._at(0.9), self._at(0.99))

    def _at(self, share: float) -> float | None:
        rest = math.ceil(share * self._counts.total())
        for step in sorted(self._counts):
            rest -= self._counts[step]
            if rest <= 0:
                return float(f"{math.exp(step * self._STEP):.3g}")
        return None


@dataclass
class _Provider:
    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: _Histogram = field(default_factory=_Histogram)

    def summary(self) -> ProviderSummary:
        tokens = (self.prompt_tokens, self.completion_tokens)
        return ProviderSummary(self.answers, *tokens, self.cost, self.seconds.percentiles())


class _Speed:
    """Rows and tokens per second over the last half minute."""

    _SECONDS = 30

    def __init__(self) -> None:
        self._buckets: dict[int, list[float]] = {}
        self._began = monotonic()

    def add(self, rows: float, tokens: float) -> None:
        second = int(monotonic())
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets = {at: amounts for at, amounts in self._buckets.items() if at > second - self._SECONDS}
            bucket = self._buckets[second] = [0.0, 0.0]
        bucket[0] += rows
        bucket[1] += tokens

    def per_second(self) -> tuple[float, float]:
        now = monotonic()
        last = [amounts for at, amounts in self._buckets.items() if at > now - self._SECONDS]
        span = min(max(now - self._began, 1e-3), self._SECONDS)
        return sum(a[0] for a in last) / span, sum(a[1] for a in last) / span


class Tally:
    """The counts of a run while it runs.

    Attributes:
        rows: as in ``Progress``.
        resumed: rows answered by an earlier run.
        given_up: rows that an earlier run recorded as failed and that are not retried.
        spent: USD of earlier runs.
        in_flight: rows that have been sent and not answered.
        waiting: as in ``Progress``.
        stopped_by: as in ``Summary``.
        answered, failures: rows of this run.
        cost: USD of this run.
        priced: answers of this run whose cost is known.
    """

    def __init__(self, spent: float = 0.0) -> None:
        self.rows: int | None = None
        self.resumed: int = 0
        self.given_up = 0
        self.spent = spent
        self.in_flight = 0
        self.waiting = ""
        self.stopped_by: str | None = None
        self.answered: int = 0
        self.failures: int = 0
        self.cost: float = 0.0
        self.priced: int = 0
        self._prompt_tokens = self._completion_tokens = self._tokens = self._truncated = 0
        self._errors: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._first, self._latency = _Histogram(), _Histogram()
        self._providers: dict[str, _Provider] = {}
        self._speed = _Speed()
        self._started = monotonic()

    def skip(self) -> None:
        """Count a row that already has its answer."""
        self.resumed += 1

    def add_answer(self, completion: Completion, cost: float | None = None) -> None:
        """Count an answered row."""
        self.answered += 1
        provider = self._providers.setdefault(completion.provider or "", _Provider())
        provider.answers += 1
        provider.seconds.add(completion.timings.total)
        self._first.add(completion.timings.first_token)
        self._latency.add(completion.timings.total)
        self._truncated += completion.finish_reason in _TRUNCATED
        if cost is not None:
            self.priced += 1
            self.cost += cost
            provider.cost += cost
        usage = completion.usage
        if usage is not None:
            self._prompt_tokens += usage.prompt_tokens
            self._completion_tokens += usage.completion_tokens
            self._tokens += usage.total_tokens
            provider.prompt_tokens += usage.prompt_tokens
            provider.completion_tokens += usage.completion_tokens
        self._speed.add(1, usage.total_tokens if usage else 0)

    def add_failure(self, error: HFTextError) -> None:
        """Count a failed row."""
        self.failures += 1
        self._errors[type(error).__name__] += 1
        self._speed.add(1, 0)

    def add_refusal(self, error: HFTextError) -> None:
        """Count a temporary rejection."""
        self._refused[reason_of(error)] += 1

    @property
    def mean_cost(self) -> float:
        """The mean cost of an answer in USD so far; 0 without priced answers."""
        return self.cost / self.priced if self.priced else 0.0

    def progress(self) -> Progress:
        """Return the progress of the run."""
        rate, tokens_per_second = self._speed.per_second()
        left = None if self.rows is None else max(self.rows - self._done - self._failed, 0)
        return Progress(
            self.rows,
            self._done,
            self._failed,
            self._tokens,
            monotonic() - self._started,
            rate=rate,
            tokens_per_second=tokens_per_second,
            in_flight=self.in_flight,
            cost=self._total_cost,
            expected_cost=self._expect(left),
            seconds_left=left / rate if left is not None and rate else None,
            refused=dict(self._refused),
            waiting=self.waiting,
            stopping=self.stopped_by or "",
        )

    def summary(self) -> Summary:
        """Return the result of the run; call this at its end."""
        return Summary(
            rows=self._done + self._failed if self.rows is None else self.rows,
            done=self._done,
            failed=self._failed,
            resumed=self.resumed,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            seconds=monotonic() - self._started,
            errors=dict(self._errors),
            truncated=self._truncated,
            refused=dict(self._refused),
            cost=self._total_cost,
            first_token=self._first.percentiles(),
            latency=self._latency.percentiles(),
            providers={name: provider.summary() for name, provider in self._providers.items()},
            stopped_by=self.stopped_by,
        )

    def _expect(self, left: int | None) -> float | None:
        if left is None or self._total_cost is None or not (self.priced or not left):
            return None
        return self._total_cost + left * self.mean_cost

    @property
    def _total_cost(self) -> float | None:
        return self.spent + self.cost if self.priced or self.spent else None

    @property
    def _done(self) -> int:
        return self.resumed + self.answered

    @property
    def _failed(self) -> int:
        return self.given_up + self.failures


def reason_of(error: HFTextError) -> str:
    """Return a short reason for a temporary rejection."""
    error = error.underlying
    return str(error.status_code) if isinstance(error, APIStatusError) else "no connection"
