"""How callers use the class interface: options, other names, their own tracking arguments, empty fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import hf_text
from hf_text import HuggingFaceAPI, OpenaiTemplate
from hf_text.callers import CallerOptions, cached_operations
from hf_text.emulator import Emulator, Response
from hf_text.protocol.names import RETIRED_ALIASES

KEY = "hf_AKeyForTestsAndNothing"
MODEL = "emulator/small"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
DATA = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    cached_operations.cache_clear()


def body_for(emulator: Emulator, **options: Any) -> Any:
    list(HuggingFaceAPI.create_generator(MODEL, "Count", **options))
    return emulator.requests[-1].json


# --- options


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"user": "me"}, {"user": "me"}),
        ({"top_k": 3}, {"top_k": 3}),
        ({"logit_bias": {"1": 5}}, {"logit_bias": {"1": 5}}),
        ({"modalities": ["text"]}, {"modalities": ["text"]}),
        ({"audio": {"voice": "a"}}, {"audio": {"voice": "a"}}),
        ({"frequency_penalty": 0.5}, {"frequency_penalty": 0.5}),
        ({"presence_penalty": 0.5}, {"presence_penalty": 0.5}),
        ({"tools": [TOOL], "parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ({"prompt_cache_key": "a"}, {"prompt_cache_key": "a"}),
        ({"include_reasoning": True}, {"include_reasoning": True}),
        ({"search_settings": {"a": 1}}, {"search_settings": {"a": 1}}),
        ({"extra_data": {"min_p": 0.1}}, {"min_p": 0.1}),
        ({"extra_data": {"a": 1, "b": 1}, "extra_body": {"a": 2}}, {"a": 2, "b": 1}),
        ({"top_k": 3, "extra_body": {"top_k": 4}}, {"top_k": 4}),
        ({"stream_options": {"include_usage": False}}, {"stream_options": None}),
        ({"max_tokens": None}, {"max_tokens": None}),
    ],
    ids=lambda value: "-".join(value),
)
def test_protocol_fields_go_into_the_body(emulator: Emulator, options: Any, sent: Any) -> None:
    body = body_for(emulator, **options)
    assert {name: body.get(name) for name in sent} == sent


IGNORED = sorted(
    CallerOptions.__annotations__.keys()
    - {"api_endpoint", "base_url", "extra_data", "max_input_length", "stream_options", "image", "images"}
    - {"include_reasoning", "max_completion_tokens", "prompt_cache_key", "search_settings"}
)


@pytest.mark.parametrize("name", [*IGNORED, "user-agent"])
def test_bookkeeping_arguments_are_ignored(emulator: Emulator, name: str) -> None:
    assert body_for(emulator, **{name: ["anything"]}) == body_for(emulator)


def test_ignored_arguments_are_documented() -> None:
    documented = OpenaiTemplate.__doc__ or ""
    assert [name for name in IGNORED if f"``{name}``" not in documented] == []


@pytest.mark.parametrize("stream", [True, False, None])
def test_every_answer_is_streamed_whatever_the_stream_argument(emulator: Emulator, stream: Any) -> None:
    assert body_for(emulator, stream=stream)["stream"] is True


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"proxy": ""},
        {"tools": []},
        {"tool_choice": "auto"},
        {"tools": [], "tool_choice": "none"},
        {"provider": HuggingFaceAPI},
        {"api_base": ""},
        {"media": []},
        {"images": [], "image": None, "n": 1},
        {"media": [(None, None)]},
        dict.fromkeys(("temperature", "top_p", "stop", "seed", "tools", "tool_choice", "timeout", "proxy", "headers")),
    ],
    ids=lambda value: "-".join(value),
)
def test_empty_values_count_as_not_given(emulator: Emulator, options: dict[str, Any]) -> None:
    assert body_for(emulator, **options) == body_for(emulator)


def test_a_tool_choice_that_requires_a_tool_is_refused_without_tools(emulator: Emulator) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match="tool_choice needs tools"):
        body_for(emulator, tool_choice="required")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temprature": 1}, "HuggingFaceAPI has no argument 'temprature'. Did you mean 'temperature'"),
        ({"max_inputs_length": 1}, "'max_inputs_length'. Did you mean 'max_inputs_lenght'"),
        ({"n": 2}, "'n'. One call returns one answer"),
        ({"surprise": 1}, "HuggingFaceAPI has no argument 'surprise'"),
        ({"provider_mapping": {}}, "'provider_mapping' is an argument of Client"),
        ({"extra_data": "x"}, "extra_data must be a mapping"),
        ({"extra_body": "x"}, "extra_body must be a mapping"),
        ({"api_endpoint": "http://x/v1"}, "api_endpoint must be an address that ends with /chat/completions"),
        ({"timeout": -1}, "timeout"),
        ({"top_p": 2}, "top_p"),
    ],
)
def test_unknown_arguments_are_refused_by_name(emulator: Emulator, options: dict[str, Any], words: str) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match=words):
        HuggingFaceAPI.create_generator(MODEL, "Count", **options)
    assert emulator.requests == []


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_endpoint"])
def test_another_server_is_accepted_under_each_name(
    emulator: Emulator, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TEXT_ROUTER_URL", "http://router.invalid")
    address = f"{emulator.api_base}/chat/completions" if name == "api_endpoint" else emulator.api_base
    assert list(HuggingFaceAPI.create_generator(MODEL, "Count", **{name: address}))
    assert emulator.requests[-1].authorization is None


def test_keys_of_several_providers_are_accepted(emulator: Emulator) -> None:
    body_for(emulator, api_key={"HuggingFace": "hf_ofThisOne", "Other": "sk-other"})
    assert emulator.requests[-1].key == "hf_ofThisOne"
    body_for(emulator, api_key={"Other": "sk-other"})
    assert emulator.requests[-1].key == KEY


@pytest.mark.parametrize("media", [[[DATA, "a.png"]], [(DATA, None)], [[PNG, None]], [[PNG, "a.png"], DATA]])
def test_media_pairs_can_be_lists_without_a_name(emulator: Emulator, media: Any) -> None:
    list(HuggingFaceAPI.create_generator("emulator/small-vision", "Look", media=media))
    [message] = emulator.requests[-1].json["messages"]
    assert {part["type"] for part in message["content"]} == {"text", "image_url"}
    assert len(message["content"]) == 1 + len(media)


@pytest.mark.parametrize(
    "options",
    [
        {"images": [(DATA, "a.png")]},
        {"images": [DATA]},
        {"image": DATA},
        {"image": PNG, "image_name": "a.png", "media": []},
    ],
)
def test_media_is_accepted_under_its_older_names(emulator: Emulator, options: Any) -> None:
    list(HuggingFaceAPI.create_generator("emulator/small-vision", "Look", **options))
    [message] = emulator.requests[-1].json["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]


# --- a default model without a provider


def test_the_next_fallback_model_is_used_with_a_warning_that_names_both(emulator: Emulator) -> None:
    emulator.reply(Response.error(400, "not supported", code="model_not_supported"))
    default, following = HuggingFaceAPI.default_model, HuggingFaceAPI.fallback_models[0]
    with pytest.warns(hf_text.HFTextWarning, match=f"^{default} is not served at present: {following} is used instead"):
        events = list(HuggingFaceAPI.create_generator("", "Count"))
    assert events[0].model == following  # type: ignore[union-attr]
    assert [request.json["model"] for request in emulator.requests] == [default, following]


def test_with_media_the_fallback_is_a_vision_model(emulator: Emulator) -> None:
    emulator.reply(
        Response.error(404, f"The model `{HuggingFaceAPI.default_vision_model}` does not exist"),
        path="/v1/chat/completions",
    )
    with pytest.warns(hf_text.HFTextWarning):
        events = list(HuggingFaceAPI.create_generator("", "Look", media=PNG))
    assert events[0].model in HuggingFaceAPI.vision_models  # type: ignore[union-attr]


def test_a_named_model_is_never_replaced(emulator: Emulator) -> None:
    emulator.always(Response.error(400, "not supported", code="model_not_supported"))
    with pytest.raises(hf_text.ModelNotSupportedError):
        list(HuggingFaceAPI.create_generator(HuggingFaceAPI.default_model, "Count"))
    with hf_text.Client() as client, pytest.raises(hf_text.ModelNotSupportedError):
        client.generate("Count")
    assert len([request for request in emulator.requests if request.method == "POST"]) == 2


def test_without_a_served_fallback_model_the_error_is_raised(emulator: Emulator) -> None:
    emulator.always(Response.error(400, "not supported", code="model_not_supported"), path="/v1/chat/completions")
    with pytest.warns(hf_text.HFTextWarning), pytest.raises(hf_text.ModelNotSupportedError):
        list(HuggingFaceAPI.create_generator("", "Count"))
    asked = [request.json["model"] for request in emulator.requests if request.method == "POST"]
    assert set(asked) == set(HuggingFaceAPI.fallback_models)


@pytest.mark.parametrize("alias", sorted(RETIRED_ALIASES))
def test_a_dangling_alias_gets_a_hint(emulator: Emulator, alias: str) -> None:
    assert alias not in HuggingFaceAPI.model_aliases
    with pytest.raises(hf_text.ModelNotSupportedError, match=f"'{alias}' used to mean {RETIRED_ALIASES[alias]}"):
        list(HuggingFaceAPI.create_generator(alias, "Count"))


# --- overrides


def test_an_override_is_returned_as_written_and_as_a_copy(emulator: Emulator) -> None:
    [name] = HuggingFaceAPI.provider_mapping
    mapping = HuggingFaceAPI.get_mapping_sync(name)
    assert mapping == HuggingFaceAPI.provider_mapping[name]
    mapping.clear()
    assert HuggingFaceAPI.provider_mapping[name]
    assert emulator.requests == []


def test_an_override_for_another_task_is_not_used_or_listed(emulator: Emulator) -> None:
    class Drawing(HuggingFaceAPI):
        provider_mapping = {"emulator/small": {"novita/route": {"task": "text-to-image", "providerId": "x/y"}}}  # noqa: RUF012
        fallback_models = []  # noqa: RUF012

    list(Drawing.create_generator(MODEL, "Count"))
    assert [request.path for request in emulator.requests] == ["/v1/chat/completions"]
    assert Drawing._overridden_models() == []


# --- the interface that g4f's callers use, without g4f


def test_the_provider_interface_is_complete() -> None:
    for cls in (OpenaiTemplate, HuggingFaceAPI):
        assert (cls.supports_stream, cls.supports_message_history, cls.supports_system_message) == (True, True, True)
        assert (cls.models, cls.image_models, cls.last_model) == ([], [], None)
        for name in ("models", "image_models", "vision_models", "fallback_models"):
            assert type(getattr(cls, name)) is list
    assert HuggingFaceAPI.get_dict() == {
        "name": "HuggingFaceAPI",
        "url": "https://api-inference.huggingface.com",
        "label": "HuggingFace (Text Generation)",
    }
    assert (HuggingFaceAPI.get_parent(), OpenaiTemplate.get_parent()) == ("HuggingFace", "OpenaiTemplate")
    assert HuggingFaceAPI.get_create_function() == HuggingFaceAPI.create_completion
    assert HuggingFaceAPI.get_async_create_function() == HuggingFaceAPI.create_async_generator


def test_parameters_have_their_defaults() -> None:
    parameters = HuggingFaceAPI.get_parameters()
    assert parameters["max_tokens"].default == 2048
    assert "kwargs" not in parameters
    written = json.loads(json.dumps(HuggingFaceAPI.get_parameters(as_json=True)))
    assert (written["model"], written["stream"], written["provider"]) == (
        HuggingFaceAPI.default_model,
        True,
        "HuggingFaceAPI",
    )


def test_functions_have_their_aliases(emulator: Emulator) -> None:
    emulator.always(Response.text("One", " two"))
    assert "".join(map(str, HuggingFaceAPI.create_completion(MODEL, "Count"))) == "One two"
    assert "".join(map(str, HuggingFaceAPI.create_function(MODEL, "Count"))) == "One two"


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_async_functions_have_their_aliases(emulator: Emulator, anyio_backend: str) -> None:
    emulator.always(Response.text("One", " two", reasoning="Hm."))
    assert await HuggingFaceAPI.create_async(MODEL, "Count") == "One two"
    events = [event async for event in HuggingFaceAPI.async_create_function(MODEL, "Count")]
    assert "".join(map(str, events)) == "One two"


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("fault", ["cut-mid-stream", "bad-key"])
async def test_a_partial_answer_is_not_returned_as_complete(emulator: Emulator, anyio_backend: str, fault: str) -> None:
    emulator.reply(fault)
    with pytest.raises(hf_text.HFTextError):
        await HuggingFaceAPI.create_async(MODEL, "Count")


def test_events_have_the_interface_callers_expect(emulator: Emulator) -> None:
    emulator.reply(Response.text("One", reasoning="Hm.", tool_calls=[("look", "{}")], usage=(3, 2), provider="novita"))
    events = list(HuggingFaceAPI.create_generator(MODEL, "Count"))
    by_type = {type(event).__name__: event for event in events}
    info: Any = by_type["ProviderInfo"]
    assert info.name == "novita"
    assert info.get_dict() == {"name": "novita", "url": info.url, "label": info.label, "model": MODEL}
    assert "".join(event.token for event in events if isinstance(event, hf_text.Reasoning)) == "Hm."
    usage: Any = by_type["Usage"]
    assert usage.get_dict()["total_tokens"] == 5
    calls: Any = by_type["ToolCalls"]
    assert [call["function"]["name"] for call in calls.get_list()] == ["look"]
    finish: Any = by_type["FinishReason"]
    assert finish.get_dict() == {"reason": "tool_calls"}
