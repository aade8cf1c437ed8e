"""The documented class interface to Hugging Face: its names, defaults and misspellings never change."""

from __future__ import annotations

import asyncio
import inspect
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    calculate_lenght,
)
from hf_text.callers import cached_operations
from hf_text.emulator import Emulator, Response, build_model

KEY = "hf_MadeUpKeyForTests"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
GEMMA = "google/gemma-3-27b-it"
OVERRIDE = "hf-inference/models/google/gemma-3-27b-it"
ROUTER = "/v1/chat/completions"
TRIMMED = "^the messages are trimmed from"

Generate = Callable[..., list[Any]]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def kept_clients_are_forgotten() -> Iterator[None]:
    yield
    cached_operations.cache_clear()


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has a key; ``HF_ENDPOINT`` and ``HF_TEXT_ROUTER_URL`` point to the emulator."""
    monkeypatch.setenv("HF_TOKEN", KEY)


def generate_blocking(*args: Any, **options: Any) -> list[Any]:
    return list(HuggingFaceAPI.create_generator(*args, **options))


def generate_async(*args: Any, backend: str, **options: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [event async for event in HuggingFaceAPI.create_async_generator(*args, **options)]

    return anyio.run(collect, backend=backend)


@pytest.fixture(
    params=[generate_blocking, partial(generate_async, backend="asyncio"), partial(generate_async, backend="trio")],
    ids=["blocking", "asyncio", "trio"],
)
def generate(request: pytest.FixtureRequest) -> Generate:
    """All events of ``create_generator`` or of its async twin."""
    made: Generate = request.param
    return made


def user(content: Any = "Count") -> dict[str, Any]:
    return {"role": "user", "content": content}


def chats(emulator: Emulator) -> list[str]:
    """The paths of the chat requests, in order."""
    return [request.path for request in emulator.requests if request.method == "POST"]


def asked(emulator: Emulator) -> list[str]:
    """The models of the chat requests, in order."""
    return [request.json["model"] for request in emulator.requests if request.method == "POST"]


# Names and defaults


def test_the_attributes_have_the_documented_values() -> None:
    assert issubclass(HuggingFaceAPI, OpenaiTemplate)
    assert HuggingFaceAPI.label == "HuggingFace (Text Generation)"
    assert HuggingFaceAPI.parent == "HuggingFace"
    assert HuggingFaceAPI.url == "https://api-inference.huggingface.com"
    assert HuggingFaceAPI.api_base == "https://api-inference.huggingface.co/v1"
    assert HuggingFaceAPI.working is True
    assert HuggingFaceAPI.needs_auth is True
    assert HuggingFaceAPI.api_key is None
    assert HuggingFaceAPI.provider_mapping == {
        GEMMA: {OVERRIDE: {"task": "conversational", "providerId": "google/gemma-3-27b-it"}}
    }


def test_the_model_lists_are_consistent() -> None:
    assert HuggingFaceAPI.default_model in HuggingFaceAPI.fallback_models
    assert HuggingFaceAPI.default_vision_model in HuggingFaceAPI.vision_models
    assert set(HuggingFaceAPI.vision_models) <= set(HuggingFaceAPI.fallback_models)
    assert HuggingFaceAPI.default_model not in HuggingFaceAPI.vision_models
    assert set(HuggingFaceAPI.provider_mapping) <= set(HuggingFaceAPI.fallback_models)
    assert not set(HuggingFaceAPI.model_aliases) & set(HuggingFaceAPI.model_aliases.values())


@pytest.mark.parametrize("name", ["create_async_generator", "create_generator"])
def test_the_generators_have_the_documented_arguments(name: str) -> None:
    parameters = list(inspect.signature(getattr(HuggingFaceAPI, name)).parameters.values())
    empty = inspect.Parameter.empty
    assert [(p.name, p.default) for p in parameters[:7]] == [
        ("model", empty),
        ("messages", empty),
        ("api_base", None),
        ("api_key", None),
        ("max_tokens", 2048),
        ("max_inputs_lenght", 10000),
        ("media", None),
    ]
    assert {p.kind for p in parameters[:7]} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert {p.kind for p in parameters[7:-1]} == {inspect.Parameter.KEYWORD_ONLY}
    assert (parameters[-1].name, parameters[-1].kind) == ("kwargs", inspect.Parameter.VAR_KEYWORD)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (HuggingFaceAPI.get_model, {"model": ..., "kwargs": ...}),
        (HuggingFaceAPI.get_models, {"api_key": None, "api_base": None, "kwargs": ...}),
        (HuggingFaceAPI.get_mapping, {"model": ..., "api_key": None}),
        (HuggingFaceAPI.get_mapping_sync, {"model": ..., "api_key": None}),
        (calculate_lenght, {"messages": ...}),
    ],
    ids=["get_model", "get_models", "get_mapping", "get_mapping_sync", "calculate_lenght"],
)
def test_the_other_functions_have_the_documented_arguments(function: Any, names: dict[str, Any]) -> None:
    parameters = inspect.signature(function).parameters
    found = {name: ... if p.default is inspect.Parameter.empty else p.default for name, p in parameters.items()}
    assert found == names


def test_coroutines_and_generators_are_of_the_documented_kinds() -> None:
    assert inspect.iscoroutinefunction(HuggingFaceAPI.get_mapping)
    assert not inspect.iscoroutinefunction(HuggingFaceAPI.get_mapping_sync)
    assert not inspect.iscoroutinefunction(HuggingFaceAPI.create_async_generator)
    assert isinstance(HuggingFaceAPI.create_async_generator("", "Count"), AsyncGenerator)
    assert isinstance(HuggingFaceAPI.create_generator("", "Count"), Iterator)


def test_arguments_can_be_positional(emulator: Emulator, generate: Generate) -> None:
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small-vision", [user("a" * 50), user()], None, "hf_other", 7, 60, PNG)
    request = emulator.requests[-1]
    assert request.key == "hf_other"
    assert request.json["max_tokens"] == 7
    assert len(request.json["messages"]) == 1
    assert len(request.json["messages"][0]["content"]) == 2


def test_no_call_assigns_to_the_class(emulator: Emulator, generate: Generate) -> None:
    def values() -> list[Any]:
        return [{name: repr(value) for name, value in vars(cls).items()} for cls in (HuggingFaceAPI, OpenaiTemplate)]

    before = values()
    HuggingFaceAPI.get_models(api_key="hf_other")
    emulator.reply(Response.error(500, "Oh"), path="/api/models")
    with pytest.warns(HFTextWarning):
        HuggingFaceAPI.get_models(api_key="hf_third", max_retries=0)
    HuggingFaceAPI.get_model("emulator/small", strict=True)
    HuggingFaceAPI.get_mapping_sync("emulator/small")
    HuggingFaceAPI.get_mapping_sync(GEMMA)["new"] = {}
    asyncio.run(HuggingFaceAPI.get_mapping("emulator/small"))
    generate("", "Count", api_key="hf_other")
    generate("", "Count", emulator.url + "/v1", proxy=emulator.url)
    assert values() == before


# get_model


def test_an_empty_name_is_the_default() -> None:
    assert HuggingFaceAPI.get_model("") == HuggingFaceAPI.default_model
    assert HuggingFaceAPI.get_model("", strict=True) == HuggingFaceAPI.default_model


@pytest.mark.parametrize("alias", sorted(HuggingFaceAPI.model_aliases))
def test_an_alias_resolves_to_its_target(emulator: Emulator, alias: str) -> None:
    assert HuggingFaceAPI.get_model(alias) == HuggingFaceAPI.model_aliases[alias]
    assert HuggingFaceAPI.get_model(alias, strict=True) == HuggingFaceAPI.model_aliases[alias]
    assert emulator.requests == []


def test_any_other_name_is_unchanged_without_a_request(emulator: Emulator) -> None:
    for name in ("emulator/small", "emulator/none", "no slash", *HuggingFaceAPI.fallback_models):
        assert HuggingFaceAPI.get_model(name) == name
    assert emulator.requests == []


def test_strict_refuses_an_unlisted_name(emulator: Emulator) -> None:
    assert HuggingFaceAPI.get_model("emulator/small", strict=True) == "emulator/small"
    with pytest.raises(hf_text.ModelNotSupportedError, match="emulator/none") as caught:
        HuggingFaceAPI.get_model("emulator/none", strict=True)
    assert caught.value.model == "emulator/none"
    with pytest.raises(hf_text.ModelNotSupportedError):
        HuggingFaceAPI.get_model("emulator/painter", strict=True)
    assert HuggingFaceAPI.get_model("emulator/none", strict=False) == "emulator/none"


# get_models


def test_get_models_lists_models_with_a_live_conversational_provider(emulator: Emulator) -> None:
    two_tasks = {"provider": "novita", "task": "text-generation"}
    emulator.models = [
        build_model("x/chat", "novita"),
        build_model("x/vision-chat", "novita", vision=True),
        build_model("x/second-provider", {"provider": "nscale", "status": "error"}, "novita"),
        build_model("x/error", {"provider": "novita", "status": "error"}),
        build_model("x/staging", {"provider": "novita", "status": "staging"}),
        build_model("x/painter", {"provider": "fal-ai", "task": "text-to-image"}),
        build_model("x/no-chat", two_tasks),
        build_model("x/live-for-the-other-task", two_tasks, {"provider": "groq", "status": "error"}),
        build_model("x/nobody"),
    ]
    assert HuggingFaceAPI.get_models() == ["x/chat", "x/vision-chat", "x/second-provider", GEMMA]


def test_get_models_sends_the_documented_query(emulator: Emulator) -> None:
    HuggingFaceAPI.get_models()
    [request] = emulator.requests
    assert request.path == "/api/models"
    assert request.query["inference"] == ["warm"]
    assert "inferenceProviderMapping" in request.query["expand[]"]
    assert request.key == KEY


def test_get_models_reads_every_page(emulator: Emulator) -> None:
    emulator.models = [build_model(f"x/m{number}", "novita") for number in range(2300)]
    assert HuggingFaceAPI.get_models() == [*(f"x/m{number}" for number in range(2300)), GEMMA]
    assert len(emulator.requests) == 3


def test_get_models_lists_an_overridden_model_once(emulator: Emulator) -> None:
    emulator.models = [build_model(GEMMA, "novita", vision=True), build_model("x/chat", "novita")]
    assert HuggingFaceAPI.get_models() == [GEMMA, "x/chat"]


def test_get_models_works_without_a_key(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    assert "emulator/small" in HuggingFaceAPI.get_models()
    assert emulator.requests[-1].authorization is None


@pytest.mark.parametrize(
    "reply",
    [
        Response.error(500, "Oh"),
        Response.error(401, "Invalid credentials in Authorization header", "string"),
        Response.error(429, "Slow down", "string", headers={"RateLimit": '"api";r=0;t=290'}),
        Response.html(200, "Sign in to the network"),
        Response.json({"not": "a list"}),
        Response(end="reset", end_at="start"),
    ],
    ids=["500", "401", "429", "html", "no-list", "reset"],
)
def test_without_a_listing_fallback_models_are_returned_with_a_warning_and_not_cached(
    emulator: Emulator, reply: Response
) -> None:
    emulator.reply(reply, reply, path="/api/models")
    for _ in range(2):
        with pytest.warns(HFTextWarning, match="could not be listed") as caught:
            assert HuggingFaceAPI.get_models(max_retries=0) == list(HuggingFaceAPI.fallback_models)
        assert len(caught) == 1
        assert caught[0].filename == __file__
        assert KEY not in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "emulator/small" in HuggingFaceAPI.get_models(max_retries=0)


def test_an_incomplete_listing_is_not_used(emulator: Emulator) -> None:
    emulator.models = [build_model(f"x/m{number}", "novita") for number in range(1500)]
    following = f'<{emulator.url}/api/models?cursor=x>; rel="next"'
    page = [{"id": "x/first"}]
    emulator.reply(Response.json(page, headers={"Link": following}), Response.error(500, "Oh"), path="/api/models")
    with pytest.warns(HFTextWarning):
        assert HuggingFaceAPI.get_models(max_retries=0) == list(HuggingFaceAPI.fallback_models)
    assert "x/m1499" in HuggingFaceAPI.get_models(max_retries=0)


def test_get_models_is_cached_per_key(emulator: Emulator) -> None:
    for _ in range(3):
        HuggingFaceAPI.get_models()
        HuggingFaceAPI.get_models(api_key="hf_other")
    assert [request.key for request in emulator.requests] == [KEY, "hf_other"]


def test_get_models_is_cached_per_hub(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    HuggingFaceAPI.get_models()
    with Emulator() as other:
        other.models = [build_model("x/other", "novita")]
        monkeypatch.setenv("HF_ENDPOINT", other.url)
        assert HuggingFaceAPI.get_models() == ["x/other", GEMMA]
        monkeypatch.setenv("HF_ENDPOINT", emulator.url)
        assert "x/other" not in HuggingFaceAPI.get_models()
        cached_operations.cache_clear()


def test_changing_a_returned_list_does_not_affect_the_next_call(emulator: Emulator) -> None:
    HuggingFaceAPI.get_models().clear()
    assert "emulator/small" in HuggingFaceAPI.get_models()


def test_get_models_of_another_server_match_its_listing(emulator: Emulator) -> None:
    with Emulator() as other:
        other.models = [build_model("x/other", "novita")]
        assert HuggingFaceAPI.get_models(api_base=other.api_base) == ["x/other"]
        assert HuggingFaceAPI.get_model("x/other", strict=True, api_base=other.api_base) == "x/other"
        assert {request.authorization for request in other.requests} == {None}
        cached_operations.cache_clear()
    assert emulator.requests == []


# get_mapping


def get_mapping_async(model: str, *args: Any, **options: Any) -> dict[str, Any]:
    return asyncio.run(HuggingFaceAPI.get_mapping(model, *args, **options))


@pytest.fixture(params=["sync", "async"])
def get_mapping(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    return get_mapping_async if request.param == "async" else HuggingFaceAPI.get_mapping_sync


def test_a_mapping_lists_the_providers_of_a_model(emulator: Emulator, get_mapping: Any) -> None:
    emulator.models = [build_model("x/chat", "novita", {"provider": "groq", "status": "error", "providerId": "chat"})]
    mapping = get_mapping("x/chat")
    assert list(mapping) == ["novita", "groq"]
    entry = mapping["groq"]
    assert (entry["task"], entry["providerId"], entry["status"]) == ("conversational", "chat", "error")
    assert all(type(value) is dict for value in mapping.values())
    [request] = emulator.requests
    assert request.path == "/api/models/x/chat"
    assert request.query == {"expand[]": ["inferenceProviderMapping"]}
    assert request.key == KEY


def test_a_mapping_resolves_empty_names_and_aliases(emulator: Emulator, get_mapping: Any) -> None:
    assert get_mapping("") == get_mapping(HuggingFaceAPI.default_model)
    assert get_mapping("gpt-oss-20b") == get_mapping("openai/gpt-oss-20b")
    assert len(emulator.requests) == 2


def test_an_override_takes_precedence_over_the_hub(emulator: Emulator, get_mapping: Any) -> None:
    mapping = get_mapping(GEMMA)
    assert list(mapping) == [OVERRIDE]
    assert mapping[OVERRIDE]["task"] == "conversational"
    assert mapping[OVERRIDE]["providerId"] == GEMMA
    assert emulator.requests == []


def test_the_mapping_of_an_unserved_model_is_empty(get_mapping: Any) -> None:
    assert get_mapping("emulator/nobody") == {}


def test_the_mapping_of_an_unknown_model_is_an_error(get_mapping: Any) -> None:
    with pytest.raises(hf_text.ModelNotSupportedError) as caught:
        get_mapping("emulator/none")
    assert caught.value.model == "emulator/none"


def test_a_mapping_follows_a_renamed_model(emulator: Emulator, get_mapping: Any) -> None:
    emulator.renamed = {"old/small": "emulator/small"}
    assert get_mapping("old/small") == get_mapping("emulator/small")


def test_mappings_are_cached_per_key(emulator: Emulator, get_mapping: Any) -> None:
    for _ in range(2):
        get_mapping("emulator/small")
        get_mapping("emulator/small", "hf_other")
        get_mapping("emulator/small", api_key="hf_other")
    assert [request.key for request in emulator.requests] == [KEY, "hf_other"]


def test_async_and_blocking_methods_share_a_cache(emulator: Emulator) -> None:
    assert get_mapping_async("emulator/small") == HuggingFaceAPI.get_mapping_sync("emulator/small")
    assert len(emulator.requests) == 1


def test_changing_a_returned_mapping_does_not_affect_the_next_call(get_mapping: Any) -> None:
    get_mapping("emulator/small")["novita"]["status"] = "mine"
    get_mapping(GEMMA)[OVERRIDE]["task"] = "mine"
    assert get_mapping("emulator/small")["novita"]["status"] == "live"
    assert get_mapping(GEMMA)[OVERRIDE]["task"] == "conversational"


@pytest.mark.anyio
async def test_a_mapping_can_be_awaited_on_asyncio_and_trio(anyio_backend: Any) -> None:
    assert "novita" in await HuggingFaceAPI.get_mapping("emulator/small")


# Generators


def test_events_start_with_the_provider(emulator: Emulator, generate: Generate) -> None:
    emulator.reply(Response.text("One", reasoning=["hm"], usage=(1, 2), provider="novita"))
    events = generate("emulator/small", "Count")
    assert events == [
        ProviderInfo("novita", "emulator/small", f"{emulator.url}{ROUTER}", "Novita"),
        Reasoning("hm"),
        "One",
        Usage(1, 2, 3),
        FinishReason("stop"),
    ]


@pytest.mark.anyio
async def test_the_async_generator_runs_on_asyncio_and_trio(anyio_backend: Any) -> None:
    events = [event async for event in HuggingFaceAPI.create_async_generator("", [user()])]
    assert isinstance(events[0], ProviderInfo)
    assert "".join(map(str, events)).endswith("nine ten")


def test_a_default_call_sends_one_post_to_the_router(emulator: Emulator, generate: Generate) -> None:
    generate("", "Count")
    [request] = emulator.requests
    assert (request.method, request.path, request.key) == ("POST", ROUTER, KEY)
    assert request.json["model"] == HuggingFaceAPI.default_model
    assert request.json["max_tokens"] == 2048


def test_an_alias_is_sent_as_its_target(emulator: Emulator, generate: Generate) -> None:
    generate("gpt-oss-20b", "Count")
    assert asked(emulator) == ["openai/gpt-oss-20b"]


def test_a_passed_key_is_sent(emulator: Emulator, generate: Generate) -> None:
    generate("", "Count", api_key="hf_other")
    assert emulator.requests[-1].key == "hf_other"


def test_without_a_key_nothing_is_sent(emulator: Emulator, generate: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(hf_text.MissingAuthError, match="HF_TOKEN"):
        generate("", "Count")
    assert emulator.requests == []


def test_a_missing_key_is_reported_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    for ask in (HuggingFaceAPI.create_generator, HuggingFaceAPI.create_async_generator):
        with pytest.raises(hf_text.MissingAuthError):
            ask("", "Count")


def test_a_changed_login_takes_effect_at_the_next_call(
    emulator: Emulator, generate: Generate, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate("", "Count")
    HuggingFaceAPI.get_models()
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    generate("", "Count")
    HuggingFaceAPI.get_models()
    assert [request.key for request in emulator.requests] == [KEY, KEY, "hf_other", "hf_other"]


# Another server


def test_another_server_never_gets_the_hugging_face_key(emulator: Emulator, generate: Generate) -> None:
    with Emulator() as other:
        assert generate("emulator/small", "Count", other.api_base)
        assert generate("emulator/small", "Count", api_base=other.api_base + "/", proxy=None)
        assert generate("", "Count", other.api_base)
        assert {request.authorization for request in other.requests} == {None}
        assert KEY not in str([request.headers.pairs for request in other.requests])
        generate("emulator/small", "Count", other.api_base, "sk-mine")
        assert other.requests[-1].key == "sk-mine"
        cached_operations.cache_clear()
    assert emulator.requests == []


def test_another_server_needs_no_key(emulator: Emulator, generate: Generate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with Emulator() as other:
        assert generate("emulator/small", "Count", other.api_base)
        cached_operations.cache_clear()


def test_the_key_of_a_subclass_is_only_sent_to_hugging_face() -> None:
    mine: Any = type("Mine", (HuggingFaceAPI,), {"api_key": KEY})
    with Emulator() as other:
        list(mine.create_generator("emulator/small", "Count", other.api_base))
        assert other.requests[-1].authorization is None
        list(mine.create_generator("emulator/small", "Count"))
        cached_operations.cache_clear()


def test_overrides_do_not_apply_to_another_server(emulator: Emulator, generate: Generate) -> None:
    with Emulator() as other:
        other.reply(Response.text("One"))
        assert generate(GEMMA, "Count", other.api_base)
        assert chats(other) == [ROUTER]
        cached_operations.cache_clear()
    assert emulator.requests == []


@pytest.mark.parametrize(
    "api_base",
    [None, "", "https://api-inference.huggingface.co/v1", "https://api-inference.huggingface.co/models/x/y/v1"],
)
def test_the_retired_host_is_replaced_by_the_router(
    emulator: Emulator, generate: Generate, api_base: str | None
) -> None:
    generate("emulator/small", "Count", api_base)
    assert chats(emulator) == [ROUTER]
    assert emulator.requests[-1].key == KEY


def test_a_url_that_merely_contains_the_retired_host_is_used_unchanged(generate: Generate) -> None:
    with Emulator() as other:
        with pytest.raises(hf_text.NotFoundError):
            generate("m", "Count", f"{other.url}/https://api-inference.huggingface.co/v1", max_retries=0)
        assert other.requests[-1].authorization is None
        cached_operations.cache_clear()


# Trimming


def sent(emulator: Emulator) -> list[str]:
    return [message["content"] for message in emulator.requests[-1].json["messages"]]


def conversation(*contents: str, system: str | None = None) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": content} for number, content in enumerate(contents)]
    return [*([{"role": "system", "content": system}] if system else []), *messages]


def test_a_conversation_that_fits_is_sent_unchanged(emulator: Emulator, generate: Generate) -> None:
    messages = conversation(*"abcdefghi")
    generate("emulator/small", messages, max_inputs_lenght=calculate_lenght(messages))
    assert sent(emulator) == list("abcdefghi")


def test_more_than_six_messages_become_the_first_three_and_the_last_three(
    emulator: Emulator, generate: Generate
) -> None:
    messages = conversation(*"abcdefghi")
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small", messages, max_inputs_lenght=calculate_lenght(messages) - 1)
    assert sent(emulator) == ["a", "b", "c", "g", "h", "i"]
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small", messages, max_inputs_lenght=6 * 17)
    assert sent(emulator) == ["a", "b", "c", "g", "h", "i"]


def test_still_too_long_they_become_system_and_last_user_messages(emulator: Emulator, generate: Generate) -> None:
    messages = conversation(*"abcdefghi", system="be brief")
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small", messages, max_inputs_lenght=6 * 17)
    assert sent(emulator) == ["be brief", "i"]
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small", conversation("a", "b", "c", system="be brief"), max_inputs_lenght=50)
    assert sent(emulator) == ["be brief", "c"]


def test_still_too_long_they_become_the_last_user_message(emulator: Emulator, generate: Generate) -> None:
    messages = conversation(*"abcdefghi", system="be brief" * 10)
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small", messages, max_inputs_lenght=17)
    assert sent(emulator) == ["i"]
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small", conversation("a", "b", "c", "d"), max_inputs_lenght=20)
    assert sent(emulator) == ["c"]


def test_a_single_oversized_message_is_sent_unchanged(emulator: Emulator, generate: Generate) -> None:
    generate("emulator/small", "x" * 20000)
    assert sent(emulator) == ["x" * 20000]


def test_the_default_limit_is_ten_thousand(emulator: Emulator, generate: Generate) -> None:
    generate("emulator/small", conversation("x" * 5000, "y" * 4000, "z"))
    assert sent(emulator) == ["x" * 5000, "y" * 4000, "z"]
    with pytest.warns(HFTextWarning, match="11049 characters to 17, because of max_inputs_lenght=10000; None"):
        generate("emulator/small", conversation("x" * 5000, "y" * 6000, "z"))
    assert sent(emulator) == ["z"]


def test_a_picture_is_sent_with_the_trimmed_messages(emulator: Emulator, generate: Generate) -> None:
    with pytest.warns(HFTextWarning, match=TRIMMED):
        generate("emulator/small-vision", conversation(*"abcdefghi"), max_inputs_lenght=20, media=PNG)
    [message] = emulator.requests[-1].json["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]


@pytest.mark.parametrize("name", ["max_inputs_lenght", "max_input_length"])
@pytest.mark.parametrize("create", ["create_generator", "create_async_generator"])
@pytest.mark.parametrize("limit", [0, -1, "10", 1.5, True])
def test_an_invalid_limit_is_refused_by_the_given_name(emulator: Emulator, limit: Any, create: str, name: str) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match=f"^{name} must be .*, not {type(limit).__name__}: "):
        getattr(HuggingFaceAPI, create)("", "Count", **{name: limit})
    assert emulator.requests == []


def test_the_correctly_spelled_limit_takes_precedence(emulator: Emulator, generate: Generate) -> None:
    generate("emulator/small", conversation("a", "b", "c"), max_inputs_lenght=0, max_input_length=10000)
    assert sent(emulator) == ["a", "b", "c"]


def test_no_limit_at_all_sends_everything(emulator: Emulator, generate: Generate) -> None:
    generate("emulator/small", conversation("x" * 9000, "y" * 9000), max_inputs_lenght=None)
    assert sent(emulator) == ["x" * 9000, "y" * 9000]


# Media


@pytest.mark.parametrize(
    "media",
    [PNG, [PNG], [(PNG, "a.png")], "https://example.invalid/a.png"],
    ids=["bytes", "list", "pair", "url"],
)
def test_media_without_a_model_uses_the_default_vision_model(
    emulator: Emulator, generate: Generate, media: Any
) -> None:
    generate("", "What is it?", media=media)
    assert asked(emulator) == [HuggingFaceAPI.default_vision_model]


def test_a_picture_in_the_messages_without_a_model_uses_the_default_vision_model(
    emulator: Emulator, generate: Generate
) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.invalid/a.png"}}
    generate("", [user([{"type": "text", "text": "What is it?"}, picture])])
    assert asked(emulator) == [HuggingFaceAPI.default_vision_model]


@pytest.mark.parametrize("media", [None, [], ()])
def test_without_media_and_model_the_default_model_is_used(emulator: Emulator, generate: Generate, media: Any) -> None:
    generate("", "Count", media=media)
    assert asked(emulator) == [HuggingFaceAPI.default_model]


def test_media_with_a_model_uses_that_model(emulator: Emulator, generate: Generate) -> None:
    generate("emulator/small-vision", "What is it?", media=PNG)
    assert asked(emulator) == ["emulator/small-vision"]


def test_media_for_a_text_model_is_refused_before_sending(emulator: Emulator, generate: Generate) -> None:
    with pytest.raises(hf_text.ModelNotSupportedError, match="emulator/small"):
        generate("emulator/small", "What is it?", media=PNG)
    assert chats(emulator) == []


# Providers that cannot serve a model


@pytest.mark.parametrize("model", ["emulator/none", "emulator/nobody", "emulator/error-only", "emulator/painter"])
def test_a_model_not_served_for_conversation_is_reported(emulator: Emulator, generate: Generate, model: str) -> None:
    with pytest.raises(hf_text.ModelNotSupportedError) as caught:
        generate(model, "Count")
    assert caught.value.model == model
    assert len(chats(emulator)) == 1


def test_a_402_of_a_provider_fails_over_to_the_next(emulator: Emulator, generate: Generate) -> None:
    emulator.models = [build_model("x/chat", "together", "novita")]
    emulator.reply("provider-payment")
    events = generate("x/chat", "Count")
    assert events[0].provider == "novita"
    assert asked(emulator) == ["x/chat", "x/chat:novita"]


def test_a_402_of_every_provider_is_raised(emulator: Emulator, generate: Generate) -> None:
    emulator.models = [build_model("x/chat", "together", "novita", "groq")]
    emulator.always(lambda request: payment(request.json["model"].partition(":")[2] or "together"))
    with pytest.raises(hf_text.PaymentRequiredError) as caught:
        generate("x/chat", "Count")
    assert caught.value.scope == "provider"
    assert [attempt.status for attempt in caught.value.attempts] == [402, 402, 402]
    assert asked(emulator) == ["x/chat", "x/chat:novita", "x/chat:groq"]


def payment(provider: str) -> Response:
    return Response.error(402, "Credit limit exceeded, please navigate to your billing page.", provider=provider)


def test_an_account_without_credits_stops_at_once(emulator: Emulator, generate: Generate) -> None:
    emulator.always("credits-used-up")
    with pytest.raises(hf_text.PaymentRequiredError) as caught:
        generate("openai/gpt-oss-120b", "Count")
    assert caught.value.scope == "account"
    assert len(emulator.requests) == 1


def test_an_invalid_key_stops_at_once(emulator: Emulator, generate: Generate) -> None:
    emulator.always("bad-key")
    with pytest.raises(hf_text.AuthenticationError) as caught:
        generate("openai/gpt-oss-120b", "Count")
    assert KEY not in str(caught.value) + repr(caught.value.__dict__)
    assert len(emulator.requests) == 1


def test_a_truncated_stream_error_has_the_partial_text(emulator: Emulator, generate: Generate) -> None:
    emulator.reply("cut-between-events")
    with pytest.raises(hf_text.TruncatedStreamError) as caught:
        generate("openai/gpt-oss-120b", "Count")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"
    assert len(emulator.requests) == 1


# The override


def test_the_route_of_an_override_is_tried_first(emulator: Emulator, generate: Generate) -> None:
    emulator.reply(Response.text("One"))
    events = generate(GEMMA, "Count")
    assert chats(emulator) == [f"/{OVERRIDE}/v1/chat/completions"]
    assert asked(emulator) == [GEMMA]
    assert emulator.requests[-1].key == KEY
    assert events[0].url == f"{emulator.url}/{OVERRIDE}/v1/chat/completions"


def test_the_mapping_is_tried_after_a_failed_override(emulator: Emulator, generate: Generate) -> None:
    emulator.models = [build_model(GEMMA, "together", "novita", vision=True)]
    events = generate(GEMMA, "Count")
    assert chats(emulator)[0] == f"/{OVERRIDE}/v1/chat/completions"
    assert events[0].provider == "together"
    assert set(chats(emulator)[1:]) == {ROUTER}


def test_the_next_mapping_entry_is_tried_after_the_first_fails(emulator: Emulator, generate: Generate) -> None:
    emulator.models = [build_model(GEMMA, "together", "novita", vision=True)]
    withdrawn = Response.error(410, "The requested model is deprecated", "string", "hf-inference")
    emulator.reply(withdrawn, path=f"/{OVERRIDE}/v1/chat/completions")
    emulator.reply("server-error", path=ROUTER)
    assert generate(GEMMA, "Count")[0].provider == "novita"


def test_without_other_providers_the_override_error_is_raised(emulator: Emulator, generate: Generate) -> None:
    emulator.models = [build_model("x/chat", "novita")]
    with pytest.raises(hf_text.ModelNotSupportedError):
        generate(GEMMA, "Count")


def test_a_subclass_can_have_its_own_overrides(emulator: Emulator) -> None:
    entry = {"task": "conversational", "providerId": "own-name"}
    mine: Any = type("Mine", (HuggingFaceAPI,), {"provider_mapping": {"x/chat": {"groq/openai": entry}}})
    emulator.reply(Response.text("One"))
    list(mine.create_generator("x/chat", "Count"))
    assert chats(emulator) == ["/groq/openai/v1/chat/completions"]
    assert asked(emulator) == ["own-name"]
    assert list(mine.get_mapping_sync("x/chat")) == ["groq/openai"]
    assert "x/chat" in mine.get_models()


# Options


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "seed": 3}, {"temperature": 0.5, "top_p": 0.9, "seed": 3}),
        ({"stop": ["END"]}, {"stop": ["END"]}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [TOOL], "tool_choice": "auto"}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
        ({"extra_body": {"min_p": 0.1}}, {"min_p": 0.1}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"provider": "groq"}, {"model": "openai/gpt-oss-120b:groq"}),
        ({"max_tokens": None}, {"max_tokens": None}),
    ],
    ids=lambda value: "-".join(value),
)
def test_options_reach_the_body(emulator: Emulator, generate: Generate, options: Any, body: Any) -> None:
    generate("openai/gpt-oss-120b", "Count", **options)
    assert {name: emulator.requests[-1].json.get(name) for name in body} == body


def test_headers_and_bill_to_reach_the_router(emulator: Emulator, generate: Generate) -> None:
    generate("emulator/small", "Count", headers={"X-Mine": "yes"}, bill_to="our-org")
    assert emulator.requests[-1].headers["x-mine"] == "yes"
    assert emulator.requests[-1].headers["x-hf-bill-to"] == "our-org"


def test_requests_go_through_the_proxy(emulator: Emulator, generate: Generate, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_TEXT_ROUTER_URL", "http://router.invalid")
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    generate("emulator/small", "Count", proxy=emulator.url)
    assert emulator.requests[-1].target == "http://router.invalid/v1/chat/completions"
    HuggingFaceAPI.get_models(proxy=emulator.url)
    assert emulator.requests[-1].target.startswith("http://hub.invalid/api/models?")


def test_the_timeout_is_applied(emulator: Emulator, generate: Generate) -> None:
    emulator.reply("stall-mid-stream")
    with pytest.raises(hf_text.RequestTimeoutError) as caught:
        generate("emulator/small", "Count", timeout=Timeouts(gap=0.1))
    assert caught.value.clock == "gap"
    assert caught.value.partial is not None


def test_an_option_that_is_none_counts_as_not_given(emulator: Emulator, generate: Generate) -> None:
    names = ("proxy", "timeout", "headers", "temperature", "top_p", "stop", "tools", "response_format", "extra_body")
    generate("emulator/small", "Count", **dict.fromkeys(names))
    assert not set(emulator.requests[-1].json) & set(names)


def test_an_unknown_option_is_refused_by_its_name(emulator: Emulator, generate: Generate) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match="max_inputs_length"):
        generate("emulator/small", "Count", max_inputs_length=10)
    assert emulator.requests == []


# calculate_lenght


@pytest.mark.parametrize(
    ("messages", "length"),
    [
        ([], 0),
        ([user("")], 16),
        ([user("hello")], 21),
        ([user("hello"), {"role": "assistant", "content": "hi"}], 39),
        ([user([{"type": "text", "text": "hello"}])], 21),
        ([user([{"type": "text", "text": "a"}, {"type": "text", "text": "bc"}])], 19),
        ([user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x" * 99}}])], 17),
        ([user([])], 16),
        ([user("ä€😀")], 19),
        ([{"role": "assistant", "content": None, "tool_calls": []}], 16),
        ("hello", 21),
    ],
)
def test_calculate_lenght_counts_characters_plus_16_per_message(messages: Any, length: int) -> None:
    assert calculate_lenght(messages) == length


@given(st.lists(st.text(max_size=30), max_size=8))
def test_calculate_lenght_is_the_sum_over_the_messages(contents: list[str]) -> None:
    assert calculate_lenght([user(content) for content in contents]) == sum(len(c) + 16 for c in contents)
    parts = [user([{"type": "text", "text": content}]) for content in contents]
    assert calculate_lenght(parts) == sum(len(c) + 16 for c in contents)
