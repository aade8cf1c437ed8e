"""The parts specific to blocking conversations."""

from __future__ import annotations

import copy
import pickle
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

import hf_text
from hf_text import Conversation, InvalidRequestError, StreamCancelledError, ToolCall, ToolResult
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Response

CALLS = Response.text(tool_calls=[("work", {}), ("work", {})])


def said(chat: Conversation) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in chat.messages]


def test_an_async_tool_is_refused_before_anything_is_sent(emulator: Emulator, client: hf_text.Client) -> None:
    async def work() -> None: ...

    class Works:
        async def __call__(self) -> None: ...

    for tool in (work, hf_text.tool(work), hf_text.tool(Works(), name="work")):
        with pytest.raises(InvalidRequestError, match=r"tools\[0\]: work is async; it needs hf_text.aio"):
            Conversation(client, tools=[tool])
    assert emulator.requests == []


def test_an_async_approval_callback_is_refused(client: hf_text.Client) -> None:
    async def approve(call: ToolCall) -> bool:
        return True

    with pytest.raises(InvalidRequestError, match="approve is async"):
        Conversation(client, approve=approve)


@pytest.mark.filterwarnings("error")
def test_a_tool_that_returns_an_awaitable_fails(emulator: Emulator, client: hf_text.Client) -> None:
    async def later() -> str:
        return "later"

    emulator.reply(CALLS, Response.text("ok"))
    chat = Conversation(client, tools=[hf_text.tool(lambda: later(), name="work")])
    results = [event for event in chat.stream("Go").events() if isinstance(event, ToolResult)]
    assert [type(result.error) for result in results] == [TypeError, TypeError]
    assert "returned an awaitable" in results[0].content


def test_ctrl_c_during_a_tool_keeps_what_is_known(emulator: Emulator, client: hf_text.Client) -> None:
    emulator.reply(CALLS)
    chat = Conversation(client, tools=[hf_text.tool(lambda: signal.raise_signal(signal.SIGINT), name="work")])
    with pytest.raises(KeyboardInterrupt):
        chat.generate("Go")
    assert said(chat)[2:] == [
        ("tool", "The call was cancelled while it ran; its outcome is unknown."),
        ("tool", "The call was cancelled before it started."),
    ]
    emulator.reply(Response.text("ok"))
    assert chat.retry().text == "ok"
    assert [request.json["messages"][-1]["role"] for request in emulator.requests] == ["user", "tool"]


def test_another_thread_can_stop_it_while_a_tool_runs(emulator: Emulator, client: hf_text.Client) -> None:
    running, go_on = threading.Event(), threading.Event()

    def work() -> str:
        running.set()
        assert go_on.wait(5)
        return "done"

    emulator.reply(CALLS)
    chat = Conversation(client, tools=[work])
    stream = chat.stream("Go")

    def stop() -> None:
        assert running.wait(5)
        stream.close()
        go_on.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(StreamCancelledError):
        list(stream)
    stopper.join()
    assert said(chat)[2:] == [("tool", "done"), ("tool", "The call was cancelled before it started.")]
    assert len(emulator.requests) == 1


def test_concurrent_readers_are_refused(emulator: Emulator, client: hf_text.Client) -> None:
    refused: list[str] = []

    def work() -> None:
        try:
            stream.read()
        except InvalidRequestError as error:
            refused.append(str(error))

    emulator.reply(CALLS, Response.text("ok"))
    stream = Conversation(client, tools=[work]).stream("Go")
    assert list(stream) == ["ok"]
    assert refused == ["this stream is already being read"] * 2


def test_without_a_client_the_module_client_is_used(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**emulator.environ, "HF_TOKEN": "hf_MadeUpKeyForTests"}.items():
        monkeypatch.setenv(name, value)
    chat = Conversation()
    assert "You asked: Hi" in chat.generate("Hi").text
    chat.client.close()


def test_an_async_client_is_refused(client: hf_text.Client) -> None:
    with pytest.raises(InvalidRequestError, match=r"hf_text.aio.AsyncConversation"):
        Conversation(AsyncClient.of(client.operations))  # type: ignore[arg-type]


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy])
def test_a_stream_cannot_be_pickled(client: hf_text.Client, take: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        take(Conversation(client).stream("Hi"))


def test_a_bound_method_can_be_a_tool(emulator: Emulator, client: hf_text.Client) -> None:
    class Shop:
        def __init__(self, stock: int) -> None:
            self._stock = stock

        @hf_text.tool
        def stock(self, article: str) -> int:
            """How many there are."""
            return self._stock

    shop = Shop(3)
    assert shop.stock("pen") == 3
    emulator.reply(Response.text(tool_calls=[("stock", {"article": "pen"})]), Response.text("Three."))
    chat = Conversation(client, tools=[shop.stock])
    chat.generate("How many pens?")
    assert said(chat)[2] == ("tool", "3")
    (tool,) = emulator.requests[0].json["tools"]
    assert tool["function"]["parameters"]["properties"] == {"article": {"type": "string"}}
