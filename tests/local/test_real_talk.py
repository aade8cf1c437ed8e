"""A real model calls tools and follows schemas: conversations and typed answers, blocking and on both event loops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import trio

import hf_text
from hf_text import Client, Conversation, ToolResult, TruncatedStreamError
from hf_text.aio import AsyncClient, AsyncConversation
from hf_text.local import LocalServer

SHORT: dict[str, Any] = {"max_tokens": 100, "temperature": 0.0}
RUNNERS = [asyncio.run, lambda awaited: trio.run(_await, awaited)]


async def _await(awaited: Any) -> Any:
    return await awaited


@dataclass
class City:
    name: str
    capital: bool


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"It is sunny in {city}."


def turn(city: str) -> list[dict[str, Any]]:
    """An example turn: a model of this size does not call tools on its own."""
    called = {"id": city, "type": "function", "function": {"name": "get_weather", "arguments": f'{{"city": "{city}"}}'}}
    return [
        {"role": "user", "content": f"What is the weather in {city}?"},
        {"role": "assistant", "content": "", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": city, "content": f"It is sunny in {city}."},
        {"role": "assistant", "content": f"It is sunny in {city}."},
    ]


@pytest.fixture(scope="module")
def tool_server(model: Path) -> Iterator[str]:
    """The base URL of a server whose chat template supports tools."""
    command = [sys.executable, str(Path(__file__).with_name("tool_server.py")), str(model)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"{process.stdout.readline().strip()}/v1"
        process.stdin.close()


def check(chat: Any, answer: hf_text.Completion) -> None:
    """The model called the tool and answered with its result."""
    _, called, result, last = chat.messages[8:]
    assert [call["function"]["arguments"] for call in called["tool_calls"]] == ['{"city": "Paris"}']
    assert (result["role"], result["content"]) == ("tool", "It is sunny in Paris.")
    assert last["content"] == answer.text
    assert "sunny" in answer.text


def test_it_calls_a_tool_and_answers_with_its_result(tool_server: str) -> None:
    with Client(api_base=tool_server, timeout=50) as client:
        chat = Conversation(client, tools=[get_weather], **SHORT)
        chat.messages = [*turn("Berlin"), *turn("Madrid")]
        stream = chat.stream("What is the weather in Paris?")
        (result,) = [event for event in stream.events() if isinstance(event, ToolResult)]
        assert (result.call.name, result.error) == ("get_weather", None)
        check(chat, stream.completion)


@pytest.mark.parametrize("run", RUNNERS, ids=["asyncio", "trio"])
def test_it_calls_a_tool_in_async_code(tool_server: str, run: Callable[[Any], Any]) -> None:
    async def ask() -> None:
        async with AsyncClient(api_base=tool_server, timeout=50) as client:
            chat = AsyncConversation(client, tools=[get_weather], **SHORT)
            chat.messages = [*turn("Berlin"), *turn("Madrid")]
            check(chat, await chat.generate("What is the weather in Paris?"))

    run(ask())


def test_it_follows_a_schema_enforced_by_the_server(client: Client) -> None:
    parsed = client.parse("Is Paris a capital?", City, **SHORT)
    assert isinstance(parsed.value, City)
    assert (parsed.method, parsed.rejected) == ("json_schema", ())
    assert client.parse("Is the sky blue?", Literal["yes", "no"], **SHORT).value in ("yes", "no")


@pytest.mark.parametrize("run", RUNNERS, ids=["asyncio", "trio"])
def test_it_follows_a_schema_in_async_code(server: LocalServer, run: Callable[[Any], Any]) -> None:
    async def ask() -> Any:
        async with server.async_client(timeout=50) as client:
            return await client.parse("Is Paris a capital?", City, **SHORT)

    assert isinstance(run(ask()).value, City)


def test_truncated_json_is_not_parsed(client: Client) -> None:
    with pytest.raises(TruncatedStreamError, match="finish reason length"):
        client.parse("Is Paris a capital?", City, max_tokens=3)
