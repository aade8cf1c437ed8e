"""g4f's own client, retry lists, API server and GUI on ``HuggingFaceAPI``: the real package, of two generations.

g4f cannot be installed beside itself, so each version has an environment of its own. Version 0.5.2 is the one for which
the interface was documented.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import json
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import hf_text
from hf_text.callers import _operations
from hf_text.emulator import Emulator, Gate, Response


def prepare_home() -> str:
    """A home for g4f, which reads and writes there. Version 8 asks the network for this list if it is not there."""
    home = tempfile.mkdtemp(prefix="hf_text-g4f-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    listing = Path(home, ".models", str(date.today()), "providers.json")
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"providers": {"default": {"baseUrl": "http://g4f.invalid"}}, "defaultModels": {}}))
    os.environ.update(G4F_CACHE_DIR=home, G4F_CONFIG_DIR=home, HOME=home, USERPROFILE=home)
    return home


if importlib.util.find_spec("g4f") is None:
    pytest.skip("g4f is not installed; see docs/g4f.rst", allow_module_level=True)

HOME = prepare_home()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # g4f's own
    import g4f.cookies
    import g4f.debug
    import g4f.errors
    import g4f.version
    from g4f.client import AsyncClient, Client

    from hf_text.integrations.g4f import HuggingFaceAPI

# What g4f does that Python or its own requirements have deprecated, and event loops that it leaves to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEY = "hf_AKeyForTestsAndNothing"
MODEL = "emulator/small"
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="
)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
NotFound = getattr(g4f.errors, "ModelNotSupportedError", g4f.errors.ModelNotFoundError)
Generate = Callable[..., Any]


@pytest.fixture(autouse=True)
def kept_operations_are_forgotten() -> Iterator[None]:
    yield
    _operations.cache_clear()


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has a key, and g4f nothing to look for in the network."""
    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setenv("HUGGINGFACE_API_KEY", KEY)
    monkeypatch.setattr(g4f.debug, "version_check", False)
    g4f.cookies.set_cookies_dir(HOME)


def create_blocking(messages: Any = "Count", model: str = MODEL, provider: Any = HuggingFaceAPI, **options: Any) -> Any:
    return Client(provider=provider).chat.completions.create(messages, model, **options)


def create_async(messages: Any = "Count", model: str = MODEL, provider: Any = HuggingFaceAPI, **options: Any) -> Any:
    async def create() -> Any:
        return await AsyncClient(provider=provider).chat.completions.create(messages, model, **options)

    return asyncio.run(create())


def stream_blocking(messages: Any = "Count", model: str = MODEL, provider: Any = HuggingFaceAPI, **options: Any) -> Any:
    return list(Client(provider=provider).chat.completions.create(messages, model, stream=True, **options))


def stream_async(messages: Any = "Count", model: str = MODEL, provider: Any = HuggingFaceAPI, **options: Any) -> Any:
    async def collect() -> list[Any]:
        response = AsyncClient(provider=provider).chat.completions.create(messages, model, stream=True, **options)
        return [chunk async for chunk in response]

    return asyncio.run(collect())


@pytest.fixture(params=[create_blocking, create_async], ids=["blocking", "async"])
def create(request: pytest.FixtureRequest) -> Generate:
    """A whole answer by g4f's client."""
    made: Generate = request.param
    return made


@pytest.fixture(params=[stream_blocking, stream_async], ids=["blocking", "async"])
def stream(request: pytest.FixtureRequest) -> Generate:
    """The chunks of an answer by g4f's client."""
    made: Generate = request.param
    return made


@pytest.fixture(params=[create_blocking, create_async, stream_blocking, stream_async])
def ask(request: pytest.FixtureRequest) -> Generate:
    """Every way to ask."""
    made: Generate = request.param
    return made


# --- g4f's client


def test_a_whole_answer(emulator: Emulator, create: Generate) -> None:
    emulator.reply(Response.text("One", " two"))
    completion = create()
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("One two", "stop")
    assert (completion.model, completion.provider) == (MODEL, "HuggingFaceAPI")
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    assert emulator.requests[-1].key == KEY


def test_a_streamed_answer(emulator: Emulator, stream: Generate) -> None:
    emulator.reply(Response.text("One", " two"))
    *chunks, last = stream()
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["One", " two"]
    assert last.choices[0].finish_reason == "stop"
    assert last.usage.total_tokens > 0
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert {chunk.provider for chunk in chunks} == {"HuggingFaceAPI"}


def test_without_a_model_the_default_is_asked(emulator: Emulator, ask: Generate) -> None:
    ask(model="")
    assert emulator.requests[-1].json["model"] == "meta-llama/Llama-3.3-70B-Instruct"


def test_nothing_but_text_is_in_the_text(emulator: Emulator, create: Generate) -> None:
    emulator.reply(Response.chat("<think>Hm.</think>One", usage=True))
    assert create().choices[0].message.content == "One"


def test_options_reach_the_server(emulator: Emulator, ask: Generate) -> None:
    ask(
        temperature=0.5,
        top_p=0.9,
        max_tokens=50,
        stop=["END"],
        user="me",
        top_k=3,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        tools=[TOOL],
        tool_choice="auto",
        parallel_tool_calls=False,
        extra_body={"min_p": 0.1},
        web_search=False,
        download_media=True,
        ignored=[],
    )
    body = emulator.requests[-1].json
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.5, 0.9, 50)
    assert (body["stop"], body["user"], body["top_k"], body["min_p"]) == (["END"], "me", 3, 0.1)
    assert (body["frequency_penalty"], body["presence_penalty"]) == (0.1, 0.2)
    assert (len(body["tools"]), body["tool_choice"], body["parallel_tool_calls"]) == (1, "auto", False)


def test_tools(emulator: Emulator, create: Generate) -> None:
    emulator.reply(Response.chat(tool_calls=[("look", '{"at": "sky"}')]))
    [choice] = create(tools=[TOOL]).choices
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls
    assert (call.type, call.function.name, call.function.arguments) == ("function", "look", '{"at": "sky"}')


@pytest.mark.parametrize(
    "media", [[[PNG, "a.png"]], [(PNG, "a.png")], [(PNG, None)], PNG], ids=["list", "pair", "no name", "alone"]
)
def test_media(emulator: Emulator, ask: Generate, media: Any) -> None:
    ask(model="emulator/small-vision", media=media)
    [message] = emulator.requests[-1].json["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]


# --- errors


@pytest.mark.parametrize(
    ("fault", "theirs", "ours"),
    [
        ("bad-key", g4f.errors.MissingAuthError, hf_text.AuthenticationError),
        ("credits-used-up", g4f.errors.PaymentRequiredError, hf_text.PaymentRequiredError),
        ("rate-limited", g4f.errors.RateLimitError, hf_text.RateLimitError),
        ("server-error", g4f.errors.ResponseStatusError, hf_text.ServerError),
        ("cut-mid-stream", g4f.errors.ResponseError, hf_text.TruncatedStreamError),
        ("no-finish-no-done", g4f.errors.ResponseError, hf_text.TruncatedStreamError),
        ("closed-before-headers", g4f.errors.ResponseError, hf_text.TransportError),
    ],
)
def test_an_error_is_one_of_both_kinds(
    emulator: Emulator, ask: Generate, fault: str, theirs: type[Exception], ours: type[hf_text.HFTextError]
) -> None:
    emulator.always(fault)
    with pytest.raises(theirs) as caught:
        ask(max_retries=0)
    assert isinstance(caught.value, ours)
    assert caught.value.attempts
    assert type(pickle.loads(pickle.dumps(caught.value))) is ours


def test_a_model_that_nobody_serves(emulator: Emulator, ask: Generate) -> None:
    with pytest.raises(NotFound) as caught:
        ask(model="emulator/none")
    assert isinstance(caught.value, hf_text.ModelNotSupportedError)


def test_no_key(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, ask: Generate) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.delenv("HUGGINGFACE_API_KEY")
    with pytest.raises(g4f.errors.MissingAuthError):
        ask()
    assert emulator.requests == []


def test_a_cut_answer_keeps_what_came(emulator: Emulator, stream: Generate) -> None:
    emulator.reply("cut-mid-stream")
    with pytest.raises(g4f.errors.ResponseError) as caught:
        stream()
    assert caught.value.partial.text  # type: ignore[attr-defined]


# --- a client that leaves


def test_a_blocking_reader_who_leaves_hangs_up(emulator: Emulator) -> None:
    gate = Gate()
    emulator.reply(Response.text("One", gate, " two"))
    with closing(HuggingFaceAPI.create_completion(MODEL, "Count")) as events:
        for event in events:
            if isinstance(event, str):
                break
    emulator.wait_for_disconnect()
    gate.open()


def test_an_async_reader_who_leaves_hangs_up(emulator: Emulator) -> None:
    gate = Gate()
    emulator.reply(Response.text("One", gate, " two"))

    async def read_one() -> None:
        response = AsyncClient(provider=HuggingFaceAPI).chat.completions.create("Count", MODEL, stream=True)
        async for _ in response:
            break
        await response.aclose()

    asyncio.run(read_one())
    emulator.wait_for_disconnect()
    gate.open()
