"""g4f's own client, retry lists, API server and GUI on ``HuggingFaceAPI``: the real package, in two generations.

Two versions of g4f cannot share an environment, so each has its own. The interface was documented for
version 0.5.2.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import json
import logging
import os
import pickle
import re
import shutil
import socket
import tempfile
import textwrap
import threading
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests
from required import require

import hf_text
from hf_text.callers import cached_operations
from hf_text.emulator import Emulator, Gate, Response


def prepare_home() -> str:
    """A home for g4f's files. Version 8 requests this list from the network if it is missing."""
    home = tempfile.mkdtemp(prefix="hf_text-g4f-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    listing = Path(home, ".models", str(date.today()), "providers.json")
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"providers": {"default": {"baseUrl": "http://g4f.invalid"}}, "defaultModels": {}}))
    os.environ.update(G4F_CACHE_DIR=home, G4F_CONFIG_DIR=home, HOME=home, USERPROFILE=home)
    return home


WHERE = "see docs/integrations/g4f.rst and .ci/run"
require("g4f", where=WHERE, whole_file=True)

HOME = prepare_home()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # g4f's own
    import g4f.cookies
    import g4f.debug
    import g4f.errors
    import g4f.version
    from g4f.client import AsyncClient, Client
    from g4f.providers.response import FinishReason, ProviderInfo, Reasoning, ToolCalls, Usage
    from g4f.providers.retry_provider import IterListProvider

    from hf_text.integrations.g4f import HuggingFaceAPI, install

# Deprecations that g4f triggers in Python or its dependencies, and event loops that it leaves to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KEY = "hf_AKeyForTestsAndNothing"
MODEL = "emulator/small"
PNG = f"data:image/png;base64,{b64encode(bytes.fromhex('89504e470d0a1a0a') + bytes(16)).decode()}"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
NotFound = getattr(g4f.errors, "ModelNotSupportedError", g4f.errors.ModelNotFoundError)
Generate = Callable[..., Any]


@pytest.fixture(autouse=True)
def kept_operations_are_forgotten() -> Iterator[None]:
    yield
    cached_operations.cache_clear()


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has a key, and g4f has no reason to use the network."""
    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setenv("HUGGINGFACE_API_KEY", KEY)
    monkeypatch.setattr(g4f.debug, "version_check", False)
    g4f.cookies.set_cookies_dir(HOME)
    for name in ("g4f.api", "g4f.gui.server.api"):  # captured logs would keep the errors and so their sockets alive
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


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
    """A complete answer through g4f's client."""
    made: Generate = request.param
    return made


@pytest.fixture(params=[stream_blocking, stream_async], ids=["blocking", "async"])
def stream(request: pytest.FixtureRequest) -> Generate:
    """The chunks of an answer through g4f's client."""
    made: Generate = request.param
    return made


@pytest.fixture(params=[create_blocking, create_async, stream_blocking, stream_async])
def ask(request: pytest.FixtureRequest) -> Generate:
    """Every way to request an answer."""
    made: Generate = request.param
    return made


def held(gate: Gate) -> Response:
    """An answer that stalls after its first piece."""
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}]}
    return Response(
        headers={"Content-Type": "text/event-stream"}, body=[b"data: %s\n\n" % json.dumps(chunk).encode(), gate]
    )


# --- g4f's client


def test_a_complete_answer_is_returned(emulator: Emulator, create: Generate) -> None:
    emulator.reply(Response.text("One", " two", usage=(3, 2)))
    completion = create()
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("One two", "stop")
    assert (completion.model, completion.provider) == (MODEL, "HuggingFaceAPI")
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (3, 2)
    assert emulator.requests[-1].key == KEY


def test_an_answer_is_streamed(emulator: Emulator, stream: Generate) -> None:
    emulator.reply(Response.text("One", " two", usage=(3, 2)))
    *chunks, last = stream()
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["One", " two"]
    assert last.choices[0].finish_reason == "stop"
    assert last.usage.total_tokens == 5
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert {chunk.provider for chunk in chunks} == {"HuggingFaceAPI"}


def test_without_a_model_the_default_is_used(emulator: Emulator, ask: Generate) -> None:
    ask(model="")
    assert emulator.requests[-1].json["model"] == "meta-llama/Llama-3.3-70B-Instruct"


def test_the_text_contains_only_text(emulator: Emulator, create: Generate) -> None:
    emulator.reply(Response.text("One", reasoning="Hm."))
    text = create().choices[0].message.content
    assert text in ("One", "Hm.One")  # version 0.5.2 treats reasoning as text, from any provider


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


def test_tools_are_passed_on(emulator: Emulator, create: Generate) -> None:
    emulator.reply(Response.chat(tool_calls=[("look", '{"at": "sky"}')]))
    [choice] = create(tools=[TOOL]).choices
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls
    assert (call.type, call.function.name, call.function.arguments) == ("function", "look", '{"at": "sky"}')


@pytest.mark.parametrize(
    "media", [[[PNG, "a.png"]], [(PNG, "a.png")], [(PNG, None)], PNG], ids=["list", "pair", "no name", "alone"]
)
def test_media_is_sent(emulator: Emulator, ask: Generate, media: Any) -> None:
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
def test_an_error_is_an_instance_of_both_hierarchies(
    emulator: Emulator, ask: Generate, fault: str, theirs: type[Exception], ours: type[hf_text.HFTextError]
) -> None:
    emulator.always(fault)
    with pytest.raises(theirs) as caught:
        ask(max_retries=0)
    assert isinstance(caught.value, ours)
    assert caught.value.attempts
    assert type(pickle.loads(pickle.dumps(caught.value))) is ours


def test_an_unserved_model_is_reported(emulator: Emulator, ask: Generate) -> None:
    with pytest.raises(NotFound) as caught:
        ask(model="emulator/none")
    assert isinstance(caught.value, hf_text.ModelNotSupportedError)


def test_a_missing_key_is_reported(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, ask: Generate) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.delenv("HUGGINGFACE_API_KEY")
    with pytest.raises(g4f.errors.MissingAuthError):
        ask()
    assert emulator.requests == []


def test_a_truncated_answer_keeps_its_text(emulator: Emulator, stream: Generate) -> None:
    emulator.reply("cut-mid-stream")
    with pytest.raises(g4f.errors.ResponseError) as caught:
        stream()
    assert caught.value.partial.text  # type: ignore[attr-defined]


# --- a client that disconnects


def test_leaving_a_blocking_stream_closes_the_connection(emulator: Emulator) -> None:
    gate = Gate()
    emulator.reply(held(gate))
    with closing(HuggingFaceAPI.create_completion(MODEL, "Count")) as events:
        for event in events:
            if isinstance(event, str):
                break
    emulator.wait_for_disconnect()
    gate.open()


def test_leaving_an_async_stream_closes_the_connection(emulator: Emulator) -> None:
    gate = Gate()
    emulator.reply(held(gate))

    async def read_one() -> None:
        response = AsyncClient(provider=HuggingFaceAPI).chat.completions.create("Count", MODEL, stream=True)
        async for _ in response:
            break
        await response.aclose()

    asyncio.run(read_one())
    emulator.wait_for_disconnect()
    gate.open()


# --- g4f's lists of providers, and its HuggingFace


class Broken(HuggingFaceAPI):
    """A provider that is unavailable."""

    api_base = "http://127.0.0.1:1/v1"
    max_retries = 0


def test_a_provider_list_continues_with_the_next_provider(emulator: Emulator, ask: Generate) -> None:
    emulator.reply(Response.text("One"))
    answer = ask(provider=IterListProvider([Broken, HuggingFaceAPI], shuffle=False), max_retries=0)
    pieces = [chunk.choices[0].delta.content for chunk in answer] if isinstance(answer, list) else None
    assert "One" in (pieces or answer.choices[0].message.content)


def test_a_provider_list_reports_a_truncated_answer(emulator: Emulator, ask: Generate) -> None:
    emulator.reply("cut-mid-stream")
    with pytest.raises(hf_text.TruncatedStreamError):
        ask(provider=IterListProvider([HuggingFaceAPI, HuggingFaceAPI], shuffle=False))
    assert len(emulator.requests) == 1


@pytest.fixture
def delegating(monkeypatch: pytest.MonkeyPatch) -> Any:
    """g4f 0.5's ``HuggingFace``, which calls ``HuggingFaceAPI``; its other providers would use the network."""
    if hasattr(g4f.Provider, "ProviderLoader"):
        pytest.skip("this g4f has no HuggingFace that delegates")

    class Elsewhere:
        @staticmethod
        async def create_async_generator(model: str, messages: Any, **kwargs: Any) -> Any:
            raise NotFound(model)
            yield

    class Inference(Elsewhere):
        @staticmethod
        async def create_async_generator(model: str, messages: Any, **kwargs: Any) -> Any:
            yield "from elsewhere"

    module = importlib.import_module(g4f.Provider.HuggingFace.__module__)
    monkeypatch.setattr(module, "HuggingFaceMedia", Elsewhere)
    monkeypatch.setattr(module, "HuggingFaceInference", Inference)
    monkeypatch.setattr(module.random, "random", lambda: 0.0)  # it picks one of the two at random
    monkeypatch.setattr(g4f.Provider.HuggingFace, "image_models", ["x/pictures"])
    install()
    return g4f.Provider.HuggingFace


def test_the_delegating_class_uses_it(emulator: Emulator, delegating: Any, create: Generate) -> None:
    emulator.reply(Response.text("One"))
    assert create(provider=delegating).choices[0].message.content == "One"


def test_the_delegating_class_uses_another_provider_for_an_unserved_model(
    emulator: Emulator, delegating: Any, create: Generate
) -> None:
    assert create(model="emulator/none", provider=delegating).choices[0].message.content == "from elsewhere"


# --- g4f's API server


@pytest.fixture
def server(emulator: Emulator) -> Iterator[str]:
    """The address of g4f's API server, on a socket."""
    require("uvicorn", "python_multipart", where=WHERE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api = importlib.import_module("g4f.api")
        install()
        app = api.create_app()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uvicorn = importlib.import_module("uvicorn")
        running = uvicorn.Server(uvicorn.Config(app, log_config=None, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/chat/completions"
        running.should_exit = True
        thread.join()


def post(address: str, **body: Any) -> requests.Response:
    request = {"provider": "HuggingFaceAPI", "model": MODEL, "messages": [{"role": "user", "content": "Count"}], **body}
    return requests.post(address, json=request, headers={"Authorization": f"Bearer {KEY}"}, timeout=20)


def chunks_of(answer: requests.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]" or "error" in lines[-1]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_the_api_server_returns_a_complete_answer(emulator: Emulator, server: str) -> None:
    emulator.reply(Response.text("One", " two", usage=(3, 2)))
    answer = post(server).json()
    assert answer["choices"][0]["message"]["content"] == "One two"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["total_tokens"] == 5
    assert answer["model"] == MODEL
    assert emulator.requests[-1].key == KEY


def test_the_api_server_streams_an_answer(emulator: Emulator, server: str) -> None:
    emulator.reply(Response.text("One", " two", usage=(3, 2)))
    *chunks, last = chunks_of(post(server, stream=True))
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == "One two"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] == 5


@pytest.mark.parametrize("streamed", [False, True])
def test_the_api_server_passes_media_on(emulator: Emulator, server: str, streamed: bool) -> None:
    answer = post(server, model="emulator/small-vision", media=[[PNG, "a.png"]], stream=streamed)
    assert answer.status_code == 200
    [message] = emulator.requests[-1].json["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]


def test_the_api_server_passes_tools_on(emulator: Emulator, server: str) -> None:
    emulator.reply(Response.text(tool_calls=[("look", '{"at": "sky"}')]))
    [choice] = post(server, tools=[TOOL]).json()["choices"]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "sky"}'}
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(("fault", "status"), [("bad-key", 401), ("credits-used-up", 500), ("cut-mid-stream", 500)])
def test_an_error_is_returned_by_the_api_server(emulator: Emulator, server: str, fault: str, status: int) -> None:
    emulator.always(fault)
    answer = post(server)
    assert (answer.status_code, "error" in answer.json()) == (status, True)


def test_an_unserved_model_is_404_from_the_api_server(emulator: Emulator, server: str) -> None:
    assert post(server, model="emulator/none").status_code == 404


def test_a_truncated_answer_ends_the_api_server_stream_with_an_error(emulator: Emulator, server: str) -> None:
    emulator.reply("cut-mid-stream")
    last = chunks_of(post(server, stream=True))[-1]
    assert "error" in last


def test_a_client_leaving_the_api_server_closes_the_connection(emulator: Emulator, server: str) -> None:
    gate = Gate()
    emulator.reply(held(gate))
    body = {"provider": "HuggingFaceAPI", "model": MODEL, "messages": "Count", "stream": True}
    body["messages"] = [{"role": "user", "content": "Count"}]
    with requests.post(server, json=body, stream=True, timeout=20) as answer:
        assert answer.raw.read1(10)
    emulator.wait_for_disconnect()
    gate.open()


# --- g4f's GUI


@pytest.fixture
def gui(emulator: Emulator) -> Any:
    """Post to the GUI's backend; returns the messages of its stream."""
    require("flask", where=WHERE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flask_app = importlib.import_module("g4f.gui").get_gui_app()
        install()

    def post(**fields: Any) -> list[Any]:
        data = {
            "id": "1",
            "conversation_id": "2",
            "provider": "HuggingFaceAPI",
            "model": MODEL,
            "web_search": False,
            "download_media": False,
            "messages": [{"role": "user", "content": "Count"}],
            "action": "next",
            "tool_calls": [],
            "ignored": [],
            "aspect_ratio": "1:1",
            **fields,
        }
        with flask_app.test_client() as client:
            answer = client.post("/backend-api/v2/conversation", json=data)
            text = answer.get_data(as_text=True)
        lines = (line.removeprefix("data: ") for line in text.splitlines())
        return [json.loads(line) for line in lines if line.startswith("{")]

    return post


def test_the_gui_streams_an_answer(emulator: Emulator, gui: Any) -> None:
    emulator.reply(Response.text("One", " two", reasoning="Hm."))
    messages = gui()
    assert "".join(each["content"] for each in messages if each["type"] == "content") == "One two"
    assert {"provider", "finish", "reasoning"} <= {each["type"] for each in messages}
    assert "error" not in {each["type"] for each in messages}
    [finish] = [each["finish"] for each in messages if each["type"] == "finish"]
    assert finish == {"reason": "stop"}


@pytest.mark.parametrize(
    ("fault", "kind"), [("bad-key", "auth"), ("credits-used-up", "error"), ("cut-mid-stream", "error")]
)
def test_the_gui_shows_an_error(emulator: Emulator, gui: Any, fault: str, kind: str) -> None:
    emulator.always(fault)
    assert kind in {each["type"] for each in gui()}


def test_a_path_in_a_request_is_not_read(emulator: Emulator, gui: Any, tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(16))
    assert "error" in {each["type"] for each in gui(model="emulator/small-vision", media=[[str(picture), "a.png"]])}
    assert [request for request in emulator.requests if request.method == "POST"] == []


@pytest.mark.parametrize("options", [{"images": [["%s", "a.png"]]}, {"image": "%s"}, {"media": "%s"}], ids=str)
def test_a_path_under_another_media_name_is_not_read(
    emulator: Emulator, tmp_path: Path, options: dict[str, Any]
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(16))
    options = json.loads(json.dumps(options).replace("%s", str(picture)))
    with pytest.raises(hf_text.InvalidRequestError, match=f"{next(iter(options))} must be a URL"):
        HuggingFaceAPI.create_completion("emulator/small-vision", "Look", **options)


# --- what g4f requires of a provider


def test_events_are_g4f_types(emulator: Emulator) -> None:
    emulator.reply(Response.text("One", reasoning="Hm.", tool_calls=[("look", "{}")], usage=(3, 2)))
    events = list(HuggingFaceAPI.create_completion(MODEL, "Count"))
    assert {type(event) for event in events} == {ProviderInfo, Reasoning, str, ToolCalls, Usage, FinishReason}
    assert events[0].get_dict()["name"] == "HuggingFaceAPI"
    assert events[0].get_dict()["model"] == MODEL


def test_parameters_can_be_written_as_json() -> None:
    parameters = json.loads(json.dumps(HuggingFaceAPI.get_parameters(as_json=True)))
    assert parameters["provider"] == "HuggingFaceAPI"
    assert parameters["max_tokens"] == 2048
    assert {"temperature", "top_p", "tools", "seed"} <= parameters.keys()


def test_form_parameters_round_trip(emulator: Emulator, ask: Generate) -> None:
    form = HuggingFaceAPI.get_parameters(as_json=True)
    del form["model"], form["messages"], form["provider"], form["stream"], form["api_key"]
    ask(**form, **({} if "proxy" in form else {"proxy": ""}))
    assert emulator.requests[-1].json["max_tokens"] == 2048


def test_the_provider_name_resolves_after_install(emulator: Emulator, create: Generate) -> None:
    install()
    assert create(provider="HuggingFaceAPI").provider == "HuggingFaceAPI"
    assert emulator.requests


def test_models_match_the_hub(emulator: Emulator) -> None:
    assert MODEL in HuggingFaceAPI.get_models(api_key=KEY, timeout=5)


def test_the_snippet_on_the_page_runs(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "integrations" / "g4f.rst").read_text("utf-8")
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", page)
    (code,) = [block for block in blocks if "from g4f.client" in block]
    emulator.reply(Response.text("One", " two"))
    exec(textwrap.dedent(code), {})
    assert capsys.readouterr().out == "One two\n"
