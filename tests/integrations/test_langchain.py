"""``ChatHFText``: LangChain's own standard tests, and what they do not cover."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import ONE_PIXEL, find_blocks
from required import require

import hf_text
from hf_text.callers import cached_operations
from hf_text.emulator import Emulator, Gate, Response

require(
    "langchain_core", "langchain_tests", "pytest_asyncio", where="it has an environment of its own", whole_file=True
)

import httpx
from langchain_core.exceptions import OutputParserException
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as standard
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel, ValidationError, field_validator

from hf_text.integrations.langchain import ChatHFText

PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "langchain.rst").read_text("utf-8")
KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
BETA = "The function `loads` is in beta"  # a warning that LangChain itself emits
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    cached_operations.cache_clear()
    gc.collect()


def calls(name: str, **arguments: Any) -> Response:
    return Response.text(tool_calls=[(name, arguments)], usage=(3, 2))


# --- the standard tests

JOKE = '{"setup": "Why do cats purr?", "punchline": "They have no horn."}'
# Answers of a model that understands the question; for the other tests, the emulator's default answers suffice.
SCRIPTS = {
    "test_tool_calling": [calls("magic_function", input=3)] * 2,
    "test_tool_calling_async": [calls("magic_function", input=3)] * 2,
    "test_agent_loop": [calls("get_weather", location="San Francisco, CA")],
    "test_unicode_tool_call_integration": [
        calls("unicode_customer", customer_name="你好啊集团", description="A company"),
        calls("unicode_customer", customer_name="こんにちは株式会社", description="A company"),
    ],
    "test_json_mode": [Response.text(JOKE)] * 4,
}


class TestUnit(ChatModelUnitTests):
    """Tests that need no answer."""

    @property
    def chat_model_class(self) -> type[ChatHFText]:
        return ChatHFText

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"HF_TOKEN": KEY}, {"model": MODEL}, {"api_key": KEY}


@pytest.mark.filterwarnings("ignore:OpenAI may require a filename")
class TestIntegration(ChatModelIntegrationTests):
    """Tests with answers of the emulator."""

    @pytest.fixture(autouse=True)
    def offline(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
        """Replace the pictures and sounds that the tests fetch."""
        emulator.reply(*SCRIPTS.get(request.node.originalname, ()), path=CHAT)
        sound = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20)
        monkeypatch.setattr(standard.httpx, "get", lambda url, **_: httpx.Response(200, content=ONE_PIXEL))
        monkeypatch.setattr(
            standard, "_get_base64_from_url", lambda url: __import__("base64").b64encode(sound).decode()
        )

    @property
    def chat_model_class(self) -> type[ChatHFText]:
        return ChatHFText

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "emulator/small-vision"}

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "openai/gpt-oss-20b"

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_pdf_tool_message(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True


# --- what they do not cover


def asked(emulator: Emulator) -> list[Any]:
    """The bodies of the chat requests."""
    return [request.json for request in emulator.requests if request.method == "POST"]


def collect(model: Any, *arguments: Any) -> AIMessageChunk:
    chunks = list(model.stream(*arguments))
    assert [chunk.chunk_position for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def test_usage_is_on_the_last_chunk_of_a_stream(emulator: Emulator) -> None:
    emulator.reply(Response.text("One", " two", reasoning=["Hm", "."], usage=(7, 5), provider="novita"), path=CHAT)
    *pieces, last = ChatHFText(model=MODEL).stream("Count")
    assert [piece.usage_metadata for piece in pieces] == [None] * len(pieces)
    assert (last.usage_metadata["input_tokens"], last.usage_metadata["output_tokens"]) == (7, 5)
    assert (last.response_metadata["provider"], last.response_metadata["finish_reason"]) == ("novita", "stop")


def test_a_joined_stream_equals_an_invoked_message(emulator: Emulator) -> None:
    reply = Response.text("One", " two", reasoning=["Hm", "."], tool_calls=[("look", {"at": "sky"})], usage=(7, 5))
    emulator.reply(reply, reply, path=CHAT)
    model = ChatHFText(model=MODEL)
    whole, streamed = model.invoke("Count"), collect(model, "Count")
    assert (whole.content, streamed.content) == ("One two", "One two")
    assert whole.content_blocks[0] == {"type": "reasoning", "reasoning": "Hm."}
    for name in ("content_blocks", "tool_calls", "usage_metadata", "additional_kwargs"):
        assert getattr(whole, name) == getattr(streamed, name), name


@pytest.mark.parametrize("streamed", [False, True])
def test_a_truncated_answer_is_an_error_with_the_partial_text(emulator: Emulator, streamed: bool) -> None:
    emulator.reply("cut-mid-stream", path=CHAT)
    model = ChatHFText(model=MODEL)
    with pytest.raises(hf_text.TruncatedStreamError) as caught:
        collect(model, "Count") if streamed else model.invoke("Count")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"


def test_an_answer_that_ends_at_the_limit_says_so(emulator: Emulator) -> None:
    assert ChatHFText(model=MODEL, max_tokens=2).invoke("Count").response_metadata["finish_reason"] == "length"


async def test_a_cancelled_astream_closes_the_connection(emulator: Emulator) -> None:
    gate = Gate()
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}]}
    body = [b"data: %s\n\n" % json.dumps(chunk).encode(), gate]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body), path=CHAT)
    arrived = asyncio.Event()

    async def read() -> None:
        async for _ in ChatHFText(model=MODEL).astream("Count"):
            arrived.set()

    task = asyncio.create_task(read())
    await arrived.wait()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    await asyncio.to_thread(emulator.wait_for_disconnect)
    gate.open()


def test_a_picture_is_sent_in_protocol_form(emulator: Emulator) -> None:
    block = {"type": "image", "base64": b64encode(ONE_PIXEL).decode(), "mime_type": "image/png"}
    answer = ChatHFText(model="emulator/small-vision").invoke(
        [HumanMessage([{"type": "text", "text": "What?"}, block])]
    )
    assert "You sent 1 picture." in answer.text
    (message,) = asked(emulator)[-1]["messages"]
    assert message["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_picture_in_a_tool_result_follows_the_results(emulator: Emulator) -> None:
    picture = {"type": "image", "base64": b64encode(ONE_PIXEL).decode(), "mime_type": "image/png"}
    model = ChatHFText(model="emulator/small-vision")
    emulator.reply(Response.text(tool_calls=[("look", {}), ("look", {})]), path=CHAT)
    called = model.invoke("Look twice")
    results = [ToolMessage([picture], tool_call_id=call["id"]) for call in called.tool_calls]
    model.invoke([HumanMessage("Look twice"), called, *results])
    roles = [message["role"] for message in asked(emulator)[-1]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "user"]
    assert len(asked(emulator)[-1]["messages"][-1]["content"]) == 2


@pytest.mark.parametrize("other", [None, "openai/gpt-oss-20b"])
def test_reasoning_is_returned_with_results_to_the_same_model(emulator: Emulator, other: str | None) -> None:
    emulator.reply(Response.text(tool_calls=[("look", {"at": "sky"})], reasoning=["Hm."]), path=CHAT)
    model = ChatHFText(model=MODEL)
    called = model.invoke("Look")
    result = ToolMessage("Blue", tool_call_id=called.tool_calls[0]["id"])
    model.invoke([HumanMessage("Look"), called, result], **({"model": other} if other else {}))
    turn = asked(emulator)[-1]["messages"][1]
    assert turn.get("reasoning_content") == (None if other else "Hm.")
    assert json.loads(turn["tool_calls"][0]["function"]["arguments"]) == {"at": "sky"}


def test_arguments_that_are_not_json_are_an_invalid_call(emulator: Emulator) -> None:
    reply = Response.text(tool_calls=[("look", '{"at": ')])
    emulator.reply(reply, reply, path=CHAT)
    model = ChatHFText(model=MODEL)
    for answer in (model.invoke("Look"), collect(model, "Look")):
        assert answer.tool_calls == []
        assert '{"at": ' in answer.invalid_tool_calls[0]["args"].replace("\\", "")


def test_options_reach_the_server(emulator: Emulator) -> None:
    model = ChatHFText(
        model="emulator/small-vision",
        provider=["together"],
        bill_to="my-org",
        temperature=0.5,
        max_tokens=50,
        top_p=0.9,
        stop_sequences=["END"],
        seed=3,
        reasoning_effort="low",
        frequency_penalty=0.1,
        presence_penalty=0.2,
        logprobs=True,
        top_logprobs=2,
        extra_body={"top_k": 4},
        timeout=hf_text.Timeouts(first=30),
        client_options={"headers": {"X-Team": "cats"}},
    )
    answer = model.invoke("Count", seed=4)
    body, headers = asked(emulator)[-1], emulator.requests[-1].headers
    assert (body["temperature"], body["max_tokens"], body["top_p"], body["stop"]) == (0.5, 50, 0.9, ["END"])
    assert (body["seed"], body["reasoning_effort"], body["top_k"], body["model"]) == (
        *(4, "low", 4),
        "emulator/small-vision:together",
    )
    assert (body["frequency_penalty"], body["presence_penalty"], body["top_logprobs"]) == (0.1, 0.2, 2)
    assert (headers["X-HF-Bill-To"], headers["X-Team"]) == ("my-org", "cats")
    assert len(answer.response_metadata["logprobs"][0][2]) == 2
    assert "strict" not in json.dumps(asked(emulator))


def test_invalid_arguments_are_refused_by_the_constructor(emulator: Emulator) -> None:
    with pytest.raises(ValidationError, match="temprature"):
        ChatHFText(model=MODEL, temprature=0)
    with pytest.raises(ValueError, match="provider"):
        ChatHFText(model=MODEL, provider="")
    assert emulator.requests == []


def test_another_server_does_not_get_the_hugging_face_key(emulator: Emulator) -> None:
    with Emulator() as other:
        model = ChatHFText(model=MODEL, base_url=other.api_base)
        assert model.invoke("Count").text
        assert {request.key for request in other.requests} == {None}
    assert model.api_key is None


# --- profile, serialisation


def test_the_profile_comes_from_the_catalogue(emulator: Emulator) -> None:
    profile = ChatHFText(model="emulator/small-vision").profile
    assert profile == {
        "name": "emulator/small-vision",
        "max_input_tokens": 131072,
        **dict.fromkeys(("image_inputs", "image_url_inputs", "tool_calling", "structured_output"), True),
        "audio_inputs": False,
    }
    assert ChatHFText(model="emulator/no-tools").profile["tool_calling"] is False
    asked_for = len(emulator.requests)
    ChatHFText(model="emulator/small-vision", temperature=0.5)
    assert len(emulator.requests) == asked_for  # the profile is cached


def test_a_missing_catalogue_is_harmless(emulator: Emulator) -> None:
    emulator.always(Response.error(500, "Out of order"), path=f"/v1/models/{MODEL}")
    assert ChatHFText(model=MODEL, max_retries=0).profile is None
    assert ChatHFText(model=MODEL, profile={}).profile == {}


def test_an_unreachable_catalogue_is_not_requested_for_each_model(emulator: Emulator) -> None:
    emulator.always("closed-before-headers", path=f"/v1/models/{MODEL}")
    assert ChatHFText(model=MODEL, max_retries=0).profile is None
    asked_for = len(emulator.requests)
    assert asked_for > 0
    assert ChatHFText(model=MODEL, max_retries=0, temperature=0.5).profile is None
    assert len(emulator.requests) == asked_for


def load_again(written: str, **how: Any) -> Any:
    return loads(written, valid_namespaces=["hf_text"], secrets_from_env=True, **how)


@pytest.mark.filterwarnings(f"ignore:{BETA}")
@pytest.mark.parametrize("allowed", ["all", [ChatHFText]])
def test_a_model_round_trips_through_json_without_secrets(emulator: Emulator, allowed: Any) -> None:
    clocks = hf_text.Timeouts(first=30)
    options = {"headers": {"X-Secret": "sesame"}}
    model = ChatHFText(model=MODEL, temperature=0.5, timeout=clocks, client_options=options)
    written = dumps(model)
    for secret in (KEY, "sesame"):
        assert secret not in written + repr(model)
    loaded = load_again(written, allowed_objects=allowed)
    assert (loaded.temperature, loaded.timeout, loaded.api_key.get_secret_value()) == (0.5, clocks, KEY)
    assert loaded.invoke("Count").text


@pytest.mark.filterwarnings(f"ignore:{BETA}")
def test_a_model_of_another_server_is_not_loaded_with_the_key_of_hugging_face(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = dumps(ChatHFText(model=MODEL, base_url="http://127.0.0.1:9/v1", api_key="sk-mine", profile={}))
    assert "sk-mine" not in written
    assert load_again(written, allowed_objects="all").api_key is None
    monkeypatch.setenv("HF_TEXT_API_KEY", "sk-again")
    assert load_again(written, allowed_objects="all").api_key.get_secret_value() == "sk-again"


@pytest.mark.filterwarnings(f"ignore:{BETA}")
def test_loading_does_not_build_a_model_unless_hf_text_is_allowed(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match="Invalid namespace"):
        loads(dumps(ChatHFText(model=MODEL)), allowed_objects="all")


def test_a_discovered_key_is_not_pickled_and_is_discovered_again(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, given = pickle.dumps(ChatHFText(model=MODEL)), pickle.dumps(ChatHFText(model=MODEL, api_key="hf_Given"))
    assert KEY.encode() not in found
    monkeypatch.setenv("HF_TOKEN", "hf_Another")
    assert pickle.loads(found).api_key.get_secret_value() == "hf_Another"
    assert pickle.loads(given).api_key.get_secret_value() == "hf_Given"
    assert pickle.loads(found).invoke("Count").text.startswith("one")


# --- typed answers


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str

    @field_validator("setup")
    @classmethod
    def _is_a_question(cls, setup: str) -> str:
        if not setup.endswith("?"):
            raise ValueError("must be a question")
        return setup


BAD = '{"setup": "Cats purr.", "punchline": "Prr."}'


def test_an_invalid_answer_is_requested_again(emulator: Emulator) -> None:
    emulator.reply(Response.text(BAD, usage=(10, 5)), Response.text(f"```json\n{JOKE}\n```", usage=(20, 6)), path=CHAT)
    told = ChatHFText(model=MODEL).with_structured_output(Joke, include_raw=True).invoke("A joke")
    assert told["parsed"] == Joke.model_validate_json(JOKE)
    assert told["raw"].usage_metadata["input_tokens"] == 30
    assert "must be a question" in asked(emulator)[-1]["messages"][-1]["content"]


async def test_an_answer_that_never_fits_is_an_error(emulator: Emulator) -> None:
    emulator.always(Response.text(BAD), path=CHAT)
    model = ChatHFText(model=MODEL)
    with pytest.raises(hf_text.StructuredOutputError):
        model.with_structured_output(Joke).invoke("A joke")
    with pytest.raises(hf_text.StructuredOutputError):
        await model.with_structured_output(Joke).ainvoke("A joke")
    for told in (
        model.with_structured_output(Joke, include_raw=True).invoke("A joke"),
        await model.with_structured_output(Joke, include_raw=True).ainvoke("A joke"),
    ):
        assert (told["parsed"], told["raw"].text) == (None, BAD)
        assert "must be a question" in str(told["parsing_error"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_a_named_method_sends_one_request(emulator: Emulator, method: Any) -> None:
    bad, good = (
        (Response.text(tool_calls=[("Joke", text)]) if method == "function_calling" else Response.text(text))
        for text in (BAD, JOKE)
    )
    emulator.reply(bad, good, path=CHAT)
    model = ChatHFText(model=MODEL).with_structured_output(Joke, method=method)
    with pytest.raises(OutputParserException, match="must be a question"):
        model.invoke("A joke")
    assert model.invoke("A joke").punchline == "They have no horn."
    assert len(asked(emulator)) == 2


@pytest.mark.parametrize("method", ["auto", "json_schema", "function_calling", "json_mode"])
def test_a_truncated_value_is_not_parsed(emulator: Emulator, method: Any) -> None:
    reply = Response.text(JOKE, tool_calls=[("Joke", JOKE)] if method == "function_calling" else (), finish="length")
    emulator.reply(reply, path=CHAT)
    with pytest.raises(hf_text.TruncatedStreamError):
        ChatHFText(model=MODEL).with_structured_output(Joke, method=method).invoke("A joke")


def test_structured_output_works_with_astream_events(emulator: Emulator) -> None:
    chain = ChatHFText(model=MODEL).with_structured_output(Joke.model_json_schema())
    assert list(chain.stream("A joke")) == [{"setup": "emulated", "punchline": "emulated"}]


# --- the page


def test_the_snippets_on_the_page_run(emulator: Emulator, tmp_path: Path) -> None:
    blocks = [block for block in find_blocks(PAGE) if block.language == "python"]
    assert len(blocks) == 4
    for block, prints in zip(blocks, ("together", "Why do cats purr?", "sunny", "0.5"), strict=True):
        emulator.reply(*PAGE_REPLIES.get(prints, ()), path=CHAT)
        command = [sys.executable, "-W", "error", "-W", f"ignore:{BETA}", "-c", block.code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path)
        said = [line for line in done.stderr.splitlines() if BETA not in line]
        assert (done.returncode, said) == (0, [])
        assert prints in done.stdout


PAGE_REPLIES = {
    "Why do cats purr?": [Response.text(JOKE)],
    "sunny": [calls("get_weather", city="Bern"), Response.text("It is sunny in Bern.")],
}
