"""The documented interface, in order: names, defaults and behaviour, on blocking, asyncio and trio."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest

from hf_text import (
    FinishReason,
    HFTextWarning,
    HuggingFaceAPI,
    ModelNotSupportedError,
    OpenaiTemplate,
    PaymentRequiredError,
    ProviderInfo,
    calculate_lenght,
    default_llama_model,
    default_vision_model,
)
from hf_text.callers import cached_operations
from hf_text.emulator import Emulator, Response, build_model

GEMMA = "google/gemma-3-27b-it"
OVERRIDE = "hf-inference/models/google/gemma-3-27b-it"
MODEL = "emulator/small"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)

Create = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", "hf_AKeyForTestsAndNothing")
    yield
    cached_operations.cache_clear()


def on_loop(backend: str, *args: Any, **options: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [event async for event in HuggingFaceAPI.create_async_generator(*args, **options)]

    return anyio.run(collect, backend=backend)


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def create(request: pytest.FixtureRequest) -> Create:
    """All events of ``create_generator``, or of ``create_async_generator`` on an event loop."""
    if request.param == "blocking":
        return lambda *args, **options: list(HuggingFaceAPI.create_generator(*args, **options))
    return partial(on_loop, request.param)


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def get_mapping(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``get_mapping``, or its blocking twin."""
    if request.param == "blocking":
        return HuggingFaceAPI.get_mapping_sync
    return lambda *args: anyio.run(HuggingFaceAPI.get_mapping, *args, backend=request.param)


def text_of(events: list[Any]) -> str:
    return "".join(event for event in events if isinstance(event, str))


def asked(emulator: Emulator) -> Any:
    return emulator.requests[-1].json


def turns(*contents: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(contents)]


# "HuggingFaceAPI is a subclass of OpenaiTemplate with these attributes."


def test_attributes() -> None:
    assert issubclass(HuggingFaceAPI, OpenaiTemplate)
    assert HuggingFaceAPI.label == "HuggingFace (Text Generation)"
    assert HuggingFaceAPI.parent == "HuggingFace"
    assert HuggingFaceAPI.url == "https://api-inference.huggingface.com"
    assert HuggingFaceAPI.api_base == "https://api-inference.huggingface.co/v1"
    assert HuggingFaceAPI.working is True
    assert HuggingFaceAPI.needs_auth is True
    assert HuggingFaceAPI.default_model == default_llama_model == "meta-llama/Llama-3.3-70B-Instruct"
    assert HuggingFaceAPI.default_vision_model == default_vision_model
    assert HuggingFaceAPI.provider_mapping == {GEMMA: {OVERRIDE: {"task": "conversational", "providerId": GEMMA}}}


# "get_model resolves an alias; ModelNotSupportedError is handled, not raised."


def test_get_model() -> None:
    assert HuggingFaceAPI.get_model("") == HuggingFaceAPI.default_model
    assert HuggingFaceAPI.get_model("llama-3") == "meta-llama/Llama-3.3-70B-Instruct"
    assert HuggingFaceAPI.get_model("nobody/knows-it") == "nobody/knows-it"
    with pytest.raises(ModelNotSupportedError):
        HuggingFaceAPI.get_model("nobody/knows-it", strict=True)


# "get_models lists the live models for conversation, and the overrides; when the listing fails, fallback_models."


def test_get_models(emulator: Emulator) -> None:
    emulator.models = [
        build_model("a/chats", "novita"),
        build_model("a/draws", {"provider": "novita", "task": "text-to-image"}),
    ]
    assert HuggingFaceAPI.get_models() == ["a/chats", GEMMA]
    cached_operations.cache_clear()
    emulator.always("server-error", path="/api/models")
    with pytest.warns(HFTextWarning, match="the models could not be listed"):
        assert HuggingFaceAPI.get_models(max_retries=0) == HuggingFaceAPI.fallback_models


# "get_mapping maps provider names to task and providerId; an override takes precedence over the Hub."


def test_get_mapping(emulator: Emulator, get_mapping: Callable[..., Any]) -> None:
    assert get_mapping(GEMMA) == HuggingFaceAPI.provider_mapping[GEMMA]
    assert emulator.requests == []
    mapping = get_mapping(MODEL, "hf_other")
    assert {entry["task"] for entry in mapping.values()} == {"conversational"}
    assert all(entry["providerId"] for entry in mapping.values())
    assert emulator.requests[-1].key == "hf_other"


# "create_async_generator yields ProviderInfo, then the text."


def test_an_answer_is_returned(emulator: Emulator, create: Create) -> None:
    emulator.reply(Response.text("One", " two", provider="novita"))
    events = create(MODEL, turns("Count"))
    assert isinstance(events[0], ProviderInfo)
    assert (events[0].name, events[0].model) == ("novita", MODEL)
    assert [type(event) for event in events].count(ProviderInfo) == 1
    assert text_of(events) == "".join(map(str, events)) == "One two"
    assert any(isinstance(event, FinishReason) for event in events)
    assert asked(emulator)["max_tokens"] == 2048


def test_it_is_an_async_generator() -> None:
    assert isinstance(HuggingFaceAPI.create_async_generator("", "Count"), AsyncGenerator)


# "No model and media given: the default vision model."


def test_media_is_sent(emulator: Emulator, create: Create) -> None:
    create("", turns("Look"), media=[(PNG, "a.png")])
    assert asked(emulator)["model"] == default_vision_model
    assert asked(emulator)["messages"][0]["content"][1]["type"] == "image_url"


# "An override's path is a route of the router; if that cannot serve, the Hub's mapping is tried."


def test_an_override_is_tried_first(emulator: Emulator, create: Create) -> None:
    emulator.models = [build_model(GEMMA, "novita")]
    emulator.reply(
        Response.error(400, "Model not supported by provider hf-inference"), path=f"/{OVERRIDE}/v1/chat/completions"
    )
    create(GEMMA, turns("Count"))
    paths = [request.path for request in emulator.requests if request.method == "POST"]
    assert paths[0] == f"/{OVERRIDE}/v1/chat/completions"
    assert paths[-1] == "/v1/chat/completions"


# "Messages longer than max_inputs_lenght: the first three and the last three, then the system messages and the last of
# the user, then that one alone; a single message is sent as it is."


def test_long_conversations_are_trimmed(emulator: Emulator, create: Create) -> None:
    def sent(messages: Any, limit: int | None) -> list[str]:
        create(MODEL, messages, max_inputs_lenght=limit)
        return [message["content"] for message in asked(emulator)["messages"]]

    nine = turns(*"abcdefghi")
    assert sent(nine, 9 * 17) == list("abcdefghi")
    with pytest.warns(HFTextWarning, match="trimmed from 153 characters to 102, because of max_inputs_lenght=110"):
        assert sent(nine, 110) == ["a", "b", "c", "g", "h", "i"]
    with pytest.warns(HFTextWarning):
        assert sent([{"role": "system", "content": "s"}, *nine], 40) == ["s", "i"]
    with pytest.warns(HFTextWarning):
        assert sent(nine, 17) == ["i"]
    assert sent(turns("x" * 20_000), 10) == ["x" * 20_000]
    assert sent(turns("x" * 9000, "y" * 9000), None) == ["x" * 9000, "y" * 9000]


def test_ten_thousand_is_the_default(emulator: Emulator, create: Create) -> None:
    with pytest.warns(HFTextWarning, match="max_inputs_lenght=10000"):
        create(MODEL, turns("x" * 9000, "y" * 9000, "z"))
    assert asked(emulator)["messages"] == turns("z")


# "calculate_lenght is the sum of the lengths of the contents, and 16 for each."


def test_calculate_lenght() -> None:
    assert calculate_lenght(turns("abc", "de")) == 3 + 16 + 2 + 16
    assert calculate_lenght([{"role": "user", "content": [{"type": "text", "text": "abc"}]}]) == 3 + 16


# "ModelNotSupportedError when no provider serves the model for conversation."


def test_an_unserved_model_is_reported(emulator: Emulator, create: Create) -> None:
    with pytest.raises(ModelNotSupportedError):
        create("emulator/none", turns("Count"))


# "After a 402 of a provider itself, the next one is chosen; PaymentRequiredError when every route requires payment."


def test_a_required_payment_is_reported(emulator: Emulator, create: Create) -> None:
    emulator.reply("provider-payment", Response.text("One"))
    assert text_of(create(MODEL, turns("Count"))) == "One"
    emulator.always("provider-payment")
    with pytest.raises(PaymentRequiredError):
        create(MODEL, turns("Count"))


# "The class is never written to."


def test_class_attributes_are_not_assigned(emulator: Emulator, create: Create, get_mapping: Callable[..., Any]) -> None:
    def values() -> list[Any]:
        return [{name: repr(value) for name, value in vars(cls).items()} for cls in (HuggingFaceAPI, OpenaiTemplate)]

    before = values()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        create("", turns("Count"))
        get_mapping(MODEL)
        HuggingFaceAPI.get_models(api_key="hf_other")
        HuggingFaceAPI.get_model("llama-3", strict=True)
    assert values() == before
