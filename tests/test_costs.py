"""Costs of answers: by the live prices of the provider that answered; None if unknown, never 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import hf_text
from hf_text import Completion, InvalidRequestError, TransportError, Usage
from hf_text.emulator import Emulator, Response, build_model

pytestmark = pytest.mark.every_client

CHEAP = {"provider": "novita", "pricing": {"input": 1.0, "output": 2.0}}
DEAR = {"provider": "groq", "pricing": {"input": 10.0, "output": 20.0}}
CACHING = {"provider": "together", "pricing": {"input": 1.0, "output": 2.0, "cached_input": 0.5}}
SILENT = {"provider": "nscale", "pricing": None}
FREE = {"provider": "cerebras", "pricing": {"input": 0.0, "output": 0.0}}
USAGE = Usage(1_000_000, 500_000, 1_500_000)


@pytest.fixture(autouse=True)
def models(emulator: Emulator) -> None:
    emulator.models = [
        build_model("a/b", CHEAP, DEAR, CACHING, SILENT, FREE),
        build_model("a/alike", CHEAP, CHEAP | {"provider": "groq"}),
    ]


def answer(provider: str | None, usage: Usage | None = USAGE, model: str = "a/b") -> Completion:
    return Completion(text="x", usage=usage, model=model, provider=provider)


@pytest.mark.parametrize(
    ("completion", "cost"),
    [
        (answer("novita"), 2.0),
        (answer("groq"), 20.0),
        (answer("groq", model="a/b:cheapest"), 20.0),
        (answer(None, model="a/b:groq"), 20.0),
        (answer(None), None),
        (answer(None, model="a/alike"), 2.0),
        (answer("gone"), None),
        (answer("nscale"), None),
        (answer("cerebras"), 0.0),
        (answer("novita", None), None),
        (answer("novita", Usage(0, 0, 0)), 0.0),
        (answer("together", Usage(1_000_000, 0, 1_000_000, cached_tokens=400_000)), 0.8),
        (answer("novita", Usage(1_000_000, 0, 1_000_000, cached_tokens=400_000)), 1.0),
        (answer("together", Usage(10, 0, 10, cached_tokens=400_000)), 5e-6),
        (answer("novita", model="a/unknown"), None),
    ],
    ids=str,
)
def test_an_answer_costs_the_price_of_its_provider(client: Any, completion: Completion, cost: float | None) -> None:
    assert client.cost(completion) == (None if cost is None else pytest.approx(cost))


def test_the_answering_provider_sets_the_price(emulator: Emulator, client: Any) -> None:
    emulator.reply("empty-500", Response.text("x", usage=(1_000_000, 0), provider="groq"))
    assert client.cost(client.generate("Hi", "a/b", provider=["novita", "groq"])) == pytest.approx(10.0)


def test_a_conversation_costs_the_sum_of_its_answers(
    emulator: Emulator, converse: Callable[..., Any], client: Any
) -> None:
    def paid(text: str, provider: str) -> Response:
        return Response.text(text, usage=(1_000_000, 0), provider=provider)

    emulator.reply(paid("one", "novita"), paid("two", "groq"), paid("three", "novita"))
    chat = converse(model="a/b")
    assert client.cost(chat) == 0
    chat.generate("First?")
    chat.retry()
    chat.undo()
    chat.generate("Second?")
    assert client.cost(chat) == pytest.approx(12.0)
    emulator.reply(Response.text("four", provider="novita"))
    chat.generate("Third?")
    assert client.cost(chat) is None  # the third answer has no usage


def test_a_parsed_value_costs_the_sum_of_its_attempts(emulator: Emulator, client: Any) -> None:
    tries = [Response.text(text, usage=(1_000_000, 0), provider="novita") for text in ("no", '{"value": 3}')]
    emulator.reply(*tries)
    assert client.cost(client.parse("Hi", int, "a/b", provider="novita")) == pytest.approx(2.0)


def test_each_model_is_looked_up_once(emulator: Emulator, client: Any) -> None:
    for _ in range(3):
        client.cost(answer("novita"))
    assert [request.path for request in emulator.requests] == ["/v1/models/a/b"]


def test_a_cached_list_is_used(emulator: Emulator, client: Any) -> None:
    client.models()
    client.cost(answer("novita"))
    client.model("a/b")
    assert [request.path for request in emulator.requests] == ["/v1/models"]


def test_a_single_model_is_looked_up_alone(emulator: Emulator, client: Any) -> None:
    assert client.model("a/b").price == 0.0
    assert [request.path for request in emulator.requests] == ["/v1/models/a/b"]


@pytest.mark.parametrize(
    "reply", [Response(404), Response(405), Response.json([]), Response.html(200), Response.json({})]
)
def test_a_server_without_single_model_lookup_gets_the_list_request(
    emulator: Emulator, client: Any, reply: Response
) -> None:
    emulator.always(reply, path="/v1/models/*")
    assert client.cost(answer("novita")) == pytest.approx(2.0)


def test_a_server_without_prices_has_no_costs(make_client: Callable[..., Any]) -> None:
    with Emulator() as server:
        server.always(Response.json({"data": [{"id": "a/b", "object": "model"}]}), path="/v1/models")
        server.always(Response(404), path="/v1/models/*")
        assert make_client(None, server.api_base).cost(answer(None)) is None


def test_openrouter_prices_are_read(make_client: Callable[..., Any]) -> None:
    pricing = {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0.0000001"}
    with Emulator() as server:
        server.always(Response.json({"data": [{"id": "a/b", "pricing": pricing}]}), path="/v1/models")
        server.always(Response(404), path="/v1/models/*")
        usage = Usage(1_000_000, 0, 1_000_000, cached_tokens=500_000)
        assert make_client(None, server.api_base).cost(answer(None, usage)) == pytest.approx(0.55)


def test_unavailable_prices_are_an_error(emulator: Emulator, client: Any) -> None:
    emulator.always("reset-before-headers", path="/v1/models*")
    with pytest.raises(TransportError):
        client.cost(answer("novita"))


@pytest.mark.parametrize("answers", [None, "x", [answer("novita")]], ids=str)
def test_values_without_answers_are_refused(client: Any, answers: Any) -> None:
    with pytest.raises(
        InvalidRequestError,
        match=r"answers must be a Completion \(of a stream: stream.completion\), a Conversation or a Parsed",
    ):
        client.cost(answers)


def test_the_catalogue_has_the_price_of_cached_input(client: Any) -> None:
    offers = {offer.provider: offer for offer in client.model("a/b").providers}
    assert (offers["together"].cached_input_price, offers["novita"].cached_input_price) == (0.5, None)
    assert isinstance(offers["novita"], hf_text.ModelProvider)
