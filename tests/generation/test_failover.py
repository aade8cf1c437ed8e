"""Failover: which answers lead to another provider, in which order, and within which limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hf_text import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Client,
    HFTextError,
    MalformedStreamError,
    ModelNotSupportedError,
    PaymentRequiredError,
    PermissionDeniedError,
    Reasoning,
    RequestTimeoutError,
    ServerError,
    StreamError,
    Timeouts,
    TransportError,
    TruncatedStreamError,
)
from hf_text.emulator import Emulator, Gate, Request, Response, build_model
from hf_text.emulator.emulator import Scripted

pytestmark = pytest.mark.every_client

MakeClient = Callable[..., Client]

MODEL = "a/b"
UNIFIED = "/v1/chat/completions"
HELLO = Response.text("Hello")


@pytest.fixture
def hf(emulator: Emulator) -> Emulator:
    """Serves one model through five providers, three of them usable."""
    painter = {"provider": "fal-ai", "task": "text-to-image"}
    broken = {"provider": "together", "status": "error"}
    emulator.models = [build_model(MODEL, "groq", painter, "novita", broken, "cerebras")]
    return emulator


def asked(hf: Emulator) -> list[str]:
    """The requests in order: the suffix of the model, the path of a provider's own route, or ``"mapping"``."""
    return [_describe(request) for request in hf.requests]


def _describe(request: Request) -> str:
    if request.method == "GET":
        return "mapping" if request.path == f"/api/models/{MODEL}" else request.path
    if request.path != UNIFIED:
        return request.path.removesuffix(UNIFIED).lstrip("/")
    return str(request.json["model"]).removeprefix(MODEL) or "auto"


def by(provider: str, status: int, message: str, shape: str = "openai", **fields: Any) -> Response:
    return Response.error(status, message, shape, provider, **fields)


# --- answers that lead to failover

HELPED: dict[str, Scripted] = {
    "400 vision": by("novita", 400, "model features vision not support", "novita"),
    "400 tools": by("novita", 400, "model features function calling not support", "novita"),
    "400 not multimodal": by("nebius", 400, "Invalid request. a/b is not a multimodal model", "detail"),
    "400 list content": by("groq", 400, "messages[0].content must be a string"),
    "400 extra inputs": by("fireworks-ai", 400, "Extra inputs are not permitted, field: 'seed'", "fireworks"),
    "402 of a provider": "provider-payment",
    "404 of a provider": by("novita", 404, "Model a/b does not exist", "string"),
    "408": by("novita", 408, "Request timeout"),
    "410": "model-withdrawn",
    "424": by("nebius", 424, "Request failed during generation", "tgi", code="generation"),
    "429 of a provider": "rate-limited",
    "500": "server-error",
    "500 novita": "server-error-novita",
    "500 empty": "empty-500",
    "502 of the gateway": "bad-gateway-html",
    "503 of the gateway": "unavailable-html",
    "504 of the gateway": "gateway-timeout-html",
    "an empty body": "empty-body",
    "only [DONE]": "done-only",
    "an error first": "error-first",
    "a web page": "html-200",
    "a stream that breaks off before any text": Response.text("", finish=None, done=False),
    "broken JSON first": Response.sse('{"choices": [', done=False),
    "deep JSON first": Response.sse("[" * 100_000, done=False),
    "deep JSON in one piece": Response(body=b"[" * 100_000),
}


@pytest.mark.parametrize("reply", HELPED.values(), ids=HELPED)
def test_another_provider_is_tried_after(hf: Emulator, client: Client, reply: Scripted) -> None:
    hf.reply(reply, HELLO)
    completion = client.generate("Hi", MODEL)
    assert completion.text == "Hello"
    first, second = completion.attempts
    assert first.error is not None
    assert second.error is None
    failed = first.provider if first.provider in ("groq", "novita", "cerebras") else None
    assert asked(hf) == ["auto", "mapping", ":novita" if failed == "groq" else ":groq"]


@pytest.mark.parametrize("name", ["stall-before-headers", "stall-after-headers", "keep-alive-comments-only"])
def test_another_provider_is_tried_after_a_first_token_timeout(
    hf: Emulator, make_client: MakeClient, name: str
) -> None:
    hf.reply(name, HELLO)
    completion = make_client(timeout=Timeouts(first=0.1)).generate("Hi", MODEL)
    assert completion.text == "Hello"
    assert asked(hf) == ["auto", "mapping", ":groq"]
    assert "timeout: first" in str(completion.attempts[0].error)


STOPPED: dict[str, tuple[Scripted, type[HFTextError]]] = {
    "401": ("bad-key", AuthenticationError),
    "402 of the account": ("credits-used-up", PaymentRequiredError),
    "402 of the account by way of a provider": (
        by("novita", 402, "You have exceeded your monthly included credits", "string"),
        PaymentRequiredError,
    ),
    "403": ("no-permission", PermissionDeniedError),
    "403 of a provider": (by("novita", 403, "Forbidden"), PermissionDeniedError),
    "404 of the router": (Response.error(404, "Not Found", "text"), APIStatusError),
    "400 of the request": (by("novita", 400, "max_tokens is too large"), BadRequestError),
    "422 of the request": (by("novita", 422, "Input validation error", "tgi"), BadRequestError),
    "413": (by("novita", 413, "Payload too large", "text"), BadRequestError),
}


@pytest.mark.parametrize(("reply", "error"), STOPPED.values(), ids=STOPPED)
def test_no_other_provider_is_tried_after(
    hf: Emulator, client: Client, reply: Scripted, error: type[HFTextError]
) -> None:
    hf.reply(reply, HELLO)
    with pytest.raises(error) as caught:
        client.generate("Hi", MODEL)
    assert asked(hf) == ["auto"]
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize(("model", "code"), [("no/such", "model_not_found"), ("a/nobody", "model_not_supported")])
def test_an_unserved_model_is_refused_at_once(hf: Emulator, client: Client, model: str, code: str) -> None:
    hf.models = [*hf.models, build_model("a/nobody")]
    with pytest.raises(ModelNotSupportedError) as caught:
        client.generate("Hi", model)
    assert caught.value.code == code
    assert [request.path for request in hf.requests] == [UNIFIED, "/v1/models"]  # the second finds similar names


def test_a_busy_router_is_retried_instead_of_failing_over(hf: Emulator, client: Client) -> None:
    """429 without a provider's name concerns the account or the address, so every provider would return it."""
    hf.reply(Response.error(429, "Too many requests", "string", headers={"Retry-After": "0"}), HELLO)
    assert str(client.generate("Hi", MODEL)) == "Hello"
    assert asked(hf) == ["auto", "auto"]


def test_an_unreachable_router_is_not_replaced_by_its_providers(hf: Emulator, make_client: MakeClient) -> None:
    hf.always("closed-before-headers")
    with pytest.raises(TransportError):
        make_client(max_retries=1).generate("Hi", MODEL)
    assert asked(hf) == ["auto", "auto"]


# --- the order


def test_other_providers_are_tried_in_account_order(hf: Emulator, client: Client) -> None:
    hf.reply("bad-gateway-html", by("groq", 500, "Down"), by("novita", 500, "Down"), HELLO)
    assert str(client.generate("Hi", MODEL)) == "Hello"
    assert asked(hf) == ["auto", "mapping", ":groq", ":novita", ":cerebras"]


def test_the_failed_provider_is_not_tried_again_by_name(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500, "Internal server error"), by("novita", 500, "Internal server error"), HELLO)
    assert str(client.generate("Hi", MODEL)) == "Hello"
    assert asked(hf) == ["auto", "mapping", ":novita", ":cerebras"]


def test_the_mapping_is_fetched_once_for_many_calls(hf: Emulator, client: Client) -> None:
    for provider in ("groq", "novita"):
        hf.reply(by(provider, 400, "model features vision not support", "novita"), HELLO)
        client.generate("Hi", MODEL)
    assert asked(hf) == ["auto", "mapping", ":novita", "auto", ":groq"]


def test_without_a_failure_no_mapping_is_fetched(hf: Emulator, client: Client) -> None:
    client.generate("Hi", MODEL)
    assert asked(hf) == ["auto"]


@pytest.mark.parametrize("policy", ["fastest", "cheapest", "preferred"])
def test_a_policy_allows_failover(hf: Emulator, client: Client, policy: str) -> None:
    hf.reply("bad-gateway-html", HELLO)
    client.generate("Hi", MODEL, provider=policy)
    hf.reply(by("cerebras", 400, "not a multimodal model", "detail"), HELLO)
    client.generate("Hi", f"{MODEL}:{policy}")
    assert asked(hf)[:3] == [f":{policy}", "mapping", ":groq"]


def test_when_all_providers_fail_the_last_error_has_all_attempts(hf: Emulator, client: Client) -> None:
    hf.always(lambda request: by("novita" if "novita" in request.json["model"] else "groq", 500, "Down"))
    with pytest.raises(ServerError) as caught:
        client.generate("Hi", MODEL)
    assert asked(hf)[:4] == ["auto", "mapping", ":novita", ":cerebras"]
    assert [attempt.status for attempt in caught.value.attempts] == [500] * 5  # with two retries of the last
    assert asked(hf)[4:] == [":cerebras", ":cerebras"]


def test_when_every_provider_requires_payment_that_is_the_error(hf: Emulator, client: Client) -> None:
    hf.always("provider-payment")
    with pytest.raises(PaymentRequiredError) as caught:
        client.generate("Hi", MODEL)
    assert caught.value.scope == "provider"
    assert asked(hf) == ["auto", "mapping", ":groq", ":novita", ":cerebras"]


def test_an_account_without_credits_ends_the_search(hf: Emulator, client: Client) -> None:
    hf.reply("server-error", "credits-used-up", HELLO)
    with pytest.raises(PaymentRequiredError) as caught:
        client.generate("Hi", MODEL)
    assert caught.value.scope == "account"
    assert [attempt.status for attempt in caught.value.attempts] == [500, 402]


@pytest.mark.parametrize("name", ["server-error", "bad-key", "html-200", "closed-before-headers"])
def test_without_a_mapping_the_first_error_is_raised(hf: Emulator, make_client: MakeClient, name: str) -> None:
    hf.reply("model-withdrawn")
    hf.always(name, path=f"/api/models/{MODEL}")
    with pytest.raises(ModelNotSupportedError) as caught:
        make_client(max_retries=1).generate("Hi", MODEL)
    assert caught.value.status_code == 410
    assert len(caught.value.attempts) == 1


def test_without_a_mapping_the_router_is_retried(hf: Emulator, client: Client) -> None:
    hf.reply("bad-gateway-html", HELLO)
    hf.always("bad-key", path=f"/api/models/{MODEL}")
    assert str(client.generate("Hi", MODEL)) == "Hello"
    assert asked(hf) == ["auto", "mapping", "auto"]


# --- a provider chosen by the caller


@pytest.mark.parametrize(
    ("model", "provider"),
    [(MODEL, "novita"), (f"{MODEL}:novita", None), (f"{MODEL}:novita", "auto"), (MODEL, ["novita"])],
)
def test_a_chosen_provider_is_retried_and_not_replaced(
    hf: Emulator, client: Client, model: str, provider: str | list[str] | None
) -> None:
    hf.always("server-error-novita")
    with pytest.raises(ServerError) as caught:
        client.generate("Hi", model, provider=provider)
    assert asked(hf) == [":novita"] * 3
    assert [attempt.provider for attempt in caught.value.attempts] == ["novita"] * 3


def test_a_list_of_providers_is_an_order(hf: Emulator, make_client: MakeClient) -> None:
    hf.reply(by("cerebras", 500, "Down"), by("groq", 410, "Gone"), HELLO)
    assert str(make_client(provider=["cerebras", "groq", "novita"]).generate("Hi", MODEL)) == "Hello"
    assert asked(hf) == [":cerebras", ":groq", ":novita"]


def test_providers_outside_a_list_are_not_tried(hf: Emulator, client: Client) -> None:
    hf.always(lambda request: by(request.json["model"].partition(":")[2], 410, "Gone"))
    with pytest.raises(APIStatusError):
        client.generate("Hi", MODEL, provider=["cerebras", "groq"])
    assert asked(hf) == [":cerebras", ":groq"]


def test_a_policy_at_the_end_of_a_list_allows_any_provider(hf: Emulator, client: Client) -> None:
    hf.reply(by("cerebras", 500, "Down"), by("groq", 500, "Down"), HELLO)
    assert str(client.generate("Hi", MODEL, provider=["cerebras", "auto"])) == "Hello"
    assert asked(hf) == [":cerebras", "auto", "mapping", ":novita"]


ROUTE = "hf-inference/models/google/gemma-3-27b-it"


def test_a_provider_route_is_requested_by_its_path(hf: Emulator, client: Client) -> None:
    hf.reply(HELLO, path=f"/{ROUTE}{UNIFIED}")
    completion = client.generate("Hi", MODEL, provider=ROUTE)
    assert asked(hf) == [ROUTE]
    assert (completion.provider, completion.attempts[0].provider) == (ROUTE, ROUTE)


REFUSALS: dict[str, Scripted] = {
    "not supported": Response.error(400, "Model not supported by provider hf-inference", "string"),
    "a plain 400": Response.error(400, "Something else", "string"),
    "not found": Response.error(404, "Not Found", "text"),
    "down": "unavailable-html",
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_the_rest_of_the_list_follows_a_provider_route(hf: Emulator, client: Client, refusal: Scripted) -> None:
    """On a provider's own route, every refusal may concern that provider only."""
    hf.reply(refusal, path=f"/{ROUTE}{UNIFIED}")
    client.generate("Hi", MODEL, provider=[ROUTE, "novita"])
    assert asked(hf) == [ROUTE, ":novita"]


def test_another_server_has_no_failover(hf: Emulator, make_client: MakeClient) -> None:
    with Emulator() as server:
        server.always(by("novita", 500, "Down"))
        with pytest.raises(ServerError):
            make_client(None, server.api_base, max_retries=1).generate("Hi", MODEL)
        assert [request.path for request in server.requests] == [UNIFIED] * 2
        assert hf.requests == []


# --- the commit point

CUTS = ["cut-mid-stream", "reset-mid-stream", "error-in-stream", "no-finish-no-done", "broken-json"]


@pytest.mark.parametrize("name", CUTS)
def test_no_other_provider_is_tried_after_the_first_text(hf: Emulator, client: Client, name: str) -> None:
    hf.reply(name, HELLO)
    received: list[str] = []
    with pytest.raises(StreamError) as caught:
        received.extend(client.stream("Hi", MODEL))
    assert asked(hf) == ["auto"]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"


def test_no_other_provider_is_tried_after_the_first_reasoning(hf: Emulator, client: Client) -> None:
    hf.reply(Response.text(reasoning=["Hm"], finish=None, done=False), HELLO)
    events = client.stream("Hi", MODEL).events()
    assert Reasoning("Hm") in [next(events), next(events)]
    with pytest.raises(TruncatedStreamError):
        next(events)
    assert asked(hf) == ["auto"]


def test_after_the_first_text_a_timeout_is_final(hf: Emulator, make_client: MakeClient) -> None:
    hf.reply("stall-mid-stream", HELLO)
    with pytest.raises(RequestTimeoutError) as caught:
        make_client(timeout=Timeouts(gap=0.1)).generate("Hi", MODEL)
    assert caught.value.clock == "gap"
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"
    assert asked(hf) == ["auto"]


def test_a_broken_tool_call_was_not_yielded_and_is_retried(hf: Emulator, client: Client) -> None:
    calls = [("now", '{"zone": "Europe/Berlin"}')]
    hf.reply(Response.text(tool_calls=calls, finish=None, done=False), Response.text(tool_calls=calls))
    completion = client.generate("Hi", MODEL)
    assert [call.arguments for call in completion.tool_calls] == ['{"zone": "Europe/Berlin"}']
    assert asked(hf) == ["auto", "mapping", ":groq"]


def test_buffered_text_does_not_prevent_failover(hf: Emulator, client: Client) -> None:
    """White space and the beginning of a <think> tag are buffered until their meaning is clear."""
    hf.reply(Response.text("\n", "<thi", finish=None, done=False), HELLO)
    assert list(client.stream("Hi", MODEL)) == ["Hello"]
    assert asked(hf) == ["auto", "mapping", ":groq"]


def test_buffered_text_is_in_the_partial_answer(hf: Emulator, make_client: MakeClient) -> None:
    hf.reply(Response.text("\n", "<thi", finish=None, done=False))
    with pytest.raises(TruncatedStreamError) as caught:
        make_client(max_retries=0).generate("Hi", MODEL)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "\n<thi"


def test_the_answer_excludes_failed_attempts(hf: Emulator, client: Client) -> None:
    lost = Response.text(
        tool_calls=[("lost", "{}")], usage=(7, 7), finish=None, done=False, headers={"x-request-id": "1"}
    )
    hf.reply(lost, Response.text("Hello", provider="groq"))
    completion = client.generate("Hi", MODEL)
    assert (completion.text, completion.tool_calls, completion.usage) == ("Hello", (), None)
    assert (completion.provider, completion.request_id) == ("groq", None)


# --- how failover is reported


def test_every_attempt_is_on_the_completion_in_order(hf: Emulator, make_client: MakeClient) -> None:
    hf.reply(by("groq", 500, "Down"), "stall-before-headers", "done-only", Response.text("Hello", provider="groq"))
    hf.models = [build_model(MODEL, "groq", "novita", "cerebras", "together")]
    completion = make_client(timeout=Timeouts(first=0.1)).generate("Hi", MODEL)
    assert [(attempt.provider, attempt.status) for attempt in completion.attempts] == [
        ("groq", 500),
        ("novita", None),
        ("cerebras", 200),
        ("groq", 200),
    ]
    assert [attempt.error is None for attempt in completion.attempts] == [False, False, False, True]
    assert all(attempt.seconds > 0 for attempt in completion.attempts)
    assert sum(attempt.seconds for attempt in completion.attempts) <= completion.timings.total


def test_every_attempt_is_on_the_error_in_order(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500, "Down"), by("novita", 410, "Gone"), by("cerebras", 401, "Who are you?"))
    with pytest.raises(AuthenticationError) as caught:
        client.generate("Hi", MODEL)
    assert [(attempt.provider, attempt.status) for attempt in caught.value.attempts] == [
        ("groq", 500),
        ("novita", 410),
        ("cerebras", 401),
    ]
    reasons = [str(attempt.error).partition(" (")[0] for attempt in caught.value.attempts]
    assert reasons == ["Down", "Gone", "Who are you?"]
    assert caught.value.provider == "cerebras"
    assert caught.value.model == MODEL


def test_the_partial_answer_of_a_stream_error_has_the_attempts_too(hf: Emulator, client: Client) -> None:
    hf.reply(by("groq", 500, "Down"), "cut-mid-stream")
    with pytest.raises(TruncatedStreamError) as caught:
        client.generate("Hi", MODEL)
    partial = caught.value.partial
    assert partial is not None
    assert partial.attempts == caught.value.attempts
    assert [attempt.status for attempt in partial.attempts] == [500, 200]
    assert (partial.finish_reason, partial.usage) == (None, None)


def test_a_stream_error_before_any_text_counts_as_an_attempt(hf: Emulator, client: Client) -> None:
    """An account error is final wherever it is reported; an error without a status may be the provider's."""
    hf.reply(Response.sse({"error": {"message": "Invalid credentials", "http_status_code": 401}}, done=False), HELLO)
    with pytest.raises(AuthenticationError) as caught:
        client.generate("Hi", MODEL)
    assert caught.value.status_code == 401
    assert len(caught.value.attempts) == 1
    hf.reply(Response.sse({"error": {"message": "Something broke"}}, done=False), HELLO)
    assert str(client.generate("Hi", MODEL)) != ""


# --- limits

ALL_FAULTS = [
    "server-error",
    "bad-gateway-html",
    "rate-limited",
    "model-withdrawn",
    "provider-payment",
    "done-only",
    "error-first",
    "html-200",
    "closed-before-headers",
    "reset-before-headers",
]


@pytest.mark.parametrize("name", ALL_FAULTS)
def test_without_retries_exactly_one_request_is_sent(hf: Emulator, make_client: MakeClient, name: str) -> None:
    client = make_client(max_retries=0)
    for number in (1, 2):  # the second call must not fail over either
        hf.reply(name)
        with pytest.raises(HFTextError) as caught:
            client.generate("Hi", MODEL, provider=["auto", "novita"])
        assert len(caught.value.attempts) == 1
        assert len(hf.requests) == number


def test_the_total_timeout_covers_all_attempts(hf: Emulator, make_client: MakeClient) -> None:
    hf.always("stall-before-headers")
    with pytest.raises(RequestTimeoutError) as caught:
        make_client(timeout=Timeouts(first=0.2, total=0.3)).generate("Hi", MODEL)
    assert caught.value.clock == "total"
    assert len(caught.value.attempts) == 2
    assert asked(hf) == ["auto", "mapping", ":groq"]


def test_an_abandoned_stream_says_so_in_its_attempt(hf: Emulator, client: Client) -> None:
    gate = Gate()
    hf.reply(_held(gate))
    stream = client.stream("Hi", MODEL)
    assert next(iter(stream)) == "One"
    stream.close()
    (attempt,) = stream.partial.attempts
    assert (attempt.status, attempt.error) == (200, "the reader stopped before the end")


def _held(gate: Gate) -> Response:
    pieces = list(Response.text("One", " two").body)  # type: ignore[arg-type]
    return Response(headers={"Content-Type": "text/event-stream"}, body=[*pieces[:2], gate, *pieces[2:]])


def test_an_html_error_page_is_quoted_when_all_providers_failed(hf: Emulator, client: Client) -> None:
    hf.always("html-200")
    with pytest.raises(MalformedStreamError, match="Sign in to the network"):
        client.generate("Hi", MODEL, provider="novita")
