"""The base of the class interface: a provider is a subclass with little more than an address."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

import hf_text
from hf_text import (
    FinishReason,
    HFTextWarning,
    HuggingFaceAPI,
    OpenaiTemplate,
    ProviderInfo,
    Reasoning,
    Timeouts,
    Usage,
)
from hf_text.callers import cached_operations
from hf_text.emulator import Emulator, Gate, Response, build_model

KEY = "sk-MadeUpKeyOfTheClass"
HF_KEY = "hf_MadeUpKeyForTests"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

Local = type[OpenaiTemplate]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def kept_clients_are_forgotten() -> Iterator[None]:
    yield
    cached_operations.cache_clear()


@pytest.fixture(autouse=True)
def hugging_face_is_elsewhere(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator is a generic server; requests to Hugging Face fail, although a key for it is set."""
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    monkeypatch.setenv("HF_TEXT_ROUTER_URL", "http://router.invalid")
    monkeypatch.setenv("HF_TOKEN", HF_KEY)


@pytest.fixture
def local(emulator: Emulator) -> Local:
    return type("Local", (OpenaiTemplate,), {"api_base": emulator.api_base})


def subclass(base: type[OpenaiTemplate], **attributes: Any) -> Local:
    return type(base.__name__, (base,), attributes)


def body_of(emulator: Emulator) -> Any:
    return emulator.requests[-1].json


# A subclass for a server


def test_a_subclass_needs_only_a_base_url(emulator: Emulator, local: Local) -> None:
    emulator.reply(Response.text("One", " two"))
    assert "".join(map(str, local.create_generator("emulator/small", "Count"))) == "One two"
    request = emulator.requests[-1]
    assert request.path == "/v1/chat/completions"
    assert request.json["model"] == "emulator/small"
    assert request.json["messages"] == [{"role": "user", "content": "Count"}]
    assert request.json["max_tokens"] == 2048
    assert request.json["stream"] is True


def test_no_key_is_sent_unless_given(emulator: Emulator, local: Local) -> None:
    list(local.create_generator("emulator/small", "Count"))
    local.get_models()
    assert {request.authorization for request in emulator.requests} == {None}


def test_a_subclass_without_base_url_is_refused() -> None:
    with pytest.raises(hf_text.InvalidRequestError, match="api_base"):
        OpenaiTemplate.create_generator("m", "Count")
    with pytest.raises(hf_text.InvalidRequestError, match="api_base"):
        OpenaiTemplate.get_models()


def test_the_template_works_with_a_passed_base_url(emulator: Emulator) -> None:
    assert list(OpenaiTemplate.create_generator("emulator/small", "Count", emulator.api_base))
    assert "emulator/small" in OpenaiTemplate.get_models(api_base=emulator.api_base)


def test_without_a_model_the_first_listed_model_is_used(emulator: Emulator, local: Local) -> None:
    emulator.models = [build_model("emulator/only", "novita")]
    list(local.create_generator("", "Count"))
    assert body_of(emulator)["model"] == "emulator/only"


def test_without_a_model_the_default_is_used(emulator: Emulator, local: Local) -> None:
    list(subclass(local, default_model="emulator/small").create_generator("", "Count"))
    assert body_of(emulator)["model"] == "emulator/small"
    assert [request.method for request in emulator.requests] == ["POST"]


def test_class_defaults_do_not_apply_to_another_server(emulator: Emulator) -> None:
    emulator.models = [build_model("emulator/only", "novita")]
    elsewhere = subclass(
        OpenaiTemplate, api_base="http://server.invalid/v1", default_model="x/text", default_vision_model="x/seeing"
    )
    list(elsewhere.create_generator("", "Count", emulator.api_base))
    assert body_of(emulator)["model"] == "emulator/only"


def test_an_alias_is_sent_as_its_target(emulator: Emulator, local: Local) -> None:
    list(subclass(local, model_aliases={"small": "emulator/small"}).create_generator("small", "Count"))
    assert body_of(emulator)["model"] == "emulator/small"


def test_with_media_and_no_model_the_default_vision_model_is_used(emulator: Emulator, local: Local) -> None:
    seeing = subclass(local, default_model="emulator/small", default_vision_model="emulator/small-vision")
    picture = {"type": "image_url", "image_url": {"url": "https://example.invalid/a.png"}}
    list(seeing.create_generator("", "What is it?", media=PNG))
    list(seeing.create_generator("", [{"role": "user", "content": [picture]}]))
    list(seeing.create_generator("", "What is it?", media=[]))
    list(seeing.create_generator("emulator/small-vision", "What is it?", media=[(PNG, "a.png")]))
    expected = ["emulator/small-vision", "emulator/small-vision", "emulator/small", "emulator/small-vision"]
    assert [request.json["model"] for request in emulator.requests] == expected


def test_with_media_and_no_vision_model_the_default_is_used(emulator: Emulator, local: Local) -> None:
    list(subclass(local, default_model="emulator/small-vision").create_generator("", "What is it?", media=PNG))
    assert body_of(emulator)["model"] == "emulator/small-vision"
    assert body_of(emulator)["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


# Results


def test_events_arrive_in_order(emulator: Emulator, local: Local) -> None:
    emulator.reply(Response.text("One", reasoning=["hm"], tool_calls=[("look", "{}")], usage=(1, 2)))
    events = list(local.create_generator("emulator/small", "Count"))
    assert isinstance(events[0], ProviderInfo)
    assert events[1:3] == [Reasoning("hm"), "One"]
    assert events[3].calls[0].name == "look"  # type: ignore[union-attr]
    assert events[4:] == [Usage(1, 2, 3), FinishReason("tool_calls")]


@pytest.mark.anyio
async def test_the_async_method_gives_the_same_answer(emulator: Emulator, local: Local) -> None:
    emulator.always(Response.text("One", " two", reasoning=["hm"], usage=(1, 2)))
    blocking = list(local.create_generator("emulator/small", "Count"))
    waiting = [event async for event in local.create_async_generator("emulator/small", "Count")]
    assert [event for event in waiting if not isinstance(event, str)] == [
        event for event in blocking if not isinstance(event, str)
    ]
    assert "".join(map(str, waiting)) == "".join(map(str, blocking)) == "One two"


@pytest.mark.anyio
async def test_the_async_generator_can_be_closed(emulator: Emulator, local: Local) -> None:
    gate = Gate()
    one, *_ = Response.text("One").body[1:]  # type: ignore[index]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=[one, gate]))
    generator = local.create_async_generator("emulator/small", "Count")
    assert isinstance(generator, AsyncGenerator)
    async with aclosing(generator):
        assert isinstance(await anext(generator), ProviderInfo)
    await run_sync(emulator.wait_for_disconnect)
    gate.open()


@pytest.mark.anyio
async def test_a_cancelled_task_closes_the_connection(emulator: Emulator, local: Local) -> None:
    gate = Gate()
    one, *_ = Response.text("One").body[1:]  # type: ignore[index]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=[one, gate]))
    with anyio.CancelScope() as scope:
        async for _ in local.create_async_generator("emulator/small", "Count"):
            scope.cancel()
    assert scope.cancelled_caught
    await run_sync(emulator.wait_for_disconnect)
    gate.open()


def test_closing_the_generator_closes_the_connection(emulator: Emulator, local: Local) -> None:
    gate = Gate()
    one, *_ = Response.text("One").body[1:]  # type: ignore[index]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=[one, gate]))
    for _ in local.create_generator("emulator/small", "Count"):
        break
    emulator.wait_for_disconnect()
    gate.open()


@pytest.mark.anyio
async def test_nothing_is_sent_before_the_first_read(emulator: Emulator, local: Local) -> None:
    local.create_generator("emulator/small", "Count")
    await local.create_async_generator("emulator/small", "Count").aclose()
    assert emulator.requests == []


@pytest.mark.anyio
async def test_errors_of_an_answer_are_raised_while_iterating(emulator: Emulator, local: Local) -> None:
    emulator.always("no-finish-no-done")
    blocking = local.create_generator("emulator/small", "Count", max_retries=0)
    with pytest.raises(hf_text.TruncatedStreamError) as caught:
        list(blocking)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"
    waiting = local.create_async_generator("emulator/small", "Count", max_retries=0)
    with pytest.raises(hf_text.TruncatedStreamError):
        [event async for event in waiting]


# Keys


def test_the_key_of_the_class_is_sent(emulator: Emulator, local: Local) -> None:
    list(subclass(local, api_key=KEY).create_generator("emulator/small", "Count"))
    assert emulator.requests[-1].key == KEY


def test_a_passed_key_overrides_that_of_the_class(emulator: Emulator, local: Local) -> None:
    list(subclass(local, api_key=KEY).create_generator("emulator/small", "Count", api_key="sk-mine"))
    assert emulator.requests[-1].key == "sk-mine"


def test_the_key_of_the_class_is_only_sent_to_its_server(emulator: Emulator) -> None:
    elsewhere = subclass(OpenaiTemplate, api_base="http://server.invalid/v1", api_key=KEY, needs_auth=True)
    list(elsewhere.create_generator("emulator/small", "Count", emulator.api_base))
    elsewhere.get_models(api_base=emulator.api_base)
    assert {request.authorization for request in emulator.requests} == {None}


def test_the_key_of_a_class_without_base_url_is_sent_to_the_given_server(emulator: Emulator) -> None:
    anywhere = subclass(OpenaiTemplate, api_key=KEY)
    list(anywhere.create_generator("emulator/small", "Count", emulator.api_base))
    assert emulator.requests[-1].key == KEY


@pytest.mark.anyio
async def test_nothing_is_sent_if_a_required_key_is_missing(emulator: Emulator, local: Local) -> None:
    closed = subclass(local, needs_auth=True)
    for ask in (closed.create_generator, closed.create_async_generator):
        with pytest.raises(hf_text.MissingAuthError, match="Local"):
            ask("emulator/small", "Count")
    with pytest.raises(hf_text.MissingAuthError):
        closed.get_models()
    assert emulator.requests == []
    assert list(closed.create_generator("emulator/small", "Count", api_key=KEY))
    assert list(subclass(closed, api_key=KEY).create_generator("emulator/small", "Count"))


# Options


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"stop": ["\n", "END"]}, {"stop": ["\n", "END"]}),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"seed": 7}, {"seed": 7}),
        ({"tools": [TOOL]}, {"tools": [TOOL]}),
        ({"tools": [TOOL], "tool_choice": "required"}, {"tool_choice": "required"}),
        ({"response_format": "json_object"}, {"response_format": {"type": "json_object"}}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"include_usage": True}, {"stream_options": {"include_usage": True}}),
        ({"extra_body": {"min_p": 0.1}}, {"min_p": 0.1}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
    ],
    ids=lambda value: "-".join(value),
)
def test_options_reach_the_body(emulator: Emulator, local: Local, options: Any, sent: Any) -> None:
    list(local.create_generator("emulator/small", "Count", **options))
    assert {name: body_of(emulator).get(name) for name in sent} == sent


def test_headers_reach_the_server(emulator: Emulator, local: Local) -> None:
    list(local.create_generator("emulator/small", "Count", headers={"X-Mine": "yes"}))
    assert emulator.requests[-1].headers["x-mine"] == "yes"
    list(local.create_generator("emulator/small", "Count", headers={"X-Mine": "no"}))
    assert emulator.requests[-1].headers["x-mine"] == "no"


@pytest.mark.parametrize("options", [{"proxy": ""}, {"proxies": ""}])
def test_requests_go_through_the_proxy(emulator: Emulator, options: dict[str, Any]) -> None:
    elsewhere = subclass(OpenaiTemplate, api_base="http://server.invalid/v1")
    proxy = {"proxy": emulator.url} if "proxy" in options else {"proxies": {"http": emulator.url}}
    assert list(elsewhere.create_generator("emulator/small", "Count", **proxy))
    assert emulator.requests[-1].target == "http://server.invalid/v1/chat/completions"
    assert "emulator/small" in elsewhere.get_models(**proxy)
    assert emulator.requests[-1].target == "http://server.invalid/v1/models"


@pytest.mark.parametrize(
    ("timeout", "fault", "clock"),
    [(0.1, "stall-before-headers", "first"), (Timeouts(gap=0.1), "stall-mid-stream", "gap")],
)
def test_the_timeout_is_applied(emulator: Emulator, local: Local, timeout: Any, fault: str, clock: str) -> None:
    emulator.reply(fault)
    with pytest.raises(hf_text.RequestTimeoutError) as caught:
        list(local.create_generator("emulator/small", "Count", timeout=timeout))
    assert caught.value.clock == clock


def test_the_timeout_is_applied_to_the_list(emulator: Emulator, local: Local) -> None:
    emulator.reply("stall-before-headers", path="/v1/models")
    with pytest.raises(hf_text.RequestTimeoutError) as caught:
        local.get_models(timeout=0.1, max_retries=0)
    assert caught.value.clock == "first"


def test_max_retries_is_applied(emulator: Emulator, local: Local) -> None:
    emulator.always("unavailable-html")
    with pytest.raises(hf_text.ServerError):
        list(local.create_generator("emulator/small", "Count", max_retries=0))
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("verify", "words"),
    [
        ("/no/such/bundle.pem", "verify: file not found: '/no/such/bundle.pem'"),
        ("-----BEGIN CERTIFICATE-----", "verify must be the path of a CA bundle, not its contents"),
        (1, "verify must be True, False or the path of a CA bundle, not int: 1"),
    ],
)
def test_verify_is_checked(local: Local, verify: Any, words: str) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match=words):
        local.create_generator("m", "Count", verify=verify)


def test_max_event_bytes_is_applied(emulator: Emulator, local: Local) -> None:
    emulator.reply(Response.text("x" * 3000))
    with pytest.raises(hf_text.MalformedStreamError, match="max_event_bytes"):
        list(local.create_generator("emulator/small", "Count", max_event_bytes=1000, max_retries=0))


def test_an_option_that_is_none_counts_as_not_given(emulator: Emulator, local: Local) -> None:
    names = ("temperature", "top_p", "stop", "seed", "tools", "tool_choice", "response_format", "reasoning_effort")
    more = ("extra_body", "timeout", "proxy", "proxies", "headers", "verify", "bill_to", "provider", "max_retries")
    known = dict.fromkeys((*names, *more, "include_usage", "max_input_length", "max_event_bytes", "surprise"))
    list(local.create_generator("emulator/small", "Count", **known))
    bare = dict(body_of(emulator))
    list(local.create_generator("emulator/small", "Count"))
    assert body_of(emulator) == bare
    assert not set(bare) & {*names, *more}


@pytest.mark.anyio
async def test_an_unknown_option_is_refused_by_its_name(emulator: Emulator, local: Local) -> None:
    for ask in (local.create_generator, local.create_async_generator):
        with pytest.raises(hf_text.InvalidRequestError, match="surprise"):
            ask("emulator/small", "Count", surprise=1)
    with pytest.raises(hf_text.InvalidRequestError, match="temperature"):
        local.get_models(temperature=1)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"messages": []}, "messages"),
        ({"messages": 5}, "messages"),
        ({"model": ["a"]}, "model"),
        ({"model": 5}, "model"),
        ({"api_base": 5}, "api_base"),
        ({"api_base": ["http://127.0.0.1"]}, "api_base"),
        ({"api_base": "ftp://127.0.0.1"}, "api_base"),
        ({"api_key": ["a"]}, "api_key"),
        ({"headers": {"X-Mine": ["a"]}}, "headers"),
        ({"headers": {"X-Mine": 5}}, "headers"),
        ({"provider": {"novita"}}, "provider"),
        ({"provider": ["novita", ["groq"]]}, "provider"),
        ({"proxies": {"http": ["a"]}}, "proxies"),
        ({"proxy": 5}, "proxies"),
        ({"max_retries": True}, "max_retries"),
        ({"max_retries": "2"}, "max_retries"),
        ({"timeout": -1}, "timeout"),
        ({"media": 5}, "media"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
    ],
    ids=str,
)
def test_an_invalid_argument_is_refused_by_name(emulator: Emulator, local: Local, options: Any, name: str) -> None:
    list(local.create_generator("emulator/small", "Count", max_retries=1))  # a cached client must not hide the check
    before = len(emulator.requests)
    with pytest.raises(hf_text.InvalidRequestError, match=name):
        local.create_generator(**{"model": "emulator/small", "messages": "Count", **options})
    assert len(emulator.requests) == before


# Models


def test_get_models_lists_the_models_of_the_server(emulator: Emulator, local: Local) -> None:
    emulator.models = [build_model("emulator/a", "novita"), build_model("emulator/b", "novita")]
    assert local.get_models() == ["emulator/a", "emulator/b"]
    assert emulator.requests[-1].path == "/v1/models"


def test_get_models_is_cached_per_key_and_server(emulator: Emulator, local: Local) -> None:
    for _ in range(2):
        local.get_models()
        local.get_models(api_key="sk-a")
        local.get_models(api_key="sk-b")
    assert [request.key for request in emulator.requests] == [None, "sk-a", "sk-b"]
    with Emulator() as other:
        other.models = [build_model("emulator/other", "novita")]
        assert local.get_models(api_base=other.api_base) == ["emulator/other"]
        assert "emulator/other" not in local.get_models()
        cached_operations.cache_clear()


def test_without_fallback_models_the_failure_is_raised(emulator: Emulator, local: Local) -> None:
    emulator.reply(Response.error(500, "Oh"), path="/v1/models")
    with pytest.raises(hf_text.ServerError):
        local.get_models(max_retries=0)
    assert local.get_models(max_retries=0)


def test_fallback_models_are_returned_with_a_warning_and_not_cached(emulator: Emulator, local: Local) -> None:
    emulator.reply(Response.error(500, "Oh"), "html-200", path="/v1/models")
    careful = subclass(local, fallback_models=("emulator/a", "emulator/b"))
    for _ in range(2):
        with pytest.warns(HFTextWarning, match="could not be listed") as caught:
            assert careful.get_models(max_retries=0) == ["emulator/a", "emulator/b"]
        assert caught[0].filename == __file__
    assert "emulator/small" in careful.get_models(max_retries=0)


def test_fallback_models_do_not_apply_to_another_server(emulator: Emulator) -> None:
    emulator.reply(Response.error(500, "Oh"), path="/v1/models")
    elsewhere = subclass(OpenaiTemplate, api_base="http://server.invalid/v1", fallback_models=("x/a",))
    with pytest.raises(hf_text.ServerError):
        elsewhere.get_models(api_base=emulator.api_base, max_retries=0)


def test_get_model_returns_default_target_or_name(emulator: Emulator, local: Local) -> None:
    named = subclass(local, default_model="emulator/small", model_aliases={"tiny": "emulator/tiny"})
    assert named.get_model("") == named.get_model(None) == "emulator/small"
    assert named.get_model("tiny") == "emulator/tiny"
    assert named.get_model("somebody/else") == "somebody/else"
    assert local.get_model("") == ""
    assert emulator.requests == []


def test_strict_uses_the_class_lists_without_a_request(emulator: Emulator, local: Local) -> None:
    named = subclass(
        local,
        default_model="x/default",
        model_aliases={"short": "x/long"},
        fallback_models=("x/fallback",),
        vision_models=("x/seeing",),
        provider_mapping={"x/override": {}},
    )
    for name in ("", "short", "x/default", "x/long", "x/fallback", "x/seeing", "x/override"):
        assert named.get_model(name, strict=True) == named.get_model(name)
    assert emulator.requests == []


def test_strict_queries_the_server_and_refuses_unlisted_models(emulator: Emulator, local: Local) -> None:
    assert local.get_model("emulator/small", strict=True) == "emulator/small"
    with pytest.raises(hf_text.ModelNotSupportedError, match="emulator/none") as caught:
        local.get_model("emulator/none", strict=True, api_key="sk-a")
    assert caught.value.model == "emulator/none"
    assert [request.key for request in emulator.requests] == [None, "sk-a"]


# The form of the interface


def test_no_call_assigns_to_a_class(emulator: Emulator, local: Local) -> None:
    emulator.reply(Response.error(500, "Oh"), path="/v1/models")
    named = subclass(local, fallback_models=("x/a",), default_model="emulator/small", api_key=KEY)
    classes = (OpenaiTemplate, local, named, HuggingFaceAPI)
    before = [dict(vars(cls)) for cls in classes]
    with pytest.warns(HFTextWarning):
        named.get_models(max_retries=0)
    named.get_models()
    named.get_model("emulator/small", strict=True)
    list(named.create_generator("", "Count", proxy=emulator.url, api_key="sk-a"))
    assert [dict(vars(cls)) for cls in classes] == before


def test_the_attributes_have_their_defaults() -> None:
    assert OpenaiTemplate.api_base is None
    assert OpenaiTemplate.api_key is None
    assert OpenaiTemplate.needs_auth is False
    assert OpenaiTemplate.working is True
    assert OpenaiTemplate.default_model == OpenaiTemplate.default_vision_model == ""
    assert not OpenaiTemplate.fallback_models
    assert not OpenaiTemplate.vision_models
    assert not OpenaiTemplate.model_aliases
    assert not OpenaiTemplate.provider_mapping


def test_async_and_blocking_methods_take_the_same_arguments() -> None:
    def arguments(function: Callable[..., Any]) -> list[Any]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]

    for cls in (OpenaiTemplate, HuggingFaceAPI):
        assert arguments(cls.create_generator) == arguments(cls.create_async_generator)
    assert arguments(HuggingFaceAPI.get_mapping) == arguments(HuggingFaceAPI.get_mapping_sync)
