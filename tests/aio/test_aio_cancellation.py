"""A cancelled task raises only the cancellation, and leaves no open socket and no busy thread."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

import hf_text
from hf_text import Completion
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Gate, Response

pytestmark = pytest.mark.anyio

KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
SOURCE = str(Path(hf_text.__file__).parent) + os.sep

Work = Callable[[AsyncClient], Coroutine[Any, Any, None]]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """asyncio reports an unretrieved task exception only in the log, when the task is garbage-collected."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.fixture
async def async_client(emulator: Emulator, anyio_backend: Any) -> AsyncIterator[AsyncClient]:
    async with make_client(emulator.url) as client:
        yield client


def make_client(url: str, **options: Any) -> AsyncClient:
    """Return a client that uses this URL as Hugging Face."""
    return AsyncClient(KEY, hub_url=url, router_url=url, timeout=30, **options)


def make_client_of_a_server(url: str, **options: Any) -> AsyncClient:
    """Return a client that uses this URL as another server, where failover to another provider is impossible."""
    return AsyncClient(KEY, api_base=f"{url}/v1", router_url="http://router.invalid", timeout=30, **options)


@contextlib.asynccontextmanager
async def held(*gates: Gate) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for gate in gates:
            gate.open()


async def reached(gate: Gate) -> None:
    assert await run_sync(gate.reached.wait, 5)


def held_reply(gate: Gate, *pieces: str, pace: float = 0.0) -> Response:
    """Build a stream that sends these pieces, waits at the gate, and then ends normally."""
    body = Response.text(*pieces).body
    assert isinstance(body, tuple)
    pieces_and_gate = (*body[: len(pieces) + 1], gate, *body[-2:])
    return Response(headers={"Content-Type": "text/event-stream"}, body=pieces_and_gate, pace=pace)


# The calls, and the phases in which they can be cancelled


async def iterate(client: AsyncClient) -> None:
    async for _ in client.stream("Count", MODEL).events():
        pass


async def iterate_within_async_with(client: AsyncClient) -> None:
    async with client.stream("Count", MODEL) as stream:
        async for _ in stream:
            pass


async def read(client: AsyncClient) -> None:
    stream = client.stream("Count", MODEL)
    while await stream.read():
        pass


async def generate(client: AsyncClient) -> None:
    await client.generate("Count", MODEL)


async def models(client: AsyncClient) -> None:
    await client.models()


async def mapping(client: AsyncClient) -> None:
    await client.mapping(MODEL)


async def hub_models(client: AsyncClient) -> None:
    async for _ in client.hub_models():
        pass


CHAT = (iterate, iterate_within_async_with, read, generate)
LISTS = (models, mapping, hub_models)
ALL = CHAT + LISTS


def client_for(work: Work, url: str, **options: Any) -> AsyncClient:
    """Return a client with which the work sends a single request."""
    make = make_client if work in (mapping, hub_models) else make_client_of_a_server
    return make(url, **options)


@contextlib.asynccontextmanager
async def cancelled_at_the_end(work: Work, client: AsyncClient) -> AsyncIterator[None]:
    """Run the work during the block and cancel it at the end. The work must raise only the cancellation."""
    raised: list[type[BaseException] | None] = []

    async def watched() -> None:
        try:
            await work(client)
        except BaseException as error:
            raised.append(type(error))
            raise
        raised.append(None)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched)
        yield
        assert raised == []
        tasks.cancel_scope.cancel()
    assert raised == [anyio.get_cancelled_exc_class()]
    await no_thread_at_work()


def innermost_code() -> dict[str, CodeType]:
    """Return the innermost code object of each other thread, by thread name.

    The outer frames must not be inspected while the threads run: CPython 3.11 crashes.
    """
    gc.disable()  # CPython can deadlock if it collects here (https://github.com/python/cpython/issues/106883)
    try:
        frames = sys._current_frames()
    finally:
        gc.enable()
    names = {thread.ident: f"{thread.name} {thread.ident}" for thread in threading.enumerate()}
    return {names.get(ident, str(ident)): f.f_code for ident, f in frames.items() if ident != threading.get_ident()}


def threads_at_work() -> list[str]:
    """Return the names of the threads that run library code, without the emulator's threads."""
    return [
        name
        for name, code in innermost_code().items()
        if code.co_filename.startswith(SOURCE) and "emulator" not in code.co_filename
    ]


async def no_thread_at_work() -> None:
    with anyio.move_on_after(5):
        while threads_at_work():
            await anyio.sleep(0.001)
    assert threads_at_work() == []


@pytest.mark.parametrize("work", ALL, ids=lambda work: work.__name__)
async def test_cancelled_while_waiting_for_a_thread(emulator: Emulator, work: Work) -> None:
    gate = Gate()
    emulator.reply(Response.json({"data": []}, delay=gate), path="/v1/models")
    long = {"X-Notes": "a" * 20_000}  # sending a long request may block, so it needs a thread
    client = client_for(work, emulator.url, max_threads=1, headers=long)
    async with client, held(gate), anyio.create_task_group() as tasks:
        tasks.start_soon(models, client)
        await reached(gate)

        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(work, client)
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()
                assert len(emulator.requests) == 1
                scope.cancel()
        assert scope.cancelled_caught
        gate.open()
        await run_sync(emulator.wait_for_requests, 1)
    assert len(emulator.requests) == 1
    await no_thread_at_work()


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks for the connecting socket in /proc/net/tcp")
@pytest.mark.parametrize("work", ALL, ids=lambda work: work.__name__)
async def test_cancelled_while_connecting(work: Work) -> None:
    with unanswering_port() as port:
        before = count_connecting(port)
        async with cancelled_at_the_end(work, client_for(work, f"http://127.0.0.1:{port}")):
            with anyio.fail_after(5):
                while count_connecting(port) == before:
                    await anyio.sleep(0.001)
        assert count_connecting(port) == before


@pytest.mark.parametrize("work", ALL, ids=lambda work: work.__name__)
async def test_cancelled_while_waiting_for_the_headers(emulator: Emulator, work: Work) -> None:
    gate = Gate()
    emulator.reply(Response(delay=gate), path="/*")
    async with client_for(work, emulator.url) as client, held(gate):
        async with cancelled_at_the_end(work, client):
            await reached(gate)
        await run_sync(emulator.wait_for_disconnect)
        gate.open()
        await work(client)  # the client still works


@pytest.mark.parametrize("work", ALL, ids=lambda work: work.__name__)
async def test_cancelled_mid_body(emulator: Emulator, work: Work) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One") if work in CHAT else Response(body=["[", gate, "]"]), path="/*")
    async with client_for(work, emulator.url) as client, held(gate):
        async with cancelled_at_the_end(work, client):
            await reached(gate)
        await run_sync(emulator.wait_for_disconnect)
        gate.open()
        await work(client)


@pytest.mark.parametrize("work", CHAT, ids=lambda work: work.__name__)
async def test_cancelled_late_in_a_stream(emulator: Emulator, work: Work) -> None:
    """The server sends the pieces one by one, so the reader waits for each of them."""
    gate = Gate()
    emulator.reply(held_reply(gate, "One", " two", " three", " four", pace=0.01))
    async with client_for(work, emulator.url) as client, held(gate):
        async with cancelled_at_the_end(work, client):
            await reached(gate)
        await run_sync(emulator.wait_for_disconnect)
        gate.open()
        await work(client)


@pytest.mark.parametrize("work", ALL, ids=lambda work: work.__name__)
async def test_cancelled_during_the_pause_before_a_retry(emulator: Emulator, work: Work) -> None:
    emulator.reply(Response.error(503, "Oh", headers={"Retry-After": "29"}, keep_alive=False), path="/*")
    async with client_for(work, emulator.url) as client:
        async with cancelled_at_the_end(work, client):
            await run_sync(emulator.wait_for_requests)
            await run_sync(emulator.wait_until_idle)
        assert len(emulator.requests) == 1
        await work(client)


@pytest.mark.parametrize("style", ["gzip", "tls"])
async def test_cancelled_mid_body_with_an_encoded_body(anyio_backend: Any, style: str) -> None:
    folder = Path(__file__).parents[1] / "emulator"
    tls = (str(folder / "certificate.pem"), str(folder / "key.pem")) if style == "tls" else None
    gate = Gate()
    with Emulator(tls=tls) as emulator:
        emulator.reply(replace(held_reply(gate, "One"), encoding="gzip" if style == "gzip" else None))
        async with make_client(emulator.url, verify=tls[0] if tls else True) as client, held(gate):
            async with cancelled_at_the_end(iterate, client):
                await reached(gate)
            await run_sync(emulator.wait_for_disconnect)


@contextlib.contextmanager
def unanswering_port() -> Iterator[int]:
    """Yield a port on which connecting never completes: Linux drops a SYN to a listener with a full queue."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def count_connecting(port: int) -> int:
    """Count the sockets of this process in state SYN_SENT (02) to this port."""
    entries = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {entry[9] for entry in entries if entry[2].endswith(f":{port:04X}") and entry[3] == "02"}
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed since the listing
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    return len(found & {f"socket:[{inode}]" for inode in inodes})


# Every way to cancel


async def by_move_on_after(client: AsyncClient) -> None:
    with anyio.move_on_after(0.05) as scope:
        await iterate(client)
    assert scope.cancelled_caught


async def by_fail_after(client: AsyncClient) -> None:
    with pytest.raises(TimeoutError) as caught, anyio.fail_after(0.05):
        await iterate(client)
    assert not isinstance(caught.value, hf_text.HFTextError)


async def by_a_failing_sister(client: AsyncClient) -> None:
    async def fail() -> None:
        await anyio.sleep(0.05)
        raise ZeroDivisionError

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(iterate, client)
            tasks.start_soon(fail)

    await _only_zero_division(both())


async def by_wait_for(client: AsyncClient) -> None:
    with pytest.raises(asyncio.TimeoutError) as caught:
        await asyncio.wait_for(iterate(client), 0.05)
    assert not isinstance(caught.value, hf_text.HFTextError)


async def by_wait_for_of_one_step(client: AsyncClient) -> None:
    events = client.stream("Count", MODEL).events()

    async def read() -> None:
        while True:
            await asyncio.wait_for(anext(events), 0.05)

    with pytest.raises(asyncio.TimeoutError):
        await read()
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def by_asyncio_timeout(client: AsyncClient) -> None:
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.05):  # type: ignore[attr-defined, unused-ignore]
            await iterate(client)
    assert not isinstance(caught.value, hf_text.HFTextError)


async def by_task_cancel(client: AsyncClient) -> None:
    task = asyncio.create_task(iterate(client))
    await asyncio.sleep(0.05)
    task.cancel("enough")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def by_gather(client: AsyncClient) -> None:
    task = asyncio.gather(*(iterate(client) for _ in range(3)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_an_asyncio_task_group(client: AsyncClient) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.05)
        raise ZeroDivisionError

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:  # type: ignore[attr-defined, unused-ignore]
            tasks.create_task(iterate(client))
            tasks.create_task(fail())

    await _only_zero_division(both())


async def _only_zero_division(work: Coroutine[Any, Any, None]) -> None:
    with pytest.raises(Exception, match=r"TaskGroup|nursery") as caught:
        await work
    assert [type(error) for error in getattr(caught.value, "exceptions", ())] == [ZeroDivisionError]


WAYS = [by_move_on_after, by_fail_after, by_a_failing_sister]
ASYNCIO_WAYS = [by_wait_for, by_wait_for_of_one_step, by_task_cancel, by_gather]
if sys.version_info >= (3, 11):
    ASYNCIO_WAYS += [by_asyncio_timeout, by_an_asyncio_task_group]


@pytest.mark.parametrize("stage", ["headers", "body", "late"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_cancelled_in_every_way(emulator: Emulator, async_client: AsyncClient, way: Work, stage: str) -> None:
    await _cancel_at(emulator, async_client, way, stage)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("stage", ["headers", "body", "late"])
@pytest.mark.parametrize("way", ASYNCIO_WAYS, ids=lambda way: way.__name__)
async def test_cancelled_in_every_way_of_asyncio(
    emulator: Emulator, async_client: AsyncClient, way: Work, stage: str
) -> None:
    await _cancel_at(emulator, async_client, way, stage)


async def _cancel_at(emulator: Emulator, client: AsyncClient, way: Work, stage: str) -> None:
    gate = Gate()
    stages = {
        "headers": Response.text("One", delay=gate),
        "body": held_reply(gate, "One"),
        "late": held_reply(gate, "One", " two", " three", pace=0.005),
    }
    emulator.always(stages[stage])
    async with held(gate):
        await way(client)
        await run_sync(emulator.wait_for_disconnect, len(emulator.requests))
        await no_thread_at_work()
        gate.open()
        assert isinstance(await client.generate("Count"), Completion)


async def test_a_cancelled_stream_keeps_what_arrived(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    async with held(gate):
        with anyio.CancelScope() as scope:
            async for text in stream:
                assert text == "One"
                scope.cancel()
        assert scope.cancelled_caught
    assert stream.partial.text == "One"
    assert stream.partial.finish_reason is None
    assert [attempt.status for attempt in stream.partial.attempts] == [200]


async def test_a_cancelled_stream_is_not_reported_as_complete(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    async with held(gate):
        await stream.read()
        with anyio.move_on_after(0.02):
            await stream.read()
        with pytest.raises(hf_text.StreamCancelledError) as caught:
            await stream.read()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One"


async def test_a_shielded_task_runs_to_completion(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    got: list[Completion] = []

    async def read_shielded() -> None:
        with anyio.CancelScope(shield=True):
            got.append(await async_client.generate("Count"))

    async with held(gate), anyio.create_task_group() as tasks:
        tasks.start_soon(read_shielded)
        await reached(gate)
        tasks.cancel_scope.cancel()
        gate.open()
    assert [completion.finish_reason for completion in got] == ["stop"]


async def test_cancelling_one_stream_does_not_affect_others(emulator: Emulator, async_client: AsyncClient) -> None:
    gates = [Gate(), Gate()]
    emulator.reply(*(held_reply(gate, "One") for gate in gates))
    got: list[Completion] = []

    async def read_whole() -> None:
        got.append(await async_client.generate("Count"))

    async with held(*gates), anyio.create_task_group() as tasks:
        tasks.start_soon(read_whole)
        await reached(gates[0])
        with anyio.CancelScope() as scope:
            async for _ in async_client.stream("Count"):
                scope.cancel()
        await run_sync(emulator.wait_for_disconnect)
        gates[0].open()
    assert [completion.text for completion in got] == ["One"]


async def test_an_answer_arriving_during_cancellation_is_harmless(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    """The result is either the complete answer or the cancellation, whichever comes first."""
    chance = random.Random(7)
    for number in range(150):
        with anyio.move_on_after(chance.uniform(0, 0.012)):
            if number % 2:
                assert (await async_client.generate("Count")).finish_reason == "stop"
            else:
                async with async_client.stream("Count") as stream:
                    async for _ in stream:
                        pass
                    assert stream.completion.finish_reason == "stop"
    await no_thread_at_work()
    assert await async_client.generate("Count")
