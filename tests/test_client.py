"""The client end to end, on an emulated Hugging Face and on another server: requests and results."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hf_text import (
    APIStatusError,
    AuthenticationError,
    Client,
    FinishReason,
    InvalidRequestError,
    MissingAuthError,
    ModelNotSupportedError,
    ProviderInfo,
    Reasoning,
    Timeouts,
    ToolCall,
    ToolCalls,
    TransportError,
    Usage,
)
from hf_text.emulator import Emulator, Gate, Request, Response, build_model
from hf_text.tuning import Tuning

pytestmark = pytest.mark.every_client

MakeClient = Callable[..., Client]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}}
CALL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def server() -> Iterator[Emulator]:
    """Another server: reached through ``api_base``; the environment points elsewhere."""
    with Emulator() as running:
        yield running


@pytest.fixture
def fixed(server: Emulator, make_client: MakeClient) -> Client:
    """A client of that server, without a key."""
    return make_client(None, server.api_base)


def posts(emulator: Emulator) -> list[Request]:
    return [request for request in emulator.requests if request.method == "POST"]


def gets(emulator: Emulator) -> list[str]:
    """The paths of the GET requests."""
    return [request.path for request in emulator.requests if request.method == "GET"]


def asked_models(emulator: Emulator) -> list[str]:
    return [request.json["model"] for request in posts(emulator)]


# --- the body


def test_only_given_options_are_sent(emulator: Emulator, client: Client) -> None:
    client.generate("Hi")
    (request,) = emulator.requests
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.json == {
        "model": "openai/gpt-oss-120b",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_model_is_the_first_field_on_the_wire(emulator: Emulator, client: Client) -> None:
    client.generate("Hi", temperature=0.5, extra_body={"a": 1})
    assert emulator.requests[0].body.startswith(b'{"model":"openai/gpt-oss-120b",')


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": None}, {}),
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"stop": "END"}, {"stop": ["END"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"seed": 3}, {"seed": 3}),
        ({"tools": [CALL]}, {"tools": [CALL]}),
        (
            {"tools": [CALL], "tool_choice": "now"},
            {"tools": [CALL], "tool_choice": {"type": "function", "function": {"name": "now"}}},
        ),
        ({"response_format": "json_object"}, {"response_format": {"type": "json_object"}}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"include_usage": True}, {"stream_options": {"include_usage": True}}),
        ({"extra_body": {"top_k": 5, "nothing": None}}, {"top_k": 5}),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_an_option_that_is_given_is_sent(
    emulator: Emulator, client: Client, options: dict[str, Any], sent: dict[str, Any]
) -> None:
    client.generate("Hi", **{"include_usage": False, **options})
    body = emulator.requests[0].json
    assert {name: body[name] for name in body if name not in ("model", "messages", "stream")} == sent


def test_media_is_added_to_the_last_user_message(emulator: Emulator, client: Client) -> None:
    client.generate("What is it?", media="https://example.org/cat.png")
    assert posts(emulator)[0].json["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}, PICTURE]}
    ]


# --- the headers


def test_a_chat_request_has_only_the_expected_headers(emulator: Emulator, client: Client) -> None:
    client.generate("Hi")
    headers = emulator.requests[0].headers
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "text/event-stream"
    assert headers["user-agent"].startswith("hf_text/")
    assert set(headers) == {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }


def test_bill_to_is_sent_as_a_header(emulator: Emulator, make_client: MakeClient) -> None:
    make_client(bill_to="my-org").generate("Hi")
    assert emulator.requests[0].headers["x-hf-bill-to"] == "my-org"


@pytest.mark.parametrize("name", ["User-Agent", "user-agent"])
def test_custom_headers_override_the_defaults(emulator: Emulator, make_client: MakeClient, name: str) -> None:
    make_client(headers={name: "mine/1", "X-Team": "blue"}).generate("Hi")
    headers = emulator.requests[0].headers
    assert (headers["user-agent"], headers["x-team"]) == ("mine/1", "blue")


# --- the key


def test_a_given_key_is_sent_to_router_and_hub(emulator: Emulator, make_client: MakeClient) -> None:
    client = make_client("hf_given")
    client.generate("Hi")
    client.mapping("emulator/small")
    client.models()
    assert [request.authorization for request in emulator.requests] == ["Bearer hf_given"] * 3


def test_the_environment_key_is_sent_to_hugging_face(
    emulator: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_found")
    make_client(None).generate("Hi")
    assert emulator.requests[0].key == "hf_found"


def test_the_environment_key_is_never_sent_to_another_server(
    server: Emulator, fixed: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_found")
    fixed.generate("Hi")
    fixed.models()
    assert {request.authorization for request in server.requests} == {None}


def test_a_given_key_is_sent_to_another_server(server: Emulator, make_client: MakeClient) -> None:
    client = make_client("sk-given", server.api_base)
    client.generate("Hi")
    assert {request.key for request in server.requests} == {"sk-given"}


def test_the_router_url_counts_as_hugging_face(
    emulator: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_found")
    make_client(None, f"{emulator.url}/v1/", provider="novita").generate("Hi")
    assert (emulator.requests[0].key, asked_models(emulator)) == ("hf_found", ["openai/gpt-oss-120b:novita"])


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_custom_authorization_header_replaces_the_key(
    emulator: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_found")
    make_client(None, headers={name: "Basic bWU6bWU="}).generate("Hi")
    assert emulator.requests[0].authorization == "Basic bWU6bWU="


def test_without_a_key_nothing_is_sent(emulator: Emulator, make_client: MakeClient) -> None:
    client = make_client(None)
    with pytest.raises(MissingAuthError, match="HF_TOKEN"):
        client.stream("Hi")
    with pytest.raises(MissingAuthError, match=r"huggingface\.co/settings/tokens"):
        client.generate("Hi")
    assert emulator.requests == []


def test_a_key_that_is_set_later_is_found(
    emulator: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook whose first cell fails and whose second sets the variable."""
    client = make_client(None)
    with pytest.raises(MissingAuthError):
        client.generate("Hi")
    monkeypatch.setenv("HF_TOKEN", "hf_later")
    client.generate("Hi")
    assert [request.key for request in emulator.requests] == ["hf_later"]


def test_the_catalogue_can_be_read_without_a_key(emulator: Emulator, make_client: MakeClient) -> None:
    assert make_client(None).models()
    assert emulator.requests[0].authorization is None


# --- results


def test_nothing_is_sent_before_the_first_read(emulator: Emulator, client: Client) -> None:
    stream = client.stream("Hi")
    assert emulator.requests == []
    assert next(iter(stream))
    assert len(emulator.requests) == 1
    stream.close()


def test_a_stream_yields_text_in_pieces(emulator: Emulator, client: Client) -> None:
    emulator.reply(Response.text("One", " two", " three", reasoning=["Hm."], usage=(1, 3)))
    assert list(client.stream("Hi")) == ["One", " two", " three"]


def test_events_arrive_in_order(emulator: Emulator, client: Client) -> None:
    reply = Response.text(
        "Look", "ing.", reasoning=["Let", " me"], tool_calls=[("now", {"zone": "UTC"})], usage=(5, 9), provider="groq"
    )
    emulator.reply(reply)
    events = list(client.stream("Hi").events())
    assert events == [
        ProviderInfo("groq", "openai/gpt-oss-120b", f"{emulator.url}/v1/chat/completions", "Groq"),
        Reasoning("Let"),
        Reasoning(" me"),
        "Look",
        "ing.",
        ToolCalls((ToolCall("call_1", "now", '{"zone":"UTC"}'),)),
        Usage(5, 9, 14),
        FinishReason("tool_calls"),
    ]
    assert "".join(map(str, events)) == "Looking."


def test_one_provider_event_is_yielded_after_failover(emulator: Emulator, client: Client) -> None:
    emulator.reply("server-error", Response.text("Hi", provider="novita"))
    events = list(client.stream("Hi").events())
    assert [event.provider for event in events if isinstance(event, ProviderInfo)] == ["novita"]
    assert isinstance(events[0], ProviderInfo)


def test_a_server_without_provider_name_is_labelled_by_its_host(server: Emulator, fixed: Client) -> None:
    server.reply(Response.text("Hi"))
    info = next(iter(fixed.stream("Hi", "tiny").events()))
    url = f"{server.api_base}/chat/completions"
    assert info == ProviderInfo(None, "tiny", url, server.url.removeprefix("http://"))


def test_a_completion_contains_the_full_answer(emulator: Emulator, client: Client) -> None:
    reply = Response.text(
        "One",
        " two",
        reasoning=["Hm."],
        tool_calls=[("now", "{}")],
        usage=(3, 4),
        provider="novita",
        headers={"x-request-id": "Root=1-abc"},
    )
    emulator.reply(reply)
    completion = client.generate("Hi", "openai/gpt-oss-20b:novita")
    assert (completion.text, str(completion)) == ("One two", "One two")
    assert completion.reasoning == "Hm."
    assert completion.tool_calls == (ToolCall("call_1", "now", "{}"),)
    assert completion.finish_reason == "tool_calls"
    assert completion.usage == Usage(3, 4, 7)
    assert completion.model == "openai/gpt-oss-20b:novita"
    assert (completion.provider, completion.request_id) == ("novita", "Root=1-abc")


def test_a_completion_has_its_attempt_and_timings(emulator: Emulator, client: Client) -> None:
    completion = client.generate("Hi")
    (attempt,) = completion.attempts
    assert (attempt.provider, attempt.status, attempt.error) == ("novita", 200, None)
    assert completion.timings.first_token is not None
    assert 0 < completion.timings.first_token <= completion.timings.total
    assert 0 < attempt.seconds <= completion.timings.total


def test_timings_stop_when_the_stream_ends(client: Client) -> None:
    stream = client.stream("Hi")
    list(stream)
    assert stream.completion.timings == stream.completion.timings


def test_the_completion_grows_with_the_stream(emulator: Emulator, client: Client) -> None:
    gate = Gate()
    pieces = list(Response.text("One", " two").body)  # type: ignore[arg-type]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=[*pieces[:2], gate, *pieces[2:]]))
    with client.stream("Hi") as stream:
        assert stream.partial.text == ""
        texts = iter(stream)
        assert next(texts) == "One"
        assert (stream.partial.text, stream.partial.finish_reason) == ("One", None)
        gate.open()
        assert list(texts) == [" two"]
    assert (stream.completion.text, stream.completion.finish_reason) == ("One two", "stop")


def test_a_completion_can_be_passed_back_as_a_message(emulator: Emulator, client: Client) -> None:
    emulator.reply(Response.text("One"))
    first = client.generate("Count.")
    client.generate([{"role": "user", "content": "Count."}, first, {"role": "user", "content": "Go on."}])
    assert [message["content"] for message in emulator.requests[1].json["messages"]] == ["Count.", "One", "Go on."]


def test_many_threads_can_share_a_client(emulator: Emulator, client: Client) -> None:
    texts: list[str] = []

    def ask(number: int) -> None:
        for turn in range(3):
            question = f"{number}.{turn}"
            if str(client.generate(question)).endswith(f"You asked: {question}"):
                texts.append(question)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(texts) == 24
    assert emulator.connections <= 8


# --- model selection


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (None, "openai/gpt-oss-120b"),
        ("llama-3.3-70b", "meta-llama/Llama-3.3-70B-Instruct"),
        ("llama-3.3-70b:groq", "meta-llama/Llama-3.3-70B-Instruct:groq"),
        ("emulator/small", "emulator/small"),
        ("emulator/small:novita", "emulator/small:novita"),
        ("emulator/small:fastest", "emulator/small:fastest"),
    ],
)
def test_the_model_is_a_name_an_alias_or_the_default(
    emulator: Emulator, client: Client, given: str | None, asked: str
) -> None:
    completion = client.generate("Hi", given)
    assert asked_models(emulator) == [asked]
    assert completion.model == asked


@pytest.mark.parametrize(
    ("provider", "asked"),
    [
        ("auto", "emulator/small"),
        ("fastest", "emulator/small:fastest"),
        ("cheapest", "emulator/small:cheapest"),
        ("preferred", "emulator/small:preferred"),
        ("novita", "emulator/small:novita"),
        (["novita", "groq"], "emulator/small:novita"),
    ],
)
def test_a_provider_or_a_policy_becomes_a_suffix(
    emulator: Emulator, make_client: MakeClient, client: Client, provider: str | list[str], asked: str
) -> None:
    make_client(provider=provider).generate("Hi", "emulator/small")
    client.generate("Hi", "emulator/small", provider=provider)
    assert asked_models(emulator) == [asked, asked]


def test_a_model_suffix_overrides_the_provider(emulator: Emulator, make_client: MakeClient) -> None:
    make_client(provider="novita").generate("Hi", "openai/gpt-oss-120b:groq", provider="together")
    assert asked_models(emulator) == ["openai/gpt-oss-120b:groq"]


def test_the_provider_of_a_call_overrides_that_of_the_client(emulator: Emulator, make_client: MakeClient) -> None:
    make_client(provider="novita").generate("Hi", provider="groq")
    assert asked_models(emulator) == ["openai/gpt-oss-120b:groq"]


def test_a_provider_with_a_path_has_its_own_route(emulator: Emulator, client: Client) -> None:
    route = "hf-inference/models/emulator/small"
    emulator.reply(Response.text("Hi"), path=f"/{route}/v1/chat/completions")
    completion = client.generate("Hi", "emulator/small", provider=route)
    assert completion.provider == route
    assert asked_models(emulator) == ["emulator/small"]


def test_with_media_and_no_model_a_vision_model_is_chosen(emulator: Emulator, client: Client) -> None:
    client.generate("What is it?", media=PNG)
    client.generate([{"role": "user", "content": [PICTURE]}])
    assert asked_models(emulator) == ["google/gemma-4-31B-it"] * 2


def test_a_text_model_is_refused_before_media_is_sent(emulator: Emulator, client: Client) -> None:
    with pytest.raises(ModelNotSupportedError, match="accepts only text") as caught:
        client.generate("What is it?", "openai/gpt-oss-20b:groq", media=PNG)
    assert gets(emulator) == ["/v1/models"]
    assert posts(emulator) == []
    assert caught.value.model == "openai/gpt-oss-20b"
    assert "google/gemma-4-31B-it" in caught.value.suggestions


def test_a_vision_model_is_looked_up_once(emulator: Emulator, client: Client) -> None:
    for _ in range(2):
        client.generate("What is it?", "emulator/small-vision", media=PNG)
    assert gets(emulator) == ["/v1/models"]
    assert len(posts(emulator)) == 2


@pytest.mark.parametrize("fault", ["server-error", "html-200", "closed-before-headers", "bad-key"])
def test_media_is_sent_if_the_catalogue_is_unavailable(emulator: Emulator, make_client: MakeClient, fault: str) -> None:
    emulator.always(fault, path="/v1/models")
    emulator.reply(Response.text("A cat."))
    assert str(make_client(max_retries=0).generate("What is it?", "openai/gpt-oss-20b", media=PNG)) == "A cat."


def test_media_is_sent_if_the_catalogue_is_too_slow(emulator: Emulator, make_client: MakeClient) -> None:
    client = make_client(tuning=Tuning(lookup_seconds=0.05))
    emulator.reply("stall-before-headers", path="/v1/models")
    emulator.reply(Response.text("A cat."))
    assert str(client.generate("What is it?", "openai/gpt-oss-20b", media=PNG)) == "A cat."


def test_text_only_calls_do_not_query_the_catalogue(emulator: Emulator, client: Client) -> None:
    client.generate([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])
    assert gets(emulator) == []


def test_a_refused_model_gets_similar_names(client: Client) -> None:
    with pytest.raises(ModelNotSupportedError, match="openai/gpt-oss-120b") as caught:
        client.generate("Hi", "openai/gpt-oss-121b")
    assert caught.value.suggestions[0] == "openai/gpt-oss-120b"


def test_a_model_refused_by_a_provider_lists_those_that_serve_it(client: Client) -> None:
    with pytest.raises(ModelNotSupportedError, match="It is served by: novita") as caught:
        client.generate("Hi", "openai/gpt-oss-120b:nscale")
    assert caught.value.providers[:2] == ("novita", "groq")


# --- another server


def test_another_server_is_called_without_suffix_and_alias(server: Emulator, emulator: Emulator, fixed: Client) -> None:
    server.reply(Response.text("Hi", style="llamacpp"))
    assert str(fixed.generate("Hi", "tiny:8b", provider="groq")) == "Hi"
    assert [(request.path, request.json["model"]) for request in server.requests] == [
        ("/v1/chat/completions", "tiny:8b")
    ]
    assert emulator.requests == []


def test_aliases_apply_only_to_hugging_face(server: Emulator, fixed: Client) -> None:
    server.reply(Response.text("Hi"))
    fixed.generate("Hi", "llama-3")
    assert asked_models(server) == ["llama-3"]


def test_the_first_listed_model_of_another_server_is_the_default(server: Emulator, fixed: Client) -> None:
    server.models = [build_model("my/model", "novita"), build_model("my/other", "novita")]
    completion = fixed.generate("Hi")
    assert fixed.generate("Hi").model == completion.model == "my/model"
    assert gets(server) == ["/v1/models"]
    assert asked_models(server) == ["my/model"] * 2


def test_a_listed_model_that_cannot_chat_is_skipped(server: Emulator, fixed: Client) -> None:
    entries = [{"id": "bge-m3"}, {"id": "reader", "type": "embedding"}, {"id": "tiny"}]
    server.reply(Response.json({"data": entries}), path="/v1/models")
    server.reply(Response.text("Hi"))
    assert fixed.generate("Hi").model == "tiny"
    assert asked_models(server) == ["tiny"]


def test_a_listing_that_requires_a_key_is_an_error_and_nothing_else_is_sent(server: Emulator, fixed: Client) -> None:
    server.always(Response.error(401, "Invalid API key"), path="/v1/models")
    with pytest.raises(AuthenticationError, match="Invalid API key") as caught:
        fixed.generate("Hi")
    assert str(caught.value).endswith("No key was given: pass api_key=…, or set HF_TEXT_API_KEY for the command.")
    assert [request.method for request in server.requests] == ["GET"]


@pytest.mark.parametrize("reply", [Response.json({"data": []}), Response.error(404, "Not Found", "text")])
def test_another_server_without_models_gets_the_name_default(server: Emulator, fixed: Client, reply: Response) -> None:
    server.reply(reply, path="/v1/models")
    server.reply(Response.text("Hi"))
    assert fixed.generate("Hi").model == "default"
    assert asked_models(server) == ["default"]


def test_media_is_sent_to_another_server_without_lookup(server: Emulator, fixed: Client) -> None:
    server.reply(Response.text("A cat."))
    fixed.generate("What is it?", "tiny", media=PNG)
    assert gets(server) == []


def test_bill_to_is_not_sent_to_another_server(server: Emulator, make_client: MakeClient) -> None:
    make_client(None, server.api_base, bill_to="my-org").generate("Hi", "emulator/small")
    assert "x-hf-bill-to" not in server.requests[0].headers


def test_the_hub_is_not_queried_for_another_server(server: Emulator, emulator: Emulator, fixed: Client) -> None:
    with pytest.raises(InvalidRequestError, match="not Hugging Face"):
        fixed.mapping("emulator/small")
    with pytest.raises(InvalidRequestError, match="not Hugging Face"):
        next(fixed.hub_models())
    assert server.requests == emulator.requests == []


# --- the catalogue


def test_models_match_the_router(emulator: Emulator, client: Client) -> None:
    models = {model.id: model for model in client.models()}
    assert "emulator/nobody" not in models
    small = models["emulator/small"]
    assert [offer.provider for offer in small.offers] == ["novita"]
    assert (small.vision, small.tools, small.context_length) == (False, True, 131072)
    assert gets(emulator) == ["/v1/models"]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({"search": "SMALL"}, ["emulator/small", "emulator/small-vision"]),
        ({"search": "small", "vision": True}, ["emulator/small-vision"]),
        ({"provider": "zai-org"}, ["zai-org/GLM-5.2"]),
        ({"tools": False}, ["emulator/no-tools"]),
        (
            {"search": "small", "structured_output": True, "min_context": 1000},
            ["emulator/small", "emulator/small-vision"],
        ),
        ({"min_context": 10_000_000}, []),
        ({"max_output_price": 0.1}, []),
        ({"search": "small", "sort": "name"}, ["emulator/small", "emulator/small-vision"]),
    ],
    ids=str,
)
def test_models_can_be_filtered(client: Client, conditions: dict[str, Any], found: list[str]) -> None:
    assert [model.id for model in client.models(**conditions)] == found


def test_the_catalogue_is_cached_until_refreshed(emulator: Emulator, client: Client) -> None:
    client.models()
    emulator.models = [build_model("brand/new", "novita")]
    assert "brand/new" not in map(str, client.models(search="brand"))
    assert [model.id for model in client.models(refresh=True)] == ["brand/new"]
    assert [model.id for model in client.models()] == ["brand/new"]
    assert len(emulator.requests) == 2


def test_changing_a_returned_list_does_not_affect_the_cache(client: Client) -> None:
    client.models().clear()
    assert client.models()


# --- providers of a model


def test_a_mapping_has_the_order_of_the_account(emulator: Emulator, client: Client) -> None:
    emulator.models = [build_model("a/b", "together", {"provider": "groq", "status": "error"}, "novita")]
    mapping = client.mapping("a/b")
    assert list(mapping) == ["together", "groq", "novita"]
    assert [entry.live for entry in mapping.values()] == [True, False, True]
    assert mapping["novita"].provider_id == "a/b"
    assert mapping["novita"].conversational


def test_mappings_are_cached_per_client(emulator: Emulator, make_client: MakeClient) -> None:
    one, other = make_client("hf_one"), make_client("hf_other")
    for client in (one, one, other):
        client.mapping("emulator/small")
    assert [request.key for request in emulator.requests] == ["hf_one", "hf_other"]


@pytest.mark.parametrize("name", ["llama-3.1-8b", "meta-llama/Llama-3.1-8B-Instruct:novita", "llama-3.1-8b:novita"])
def test_a_mapping_is_requested_by_the_hub_name(emulator: Emulator, client: Client, name: str) -> None:
    assert "novita" in client.mapping(name)
    assert gets(emulator) == ["/api/models/meta-llama/Llama-3.1-8B-Instruct"]


def test_a_renamed_model_is_followed(emulator: Emulator, client: Client) -> None:
    emulator.renamed = {"old/name": "emulator/small"}
    assert list(client.mapping("old/name")) == ["novita"]
    assert gets(emulator) == ["/api/models/old/name", "/api/models/emulator/small"]
    assert {request.query["expand[]"][0] for request in emulator.requests} == {"inferenceProviderMapping"}


def test_a_redirected_request_keeps_its_body_and_key(emulator: Emulator, make_client: MakeClient) -> None:
    emulator.reply(Response.redirect("/v2/chat/completions?x=1", 307), path="/v1/chat/completions")
    emulator.reply(Response.text("Hi"), path="/v2/chat/completions")
    assert str(make_client("hf_mine").generate("Hi")) == "Hi"
    first, second = emulator.requests
    assert (second.method, second.body, second.key) == ("POST", first.body, "hf_mine")


@pytest.mark.parametrize("key", ["hf_mine", None])
def test_a_model_missing_on_the_hub_is_not_supported(make_client: MakeClient, key: str | None) -> None:
    """With a key the Hub answers 404, without one 401."""
    with pytest.raises(ModelNotSupportedError, match="the Hub has no model 'no/such'") as caught:
        make_client(key).mapping("no/such")
    assert caught.value.model == "no/such"


def test_an_invalid_key_is_not_reported_as_a_missing_model(make_client: MakeClient, emulator: Emulator) -> None:
    emulator.reply("bad-key", path="/api/*")
    with pytest.raises(AuthenticationError, match="settings/tokens"):
        make_client("hf_wrong").mapping("emulator/small")


# --- the Hub's listing


@pytest.fixture
def many(emulator: Emulator) -> Emulator:
    """A Hub with two and a half pages."""
    emulator.models = [build_model(f"many/{number:04}", "novita") for number in range(2500)]
    return emulator


def test_a_listing_includes_all_pages(many: Emulator, client: Client) -> None:
    assert [model.id for model in client.hub_models()] == [f"many/{number:04}" for number in range(2500)]
    assert len(many.requests) == 3
    query = many.requests[0].query
    assert (query["inference"], query["inference_provider"], query["limit"]) == (["warm"], ["all"], ["1000"])


def test_pages_are_fetched_on_demand(many: Emulator, client: Client) -> None:
    models = client.hub_models()
    assert many.requests == []
    for expected in (1, 2):
        page = [next(models) for _ in range(1000)]
        assert len(many.requests) == expected
    assert page[-1].id == "many/1999"


@pytest.mark.parametrize(("limit", "size", "pages"), [(1, "1", 1), (3, "3", 1), (1000, "1000", 1), (1001, "1000", 2)])
def test_a_limit_is_respected(many: Emulator, client: Client, limit: int, size: str, pages: int) -> None:
    assert len(list(client.hub_models(limit=limit))) == limit
    assert len(many.requests) == pages
    assert many.requests[0].query["limit"] == [size]


def test_a_listing_can_be_searched_and_filtered_by_provider(emulator: Emulator, client: Client) -> None:
    assert [model.id for model in client.hub_models(search="painter")] == ["emulator/painter"]
    assert [model.id for model in client.hub_models(provider="zai-org")] == ["zai-org/GLM-5.2"]
    painter = next(client.hub_models(search="painter"))
    assert (painter.pipeline_tag, painter.chat, painter.mapping["fal-ai"].task) == (
        "text-to-image",
        False,
        "text-to-image",
    )


def test_a_next_page_on_another_host_is_not_fetched(emulator: Emulator, server: Emulator, client: Client) -> None:
    link = {"Link": f'<{server.url}/api/models?cursor=x>; rel="next"'}
    emulator.reply(Response.json([{"_id": "1", "id": "a/b"}], headers=link), path="/api/models")
    models = client.hub_models()
    assert next(models).id == "a/b"
    with pytest.raises(TransportError, match="another host"):
        next(models)
    assert server.requests == []


def test_a_next_page_can_be_a_relative_url(emulator: Emulator, client: Client) -> None:
    link = {"Link": '</api/models?cursor=x>; rel="next"'}
    pages = [Response.json([{"id": "a/b"}], headers=link), Response.json([{"id": "c/d"}])]
    emulator.reply(*pages, path="/api/models")
    assert [model.id for model in client.hub_models()] == ["a/b", "c/d"]
    assert emulator.requests[1].query == {"cursor": ["x"]}


# --- the client itself


def test_leaving_the_client_closes_its_connections(emulator: Emulator, make_client: MakeClient) -> None:
    with make_client() as client:
        client.generate("Hi")
        assert emulator.open_connections == 1
    emulator.wait_until_idle()
    client.generate("Hi")  # still usable
    assert emulator.connections == 2


def test_a_stored_error_holds_no_connection(emulator: Emulator, make_client: MakeClient) -> None:
    """The traceback references every object of the call, as long as a notebook shows it."""
    emulator.reply("bad-key")
    with make_client() as client, pytest.raises(AuthenticationError) as caught:
        client.generate("Hi")
    emulator.wait_until_idle()
    assert caught.value.__traceback__ is not None


def test_a_connection_in_use_is_closed_after_its_answer(emulator: Emulator, client: Client) -> None:
    gate = Gate()
    pieces = list(Response.text("One", " two").body)  # type: ignore[arg-type]
    stream_reply = Response(headers={"Content-Type": "text/event-stream"}, body=[*pieces[:2], gate, *pieces[2:]])
    emulator.reply("bad-key", stream_reply)
    with pytest.raises(AuthenticationError) as caught:
        client.generate("Hi")
    stream = client.stream("Hi")
    texts = iter(stream)
    assert next(texts) == "One"
    client.close()
    gate.open()
    assert list(texts) == [" two"]
    emulator.wait_until_idle()
    assert caught.value.__traceback__ is not None  # the traceback was kept throughout


def test_a_connection_is_reused(emulator: Emulator, client: Client) -> None:
    client.generate("Hi")
    client.generate("Hi")
    client.models()
    assert emulator.connections == 1


def test_the_repr_shows_the_source_of_the_key_and_not_the_key(
    emulator: Emulator, server: Emulator, make_client: MakeClient
) -> None:
    assert repr(make_client("hf_secret")) == f"<Client of {emulator.api_base}, key: given>"
    assert repr(make_client(None)) == f"<Client of {emulator.api_base}, key: found in the environment>"
    assert repr(make_client(None, server.api_base)) == f"<Client of {server.api_base}, key: none>"


@pytest.mark.blocking_client
def test_a_pickled_client_has_the_same_settings(emulator: Emulator, make_client: MakeClient) -> None:
    options: dict[str, Any] = {
        "provider": ["groq", "novita"],
        "timeout": Timeouts(1, 2, 3, 4),
        "max_retries": 0,
        "bill_to": "my-org",
        "headers": {"X-Team": "blue"},
    }
    client = make_client("hf_mine", **options)
    client.generate("Hi")
    with pickle.loads(pickle.dumps(client)) as copy:
        copy.generate("Hi")
    first, second = emulator.requests
    assert second.body == first.body
    assert second.headers.pairs == first.headers.pairs
    assert second.connection != first.connection


@pytest.mark.blocking_client
def test_a_discovered_key_is_not_pickled(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_found")
    client = make_client(None)
    client.generate("Hi")
    assert b"hf_found" not in pickle.dumps(client)


def test_a_server_without_catalogue_is_reported(emulator: Emulator, client: Client) -> None:
    emulator.reply("html-200", path="/v1/models")
    with pytest.raises(APIStatusError, match="sent an HTML page instead of JSON: "):
        client.models()
