"""The model catalogue: available models and their providers, caching, and malformed answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hf_text import (
    APIStatusError,
    Client,
    InvalidRequestError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    Timeouts,
    TransportError,
)
from hf_text.emulator import Emulator, Response, build_model
from hf_text.transport.call import Call, Interrupted
from hf_text.tuning import Tuning

MakeClient = Callable[..., Client]

MODELS = "/v1/models"
SMALL = "/api/models/emulator/small"


@pytest.fixture
def other_host() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


def paths(emulator: Emulator) -> list[str]:
    return [request.path for request in emulator.requests]


ASKING: dict[str, tuple[str, Callable[[Client], object]]] = {
    "models": (MODELS, lambda client: client.models()),
    "mapping": (SMALL, lambda client: client.mapping("emulator/small")),
    "hub_models": ("/api/models", lambda client: list(client.hub_models())),
}

asking = pytest.mark.parametrize(("path", "ask"), ASKING.values(), ids=ASKING)

# --- caching


def test_responses_are_cached_for_five_minutes(emulator: Emulator, make_client: MakeClient) -> None:
    times = iter([100.0, 100.0, 399.0, 401.0, 401.0])  # read at each lookup and when a response is cached
    client = make_client(tuning=Tuning(clock=lambda: next(times)))
    client.mapping("emulator/small")
    client.mapping("emulator/small")
    assert len(emulator.requests) == 1
    client.mapping("emulator/small")
    assert len(emulator.requests) == 2


@asking
def test_failures_are_not_cached(
    emulator: Emulator, make_client: MakeClient, path: str, ask: Callable[[Client], object]
) -> None:
    client = make_client(max_retries=0)
    emulator.reply("server-error", path=path)
    with pytest.raises(ServerError):
        ask(client)
    assert ask(client)


def test_the_hub_listing_is_not_cached(emulator: Emulator, client: Client) -> None:
    for _ in range(2):
        next(client.hub_models(limit=1))
    assert paths(emulator) == ["/api/models"] * 2


def test_a_full_cache_is_emptied(emulator: Emulator, make_client: MakeClient) -> None:
    client = make_client(tuning=Tuning(max_cached=2))
    for name in ("emulator/small", "emulator/no-tools", "openai/gpt-oss-20b", "emulator/small"):
        client.mapping(name)
    assert len(emulator.requests) == 4


def test_many_threads_can_query_concurrently(client: Client) -> None:
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(len(client.models()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(counts) == 8
    assert len(set(counts)) == 1


# --- bad answers

BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "a web page": ("html-200", APIStatusError, "sent an HTML page instead of JSON: "),
    "nothing": (Response(), APIStatusError, "did not send JSON"),
    "deep": (Response(body=b"[" * 100_000), APIStatusError, "did not send JSON"),
    "another value": (Response.json("hello"), APIStatusError, 'it sent "hello"'),
    "an error in HTML": (Response.html(403, "Forbidden"), APIStatusError, "403 Forbidden"),
    "a deep error": (Response(500, body=b"[" * 60_000), ServerError, r"\[\["),
    "a less deep error": (Response(500, body=b"[" * 450 + b"]" * 450), ServerError, "500"),
    "not HTTP": ("not-http", TransportError, "cannot reach"),
}


@asking
@pytest.mark.parametrize(("reply", "error", "message"), BAD.values(), ids=BAD)
def test_an_invalid_listing_is_an_error_that_names_the_host(
    emulator: Emulator,
    make_client: MakeClient,
    path: str,
    ask: Callable[[Client], object],
    reply: Any,
    error: type[Exception],
    message: str,
) -> None:
    emulator.reply(reply, path=path)
    with pytest.raises(error, match=message) as caught:
        ask(make_client(max_retries=0))
    assert emulator.url.removeprefix("http://") in str(caught.value)


@asking
@pytest.mark.parametrize("fault", ["server-error", "bad-gateway-html", "closed-before-headers", "truncated-json"])
def test_a_query_is_retried(
    emulator: Emulator, client: Client, path: str, ask: Callable[[Client], object], fault: str
) -> None:
    emulator.reply(fault, fault, path=path)
    assert ask(client)
    assert paths(emulator) == [path] * 3


@asking
def test_query_retries_are_limited(
    emulator: Emulator, make_client: MakeClient, path: str, ask: Callable[[Client], object]
) -> None:
    emulator.always("truncated-json", path=path)
    with pytest.raises(TransportError, match="cut the response off"):
        ask(make_client(max_retries=1))
    assert paths(emulator) == [path] * 2


@pytest.mark.parametrize("fault", ["no-permission", "model-withdrawn", "credits-used-up", "html-200"])
def test_a_refusal_is_not_retried(emulator: Emulator, client: Client, fault: str) -> None:
    emulator.always(fault, path=MODELS)
    with pytest.raises(APIStatusError):
        client.models()
    assert paths(emulator) == [MODELS]


def test_a_rate_limit_of_minutes_is_raised_instead_of_waited_for(emulator: Emulator, client: Client) -> None:
    message = "We had to rate limit your IP (127.0.0.1)."
    emulator.reply(Response.error(429, message, "string", headers={"RateLimit": '"api";r=0;t=222'}), path="/api/models")
    with pytest.raises(RateLimitError, match=r"asks for a wait of 223 s") as caught:
        list(client.hub_models())
    assert caught.value.retry_after == 223


def test_a_later_page_is_retried(emulator: Emulator, client: Client) -> None:
    first = Response.json([{"id": "a/b"}], headers={"Link": '</api/models?cursor=x>; rel="next"'})
    emulator.reply(first, "server-error", Response.json([{"id": "c/d"}]), path="/api/models")
    assert [model.id for model in client.hub_models()] == ["a/b", "c/d"]


# --- timeouts


@asking
@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-after-headers"])
def test_an_unanswered_query_ends_by_the_first_timeout(
    emulator: Emulator, make_client: MakeClient, path: str, ask: Callable[[Client], object], fault: str
) -> None:
    emulator.reply(fault, path=path)
    with pytest.raises(RequestTimeoutError) as caught:
        ask(make_client(timeout=Timeouts(first=0.1)))
    assert caught.value.clock == "first"
    assert paths(emulator) == [path]


@asking
def test_the_total_timeout_ends_the_pause_between_attempts(
    emulator: Emulator,
    make_client: MakeClient,
    path: str,
    ask: Callable[[Client], object],
) -> None:
    emulator.always("server-error", path=path)
    with pytest.raises(RequestTimeoutError) as caught:
        ask(make_client(timeout=Timeouts(total=0.1), tuning=Tuning(first_pause=10.0)))
    assert caught.value.clock == "total"
    assert paths(emulator) == [path]


def test_each_page_has_the_full_timeout(emulator: Emulator, make_client: MakeClient) -> None:
    """The caller may do other work between two pages."""
    link = {"Link": '</api/models?cursor=x>; rel="next"'}
    emulator.reply(
        Response.json([{"id": "a/b"}], headers=link, delay=0.15),
        Response.json([{"id": "c/d"}], delay=0.15),
        path="/api/models",
    )
    models = make_client(timeout=Timeouts(total=0.25)).hub_models()
    assert [model.id for model in models] == ["a/b", "c/d"]


def test_a_query_can_be_cancelled(emulator: Emulator, client: Client) -> None:
    emulator.reply("stall-before-headers", path=MODELS)
    call = Call(Timeouts())
    ended: list[object] = []

    def ask() -> None:
        try:
            client.operations.models(call)
        except Interrupted as interruption:
            ended.append(interruption.clock)

    thread = threading.Thread(target=ask)
    thread.start()
    emulator.wait_for_requests(1)
    call.cancel()
    thread.join(5)
    assert ended == [None]
    emulator.wait_for_disconnect()


# --- request destinations


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("a b/c?d#e", "/api/models/a%20b/c%3Fd%23e"),
        ("ü/ß", "/api/models/%C3%BC/%C3%9F"),
        ("a/b%2Fc", "/api/models/a/b%252Fc"),
    ],
)
def test_names_are_quoted_in_urls(emulator: Emulator, client: Client, name: str, target: str) -> None:
    emulator.reply(Response.json({"id": name}), path="/api/*")
    assert client.mapping(name) == {}
    assert emulator.requests[0].target.partition("?")[0] == target
    assert emulator.requests[0].query == {"expand[]": ["inferenceProviderMapping"]}


@asking
def test_a_redirect_to_another_host_is_not_followed(
    emulator: Emulator, other_host: Emulator, client: Client, path: str, ask: Callable[[Client], object]
) -> None:
    emulator.reply(Response.redirect(f"{other_host.url}{path}"), path=path)
    with pytest.raises(TransportError, match="another host"):
        ask(client)
    assert other_host.requests == []


@asking
def test_a_redirect_loop_ends(emulator: Emulator, client: Client, path: str, ask: Callable[[Client], object]) -> None:
    emulator.always(Response.redirect(path), path=path)
    with pytest.raises(TransportError, match="redirects too often"):
        ask(client)
    assert len(emulator.requests) == 6


@asking
def test_an_invalid_key_is_reported_as_such(
    emulator: Emulator,
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    ask: Callable[[Client], object],
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_with a blank")
    with pytest.raises(InvalidRequestError, match="HF_TOKEN"):
        ask(make_client(None))
    assert emulator.requests == []


def test_the_models_of_another_server_need_no_providers(make_client: MakeClient, other_host: Emulator) -> None:
    llama = {"id": "tiny", "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}
    other_host.reply(Response.json({"models": [{"name": "tiny"}], "data": [llama]}), path=MODELS)
    (model,) = make_client(None, other_host.api_base).models()
    assert (model.id, model.owned_by, model.context_length, model.vision, model.price) == (
        "tiny",
        "llamacpp",
        4096,
        None,
        None,
    )


def test_chat_model_names_come_from_the_listing(emulator: Emulator, client: Client) -> None:
    error = {"provider": "novita", "status": "error"}
    painter = {"provider": "fal-ai", "task": "text-to-image"}
    emulator.models = [
        build_model("a/chat", "novita"),
        build_model("a/error", error),
        build_model("a/painter", painter),
    ]
    assert client.operations.chat_models() == ["a/chat"]
    assert client.operations.chat_models() == ["a/chat"]
    assert paths(emulator) == ["/api/models"]
