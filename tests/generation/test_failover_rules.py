"""What an error means for the next attempt: which provider, after which pause, or none."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from hf_text.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    HFTextError,
    InvalidRequestError,
    MalformedStreamError,
    MissingAuthError,
    ModelNotSupportedError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProviderStreamError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamCancelledError,
    TransportError,
    TruncatedStreamError,
)
from hf_text.generation.failover import (
    POLICIES,
    Route,
    Target,
    can_fail_over,
    check_provider,
    trips_breaker,
)
from hf_text.protocol.replies import parse_reply_error
from hf_text.transport.retries import Retries, is_retryable
from hf_text.tuning import DEFAULT_TUNING

ROUTER = "https://router.example.com/v1/chat/completions"
AUTO = Target(ROUTER, "acme/x")
NOVITA = Target(ROUTER, "acme/x:novita", "novita")
GROQ = Target(ROUTER, "acme/x:groq", "groq")
NSCALE = Target(ROUTER, "acme/x:nscale", "nscale")
OWN = Target("https://router.example.com/acme/models/x/v1/chat/completions", "acme/x", "acme/models/x")


def answered(status: int | None, body: Any, provider: str | None = None, own_route: bool = False) -> APIStatusError:
    """The error for such a response; with a provider, as that provider's response through the router."""
    headers = {"x-inference-provider": provider} if provider else {}
    route = OWN.provider if own_route else None
    return parse_reply_error(status, headers, body, now=0.0, provider=route, model="acme/x")


def said(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


CREDITS = {"error": "You have depleted your monthly included credits. Purchase pre-paid credits to go on."}

# name: (status, body, whether a provider answered, whether to fail over, whether to retry)
ANSWERS: dict[str, tuple[int, Any, bool, bool, bool]] = {
    "400 unknown model (router)": (400, said("m", code="model_not_found"), False, False, False),
    "400 unknown model (provider)": (400, said("The model does not exist.", code="model_not_found"), True, True, False),
    "400 model not supported (router)": (400, said("m", code="model_not_supported"), False, False, False),
    "400 model not supported (provider)": (
        400,
        {"error": "Model not supported by provider acme"},
        True,
        True,
        False,
    ),
    "400 no vision (Novita)": (400, {"code": 400, "message": "model features vision not support"}, True, True, False),
    "400 no tools (Novita)": (
        400,
        {"code": 400, "message": "model features function calling not support"},
        True,
        True,
        False,
    ),
    "400 no vision (Nebius)": (400, {"detail": "acme/x is not a multimodal model"}, True, True, False),
    "400 a field too many (Fireworks)": (400, said("Extra inputs are not permitted, field: 'x'"), True, True, False),
    "400 no vision (Groq)": (400, said("messages[0].content must be a string"), True, True, False),
    "400 not serverless (Together)": (400, said("Unable to access non-serverless model acme/x."), True, True, False),
    "400 unknown model (Z.ai)": (400, said("Unknown Model, check it.", code="1211"), True, True, False),
    "400 unsupported parameter": (400, said("Unsupported parameter: 'seed'"), True, True, False),
    "400 about the request": (400, said("max_tokens is too large"), True, False, False),
    "400 about the request (router)": (400, said("Unsupported parameter: 'seed'"), False, False, False),
    "401 (router)": (401, {"error": "Invalid credentials in Authorization header"}, False, False, False),
    "401 (provider)": (401, {"error": "Invalid API key"}, True, False, False),
    "402 no credits": (402, CREDITS, False, False, False),
    "402 no credits, told on a provider's route": (402, CREDITS, True, False, False),
    "402 of the provider": (402, {"reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}, True, True, False),
    "403 (router)": (403, {"error": "not sufficient permissions"}, False, False, False),
    "403 (provider)": (403, {"error": "not for you"}, True, False, False),
    "404 (router)": (404, "Not Found", False, False, False),
    "404 (provider)": (404, {"error": "Model acme/x does not exist"}, True, True, False),
    "408": (408, "", False, True, True),
    "409": (409, {"error": "conflict"}, True, False, False),
    "410 (router)": (410, {"error": "deprecated and no longer supported by provider acme"}, False, True, False),
    "410 (provider)": (410, {"error": "gone"}, True, True, False),
    "413 (provider)": (413, {"error": "too large"}, True, False, False),
    "422 not valid (TGI)": (422, {"error": "Input validation error", "error_type": "validation"}, True, False, False),
    "422 a capability": (422, {"detail": [{"loc": ["tools"], "msg": "not supported"}]}, True, True, False),
    "424 generation (TGI)": (424, {"error": "failed", "error_type": "generation"}, True, True, False),
    "424 (router)": (424, {"error": "failed"}, False, False, False),
    "429 (Hub, router)": (429, {"error": "We had to rate limit your IP"}, False, False, True),
    "429 (provider)": (429, said("Rate limit reached", code="rate_limit_exceeded"), True, True, True),
    "429 overloaded (TGI)": (429, {"error": "Model is overloaded", "error_type": "overloaded"}, True, True, True),
    "500 (provider)": (500, said("Internal server error", type="server_error"), True, True, True),
    "500 (router)": (500, {"error": "Internal Server Error"}, False, True, True),
    "501": (501, "", False, True, False),
    "502 a page": (502, "", False, True, True),
    "503 a page": (503, "", False, True, True),
    "503 loading": (503, {"error": "Model acme/x is currently loading", "estimated_time": 20.0}, True, True, True),
    "504 a page": (504, "", False, True, True),
    "529 overloaded": (529, said("Overloaded"), True, True, True),
    "599": (599, "", True, True, True),
    "409 a page": (409, "<h1>409</h1>", False, False, True),
    "409 a lock": (409, said("Lock timeout"), True, False, True),
    "409 a policy": (409, said("model_not_allowed_here"), False, False, False),
    "425 (router)": (425, "", False, False, True),
    "425 (provider)": (425, "", True, True, True),
    "500 no vision (llama.cpp)": (500, said("image input is not supported - hint: mmproj"), True, True, False),
    "503 no tools": (503, said("acme/x does not support tools"), True, True, False),
    "429 too large for ever": (429, said("Request too large for acme/x: Limit 30000"), True, True, False),
    "429 too large for now": (429, said("Request too large for now, try again in 2 s"), True, True, True),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_error_response_decides_failover(name: str) -> None:
    status, body, by_provider, another, same = ANSWERS[name]
    error = answered(status, body, "novita" if by_provider else None)
    assert can_fail_over(error, AUTO) is another
    assert is_retryable(error) is same


@pytest.mark.parametrize("name", ANSWERS)
def test_the_same_error_inside_a_stream_decides_the_same(name: str) -> None:
    status, body, by_provider, another, same = ANSWERS[name]
    inner = answered(status, body, "novita" if by_provider else None)
    error = ProviderStreamError("reported", error=inner)
    assert can_fail_over(error, AUTO) is another
    assert is_retryable(error) is same


@pytest.mark.parametrize("status", [400, 413, 422, 404, 424, 429])
def test_a_named_provider_counts_as_the_one_that_answered(status: int) -> None:
    error = answered(status, said("is not a multimodal model"))
    assert not can_fail_over(error, AUTO)
    assert can_fail_over(error, NOVITA)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_on_a_provider_route_any_refusal_may_concern_the_provider(status: int) -> None:
    error = answered(status, said("max_tokens is too large"), own_route=True)
    assert can_fail_over(error, OWN)
    assert not can_fail_over(answered(status, said("max_tokens is too large")), NOVITA)


@pytest.mark.parametrize("status", [401, 403])
def test_an_invalid_key_is_invalid_on_every_route(status: int) -> None:
    assert not can_fail_over(answered(status, {"error": "m"}, own_route=True), OWN)
    assert not can_fail_over(answered(status, {"error": "m"}), NOVITA)


# error: (whether to fail over, whether to retry)
FAILURES: list[tuple[HFTextError, bool, bool]] = [
    (RequestTimeoutError("no answer began", clock="first"), True, False),
    (RequestTimeoutError("could not connect", clock="connect"), False, False),
    (RequestTimeoutError("nothing came", clock="gap"), False, False),
    (RequestTimeoutError("not done", clock="total"), False, False),
    (TransportError("connection lost", retryable=True), False, True),
    (TransportError("connection refused"), False, False),
    (TruncatedStreamError("an empty answer"), True, True),
    (MalformedStreamError("a page"), True, True),
    (ProviderStreamError("reported"), True, True),
    (ProviderStreamError("reported", error=APIStatusError("no status")), True, True),
    (StreamCancelledError("cancelled"), False, False),
    (APIStatusError("no status"), False, False),
    (APIStatusError("no status that means an error", status_code=200), False, False),
    (APIStatusError("a redirect", status_code=302), False, False),
    (MissingAuthError("no key"), False, False),
    (InvalidRequestError("seed"), False, False),
    (ModelNotSupportedError("nobody"), False, False),
    (ModelNotSupportedError("nobody", status_code=400), False, False),
]


@pytest.mark.parametrize(
    ("error", "another", "same"), FAILURES, ids=[f"{type(error).__name__}: {error}" for error, _, _ in FAILURES]
)
def test_a_failure_decides_failover(error: HFTextError, another: bool, same: bool) -> None:
    assert can_fail_over(error, NOVITA) is another
    assert is_retryable(error) is same


class TestTheNextCall:
    """The answers after which a provider is skipped for a while."""

    @pytest.mark.parametrize(
        "error",
        [
            answered(404, {"error": "no such model"}, "novita"),
            answered(410, {"error": "gone"}),
            answered(402, {"message": "not enough balance"}, "novita"),
            answered(500, "", "novita"),
            answered(503, ""),
            answered(400, {"error": "Model not supported by provider acme"}, "acme"),
            RequestTimeoutError("no answer began", clock="first"),
            TruncatedStreamError("an empty answer"),
            ProviderStreamError("reported"),
            ProviderStreamError("reported", error=answered(500, "")),
        ],
        ids=str,
    )
    def test_it_would_reach_a_failing_provider(self, error: HFTextError) -> None:
        assert trips_breaker(error, NOVITA)

    @pytest.mark.parametrize(
        "error",
        [
            answered(400, said("is not a multimodal model"), "novita"),
            answered(408, ""),
            answered(413, said("not supported"), "novita"),
            answered(422, said("not supported"), "novita"),
            answered(424, "", "novita"),
            answered(429, "", "novita"),
            ProviderStreamError("reported", error=answered(429, "", "novita")),
            answered(401, ""),
            answered(402, CREDITS),
            answered(404, ""),
            RequestTimeoutError("could not connect", clock="connect"),
            TransportError("connection lost", retryable=True),
        ],
        ids=str,
    )
    def test_it_may_succeed_after_an_error_of_this_call_or_the_account(self, error: HFTextError) -> None:
        assert not trips_breaker(error, AUTO)


class TestTarget:
    def test_a_target_is_immutable(self) -> None:
        with pytest.raises(AttributeError):
            AUTO.model = "acme/y"  # type: ignore[misc]
        assert pickle.loads(pickle.dumps(NOVITA)) == NOVITA
        assert len({NOVITA, Target(ROUTER, "acme/x:novita", "novita")}) == 1

    def test_a_provider_with_a_path_has_its_own_route(self) -> None:
        assert [target.own_route for target in (AUTO, NOVITA, OWN)] == [False, False, True]


BUSY = ServerError("busy", status_code=503)
BAD = BadRequestError("seed", status_code=400)


def retries(limit: int) -> Retries:
    return Retries(limit, DEFAULT_TUNING)


def next_pause(error: HFTextError, retry: int, time_left: float) -> float:
    """The pause before this retry of a call, counted from 1."""
    counted = retries(retry)
    for _ in range(retry - 1):
        counted.next_pause(ServerError(status_code=500), math.inf)
    return counted.next_pause(error, time_left)


def lost() -> TransportError:
    return TransportError("connection lost", retryable=True)


class TestRoute:
    def test_a_route_starts_with_the_first_target(self) -> None:
        assert Route(iter([NOVITA, GROQ]), retries(2)).target is NOVITA

    def test_failover_is_immediate_and_in_order(self) -> None:
        route = Route(iter([AUTO, NOVITA, GROQ]), retries(1))
        targets = []
        for _ in range(2):
            assert route.advance(BUSY, math.inf) == 0.0
            targets.append(route.target)
        assert targets == [NOVITA, GROQ]

    def test_the_next_target_is_looked_up_only_when_needed(self) -> None:
        looked: list[str] = []

        def targets() -> Iterator[Target]:
            for target in (AUTO, NOVITA, GROQ):
                looked.append(target.model)
                yield target

        route = Route(targets(), retries(2))
        assert looked == ["acme/x"]
        route.advance(BUSY, math.inf)
        assert looked == ["acme/x", "acme/x:novita"]
        with pytest.raises(BadRequestError):
            route.advance(BAD, math.inf)
        assert looked == ["acme/x", "acme/x:novita"]

    def test_the_provider_chosen_by_the_router_is_not_tried_again(self) -> None:
        route = Route(iter([AUTO, NOVITA, GROQ]), retries(1))
        route.advance(ServerError("busy", status_code=503, provider="novita"), math.inf)
        assert route.target is GROQ

    def test_the_provider_of_a_stream_error_is_not_tried_again(self) -> None:
        route = Route(iter([AUTO, NOVITA, GROQ]), retries(1))
        inner = ServerError("busy", status_code=503, provider="novita")
        route.advance(ProviderStreamError("reported", error=inner), math.inf)
        assert route.target is GROQ

    def test_a_provider_named_twice_is_tried_once(self) -> None:
        route = Route(iter([NOVITA, NOVITA, GROQ, NOVITA, NSCALE]), retries(1))
        route.advance(BUSY, math.inf)
        assert route.target is GROQ
        route.advance(BUSY, math.inf)
        assert route.target is NSCALE

    def test_targets_without_a_provider_are_all_tried(self) -> None:
        fastest, cheapest = Target(ROUTER, "acme/x:fastest"), Target(ROUTER, "acme/x:cheapest")
        route = Route(iter([fastest, cheapest]), retries(1))
        route.advance(BUSY, math.inf)
        assert route.target is cheapest

    def test_the_last_target_is_retried_until_retries_are_exhausted(self) -> None:
        route = Route(iter([NOVITA, GROQ]), retries(2))
        assert route.advance(BUSY, math.inf) == 0.0
        assert route.advance(BUSY, math.inf) > 0.0
        assert route.advance(BUSY, math.inf) > 0.0
        assert route.target is GROQ
        with pytest.raises(ServerError) as caught:
            route.advance(BUSY, math.inf)
        assert caught.value is BUSY

    def test_an_error_without_failover_is_retried_at_the_same_target(self) -> None:
        route = Route(iter([NOVITA, GROQ]), retries(1))
        assert route.advance(lost(), math.inf) > 0.0
        assert route.target is NOVITA
        with pytest.raises(TransportError):
            route.advance(lost(), math.inf)

    def test_failover_does_not_use_up_a_retry(self) -> None:
        route = Route(iter([AUTO, NOVITA, GROQ, NSCALE]), retries(1))
        for _ in range(3):
            route.advance(BUSY, math.inf)
        assert route.advance(BUSY, math.inf) > 0.0

    def test_without_retries_only_the_first_target_is_tried(self) -> None:
        route = Route(iter([NOVITA, GROQ]), retries(0))
        with pytest.raises(ServerError):
            route.advance(BUSY, math.inf)
        assert route.target is NOVITA

    @pytest.mark.parametrize(
        "error",
        [
            BAD,
            AuthenticationError("key", status_code=401),
            PaymentRequiredError("credits", status_code=402),
            PermissionDeniedError("no", status_code=403),
            NotFoundError("route", status_code=404),
            ModelNotSupportedError("nobody", status_code=400),
            StreamCancelledError("cancelled"),
            RequestTimeoutError("not done", clock="total"),
            TransportError("refused"),
        ],
        ids=str,
    )
    def test_a_permanent_error_is_raised_at_once(self, error: HFTextError) -> None:
        route = Route(iter([AUTO, NOVITA]), retries(5))
        with pytest.raises(type(error)) as caught:
            route.advance(error, math.inf)
        assert caught.value is error
        assert route.target is AUTO

    def test_failover_does_not_wait_for_the_retry_after_of_the_first(self) -> None:
        route = Route(iter([AUTO, GROQ]), retries(1))
        error = RateLimitError("slow down", status_code=429, provider="novita", retry_after=3600.0)
        assert route.advance(error, 5.0) == 0.0
        assert route.target is GROQ

    def test_a_wait_that_does_not_fit_is_refused(self) -> None:
        route = Route(iter([AUTO]), retries(5))
        with pytest.raises(RateLimitError, match="asks for a wait of 30 s"):
            route.advance(RateLimitError("slow down", status_code=429, retry_after=30.0), 5.0)


class TestPause:
    @pytest.mark.parametrize(("retry", "most"), [(1, 0.25), (2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0), (6, 8.0), (7, 8.0)])
    def test_the_pause_grows_to_eight_seconds_with_jitter(self, retry: int, most: float) -> None:
        pauses = [next_pause(BUSY, retry, math.inf) for _ in range(200)]
        assert most / 2 <= min(pauses) < max(pauses) <= most

    def test_the_pause_stays_at_its_maximum(self) -> None:
        assert next_pause(BUSY, 2_000, math.inf) <= 8.0

    @pytest.mark.parametrize(("left", "pause"), [(0.1, 0.1), (0.0, 0.0), (-1.0, 0.0)])
    def test_the_pause_fits_the_total_timeout(self, left: float, pause: float) -> None:
        assert next_pause(BUSY, 6, left) == pause

    @pytest.mark.parametrize("asked", [0.0, 0.05, 7.0, 60.0])
    @pytest.mark.parametrize("cls", [RateLimitError, ServerError])
    def test_retry_after_is_respected_exactly(self, cls: type[APIStatusError], asked: float) -> None:
        assert next_pause(cls("busy", status_code=503, retry_after=asked), 1, math.inf) == asked
        assert next_pause(cls("busy", status_code=503, retry_after=asked), 9, 60.0) == asked

    @pytest.mark.parametrize(
        ("asked", "left"), [(60.5, math.inf), (1e14, math.inf), (7.0, 6.9), (0.5, 0.0), (math.inf, math.inf)]
    )
    def test_a_wait_longer_than_the_call_or_a_minute_is_refused_with_a_reason(self, asked: float, left: float) -> None:
        error = RateLimitError("slow down", status_code=429, retry_after=asked)
        with pytest.raises(RateLimitError) as caught:
            next_pause(error, 1, left)
        assert caught.value is error
        assert str(error) == f"slow down. Not retried: the server asks for a wait of {asked:g} s."
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_policies_match_the_router() -> None:
    assert POLICIES == ("auto", "fastest", "cheapest", "preferred")


class TestCheckProvider:
    @pytest.mark.parametrize("name", [*POLICIES, "novita", "fireworks-ai", "zai-org", "acme.cloud", "a/models/b_c"])
    def test_a_provider_is_accepted_alone_or_in_a_list(self, name: str) -> None:
        assert check_provider(name) == check_provider([name]) == check_provider((name,)) == (name,)

    def test_the_order_is_kept(self) -> None:
        assert check_provider(["groq", "auto", "novita"]) == ("groq", "auto", "novita")

    @pytest.mark.parametrize("value", [None, 5, [], (), {}, {"novita"}, {"novita": 1}, iter(["novita"]), object])
    def test_other_types_are_refused(self, value: Any) -> None:
        with pytest.raises(InvalidRequestError, match="provider must be a name, a policy or a list of names, not"):
            check_provider(value)

    @pytest.mark.parametrize(
        "name",
        [
            *("", " ", "no vita", "novita\n", "a:b", "a?b", "a#b", "nov\x00ita", None, 5, b"a", ["a"]),
            *("../x", "a/../b", "..", ".", "a/./b", "/a", "a/", "a//b", "%2e%2e/x", "..\\x"),
        ],
    )
    def test_an_invalid_name_is_refused_and_shown(self, name: Any) -> None:
        with pytest.raises(InvalidRequestError, match="is not a provider name") as caught:
            check_provider(["groq", name])
        assert repr(name) in str(caught.value)

    def test_bytes_are_not_a_name(self) -> None:
        with pytest.raises(InvalidRequestError, match="provider"):
            check_provider(b"novita")  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", ["x " * 500, ["x " * 500], dict.fromkeys(range(500))])
    def test_only_the_start_of_a_long_name_is_shown(self, value: Any) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            check_provider(value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(("message", "helps"), [("too many images", False), ("it is not a multimodal model", True)])
def test_the_model_name_does_not_affect_error_classification(message: str, helps: bool) -> None:
    model = "acme/Seer-Multimodal-7B"
    error = BadRequestError(f"{model}: {message} (model {model})", status_code=400, provider="novita", model=model)
    assert can_fail_over(error, Target("http://localhost/v1/chat/completions", model)) is helps
