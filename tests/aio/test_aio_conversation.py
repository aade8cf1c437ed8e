"""The parts specific to async conversations: async tools, worker threads, cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio
import pytest
import trio

import hf_text
from hf_text import InvalidRequestError, StreamCancelledError, ToolCall
from hf_text.aio import AsyncClient, AsyncConversation
from hf_text.emulator import Emulator, Response
from hf_text.operations import Operations

CALLS = Response.text(tool_calls=[("work", {}), ("work", {})])
UNKNOWN = ("tool", "The call was cancelled while it ran; its outcome is unknown.")
NOT_RUN = ("tool", "The call was cancelled before it started.")

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[AsyncClient]:
    operations = Operations("hf_MadeUpKeyForTests", hub_url=emulator.url, router_url=emulator.url, timeout=5)
    async with AsyncClient.of(operations) as client:
        yield client


def said(chat: AsyncConversation) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in chat.messages]


async def test_async_tools_and_approvals_are_awaited(emulator: Emulator, client: AsyncClient) -> None:
    async def work() -> str:
        await anyio.sleep(0)
        return threading.current_thread().name

    async def approve(call: ToolCall) -> bool:
        await anyio.sleep(0)
        return True

    emulator.reply(CALLS, Response.text("ok"))
    chat = AsyncConversation(client, tools=[work], approve=approve)
    assert (await chat.generate("Go")).text == "ok"
    assert said(chat)[2] == ("tool", threading.current_thread().name)


async def test_blocking_tools_and_approvals_run_in_threads(emulator: Emulator, client: AsyncClient) -> None:
    threads: list[threading.Thread] = []

    def work() -> str:
        threads.append(threading.current_thread())
        return "done"

    def approve(call: ToolCall) -> bool:
        threads.append(threading.current_thread())
        return True

    emulator.reply(CALLS, Response.text("ok"))
    chat = AsyncConversation(client, tools=[work], approve=approve)
    assert (await chat.generate("Go")).text == "ok"
    assert len(threads) == 4
    assert threading.current_thread() not in threads


async def test_an_awaitable_returned_by_a_plain_function_is_awaited(emulator: Emulator, client: AsyncClient) -> None:
    async def later(words: str) -> str:
        return words

    emulator.reply(CALLS, Response.text("ok"))
    chat = AsyncConversation(client, tools=[hf_text.tool(lambda: later("done"), name="work", parameters={})])
    await chat.generate("Go")
    assert said(chat)[2] == ("tool", "done")
    chat = AsyncConversation(client, tools=[hf_text.tool(partial(later, "done"), name="work", parameters={})])
    emulator.reply(CALLS, Response.text("ok"))
    await chat.generate("Go")
    assert said(chat)[2] == ("tool", "done")


async def test_a_cancelled_async_tool_is_recorded_with_an_unknown_outcome(
    emulator: Emulator, client: AsyncClient
) -> None:
    running = anyio.Event()

    async def work() -> None:
        running.set()
        await anyio.sleep_forever()

    emulator.reply(CALLS)
    chat = AsyncConversation(client, tools=[work])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(chat.generate, "Go")
        await running.wait()
        tasks.cancel_scope.cancel()
    assert said(chat)[2:] == [UNKNOWN, NOT_RUN]
    assert len(emulator.requests) == 1


async def test_a_cancelled_task_waits_for_a_tool_in_a_thread_and_keeps_its_result(
    emulator: Emulator, client: AsyncClient
) -> None:
    running, go_on = threading.Event(), threading.Event()

    def work() -> str:
        running.set()
        assert go_on.wait(5)
        return "done"

    emulator.reply(CALLS)
    chat = AsyncConversation(client, tools=[work])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(chat.generate, "Go")
        await anyio.to_thread.run_sync(running.wait, 5)
        tasks.cancel_scope.cancel()
        threading.Timer(0.05, go_on.set).start()
    assert said(chat)[2:] == [("tool", "done"), NOT_RUN]
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_task_cancelled_by_asyncio_waits_for_a_tool_in_a_thread(
    emulator: Emulator, client: AsyncClient, times: int
) -> None:
    running, go_on = threading.Event(), threading.Event()

    def work() -> str:
        running.set()
        assert go_on.wait(5)
        return "done"

    emulator.reply(CALLS)
    chat = AsyncConversation(client, tools=[work])
    task = asyncio.ensure_future(chat.generate("Go"))
    await asyncio.to_thread(running.wait, 5)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said(chat)[2:] == [("tool", "done"), NOT_RUN]
    assert len(emulator.requests) == 1


async def test_a_cancelled_task_does_not_wait_for_an_approval(emulator: Emulator, client: AsyncClient) -> None:
    asked, answered = threading.Event(), threading.Event()

    def approve(call: ToolCall) -> bool:
        asked.set()
        return answered.wait(5)

    emulator.reply(CALLS)
    chat = AsyncConversation(client, tools=[hf_text.tool(lambda: None, name="work")], approve=approve)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(chat.generate, "Go")
        await anyio.to_thread.run_sync(asked.wait, 5)
        tasks.cancel_scope.cancel()
    answered.set()
    assert chat.messages == []


async def test_an_already_cancelled_task_runs_nothing(emulator: Emulator, client: AsyncClient) -> None:
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    emulator.reply(CALLS)
    chat = AsyncConversation(client, tools=[work])
    stream = chat.stream("Go")
    while not any(isinstance(event, hf_text.FinishReason) for event in await stream.read()):
        pass
    with anyio.CancelScope() as scope:
        scope.cancel()
        await stream.read()
    assert (ran, chat.messages) == ([], [])


@pytest.mark.parametrize("stop", ["cancel", "close"])
async def test_another_task_can_stop_it_while_a_tool_runs(emulator: Emulator, client: AsyncClient, stop: str) -> None:
    running, go_on = anyio.Event(), anyio.Event()

    async def work() -> str:
        running.set()
        await go_on.wait()
        return "done"

    emulator.reply(CALLS)
    chat = AsyncConversation(client, tools=[work])
    stream = chat.stream("Go")

    async def read() -> None:
        with pytest.raises(StreamCancelledError):
            async for _ in stream:
                pass

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await running.wait()
        getattr(stream, stop)()
        go_on.set()
    assert said(chat)[2:] == [("tool", "done"), NOT_RUN]
    assert len(emulator.requests) == 1


async def test_an_abandoned_async_for_needs_no_event_loop_to_clean_up(emulator: Emulator, client: AsyncClient) -> None:
    emulator.always(Response.text("one ", "two"))
    chat = AsyncConversation(client)
    async for _ in chat.stream("Hi"):
        break
    assert chat.messages == []
    assert (await chat.generate("Hi")).text == "one two"


async def test_a_blocking_client_is_refused(client: AsyncClient) -> None:
    with pytest.raises(InvalidRequestError, match=r"hf_text\.Conversation"):
        AsyncConversation(hf_text.Client.of(client.operations))  # type: ignore[arg-type]


@pytest.mark.parametrize("run", [asyncio.run, trio.run])
def test_without_a_client_a_default_one_is_used(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    for name, value in {**emulator.environ, "HF_TOKEN": "hf_MadeUpKeyForTests"}.items():
        monkeypatch.setenv(name, value)

    async def main() -> str:
        return (await AsyncConversation().generate("Hi")).text

    assert "You asked: Hi" in (run(main()) if run is asyncio.run else run(main))
