"""One list of call options: every function that accepts them lists, documents and forwards them."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hf_text
from hf_text import Client, HuggingFaceAPI, OpenaiTemplate, batch
from hf_text.aio import AsyncClient, AsyncConversation
from hf_text.callers import cached_operations
from hf_text.client import default_client
from hf_text.emulator import Emulator
from hf_text.local import LocalServer
from hf_text.notebook import show
from hf_text.other_names import ARGUMENTS

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "signatures.py"
KEY = "hf_AKeyForTestsAndNothing"
MODEL = "emulator/small"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}

# A value for every option of Client.stream. A new option needs one here; then every entry point is tested with it.
OPTIONS: dict[str, Any] = {
    "model": "emulator/small-vision",
    "media": [PNG],
    "max_tokens": 7,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["END"],
    "seed": 3,
    "tools": [TOOL],
    "tool_choice": "required",
    "response_format": "json_object",
    "reasoning_effort": "low",
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "parallel_tool_calls": False,
    "logprobs": True,
    "top_logprobs": 2,
    "include_usage": False,
    "extra_body": {"min_p": 0.1},
    "extra_headers": {"X-Mine": "yes"},
    "provider": "novita",
    "timeout": 5,
}

STREAM = inspect.signature(Client.stream).parameters.keys() - {"self", "messages"}

# Options that an entry point omits on purpose, and why.
LEFT_OUT = {
    "parse": {
        "tools",
        "tool_choice",
        "response_format",
        "parallel_tool_calls",
    },  # parse sets these itself
    "Conversation": {"media"},  # media belongs to a turn
}


async def _awaited(door: Callable[..., Any], **options: Any) -> Any:
    async with AsyncClient() as client:
        return await door(client, "Hi", **options)


async def _collected(door: Callable[..., Any], **options: Any) -> list[Any]:
    return [event async for event in door(messages="Hi", **options)]


async def _streamed(**options: Any) -> list[Any]:
    async with AsyncClient() as client, client.stream("Hi", **options) as stream:
        return [text async for text in stream]


def _without(names: set[str], **options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


SENDING: dict[str, Callable[..., Any]] = {
    "Client.stream": lambda **options: list(Client().stream("Hi", **options)),
    "Client.generate": lambda **options: Client().generate("Hi", **options),
    "stream": lambda **options: list(hf_text.stream("Hi", **options)),
    "generate": lambda **options: hf_text.generate("Hi", **options),
    "AsyncClient.stream": lambda **options: asyncio.run(_streamed(**options)),
    "AsyncClient.generate": lambda **options: asyncio.run(_awaited(AsyncClient.generate, **options)),
    "HuggingFaceAPI.create_generator": lambda **options: list(
        HuggingFaceAPI.create_generator(messages="Hi", **options)
    ),
    "HuggingFaceAPI.create_completion": lambda **options: list(
        HuggingFaceAPI.create_completion(messages="Hi", **options)
    ),
    "HuggingFaceAPI.create_async_generator": lambda **options: asyncio.run(
        _collected(HuggingFaceAPI.create_async_generator, **options)
    ),
    "HuggingFaceAPI.create_async": lambda **options: asyncio.run(HuggingFaceAPI.create_async(messages="Hi", **options)),
}


@pytest.fixture(autouse=True)
def nothing_is_kept(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    cached_operations.cache_clear()
    default_client().close()
    default_client.cache_clear()


def sent_by(emulator: Emulator, send: Callable[..., Any], options: dict[str, Any]) -> tuple[Any, Any]:
    send(**options)
    request = emulator.requests[-1]
    return request.json, request.headers.get("x-mine")


# --- every entry point forwards every option


def test_every_option_has_a_value_to_try() -> None:
    assert OPTIONS.keys() == STREAM, "give the new option a value in OPTIONS"


@pytest.mark.parametrize("name", SENDING)
def test_every_option_is_passed_on(emulator: Emulator, name: str) -> None:
    expected = sent_by(emulator, lambda **options: list(Client().stream("Hi", **options)), OPTIONS)
    assert sent_by(emulator, SENDING[name], OPTIONS) == expected


@pytest.mark.parametrize("option", sorted(STREAM - {"timeout"}))
def test_every_option_has_an_effect(emulator: Emulator, option: str) -> None:
    """Proves that the test above can fail."""
    rest = {name: value for name, value in OPTIONS.items() if name != option}
    if option == "tools":
        del rest["tool_choice"], rest["parallel_tool_calls"]
    if option == "logprobs":
        del rest["top_logprobs"]
    if option == "model":
        del rest["media"]
    with_it = sent_by(emulator, Client().generate, {"messages": "Hi", **OPTIONS})
    assert sent_by(emulator, Client().generate, {"messages": "Hi", **rest}) != with_it


# --- every entry point lists and documents every option


def public_doors() -> Iterator[tuple[str, Any]]:
    """Every public function that takes messages or creates a conversation."""
    for module in ("hf_text.batch", "hf_text.aio.batch"):
        for name in ("generate", "run", "generate_frame"):
            yield f"{module.removeprefix('hf_text.')}.{name}", getattr(importlib.import_module(module), name)
    for module in ("hf_text", "hf_text.aio"):
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value):
                for attribute, member in vars(value).items():
                    member = getattr(member, "__func__", member)
                    if not attribute.startswith("_") and inspect.isfunction(member):
                        yield f"{name}.{attribute}", member
                if name.removeprefix("Async") == "Conversation":
                    yield name, value
            elif inspect.isfunction(value):
                yield name, value


# These take messages but no options: the class or the conversation holds the options.
NO_OPTIONS = {
    "Conversation.stream",
    "Conversation.generate",
    "AsyncConversation.stream",
    "AsyncConversation.generate",
    "calculate_lenght",
}
DOORS = {
    name: door
    for name, door in public_doors()
    if name not in NO_OPTIONS
    and ("messages" in inspect.signature(door).parameters or inspect.isclass(door) or "batch." in name)
}


def test_all_entry_points_are_found() -> None:
    assert {
        *("generate", "stream", "parse"),
        *("Client.generate", "Client.stream", "Client.parse"),
        *("AsyncClient.generate", "AsyncClient.stream", "AsyncClient.parse"),
        *("Conversation", "AsyncConversation"),
        *(f"{where}.{what}" for where in ("batch", "aio.batch") for what in ("generate", "run", "generate_frame")),
        *(
            f"{cls}.create_{what}"
            for cls in ("OpenaiTemplate", "HuggingFaceAPI")
            for what in ("generator", "completion")
        ),
        *(f"{cls}.create_async" for cls in ("OpenaiTemplate", "HuggingFaceAPI")),
        *(f"{cls}.create_async_generator" for cls in ("OpenaiTemplate", "HuggingFaceAPI")),
    } == DOORS.keys()


def left_out(name: str) -> set[str]:
    return next((out for end, out in LEFT_OUT.items() if name.endswith(end)), set())


@pytest.mark.parametrize("name", DOORS)
def test_an_entry_point_shows_every_option(name: str) -> None:
    shown = set(inspect.signature(DOORS[name]).parameters)
    assert STREAM - shown == left_out(name), "run .ci/signatures.py, or name in LEFT_OUT what is left out"


@pytest.mark.parametrize("name", DOORS)
def test_an_entry_point_documents_every_argument(name: str) -> None:
    explained = re.findall(r"^ {4}(\w+): \S", inspect.getdoc(DOORS[name]) or "", re.MULTILINE)
    parameters = [each for each in inspect.signature(DOORS[name]).parameters if each not in ("self", "cls")]
    assert explained == parameters


@pytest.mark.parametrize(
    ("made", "source"),
    [(AsyncClient, Client), (AsyncConversation, hf_text.Conversation)],
    ids=["client", "conversation"],
)
def test_async_entry_points_take_the_same_options(made: Any, source: Any) -> None:
    assert inspect.signature(source).parameters.keys() - inspect.signature(made).parameters.keys() == set()


# --- the script


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=50)


def test_generated_signatures_are_up_to_date() -> None:
    shown = run_script("--check")
    assert (shown.returncode, shown.stdout) == (0, ""), "run python .ci/signatures.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(ROOT / "hf_text", tmp_path / "hf_text", ignore=ignored))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) >= 1
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_difference_is_shown_and_fixed(tree: Path) -> None:
    replace(tree / "aio" / "client.py", "        seed: int | None = None,\n", "")
    shown = run_script("--check", str(tree))
    assert shown.returncode == 1
    assert "+        seed: int | None = None," in shown.stdout
    assert run_script(str(tree)).stdout == f"{tree / 'aio' / 'client.py'}\n"
    assert run_script("--check", str(tree)).returncode == 0


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("# Arguments of Client.strem (.ci/signatures.py)", "there is nothing of the name Client.strem"),
        ("# Arguments of Client.stream but sed (.ci/signatures.py)", "there is nothing of the name sed"),
        ("# The arguments of .ci/signatures.py", "this is not understood"),
    ],
)
def test_an_unknown_marker_comment_is_reported(tree: Path, comment: str, words: str) -> None:
    replace(tree / "aio" / "client.py", "# Arguments of Client.stream (.ci/signatures.py)", comment)
    shown = run_script("--check", str(tree))
    assert shown.returncode == 1
    assert words in shown.stderr


TRY = """
import asyncio, inspect, json, sys
sys.path.insert(0, sys.argv[1])
import hf_text
from hf_text.aio import AsyncClient
assert hf_text.__file__.startswith(sys.argv[1])

async def main():
    client = AsyncClient()
    async with client.stream("Hi", min_p=0.25) as stream:
        [text async for text in stream]
    await client.generate("Hi", min_p=0.25)
    [event async for event in hf_text.HuggingFaceAPI.create_async_generator("", "Hi", min_p=0.25)]
    await hf_text.HuggingFaceAPI.create_async("", "Hi", min_p=0.25)
    await client.aclose()

list(hf_text.Client().stream("Hi", min_p=0.25))
hf_text.Client().generate("Hi", min_p=0.25)
list(hf_text.stream("Hi", min_p=0.25))
hf_text.generate("Hi", min_p=0.25)
list(hf_text.HuggingFaceAPI.create_generator("", "Hi", min_p=0.25))
hf_text.Conversation(min_p=0.25).generate("Hi")
asyncio.run(main())
help(hf_text.generate)
"""


def test_a_new_sampling_option_takes_two_edits_to_reach_every_entry_point(emulator: Emulator, tree: Path) -> None:
    """``Client.stream`` and the rule for its value are edited; the script updates the other entry points."""
    client, rules = tree / "client.py", tree / "protocol" / "options.py"
    replace(
        client,
        "        seed: int | None = None,\n",
        "        seed: int | None = None,\n        min_p: float | None = None,\n",
    )
    entry = "            seed: makes answers reproducible"
    replace(client, entry, f"            min_p: 0 to 1.\n{entry}")
    replace(rules, '    "seed": ', '    "min_p": _Rule("a number", is_number),\n    "seed": ')
    assert run_script("--check", str(tree)).returncode == 1
    assert run_script(str(tree)).returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(tree.parent)],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=tree.parent,
        env={**os.environ, "HF_TOKEN": KEY},
    )
    assert done.returncode == 0, done.stderr
    bodies = [request.json for request in emulator.requests if request.method == "POST"]
    assert [body["min_p"] for body in bodies] == [0.25] * 10
    assert "min_p: 0 to 1." in done.stdout


# --- wrong names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("base_url", "Client.stream() has no argument 'base_url'. 'api_base' is an argument of Client()"),
        ("token", "Client.stream() has no argument 'token'. 'api_key' is an argument of Client()"),
        ("api_key", "Client.stream() has no argument 'api_key'. 'api_key' is an argument of Client()"),
        ("max_token", "Client.stream() has no argument 'max_token'. Did you mean 'max_tokens'?"),
        ("max_new_tokens", "Client.stream() has no argument 'max_new_tokens'. It is called 'max_tokens' here"),
        ("temprature", "Client.stream() has no argument 'temprature'. Did you mean 'temperature'?"),
        ("prompt", "Client.stream() has no argument 'prompt'. It is called 'messages' here"),
        ("n", "Client.stream() has no argument 'n'. One call returns one answer: call it once for each"),
        ("stream_options", "has no argument 'stream_options'. Request token counts with include_usage=True"),
        (
            "stream",
            "has no argument 'stream'. generate() returns the whole answer, stream() yields it in pieces: leave it out",
        ),
        (
            "system",
            "has no argument 'system'. "
            'Put {"role": "system", "content": …} in front of the messages, or use Conversation(system=…)',
        ),
        (
            "think",
            "has no argument 'think'. reasoning_effort=\"low\" sets it. Some servers turn it off with "
            'extra_body={"chat_template_kwargs": {"enable_thinking": False}}',
        ),
        ("headers", "has no argument 'headers'. It is called 'extra_headers' here"),
        ("retries", "has no argument 'retries'. 'max_retries' is an argument of Client()"),
        ("json_schema", "has no argument 'json_schema'. It is called 'response_format' here"),
        ("top_k", "has no argument 'top_k'. Pass other fields of the request with extra_body={'top_k': …}"),
    ],
)
def test_a_wrong_name_gets_the_right_one(emulator: Emulator, name: str, words: str) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match=f"{re.escape(words)}$") as caught:
        Client().stream("Hi", **{name: 1})
    assert isinstance(caught.value, TypeError)
    assert emulator.requests == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Client(base_url="http://x"), "Client() has no argument 'base_url'. It is called 'api_base' here"),
        (lambda: Client(token="k"), "Client() has no argument 'token'. It is called 'api_key' here"),
        (
            lambda: Client(temperature=1),
            "Client() has no argument 'temperature'. 'temperature' is an argument of Client.stream()",
        ),
        (lambda: LocalServer(".model", port=1), "has no argument 'port'. There are confirm, context,"),
        (lambda: LocalServer(".model", n_ctx=1), "LocalServer() has no argument 'n_ctx'. It is called 'context' here"),
        (lambda: Client(temprature=1), "Did you mean 'temperature', an argument of Client.stream()?"),
        (
            lambda: AsyncClient(base_url="http://x"),
            "AsyncClient() has no argument 'base_url'. It is called 'api_base' here",
        ),
        (lambda: AsyncClient("k").stream("Hi", token=1), "'api_key' is an argument of AsyncClient()"),
        (
            lambda: hf_text.generate("Hi", api_key="k"),
            "generate() has no argument 'api_key'. 'api_key' is an argument of Client()",
        ),
        (lambda: hf_text.models("qwen"), "models() takes no arguments without a name; name the others: search,"),
        (lambda: Client("k", "m"), "Client() takes only api_key without a name; name the others: api_base, model,"),
        (
            lambda: Client("k").generate("Hi", "m", 5),
            "takes only messages, model without a name; name the others: media,",
        ),
        (lambda: hf_text.models(serach="x"), "models() has no argument 'serach'. Did you mean 'search'?"),
        (lambda: Client().models(zzz="x"), "There are max_output_price, min_context,"),
        (lambda: hf_text.Conversation(sytem="x"), "Conversation() has no argument 'sytem'. Did you mean 'system'?"),
        (lambda: hf_text.Conversation(system_prompt="x"), "It is called 'system' here"),
        (lambda: AsyncConversation(history=[]), "Assign them afterwards: conversation.messages = […]"),
        (lambda: hf_text.Timeouts(read=5), "Timeouts() has no argument 'read'. It is called 'gap' here"),
        (lambda: Client().models(limit=5), "Take the first ones from the list: models(…)[:10]"),
        (lambda: Client("k").parse("Hi", int, max_retries=1), "It is called 'retries' here"),
        (lambda: hf_text.Conversation(base_url="x"), "'api_base' is an argument of Client()"),
        (
            lambda: hf_text.Conversation(Client("k")).generate("Hi", max_tokens=5),
            "'max_tokens' is an argument of Conversation()",
        ),
        (lambda: Client("k").parse("Hi", int, response_format={}), "It is called 'output_type' here"),
        (lambda: hf_text.generate("Hi", response_model=int), "'output_type' is an argument of Client.parse()"),
        (lambda: Client("k").mapping("a/b", token="k"), "'api_key' is an argument of Client()"),
        (
            lambda: batch.run(["a"], "out", concurrency=4),
            "batch.run() has no argument 'concurrency'. It is called 'max_workers'",
        ),
        (lambda: show("Hi", base_url="x"), "notebook.show() has no argument 'base_url'. 'api_base' is an argument"),
        (lambda: asyncio.run(AsyncClient("k").generate("Hi", max_token=1)), "Did you mean 'max_tokens'?"),
        (
            lambda: HuggingFaceAPI.create_generator("", "Hi", temprature=1),
            "HuggingFaceAPI has no argument 'temprature'. Did you mean 'temperature'?",
        ),
        (
            lambda: OpenaiTemplate.get_models(api_bsae="x"),
            "OpenaiTemplate.get_models has no argument 'api_bsae'. Did you mean 'api_base'?",
        ),
    ],
)
def test_a_wrong_name_is_reported_at_every_entry_point(emulator: Emulator, make: Callable[[], Any], words: str) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match=re.escape(words)):
        make()
    assert emulator.requests == []


def test_every_advice_on_arguments_names_one_that_exists() -> None:
    doors = (
        Client,
        Client.stream,
        Client.parse,
        Client.models,
        hf_text.Conversation,
        hf_text.Timeouts,
        LocalServer,
        batch.run,
    )
    exist = {name for door in doors for name in inspect.signature(door).parameters}
    assert {here for names in ARGUMENTS.values() for here in names} <= exist


def test_an_async_entry_point_is_a_coroutine_function() -> None:
    assert inspect.iscoroutinefunction(AsyncClient.generate)
    assert not inspect.iscoroutinefunction(AsyncClient.stream)
