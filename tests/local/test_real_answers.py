"""A real model answers through every entry point of the library."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import pytest
import requests

import hf_text
from hf_text import Client, FinishReason, LocalServerError, ProviderInfo, Usage, batch
from hf_text.local import LocalServer

SKY = "Why is the sky blue?"
SHORT: dict[str, Any] = {"max_tokens": 12, "temperature": 0}
ENDLESS: dict[str, Any] = {"max_tokens": 1900, "extra_body": {"ignore_eos": True}}  # an option of llama.cpp
BACKENDS = ("asyncio", "trio")


@pytest.fixture(scope="module")
def expected(server: LocalServer) -> str:
    """The model's deterministic answer."""
    with server.client(timeout=50) as client:
        text = client.generate(SKY, **SHORT).text
    assert re.search(r"[a-z]{2,} [a-z]{2,}", text)
    return text


# Every entry point


def test_the_blocking_client_streams_what_it_generates(client: Client, server: LocalServer, expected: str) -> None:
    stream = client.stream(SKY, **SHORT)
    events = list(stream.events())
    assert "".join(map(str, events)) == expected
    assert len([event for event in events if isinstance(event, str)]) > 5  # streamed, not in one piece
    assert isinstance(events[0], ProviderInfo)
    assert [event.model for event in events if isinstance(event, ProviderInfo)] == [server.model]
    assert [event.reason for event in events if isinstance(event, FinishReason)] == ["length"]
    (usage,) = [event for event in events if isinstance(event, Usage)]
    assert usage.completion_tokens == SHORT["max_tokens"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_async_client_streams_the_same(server: LocalServer, expected: str, backend: str) -> None:
    async def ask() -> str:
        async with server.async_client(timeout=50) as client, client.stream(SKY, **SHORT) as stream:
            return "".join([text async for text in stream])

    assert anyio.run(ask, backend=backend) == expected


CLASS_INTERFACE = """
import asyncio, sys
from hf_text import HuggingFaceAPI

api_base, api_key, model, prompt = sys.argv[1:]
where = {"api_base": api_base, "api_key": api_key}
options = {**where, "max_tokens": 12, "temperature": 0}
messages = [{"role": "user", "content": prompt}]

async def ask():
    return "".join([str(event) async for event in HuggingFaceAPI.create_async_generator(model, messages, **options)])

print(repr(asyncio.run(ask())))
print(repr("".join(map(str, HuggingFaceAPI.create_generator(model, messages, **options)))))
print(HuggingFaceAPI.get_models(**where))
"""


def test_the_class_interface_streams_the_same(server: LocalServer, expected: str) -> None:
    argv = [sys.executable, "-c", CLASS_INTERFACE, server.api_base, server.api_key, server.model, SKY]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout.splitlines() == [repr(expected), repr(expected), repr([server.model])]


def test_a_batch_is_answered(client: Client, tmp_path: Path, expected: str) -> None:
    rows, answers = tmp_path / "rows.jsonl", tmp_path / "answers.jsonl"
    rows.write_text("".join(f"{json.dumps({'prompt': SKY})}\n" for _ in range(3)), "utf-8")
    summary = batch.run(rows, answers, client=client, **SHORT)
    assert (summary.done, summary.rows) == (3, 3)
    assert answers.read_text("utf-8").count(json.dumps(expected)) == 3


def test_eight_concurrent_calls_each_get_a_complete_answer(client: Client, expected: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: client.generate(SKY, **SHORT).text, range(8)))
    assert found == [expected] * 8


def test_eight_concurrent_calls_in_one_event_loop(server: LocalServer, expected: str) -> None:
    async def ask() -> list[str]:
        async with server.async_client(timeout=50) as client:
            return [answer.text for answer in await asyncio.gather(*[client.generate(SKY, **SHORT) for _ in range(8)])]

    assert asyncio.run(ask()) == [expected] * 8


def test_a_conversation_continues(client: Client) -> None:
    options = {**SHORT, "include_usage": True}
    first = client.generate(SKY, **options)
    messages = [{"role": "user", "content": SKY}, first.to_message(), {"role": "user", "content": "Why?"}]
    second = client.generate(messages, **options)
    assert second.text
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.prompt_tokens > first.usage.total_tokens  # the whole conversation was sent


# Options


def test_a_stop_string_ends_the_answer_before_it(client: Client, expected: str) -> None:
    word = expected.split()[3]
    answer = client.generate(SKY, stop=word, **SHORT)
    assert answer.finish_reason == "stop"
    assert answer.text == expected[: expected.index(word)]


def test_a_json_schema_is_followed(client: Client) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "maximum": 200}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    answer = client.generate("Describe a person.", response_format=form, max_tokens=200, temperature=0)
    person = json.loads(answer.text)
    assert sorted(person) == ["age", "name"]
    assert (type(person["name"]), type(person["age"])) == (str, int)


def test_the_same_seed_gives_the_same_answer(client: Client) -> None:
    one, other = (client.generate(SKY, max_tokens=12, temperature=1, seed=7).text for _ in range(2))
    assert one == other


# Refusals


def test_an_oversized_prompt_is_refused_with_the_numbers(client: Client) -> None:
    with pytest.raises(hf_text.BadRequestError, match="context") as caught:
        client.generate("word " * 3000)
    assert caught.value.status_code == 400
    assert "2048" in str(caught.value)


def test_an_answer_that_fills_the_context_is_truncated(model: Path) -> None:
    with LocalServer(model, context=256) as server, server.client(timeout=50) as client:
        answer = client.generate(SKY, **ENDLESS)
    assert answer.finish_reason == "length"


def test_a_picture_is_refused_and_sent_once(server: LocalServer) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(20)
    refused = pytest.raises(hf_text.APIStatusError, match="image input is not supported")
    with server.client(timeout=50, max_retries=2) as client, refused as caught:
        client.generate("What is this?", media=picture, max_tokens=5)
    assert len(caught.value.attempts) == 1


def test_an_invalid_key_is_refused(server: LocalServer) -> None:
    with Client("wrong", api_base=server.api_base) as client, pytest.raises(hf_text.AuthenticationError):
        client.generate(SKY)


def test_the_prompt_is_not_shown_anywhere(server: LocalServer) -> None:
    assert requests.get(f"{server.api_base[:-3]}/slots", headers=key_of(server), timeout=10).status_code == 501


# Stopping


def key_of(server: LocalServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.api_key}"}


def count(server: LocalServer, name: str) -> float:
    """One of the server's own metrics."""
    text = requests.get(f"{server.api_base[:-3]}/metrics", headers=key_of(server), timeout=30).text
    found = re.search(rf"^llamacpp:{name} ([\d.e+]+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def wait_until_idle(server: LocalServer) -> None:
    deadline = time.monotonic() + 30
    while count(server, "requests_processing"):
        assert time.monotonic() < deadline, "the server goes on generating"


def assert_it_has_stopped(server: LocalServer) -> None:
    wait_until_idle(server)
    steps = [count(server, "n_decode_total") for _ in range(5)]
    assert len(set(steps)) == 1


def generates(server: LocalServer) -> bool:
    first = count(server, "n_decode_total")
    return any(count(server, "n_decode_total") > first for _ in range(100))


def test_the_server_stops_generating_for_a_cancelled_stream(client: Client, server: LocalServer) -> None:
    wait_until_idle(server)
    stream = client.stream(SKY, **ENDLESS)
    texts = iter(stream)
    next(texts)
    assert generates(server)
    stream.cancel()
    assert_it_has_stopped(server)


def test_the_server_stops_for_a_stream_cancelled_by_another_thread(client: Client, server: LocalServer) -> None:
    wait_until_idle(server)
    stream = client.stream(SKY, **ENDLESS)
    begun = threading.Event()

    def read() -> None:
        for _ in stream:
            begun.set()

    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(read)
        assert begun.wait(30)
        stream.cancel()
        with pytest.raises(hf_text.StreamCancelledError) as caught:
            reading.result(timeout=10)
    assert caught.value.partial is not None
    assert caught.value.partial.text
    assert_it_has_stopped(server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_server_stops_for_a_cancelled_task(server: LocalServer, backend: str) -> None:
    wait_until_idle(server)

    async def ask() -> None:
        async with server.async_client(timeout=50) as client, anyio.create_task_group() as tasks:
            async for _ in client.stream(SKY, **ENDLESS):
                tasks.cancel_scope.cancel()

    anyio.run(ask, backend=backend)
    assert_it_has_stopped(server)


@pytest.fixture
def own_server(model: Path) -> Iterator[LocalServer]:
    with LocalServer(model) as server:
        yield server


def test_a_server_killed_mid_answer_leaves_a_truncated_answer(
    own_server: LocalServer, wait_for_end: Callable[[int], None]
) -> None:
    with own_server.client(timeout=50, max_retries=0) as client:
        stream = client.stream(SKY, **ENDLESS)
        texts = iter(stream)
        seen = [next(texts)]
        pid = own_server.pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(hf_text.TruncatedStreamError) as caught:
            seen.extend(texts)
        assert caught.value.partial is not None
        assert caught.value.partial.text.startswith("".join(seen))
        wait_for_end(pid)
        with pytest.raises(hf_text.TransportError, match="refused"):
            client.generate(SKY)
    with pytest.raises(LocalServerError, match=r"ended by SIGKILL; .*memory"):
        own_server.client()


def test_a_killed_server_can_be_restarted(
    own_server: LocalServer, wait_for_end: Callable[[int], None], expected: str
) -> None:
    before = own_server.pid, own_server.api_key
    os.kill(own_server.pid, signal.SIGKILL)
    wait_for_end(before[0])
    with own_server.start().client(timeout=50) as client:
        assert client.generate(SKY, **SHORT).text == expected
    assert before[0] != own_server.pid
    assert before[1] != own_server.api_key


def test_closing_a_generating_server_is_immediate_and_truncates(own_server: LocalServer) -> None:
    with own_server.client(timeout=50, max_retries=0) as client:
        texts = iter(client.stream(SKY, **ENDLESS))
        next(texts)
        own_server.close()
        with pytest.raises(hf_text.TruncatedStreamError):
            list(texts)
