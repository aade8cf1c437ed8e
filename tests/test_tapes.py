"""Recordings of the real service, replayed by a server on loopback: each gives the expected result.

The recordings are not part of the project: they are in the folder that ``HF_TEXT_TAPES`` names, or in
``../shared/tapes`` next to the project; without the folder the tests are skipped. The expected results are listed here,
read from the recordings by hand: facts, not copies.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import hf_text
from hf_text import Client, FinishReason, ProviderInfo, Reasoning, ToolCalls, Usage
from hf_text.emulator import Emulator, Response
from hf_text.protocol.catalog import parse_models
from hf_text.protocol.jsons import loads
from hf_text.transport.call import Call
from hf_text.transport.session import Http

FOLDER = Path(os.environ.get("HF_TEXT_TAPES") or Path(__file__).parents[2] / "shared" / "tapes")

if not FOLDER.is_dir():
    pytest.skip(f"there are no recordings in {FOLDER}; HF_TEXT_TAPES names another folder", allow_module_level=True)

TAPES: dict[str, dict[str, Any]] = {
    entry["id"]: entry for entry in json.loads((FOLDER / "index.json").read_text("utf-8"))["entries"]
}

HUB = "https://huggingface.co"
ROUTER = "https://router.huggingface.co"
KEY = "hf_MadeUpKeyForTests"
USER = [{"role": "user", "content": "hello"}]

# Headers that the emulator writes itself, or that belong to the recorded connection or encoding.
NOT_REPLAYED = {"connection", "content-encoding", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


@dataclass(frozen=True)
class Text:
    """A text: its length and its end."""

    length: int = 0
    end: str = ""

    def check(self, text: str) -> None:
        assert len(text) == self.length
        assert text.endswith(self.end)


@dataclass(frozen=True)
class Answers:
    """The content of an answer.

    ``usage`` is ``(prompt, completion)`` tokens, ``details`` is their ``(reasoning, cached)`` parts.
    """

    text: Text = Text()
    reasoning: Text = Text()
    calls: tuple[tuple[str, str, str], ...] = ()
    usage: tuple[int, int] | None = None
    details: tuple[int | None, int | None] = (None, None)
    finish: str | None = "stop"
    provider: str | None = None


@dataclass(frozen=True)
class Fails:
    """The expected error: its class, its status, a part of its message, and further attributes."""

    error: type[hf_text.HFTextError]
    status: int | None
    message: str
    provider: str | None = None
    code: str | None = None
    retry_after: float | None = None
    scope: str | None = None


@dataclass(frozen=True)
class FailsInside:
    """The error that ends a stream, and the text before it."""

    error: type[hf_text.StreamError]
    message: str
    partial: str = ""
    status: int | None = None
    code: str | None = None


@dataclass(frozen=True)
class Maps:
    """The content of a model's mapping: all providers, the live ones, and one provider's own name for the model."""

    providers: int = 0
    live: int = 0
    named: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Lists:
    """A page of the Hub's listing: the number of models, of those served for conversation, the first, the last."""

    models: int
    chat: int
    first: str
    last: str


@dataclass(frozen=True)
class Offers:
    """An entry of the router's list: its providers, image support, longest context, and lowest output price."""

    id: str
    providers: int
    vision: bool
    context: int
    price: float


@dataclass(frozen=True)
class Redirects:
    """A redirect, followed to this path."""

    path: str


DEPLETED = "You have depleted your monthly included credits."
NO_ROUTE_KEY = "Invalid credentials in Authorization header"

CHATS: dict[str, Answers] = {
    "006-chat-together-deepseek-r1": Answers(
        Text(35, "How can I help you today?"),
        Text(821, "friendly feels right here.\n"),
        usage=(4, 197),
        details=(None, 0),
    ),
    "007-chat-nebius-llama-3.3-70b-call-as-text": Answers(Text(79, '{"output": "hello"}}'), usage=(92, 23)),
    "008-vision-image-url": Answers(Text(122, "information about it?"), usage=(269, 27)),
    "009-vision-data-uri": Answers(Text(176, "of a kiwi."), usage=(448, 38)),
    "010-tools-required-call": Answers(
        calls=(("call_7qxjvbuxpm6017n3jcq1uqwt", "final_result", '{"response":[2,3,5]}'),),
        usage=(19, 29),
        details=(None, 0),
        finish="tool_calls",
    ),
    "014-tools-two-parallel-calls": Answers(
        calls=(
            ("call_c67bb6b901354ca19bd1b70d", "get_weather", '{"city": "Paris"}'),
            ("call_1113747bb7de47ce8bffe3e9", "final_result", '{"city": "Paris", "summary": "Weather in Paris"}'),
        ),
        usage=(720, 65),
        finish="tool_calls",
    ),
    "015-stream-novita-llama-3.1-8b": Answers(Text(5, "Paris"), usage=(40, 2)),
    "016-stream-nebius-qwen2.5-72b": Answers(Text(142, "so I can assist you better?")),
    "017-stream-nebius-qwen3-thinking": Answers(
        Text(203, "**Stay alert, stay alive!**"), Text(191, "ese points in mind.\n")
    ),
    "018-stream-together-deepseek-r1-think-tags": Answers(
        Text(161, "could save your life! 🌟"), Text(284, "paranoid robot.\n"), usage=(10, 955), details=(None, 0)
    ),
    "019-chat-hfinference-tgi": Answers(Text(30, "is equal to two."), usage=(20, 9)),
    "020-stream-hfinference-tgi": Answers(Text(39, "1 + 1 is 2.")),
    "051-chat-novita-llama-3.1-8b": Answers(Text(6, "Hello."), usage=(43, 3), provider="novita"),
    "053-chat-fireworks-length": Answers(
        Text(84, "The user asks"), usage=(13, 16), details=(None, 0), finish="length", provider="fireworks-ai"
    ),
    "055-chat-together-tool-call": Answers(
        calls=(("call_arjp1t9ebh0l2806ijd938a4", "square_root", "{}"),),
        usage=(284, 15),
        finish="tool_calls",
        provider="together",
    ),
    "056-stream-novita-usage-on-every-chunk": Answers(Text(6, "Hello."), usage=(43, 3), provider="novita"),
    "057-stream-novita-after-finish": Answers(Text(18, "364.07079674786945"), usage=(38, 8), details=(0, 0)),
    "058-stream-together-qwen3-coder": Answers(Text(6, "Hello!"), usage=(20, 3), provider="together"),
    # The call has no id and no finish reason; the protocol requires an id to return the result.
    "060-stream-nebius-tool-call-no-id-no-finish": Answers(
        calls=(("call_0", "square_root", "{}"),), usage=(159, 16), finish=None, provider="nebius"
    ),
    "063-stream-fireworks-deepseek-v4-pro": Answers(
        Text(6, "Hello."), Text(187, 'just say "Hello."'), usage=(12, 53), details=(None, 0), provider="fireworks-ai"
    ),
    "066-stream-cerebras-direct-2026": Answers(Text(5, "Hello"), usage=(21, 2), details=(0, 0)),
    "068-stream-groq-direct-tools": Answers(
        reasoning=Text(85, "Then output only the result."),
        calls=(("fc_ff25387d-614a-4fbe-b606-b10051015236", "square_root", '{"number":132413}'),),
        usage=(156, 49),
        details=(21, None),
        finish="tool_calls",
    ),
    "070-stream-baseten-direct-tools-2026": Answers(
        reasoning=Text(41, "square root of 132413."),
        calls=(("chatcmpl-tool-b13b4b61d64e43cbb9336ea31790545b", "square_root", '{"number": 132413}'),),
        usage=(213, 25),
        details=(12, 32),
        finish="tool_calls",
    ),
    "077-vision-silently-ignored": Answers(
        Text(5, "Apple"), Text(209, "Provide one word."), usage=(78, 58), details=(0, None)
    ),
    "078-vision-cerebras-gemma-4": Answers(Text(6, "Banana"), usage=(281, 2), details=(0, 256)),
    "082-router-v1-stream-tool-call-groq": Answers(
        reasoning=Text(42, 'with timezone "UTC".'),
        calls=(("fc_f6d98d29-d3d8-40c0-9990-2147481d2a62", "get_time", '{"timezone":"UTC"}'),),
        usage=(1522, 34),
        details=(11, None),
        finish="tool_calls",
        provider="groq",
    ),
}

REFUSALS: dict[str, Fails] = {
    "011-error-500-together-tool-result": Fails(
        hf_text.ServerError, 500, "Internal server error", code="server_error", retry_after=1
    ),
    "021-error-422-tgi-template": Fails(
        hf_text.BadRequestError, 422, "Template error: template not found", code="template_error"
    ),
    "022-error-422-plain-text": Fails(hf_text.BadRequestError, 422, "missing field `messages` at line 1 column 75"),
    "023-error-404-hfinference-model": Fails(
        hf_text.ModelNotSupportedError, 404, "this-model-does-not-exist-123 does not exist"
    ),
    "026-error-400-hyperbolic-tier": Fails(
        hf_text.BadRequestError, 400, "allowed now, your model mistralai/Mixtral-8x7B", code="40301"
    ),
    "027-error-422-fastapi-detail-list": Fails(hf_text.BadRequestError, 422, "body.messages: Field required"),
    "028-error-400-openai": Fails(
        hf_text.BadRequestError, 400, "you must provide a model parameter", code="invalid_request_error"
    ),
    "031-error-401-router-bad-token": Fails(hf_text.AuthenticationError, 401, NO_ROUTE_KEY),
    "033-error-401-html": Fails(hf_text.AuthenticationError, 401, NO_ROUTE_KEY),
    "035-error-422-tgi-validation": Fails(hf_text.BadRequestError, 422, "grammar is not supported", code="validation"),
    "036-error-400-router-bad-model": Fails(
        hf_text.ModelNotSupportedError, 400, "The requested model 'bad model' does not exist.", code="model_not_found"
    ),
    "037-error-402-credits-2025": Fails(
        hf_text.PaymentRequiredError, 402, "exceeded your monthly included credits", scope="account"
    ),
    "038-error-402-credits-2026": Fails(hf_text.PaymentRequiredError, 402, DEPLETED, scope="account"),
    "039-error-402-credits-2026-stream": Fails(hf_text.PaymentRequiredError, 402, DEPLETED, scope="account"),
    "041-error-400-novita-no-tools": Fails(
        hf_text.BadRequestError, 400, "function calling not support", "novita", code="INVALID_REQUEST_BODY"
    ),
    "042-error-400-nebius-not-multimodal": Fails(hf_text.BadRequestError, 400, "is not a multimodal model", "nebius"),
    "044-error-400-fireworks-extra-inputs": Fails(
        hf_text.BadRequestError, 400, "Extra inputs are not permitted", "fireworks-ai", code="invalid_request_error"
    ),
    "045-error-500-together": Fails(
        hf_text.ServerError, 500, "Internal server error", "together", code="server_error", retry_after=2
    ),
    "047-error-500-nebius": Fails(hf_text.ServerError, 500, "Repeat the request later.", "nebius"),
    "048-error-502-html": Fails(hf_text.ServerError, 502, "502 Bad Gateway"),
    "049-error-503-html": Fails(hf_text.ServerError, 503, "503"),
    "072-error-401-cerebras": Fails(hf_text.AuthenticationError, 401, "Wrong API Key", code="wrong_api_key"),
    "073-error-403-baseten": Fails(hf_text.PermissionDeniedError, 403, "please check the api-key you provided"),
    "075-error-401-together": Fails(
        hf_text.AuthenticationError, 401, "Invalid API key provided.", code="invalid_api_key"
    ),
    "084-error-400-router-model-not-found": Fails(
        hf_text.ModelNotSupportedError, 400, "'no-such-model-m95' does not exist.", code="model_not_found"
    ),
    "087-error-400-together-2026": Fails(
        hf_text.BadRequestError, 400, "Unable to access non-serverless model", code="model_not_available"
    ),
    "088-error-404-fireworks-2026": Fails(hf_text.ModelNotSupportedError, 404, "and/or not deployed", code="NOT_FOUND"),
    "090-error-404-groq-2026": Fails(
        hf_text.ModelNotSupportedError, 404, "`no-such-model-m95`", code="model_not_found"
    ),
    "105-error-400-router-model-not-supported": Fails(
        hf_text.ModelNotSupportedError,
        400,
        "not supported by any provider you have enabled",
        code="model_not_supported",
    ),
    "107-error-403-permission": Fails(
        hf_text.PermissionDeniedError, 403, "does not have sufficient permissions to call Inference Providers"
    ),
    "108-error-410-deprecated-model": Fails(
        hf_text.ModelNotSupportedError, 410, "is deprecated and no longer supported"
    ),
    "109-error-410-api-inference": Fails(
        hf_text.NotFoundError, 410, "Please use https://router.huggingface.co instead."
    ),
    "111-error-429-groq": Fails(
        hf_text.RateLimitError, 429, "Rate limit reached for model `openai/gpt-oss-120b`", code="rate_limit_exceeded"
    ),
    "113-error-429-tgi-overloaded": Fails(hf_text.RateLimitError, 429, "Model is overloaded", code="overloaded"),
    "115-error-504-html": Fails(hf_text.ServerError, 504, "504 Gateway Time-out"),
}

BROKEN_STREAMS: dict[str, FailsInside] = {
    "050-stream-empty-done-only": FailsInside(hf_text.TruncatedStreamError, "nothing but [DONE]"),
    "116-stream-error-tgi": FailsInside(
        hf_text.ProviderStreamError, "`max_new_tokens` must be <= 4096", "Par", 422, "validation"
    ),
    "118-stream-error-groq-event": FailsInside(
        hf_text.ProviderStreamError, "Failed to call a function.", "Par", 400, "tool_use_failed"
    ),
}

MAPPINGS: dict[str, Maps] = {
    "001-mapping-llama-3.1-8b-aug2026": Maps(4, 4, ("novita", "meta-llama/llama-3.1-8b-instruct")),
    "002-mapping-llama-3.3-70b-jul2025": Maps(11, 10, ("groq", "llama-3.3-70b-versatile")),
    "004-mapping-qwen2.5-vl-72b": Maps(2, 2, ("nebius", "Qwen/Qwen2.5-VL-72B-Instruct")),
    "097-model-info-gated-anonymous": Maps(),
    "103-doc-inference-warm": Maps(),
    "104-doc-mapping-absent": Maps(),
}

LISTINGS: dict[str, Lists] = {
    "030-hub-listing-warm-default": Lists(71, 0, "Qwen/Qwen3.8-27B", "google/tapas-large-finetuned-wtq"),
    "099-listing-warm-list-form": Lists(30, 18, "deepseek-ai/DeepSeek-R1", "ByteDance/Hyper-SD"),
    "100-listing-conversational-all": Lists(288, 281, "deepseek-ai/DeepSeek-R1", "aisingapore/Qwen-SEA-LION-v4-32B-IT"),
}

CATALOGUES: dict[str, tuple[Offers, ...]] = {
    "080-router-v1-models": (
        Offers("Qwen/Qwen3.8-27B", 4, True, 1_000_000, 2.5),
        Offers("deepseek-ai/DeepSeek-V4.1-Flash", 4, True, 1_048_576, 0.6),
        Offers("openai/gpt-oss-20b", 6, False, 131_072, 0.14),
    ),
    "101-doc-v1-models-entry": (Offers("deepseek-ai/DeepSeek-V4-Pro", 5, False, 1_048_576, 3.38),),
}

HUB_REFUSALS: dict[str, Fails] = {
    "032-error-401-hub-bad-token": Fails(hf_text.AuthenticationError, 401, NO_ROUTE_KEY),
    "096-error-404-hub-user": Fails(hf_text.NotFoundError, 404, "This user does not exist"),
    "110-error-429-hub-ip": Fails(hf_text.RateLimitError, 429, "We had to rate limit your IP", retry_after=120),
}

REDIRECTS: dict[str, Redirects] = {
    "093-redirect-307-renamed-model": Redirects("/api/models/meta-llama/Llama-3.1-8B"),
    "094-redirect-307-case": Redirects("/api/models/openai-community/gpt2"),
}

MISSING_MODEL = "091-error-401-hub-missing-model-anonymous"
WHOAMI = "081-whoami-v2"

EVERYTHING = [
    *CHATS,
    *REFUSALS,
    *BROKEN_STREAMS,
    *MAPPINGS,
    *LISTINGS,
    *CATALOGUES,
    *HUB_REFUSALS,
    *REDIRECTS,
    MISSING_MODEL,
    WHOAMI,
]


def test_every_recording_is_replayed_and_nothing_else() -> None:
    assert sorted(EVERYTHING) == sorted(TAPES)


@pytest.mark.parametrize("tape", CHATS)
def test_a_recorded_answer_is_complete(emulator: Emulator, tape: str) -> None:
    expected = CHATS[tape]
    with client_for(emulator, tape) as client:
        stream = ask(client, tape)
        events = list(stream.events())
        completion = stream.completion
    expected.text.check(completion.text)
    expected.reasoning.check(completion.reasoning)
    assert tuple((call.id, call.name, call.arguments) for call in completion.tool_calls) == expected.calls
    assert completion.usage == build_usage(expected)
    assert completion.finish_reason == expected.finish
    assert completion.provider == expected.provider
    assert "".join(map(str, events)) == completion.text
    assert [type(event) for event in events if not isinstance(event, (str, Reasoning))] == [
        ProviderInfo,
        *[ToolCalls] * bool(expected.calls),
        *[Usage] * bool(expected.usage),
        *[FinishReason] * bool(expected.finish),
    ]


@pytest.mark.parametrize("tape", REFUSALS)
def test_a_recorded_refusal_is_the_right_error(emulator: Emulator, tape: str) -> None:
    with client_for(emulator, tape) as client, pytest.raises(hf_text.HFTextError) as caught:
        ask(client, tape).read()
    check_refusal(caught.value, REFUSALS[tape])
    assert [attempt.status for attempt in caught.value.attempts] == [TAPES[tape]["status"]]


@pytest.mark.parametrize("tape", BROKEN_STREAMS)
def test_a_broken_stream_is_an_error_with_the_partial_text(emulator: Emulator, tape: str) -> None:
    expected = BROKEN_STREAMS[tape]
    with (
        client_for(emulator, tape) as client,
        pytest.raises(expected.error, match=re.escape(expected.message)) as caught,
    ):
        list(ask(client, tape))
    assert caught.type is expected.error
    assert caught.value.partial is not None
    assert caught.value.partial.text == expected.partial
    reported = getattr(caught.value, "error", None)
    assert (getattr(reported, "status_code", None), getattr(reported, "code", None)) == (expected.status, expected.code)


@pytest.mark.parametrize("tape", MAPPINGS)
def test_a_mapping_lists_the_providers_of_the_model(emulator: Emulator, tape: str) -> None:
    expected = MAPPINGS[tape]
    with client_for(emulator, tape) as client:
        mapping = client.mapping(path_of(tape).removeprefix("/api/models/"))
    assert (len(mapping), sum(entry.live for entry in mapping.values())) == (expected.providers, expected.live)
    assert list(mapping) == list(read_json(tape).get("inferenceProviderMapping", {}))
    if expected.providers:
        provider, provider_id = expected.named
        assert (mapping[provider].provider, mapping[provider].provider_id) == expected.named
        assert mapping[provider].conversational
        assert provider_id


@pytest.mark.parametrize("tape", LISTINGS)
def test_a_listing_yields_its_models_page_by_page(emulator: Emulator, tape: str) -> None:
    expected = LISTINGS[tape]
    with client_for(emulator, tape) as client:
        emulator.reply(Response.json([]), path="/api/models")
        models = list(client.hub_models())
    assert (len(models), sum(model.chat for model in models)) == (expected.models, expected.chat)
    assert (models[0].id, models[-1].id) == (expected.first, expected.last)
    pages = [request.query for request in emulator.requests]
    assert ["cursor" in query for query in pages] == ([False, True] if "link" in TAPES[tape]["headers"] else [False])


@pytest.mark.parametrize("tape", CATALOGUES)
def test_a_catalogue_lists_what_each_model_offers(emulator: Emulator, tape: str) -> None:
    fetched = fetch(emulator, tape)
    models = parse_models(fetched if "data" in fetched else [fetched])
    found = tuple(Offers(m.id, len(m.providers), m.vision, m.context_length, m.price) for m in models)  # type: ignore[arg-type]
    assert found == CATALOGUES[tape]


def test_the_router_list_is_read_by_the_client(emulator: Emulator) -> None:
    tape = "080-router-v1-models"
    with client_for(emulator, tape) as client:
        assert [model.id for model in client.models()] == [offer.id for offer in CATALOGUES[tape]]
        assert [model.id for model in client.models(vision=False)] == ["openai/gpt-oss-20b"]
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("tape", HUB_REFUSALS)
def test_a_hub_refusal_is_the_right_error(emulator: Emulator, tape: str) -> None:
    with pytest.raises(hf_text.HFTextError) as caught:
        fetch(emulator, tape)
    check_refusal(caught.value, HUB_REFUSALS[tape])


@pytest.mark.parametrize("tape", REDIRECTS)
def test_a_renamed_model_is_found_under_its_new_name(emulator: Emulator, tape: str) -> None:
    expected = REDIRECTS[tape]
    entry = {"status": "live", "providerId": "its/name", "task": "conversational"}
    emulator.reply(Response.json({"inferenceProviderMapping": {"novita": entry}}), path=expected.path)
    with client_for(emulator, tape) as client:
        assert list(client.mapping(path_of(tape).removeprefix("/api/models/"))) == ["novita"]
    assert [request.path for request in emulator.requests] == [path_of(tape), expected.path]


def test_a_401_for_a_missing_model_is_about_the_model(emulator: Emulator) -> None:
    name = path_of(MISSING_MODEL).removeprefix("/api/models/")
    with (
        client_for(emulator, MISSING_MODEL) as client,
        pytest.raises(hf_text.ModelNotSupportedError, match="the Hub has no model") as caught,
    ):
        client.mapping(name)
    assert (caught.value.model, caught.value.status_code) == (name, 401)
    assert isinstance(caught.value.__context__, hf_text.AuthenticationError)


def test_the_account_of_a_key_can_be_read(emulator: Emulator) -> None:
    account = fetch(emulator, WHOAMI)
    assert account["auth"]["accessToken"]["fineGrained"]["scoped"][0]["permissions"] == ["inference.serverless.write"]


def path_of(tape: str) -> str:
    """The requested path, decoded."""
    return unquote(urlsplit(TAPES[tape]["url"].removesuffix(" (approximate)")).path)


def read_json(tape: str) -> Any:
    return json.loads((FOLDER / TAPES[tape]["response_body_file"]).read_bytes())


def client_for(emulator: Emulator, tape: str) -> Client:
    """A client that receives the recording from its original source: the Hub, the router, or another server."""
    entry = TAPES[tape]
    path = path_of(tape)
    emulator.reply(reply_of(emulator, tape), path=None if entry["method"] == "POST" else path)
    hugging_face = entry["method"] == "GET" or entry["url"] == f"{ROUTER}/v1/chat/completions"
    base = f"{emulator.url}{urlsplit(entry['url']).path}".removesuffix("/chat/completions")
    return Client(
        KEY,
        api_base=None if hugging_face else base,
        max_retries=0,
        timeout=5,
        hub_url=emulator.url,
        router_url=emulator.url,
    )


def ask(client: Client, tape: str) -> hf_text.Stream:
    """Send the recorded request, with its model."""
    file = TAPES[tape]["request_body_file"]
    request = json.loads((FOLDER / file).read_bytes()) if file else {}
    return client.stream(USER, request.get("model", "some/model"), max_tokens=None)


def fetch(emulator: Emulator, tape: str) -> Any:
    """The JSON of a recorded GET, fetched through the transport alone."""
    entry = TAPES[tape]
    emulator.reply(reply_of(emulator, tape), path=path_of(tape))
    http = Http(KEY, {}, {}, True)
    url = f"{emulator.url}{urlsplit(entry['url']).path}"
    with http.get(Call(hf_text.Timeouts(5, 5, 5)), url) as reply:
        error = http.error_of(reply, hugging_face=True) if reply.status >= 300 else None
        body = bytearray()
        if not error:
            reply.read_into(body, 1 << 24)
    http.close()
    if error is not None:
        raise error
    return loads(body)


def reply_of(emulator: Emulator, tape: str) -> Response:
    """The recording with its original framing: a content length, or one chunk per event."""
    entry = TAPES[tape]
    recorded = {name.lower(): value for name, value in entry["headers"].items()}
    headers = {
        name: value.replace(HUB, emulator.url) if name in ("link", "location") else value
        for name, value in recorded.items()
        if name not in NOT_REPLAYED
    }
    body = (FOLDER / entry["response_body_file"]).read_bytes()
    if "content-length" in recorded:
        return Response(entry["status"], headers, body, framing="length")
    return Response(entry["status"], headers, tuple(split_events(body)), framing="chunked")


def split_events(body: bytes) -> Iterator[bytes]:
    """The events of a stream, each with its empty line; any other body is one piece."""
    yield from (part for part in re.split(rb"(?<=\n\n)", body) if part)


def build_usage(expected: Answers) -> Usage | None:
    if expected.usage is None:
        return None
    prompt, completion = expected.usage
    return Usage(prompt, completion, prompt + completion, *expected.details)


def check_refusal(error: Any, expected: Fails) -> None:
    assert type(error) is expected.error
    assert error.status_code == expected.status
    assert expected.message in str(error)
    assert error.provider == expected.provider
    assert error.code == expected.code
    assert error.retry_after == expected.retry_after
    assert getattr(error, "scope", None) == expected.scope
    assert KEY not in str(error)
