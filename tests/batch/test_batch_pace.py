"""How many rows may be in flight, and what an error means for the others."""

from __future__ import annotations

import pytest

from hf_text import (
    AuthenticationError,
    BadRequestError,
    HFTextError,
    MissingAuthError,
    PaymentRequiredError,
    ProviderStreamError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)
from hf_text.batch.pace import Pace, is_fatal, is_throttled


@pytest.fixture
def pace() -> Pace:
    made = Pace(16)
    made.clock = lambda: 100.0
    return made


class TestPace:
    def test_it_begins_with_the_most(self, pace: Pace) -> None:
        assert (pace.limit, pace.pause()) == (16, 0)

    def test_a_refusal_halves(self, pace: Pace) -> None:
        pace.refused(pace.epoch, 5)
        assert (pace.limit, pace.pause()) == (8, 5)

    def test_refusals_of_the_same_time_count_once(self, pace: Pace) -> None:
        for _ in range(16):
            pace.refused(0)
        assert (pace.limit, pace.refusals, pace.pause()) == (8, 1, 0.25)

    def test_a_later_one_of_the_same_time_can_make_the_pause_longer(self, pace: Pace) -> None:
        pace.refused(0, 5)
        pace.refused(0, 7)
        pace.refused(0, 6)
        assert pace.pause() == 7

    def test_one_row_may_always_be_in_flight(self, pace: Pace) -> None:
        for epoch in range(20):
            pace.refused(epoch)
        assert pace.limit == 1

    def test_the_pause_grows_from_refusal_to_refusal_up_to_a_minute(self, pace: Pace) -> None:
        pauses = []
        for epoch in range(11):
            pace.refused(epoch)
            pauses.append(pace.pause())
        assert pauses == [0.25, 0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]

    def test_an_answer_ends_the_row_of_refusals(self, pace: Pace) -> None:
        pace.refused(0)
        pace.answered()
        assert pace.refusals == 0

    def test_a_full_round_of_answers_adds_one_up_to_the_most(self, pace: Pace) -> None:
        pace.refused(0)
        for _ in range(9):
            pace.answered()
        assert pace.limit == 9
        for _ in range(1000):
            pace.answered()
        assert pace.limit == 16


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (RateLimitError(status_code=429), True),
            (ServerError(status_code=503), True),
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
    def test_which_mean_that_the_server_refuses_for_now(self, error: HFTextError, expected: bool) -> None:
        assert is_throttled(error) is expected

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
    def test_which_concern_all_rows(self, error: HFTextError, expected: bool) -> None:
        assert is_fatal(error) is expected
