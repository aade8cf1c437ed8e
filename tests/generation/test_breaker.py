"""The circuit breaker: a failed provider is skipped for half a minute if there is an alternative."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from hf_text import APIStatusError, Client, HFTextError, ServerError, StreamCancelledError, Timeouts
from hf_text.emulator import Emulator, Gate, Response, build_model
from hf_text.emulator.emulator import Scripted
from hf_text.generation.breaker import Breaker
from hf_text.generation.failover import Target
from hf_text.tuning import Tuning

MakeClient = Callable[..., Client]

MODEL = "a/b"
HELLO = Response.text("Hello")


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hf(emulator: Emulator) -> Emulator:
    """Serves one model through three providers."""
    emulator.models = [build_model(MODEL, "groq", "novita", "cerebras")]
    return emulator


@pytest.fixture
def client(make_client: MakeClient, clock: Clock) -> Client:
    return make_timed(make_client, clock)


def make_timed(make_client: MakeClient, clock: Clock, **options: Any) -> Client:
    return make_client(tuning=Tuning(first_pause=0.001, clock=clock), **options)


def asked(hf: Emulator) -> list[str]:
    """The provider suffixes of the requested models; ``"auto"`` without one."""
    models = [request.json["model"] for request in hf.requests if request.method == "POST"]
    return [model.removeprefix(MODEL) or "auto" for model in models]


def by(provider: str, status: int, message: str = "Down") -> Response:
    return Response.error(status, message, "openai", provider)


# --- end to end


def test_the_next_call_goes_straight_to_the_last_working_provider(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500))
    first = client.generate("Hi", MODEL)
    second = client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", ":novita"]
    assert (len(first.attempts), len(second.attempts)) == (2, 1)


def test_the_last_working_provider_is_preferred_over_the_mapping_order(hf: Emulator, client: Client) -> None:
    unable = by("novita", 400, "model features vision not support")
    hf.reply(by("groq", 500), unable)
    for _ in range(2):
        client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", ":cerebras", ":cerebras"]


def test_the_router_is_tried_again_after_half_a_minute(hf: Emulator, client: Client, clock: Clock) -> None:
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    clock.now += 29.9
    client.generate("Hi", MODEL)
    clock.now += 0.1
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", ":novita", "auto"]


def test_a_provider_that_still_fails_stays_open(hf: Emulator, client: Client, clock: Clock) -> None:
    for _ in range(2):
        hf.reply(by("groq", 500))
        client.generate("Hi", MODEL)
        clock.now += 30
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita"] * 3 + [":novita"]


# --- after the interval


@pytest.fixture
def failed(hf: Emulator, client: Client, clock: Clock) -> Client:
    """A client whose router's provider failed half a minute ago, and for which novita answered."""
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    clock.now += 30
    return client


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    with ThreadPoolExecutor(20) as pool:
        yield pool.submit


def test_one_call_probes_and_the_others_use_the_substitute(
    hf: Emulator, failed: Client, in_background: Callable[..., Future[Any]]
) -> None:
    gate = Gate()
    hf.reply(Response.text("It works", delay=gate))
    probe = in_background(failed.generate, "Hi", MODEL)
    assert gate.reached.wait(5)
    for _ in range(3):
        failed.generate("Hi", MODEL)
    gate.open()
    assert probe.result(5).text == "It works"
    failed.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita"] + ["auto"] + [":novita"] * 3 + ["auto"]


def test_only_one_of_many_concurrent_calls_probes(
    hf: Emulator, failed: Client, in_background: Callable[..., Future[Any]]
) -> None:
    gate, barrier, before = Gate(), threading.Barrier(20), len(hf.requests)
    hf.always(lambda request: HELLO if ":" in request.json["model"] else Response.text("It works", delay=gate))

    def ask() -> str:
        barrier.wait(5)
        return failed.generate("Hi", MODEL).text

    asking = [in_background(ask) for _ in range(20)]
    hf.wait_for_requests(before + 20)
    gate.open()
    assert [call.result(5) for call in asking].count("It works") == 1
    assert asked(hf)[2:].count("auto") == 1


def test_a_failed_probe_restarts_the_open_period(
    hf: Emulator, failed: Client, clock: Clock, in_background: Callable[..., Future[Any]]
) -> None:
    gate = Gate()
    hf.reply(replace(by("groq", 500), delay=gate))
    probe = in_background(failed.generate, "Hi", MODEL)
    assert gate.reached.wait(5)
    clock.now += 20
    gate.open()
    assert len(probe.result(5).attempts) == 2
    clock.now += 29
    failed.generate("Hi", MODEL)
    clock.now += 1
    failed.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita"] * 2 + [":novita", "auto"]


def test_a_cancelled_probe_delays_the_next_no_longer_than_a_failure(
    hf: Emulator, failed: Client, clock: Clock, in_background: Callable[..., Future[Any]]
) -> None:
    before = len(hf.requests)
    hf.reply("stall-before-headers")
    stream = failed.stream("Hi", MODEL)
    probe = in_background(list, stream)
    hf.wait_for_requests(before + 1)
    stream.cancel()
    with pytest.raises(StreamCancelledError):
        probe.result(5)
    failed.generate("Hi", MODEL)
    clock.now += 30
    failed.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", "auto", ":novita", "auto"]


def test_abandoned_streams_do_not_block_a_recovered_provider(hf: Emulator, failed: Client, clock: Clock) -> None:
    """An abandoned stream has no known outcome."""

    def leave() -> None:
        for _ in failed.stream("Hi", MODEL):
            break

    for _ in range(2):
        leave()
        leave()
        clock.now += 30
    leave()
    assert asked(hf) == ["auto", ":novita"] + ["auto", ":novita"] + ["auto"] * 3


def test_a_target_without_substitute_is_used_by_all_calls(hf: Emulator, make_client: MakeClient, clock: Clock) -> None:
    client, gate = make_timed(make_client, clock, max_retries=0), Gate()
    hf.reply(by("groq", 500), Response.text("It works", delay=gate))
    with pytest.raises(ServerError):
        client.generate("Hi", MODEL, provider="groq")
    clock.now += 30
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(client.generate, "Hi", MODEL, provider="groq")
        assert gate.reached.wait(5)
        client.generate("Hi", MODEL, provider="groq")
        gate.open()
        assert probe.result(5).text == "It works"
    assert asked(hf) == [":groq"] * 3


LASTING: dict[str, Scripted] = {
    "500": by("groq", 500),
    "402": by("groq", 402, "Pay me"),
    "404": by("groq", 404, "No such model"),
    "410": by("groq", 410, "Withdrawn"),
    "502 of the gateway": "bad-gateway-html",
    "an empty stream": "done-only",
    "a web page": "html-200",
    "an error first": "error-first",
    "the first token": "stall-before-headers",
}


@pytest.mark.parametrize("failure", LASTING.values(), ids=LASTING)
def test_an_error_of_the_provider_opens_the_breaker(
    hf: Emulator, make_client: MakeClient, clock: Clock, failure: Scripted
) -> None:
    client = make_timed(make_client, clock, timeout=Timeouts(first=0.1))
    hf.reply(failure, HELLO)
    for _ in range(2):
        client.generate("Hi", MODEL)
    assert asked(hf)[0] == "auto"
    assert asked(hf)[1] == asked(hf)[2] != "auto"


PASSING: dict[str, Response] = {
    "400 of the request": by("groq", 400, "model features vision not support"),
    "429": by("groq", 429, "Slow down"),
    "408": by("groq", 408),
    "500 of the request": by("groq", 500, "image input is not supported"),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING)
def test_other_errors_do_not_open_the_breaker(hf: Emulator, client: Client, failure: Response) -> None:
    """The next call may send another request, or come at a better time."""
    hf.reply(failure)
    for _ in range(2):
        client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", "auto"]


@pytest.mark.parametrize("failure", [by("groq", 401), by("groq", 403), Response.error(402, "Pay.", "string")])
def test_an_account_error_does_not_open_the_breaker(hf: Emulator, client: Client, failure: Response) -> None:
    hf.reply(failure)
    with pytest.raises(APIStatusError):
        client.generate("Hi", MODEL)
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", "auto"]


def test_a_stream_broken_after_its_first_text_does_not_open_the_breaker(hf: Emulator, client: Client) -> None:
    hf.reply("cut-mid-stream")
    with pytest.raises(HFTextError):
        client.generate("Hi", MODEL)
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", "auto"]


def test_the_failed_provider_is_tried_last(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    hf.always(lambda request: by(request.json["model"].partition(":")[2] or "groq", 410))
    with pytest.raises(APIStatusError):
        client.generate("Hi", MODEL)
    assert asked(hf)[2:] == [":novita", ":cerebras", "auto"]  # the router itself chose groq


def test_when_all_providers_failed_all_are_tried_again(hf: Emulator, client: Client) -> None:
    hf.always(lambda request: by(request.json["model"].partition(":")[2] or "groq", 410))
    for _ in range(2):
        with pytest.raises(APIStatusError):
            client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", ":cerebras"] * 2


def test_without_an_earlier_success_the_next_in_the_mapping_is_tried(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500), by("novita", 401))
    with pytest.raises(APIStatusError):
        client.generate("Hi", MODEL)
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", ":novita"]


def test_a_chosen_provider_is_always_tried(hf: Emulator, make_client: MakeClient, clock: Clock) -> None:
    client = make_timed(make_client, clock, max_retries=0)
    hf.reply(*[by("novita", 500)] * 2)
    for model, provider in [(f"{MODEL}:novita", None), (MODEL, "novita")]:
        with pytest.raises(ServerError):
            client.generate("Hi", model, provider=provider)
    client.generate("Hi", f"{MODEL}:novita")
    client.generate("Hi", MODEL, provider="novita")
    assert asked(hf) == [":novita"] * 4


def test_in_a_list_the_failed_provider_is_tried_last(hf: Emulator, client: Client) -> None:
    hf.reply(by("cerebras", 500))
    client.generate("Hi", MODEL, provider=["cerebras", "groq"])
    client.generate("Hi", MODEL, provider=["cerebras", "groq"])
    hf.reply(by("groq", 410))
    client.generate("Hi", MODEL, provider=["cerebras", "groq"])
    assert asked(hf) == [":cerebras", ":groq", ":groq", ":groq", ":cerebras"]


def test_a_list_has_no_substitutes_outside_it(hf: Emulator, client: Client) -> None:
    client.generate("Hi", MODEL, provider="novita")
    hf.reply(by("cerebras", 500))
    for _ in range(2):
        client.generate("Hi", MODEL, provider=["cerebras", "groq"])
    assert asked(hf) == [":novita", ":cerebras", ":groq", ":groq"]


def test_a_success_clears_a_provider(hf: Emulator, client: Client) -> None:
    hf.reply(by("novita", 410), HELLO)
    with pytest.raises(APIStatusError):
        client.generate("Hi", MODEL, provider="novita")
    client.generate("Hi", MODEL, provider="novita")
    client.generate("Hi", MODEL, provider=["novita", "groq"])
    assert asked(hf) == [":novita"] * 3


def test_a_failure_of_one_model_does_not_affect_another(hf: Emulator, client: Client) -> None:
    hf.models = [*hf.models, build_model("c/d", "groq", "novita")]
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    client.generate("Hi", "c/d")
    assert asked(hf) == ["auto", ":novita", "c/d"]


def test_a_failed_policy_is_substituted(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500))
    for _ in range(2):
        client.generate("Hi", f"{MODEL}:fastest")
    client.generate("Hi", f"{MODEL}:cheapest")
    assert asked(hf) == [":fastest", ":novita", ":novita", ":cheapest"]


def test_without_retries_the_request_goes_to_the_last_working_provider(
    hf: Emulator, make_client: MakeClient, clock: Clock
) -> None:
    client = make_timed(make_client, clock, max_retries=0)
    hf.reply(Response.text("Hello", provider="novita"), by("groq", 500))
    client.generate("Hi", MODEL)
    with pytest.raises(ServerError):
        client.generate("Hi", MODEL)
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", "auto", ":novita"]
    assert len(hf.requests) == 3


def test_a_route_that_never_works_is_skipped(hf: Emulator, client: Client) -> None:
    route = "hf-inference/models/a/b"
    for _ in range(2):
        client.generate("Hi", MODEL, provider=[route, "auto"])
    paths = [request.path for request in hf.requests]
    assert paths == [f"/{route}/v1/chat/completions", "/v1/chat/completions", "/v1/chat/completions"]


def test_clients_do_not_share_a_breaker(hf: Emulator, client: Client, make_client: MakeClient) -> None:
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    make_client().generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", "auto"]


def test_breaker_state_is_not_pickled(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500))
    client.generate("Hi", MODEL)
    with pickle.loads(pickle.dumps(client)) as copy:
        copy.generate("Hi", MODEL)
    assert asked(hf) == ["auto", ":novita", "auto"]


# --- the breaker in isolation

FIRST, SECOND, THIRD = (Target("http://host", f"m:{name}", name) for name in ("one", "two", "three"))


def test_failed_targets_are_sorted_last_in_order(clock: Clock) -> None:
    breaker = Breaker(Tuning(clock=clock))
    breaker.trip([SECOND, FIRST])
    assert list(breaker.sort([FIRST, SECOND, THIRD])) == [THIRD, FIRST, SECOND]


def test_a_target_is_not_probed_before_it_is_due() -> None:
    looked_for: list[Target] = []

    def targets() -> Any:
        for target in (FIRST, SECOND):
            looked_for.append(target)
            yield target

    assert next(Breaker().sort(targets())) == FIRST
    assert looked_for == [FIRST]


def test_a_working_target_has_no_substitute_and_a_failing_one_is_none(clock: Clock) -> None:
    breaker = Breaker(Tuning(skip_seconds=10, clock=clock))
    breaker.reset("m", [SECOND])
    assert breaker.substitute("m", FIRST) is None
    breaker.trip([FIRST])
    assert breaker.substitute("m", FIRST) == SECOND
    assert breaker.substitute("other", FIRST) is None
    breaker.trip([SECOND])
    assert breaker.substitute("m", FIRST) is None
    clock.now += 10
    assert breaker.substitute("m", FIRST) is None


def test_another_failure_does_not_release_all_probes(clock: Clock) -> None:
    breaker = Breaker(Tuning(skip_seconds=10, clock=clock))
    breaker.trip([FIRST])
    clock.now += 10
    breaker.trip([SECOND])
    assert list(breaker.sort([FIRST, THIRD])) == [FIRST, THIRD]
    assert list(breaker.sort([FIRST, THIRD])) == [THIRD, FIRST]
    breaker.reset("m", [FIRST])
    assert list(breaker.sort([FIRST, THIRD])) == list(breaker.sort([FIRST, THIRD])) == [FIRST, THIRD]


@pytest.mark.parametrize("works", [False, True], ids=["it fails", "it works"])
def test_one_call_probes_after_each_open_period(clock: Clock, works: bool) -> None:
    breaker = Breaker(Tuning(skip_seconds=10, clock=clock))
    for _ in range(3):
        if works:
            breaker.reset("m", [FIRST])
        breaker.trip([FIRST])
        clock.now += 10
        assert list(breaker.sort([FIRST, THIRD])) == [FIRST, THIRD]
        assert list(breaker.sort([FIRST, THIRD])) == [THIRD, FIRST]


def test_old_failures_are_forgotten(clock: Clock) -> None:
    breaker = Breaker(Tuning(clock=clock))
    for number in range(1000):
        breaker.trip([Target("http://host", f"m{number}")])
        breaker.reset(f"m{number}", [FIRST])
        clock.now += 1
    assert len(breaker._until) <= 61
    assert not breaker._probed
    breaker.reset("m", [SECOND])
    assert len(breaker._served) == 1


def test_threads_can_share_a_breaker(clock: Clock) -> None:
    breaker = Breaker(Tuning(clock=clock))
    failures: list[BaseException] = []

    def work(number: int) -> None:
        target = Target("http://host", f"m{number}")
        try:
            for _ in range(300):
                breaker.trip([target])
                assert breaker.is_open(target)
                list(breaker.sort([target, FIRST]))
                breaker.reset(f"m{number}", [target])
                assert not breaker.is_open(target)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
