"""The request rate that a server allows, and what one row's error means for the other rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulated_server import Bucket, Flaky, Slots, Window, simulate
from thorough import THOROUGH

from hf_text import (
    AuthenticationError,
    BadRequestError,
    HFTextError,
    InvalidRequestError,
    MalformedStreamError,
    MissingAuthError,
    PaymentRequiredError,
    ProviderStreamError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
    TruncatedStreamError,
)
from hf_text.batch import Pace
from hf_text.batch.verdicts import is_down, is_fatal, is_throttled, may_succeed_later

# Requests per second, and seconds per answer.
LOADS = [(50, 0.1), (50, 2), (20, 5), (10, 20)] if THOROUGH else [(50, 2), (10, 20)]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock=clock)


class TestSimulation:
    """The request rate after the first half minute."""

    @pytest.mark.parametrize(("rate", "answer"), LOADS)
    @pytest.mark.parametrize(
        "make",
        [
            lambda rate: Bucket(rate),
            lambda rate: Bucket(rate, burst=2),
            lambda rate: Bucket(rate, retry_after=1.0),
            lambda rate: Window(rate, 1.0),
            lambda rate: Window(rate, 1.0, tells=True),
        ],
        ids=["bucket", "small bucket", "bucket that tells", "window", "window that tells"],
    )
    def test_the_allowed_rate_is_reached_with_few_refusals(
        self, make: Callable[[int], Any], rate: int, answer: float
    ) -> None:
        course = simulate(make(rate), answer, seconds=900)
        assert course.rate(30, 900 - 2 * answer) >= 0.95 * rate
        assert course.refused_share < 0.05

    def test_the_pace_is_stable_over_hours(self) -> None:
        course = simulate(Bucket(10), 20, seconds=4 * 3600)
        for hour in range(4):
            assert course.rate(3600 * hour + 30, 3600 * hour + 3500) >= 9.5
        assert course.refused_share < 0.05

    @pytest.mark.parametrize(("rate", "answer"), LOADS)
    def test_a_per_second_limit_is_reached_soon(self, rate: int, answer: float) -> None:
        assert simulate(Bucket(rate), answer, seconds=60 + 2 * answer).rate(0, 30) >= 0.9 * rate

    @pytest.mark.parametrize(("rate", "answer"), LOADS)
    @pytest.mark.parametrize("tells", [False, True])
    def test_a_per_minute_quota_is_used_up(self, tells: bool, rate: int, answer: float) -> None:
        course = simulate(Window(60 * rate, 60.0, tells), answer, seconds=1200)
        assert course.rate(0, 1200 - 2 * answer) >= 0.9 * rate
        assert course.refused_share < (0.05 if tells else 0.08)  # without Retry-After, the client has to probe

    @pytest.mark.parametrize(("share", "used"), [(0.02, 0.85), (0.05, 0.7)])
    @pytest.mark.parametrize(("rate", "answer"), LOADS)
    def test_random_refusals_do_not_stall_the_run(self, rate: int, answer: float, share: float, used: float) -> None:
        course = simulate(Flaky(Bucket(rate), share), answer, seconds=1800)
        assert course.rate(600, 1750) >= used * rate
        assert course.refused_share < share + 0.08

    def test_a_server_with_limited_concurrency_is_kept_busy(self) -> None:
        course = simulate(Slots(64), 2, seconds=1200)
        assert course.rate(30, 1190) >= 0.8 * 32

    @pytest.mark.parametrize(("rate", "answer"), LOADS)
    @pytest.mark.parametrize("seconds", [10, 60])
    @pytest.mark.parametrize("down", [True, False], ids=["503", "429"])
    @pytest.mark.parametrize("silent", [False, True], ids=["streams", "silent"])
    def test_an_outage_adds_little_more_than_its_length(
        self, rate: int, answer: float, seconds: int, down: bool, silent: bool
    ) -> None:
        rows = max(120, 4 * seconds) * rate
        without = simulate(Bucket(rate), answer, rows=rows).seconds
        outage = (20.0, 20.0 + seconds)
        course = simulate(Bucket(rate), answer, rows=rows, outage=outage, down=down, silent=silent)
        assert course.seconds <= without + 1.2 * seconds
        assert course.during_outage <= 60
        assert course.refused_share < 0.05

    @pytest.mark.parametrize(("rate", "answer"), LOADS)
    def test_few_are_refused_in_a_short_run_with_an_outage(self, rate: int, answer: float) -> None:
        assert simulate(Bucket(rate), answer, rows=60 * rate, outage=(20.0, 30.0)).refused_share < 0.05

    @pytest.mark.parametrize("burst", [1, 2])
    @pytest.mark.parametrize("seconds", [10, 60])
    def test_an_outage_reported_as_429_is_not_mistaken_for_an_exhausted_quota(self, burst: int, seconds: int) -> None:
        rows = 6000 if seconds == 10 else 12000
        without = simulate(Bucket(50, burst), 0.1, rows=rows).seconds
        outage = (20.0, 20.0 + seconds)
        course = simulate(Bucket(50, burst), 0.1, rows=rows, outage=outage, down=False)
        assert course.seconds <= without + 1.2 * seconds

    @pytest.mark.parametrize(
        ("rate", "answer", "down", "stalls"),
        [
            (10, 20, True, [45.4]),
            (50, 2, True, [45.2]),
            (50, 2, False, [41.25 + 2.4 * number for number in range(7)]),
        ],
    )
    def test_a_client_that_stands_still_does_not_take_the_outage_for_its_end(
        self, rate: int, answer: float, down: bool, stalls: list[float]
    ) -> None:
        """The pace resumes because a probe got no refusal, but the refusal was only not read yet."""
        without = simulate(Bucket(rate), answer, rows=120 * rate).seconds
        periods = [(begin, begin + 1.2) for begin in stalls]
        course = simulate(Bucket(rate), answer, rows=120 * rate, outage=(40.0, 60.0), down=down, stalls=periods)
        assert course.seconds <= without + 1.2 * 20
        assert course.refused_share < 0.05

    def test_a_raised_limit_is_found(self) -> None:
        bucket = Bucket(10)
        limits = [bucket, Bucket(100)]
        course = simulate(lambda now: limits[now > 300](now), 1, seconds=600)
        assert course.rate(200, 300) >= 9.5
        assert course.rate(500, 590) >= 95

    def test_a_rate_cap_is_respected(self) -> None:
        course = simulate(Bucket(50), 1, seconds=100, rate=5)
        assert 4.7 <= course.rate(10, 90) <= 5.1

    def test_a_token_rate_cap_is_respected(self) -> None:
        course = simulate(Bucket(500), 0.1, seconds=300, tokens_per_minute=6000)  # 100 tokens a row: one row a second
        assert 0.95 <= course.rate(100, 300) <= 1.05


class TestPace:
    def test_the_first_burst_is_eight_requests(self, pace: Pace) -> None:
        for _ in range(8):
            assert pace.wait() == 0
            pace.start()
        pace.start()
        assert 0 < pace.wait() <= 1 / 16

    def test_the_rate_doubles_while_nothing_is_refused(self, pace: Pace, clock: Clock) -> None:
        assert pace.rate == 16
        clock.now += 0.5
        assert pace.rate == pytest.approx(64)

    @pytest.mark.parametrize("down", [False, True])
    def test_retry_after_is_respected(self, pace: Pace, clock: Clock, down: bool) -> None:
        pace.refused(pace.start(), 7.0, down=down)
        assert pace.wait() >= 7
        clock.now += 7
        assert pace.wait() <= 1

    def test_an_unreachable_server_gets_one_probe_at_a_time(self, pace: Pace, clock: Clock) -> None:
        tickets = [pace.start() for _ in range(5)]
        for ticket in tickets:
            pace.refused(ticket, down=True)
        assert pace.rate == 0
        clock.now += pace.wait()
        probe = pace.start()
        assert probe.probe
        assert pace.wait() > 0
        assert pace.outage > 0
        pace.began(probe)
        assert (pace.outage, pace.wait()) == (0, 0)

    def test_an_answer_from_before_the_outage_does_not_end_it(self, pace: Pace) -> None:
        before, *others = [pace.start() for _ in range(4)]
        for ticket in others:
            pace.refused(ticket, down=True)
        pace.answered(before)
        assert pace.rate == 0

    def test_the_pauses_between_probes_are_a_tenth_of_the_outage(self, pace: Pace, clock: Clock) -> None:
        pauses = []
        for _ in range(60):
            pace.refused(pace.start(), down=True)
            pauses.append(pace.wait())
            clock.now += pauses[-1]
        assert pauses[0] == 1
        assert pauses[-1] == 60
        assert sum(pause < 60 for pause in pauses) > 30

    def test_refusals_of_a_row_alone_were_not_let_through_and_change_nothing(self, pace: Pace, clock: Clock) -> None:
        def send(seconds: float, refused: bool) -> None:
            for _ in range(round(50 * seconds)):
                clock.now += 0.02
                ticket = pace.start()
                if refused:
                    pace.refused(ticket, alone=True)

        send(1.0, False)
        before = pace.rate
        for _ in range(10):
            send(0.1, False)
            send(0.1, True)
        assert pace.rate >= before
        pace.refused(pace.start())
        assert 20 <= pace.rate <= 40  # half of 50 requests a second were accepted

    def test_a_single_connection_failure_is_not_an_outage(self, pace: Pace, clock: Clock) -> None:
        for _ in range(10):
            pace.answered(pace.start())
        pace.refused(pace.start(), down=True)
        assert pace.rate > 0

    @pytest.mark.parametrize("options", [{"rate": 0}, {"rate": "5"}, {"tokens_per_minute": -1}, {"rate": True}])
    def test_an_invalid_cap_is_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(InvalidRequestError, match="must be a positive number"):
            Pace(**options)


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (RateLimitError(status_code=429), True),
            (ServerError(status_code=502), True),
            (ServerError(status_code=503), True),
            (ServerError(status_code=504), True),
            (ServerError(status_code=500), False),
            (BadRequestError(status_code=400), False),
            (TransportError(), True),
            (RequestTimeoutError(clock="connect"), True),
            (RequestTimeoutError(clock="first"), False),
            (ProviderStreamError(error=RateLimitError(status_code=429)), True),
            (ProviderStreamError(), False),
        ],
        ids=repr,
    )
    def test_which_errors_are_refusals(self, error: HFTextError, expected: bool) -> None:
        assert is_throttled(error) is expected

    @pytest.mark.parametrize(
        ("error", "expected"),
        [(RateLimitError(status_code=429), False), (ServerError(status_code=503), True), (TransportError(), True)],
        ids=repr,
    )
    def test_which_errors_mean_that_the_server_is_down(self, error: HFTextError, expected: bool) -> None:
        assert is_down(error) is expected

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (TruncatedStreamError(), True),
            (MalformedStreamError(), True),
            (ServerError(status_code=500), True),
            (RequestTimeoutError(clock="gap"), True),
            (BadRequestError(status_code=400), False),
            (InvalidRequestError(), False),
        ],
        ids=repr,
    )
    def test_which_errors_are_transient(self, error: HFTextError, expected: bool) -> None:
        assert may_succeed_later(error) is expected

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (MissingAuthError(), True),
            (AuthenticationError(status_code=401), True),
            (PaymentRequiredError(status_code=402, scope="account"), True),
            (PaymentRequiredError(status_code=402, scope="provider"), False),
            (RateLimitError(status_code=429), False),
        ],
        ids=repr,
    )
    def test_which_errors_concern_all_rows(self, error: HFTextError, expected: bool) -> None:
        assert is_fatal(error) is expected
