"""Many streams at once, and large streams, use few threads and little memory, and do not block the event loop."""

from __future__ import annotations

import fcntl
import gc
import itertools
import os
import resource
import select
import socket
import subprocess
import sys
import termios
import textwrap
import threading
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.to_thread import current_default_thread_limiter, run_sync
from test_aio_cancellation import (
    anyio_backend,
    held,
    held_reply,
    innermost_code,
    make_client,
    make_client_of_a_server,
    no_complaints,
    no_thread_at_work,
    reached,
    threads_at_work,
)

import hf_text
from hf_text import Timeouts
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Gate, Response, assert_nothing_leaked

__all__ = ["anyio_backend", "no_complaints"]

KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
MANY = 600

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux what lies in the sockets")


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """Raise the limit of open descriptors to the system's maximum."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 5000:
        pytest.skip("this system allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> Callable[..., None]:
    """Run an async function with an emulator and a client, and check that it leaks nothing."""
    # Trio keeps idle threads for ten seconds. That matters only for the leak check.
    monkeypatch.setattr("trio._core._thread_cache.IDLE_TIMEOUT", 0.05)

    def start(main: Callable[[Emulator, AsyncClient], Awaitable[None]]) -> None:
        async def run_with_client(emulator: Emulator) -> None:
            async with make_client(emulator.url) as client:
                await main(emulator, client)

        with assert_nothing_leaked(10), Emulator() as emulator:
            anyio.run(run_with_client, emulator, backend=anyio_backend)

    return start


# Abandoned streams


@pytest.mark.parametrize("encoding", [None, "gzip"], ids=["read in the loop", "read in threads"])
def test_six_hundred_half_read_streams_leave_nothing_behind(run: Callable[..., None], encoding: Any) -> None:
    """One sixth each: dropped, in a reference cycle, cancelled while waiting, closed by another task while waiting,
    ended by ``athrow()``, ended by ``break``. A compressed stream waits in a thread, inside the generator.
    """
    gate = Gate()
    begun: list[AsyncGenerator[Any, None]] = []
    told: list[str] = []

    async def abandon(client: AsyncClient, way: str, leave: anyio.Event) -> None:
        events = client.stream("Count", MODEL).events()
        await anext(events)
        if way == "circle":
            circle: list[Any] = [events]
            circle.append(circle)
        elif way == "broken off":
            async for _ in events:
                break
        elif way == "thrown into":
            with pytest.raises(ZeroDivisionError):
                await events.athrow(ZeroDivisionError())
        elif way != "forgotten":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read_on, events)
                await leave.wait()
                if way == "cancelled":
                    tasks.cancel_scope.cancel()
                else:
                    await events.aclose()

    async def read_on(events: AsyncGenerator[Any, None]) -> None:
        begun.append(events)
        try:
            async for _ in events:
                pass
        except hf_text.StreamCancelledError as error:
            told.append(error.partial.text if error.partial else "")

    async def main(emulator: Emulator, client: AsyncClient) -> None:
        emulator.always(replace(held_reply(gate, "One", " two", " three"), encoding=encoding))
        leave = anyio.Event()
        ways = ("forgotten", "circle", "cancelled", "closed", "thrown into", "broken off")
        async with held(gate):
            async with anyio.create_task_group() as tasks:
                for way in ways * (MANY // len(ways)):
                    tasks.start_soon(abandon, client, way, leave)
                await run_sync(emulator.wait_for_requests, MANY, 30)
                with anyio.fail_after(20):
                    while len(begun) != MANY // 3 or len(threads_at_work()) != (MANY // 3 if encoding else 0):
                        await anyio.sleep(0.01)
                leave.set()
            begun.clear()
            gc.collect()
            await run_sync(emulator.wait_for_disconnect, MANY, 30)
            await no_thread_at_work()

    run(main)
    assert len(told) == MANY // 6
    assert all("One two three".startswith(text) and text for text in told)


def test_six_hundred_unanswered_streams_leave_nothing_behind(run: Callable[..., None]) -> None:
    """No thread waits for the answers. Half of the streams are cancelled, half are closed by another task."""
    gate = Gate()
    told: list[hf_text.StreamCancelledError] = []

    async def main(emulator: Emulator, client: AsyncClient) -> None:
        emulator.always(Response.text("One", delay=gate))
        all_events: list[AsyncGenerator[Any, None]] = []

        async def read() -> None:
            all_events.append(events := client.stream("Count", MODEL).events())
            try:
                await anext(events)
            except hf_text.StreamCancelledError as error:
                told.append(error)

        async with held(gate):
            async with anyio.create_task_group() as tasks:
                for _ in range(MANY):
                    tasks.start_soon(read)
                await run_sync(emulator.wait_for_requests, MANY, 30)
                await no_thread_at_work()
                for events in all_events[::2]:
                    await events.aclose()
                with anyio.fail_after(20):
                    while len(told) < MANY // 2:
                        await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
            await run_sync(emulator.wait_for_disconnect, MANY, 30)
            await no_thread_at_work()

    run(main)
    assert len(told) == MANY // 2


# Long-running streams

# Repeats each prompt, and ends all answers when it reads a line. The emulator would need a thread per connection.
REPEATER = """
    import asyncio, json, resource, sys

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    HEAD = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"

    def build_chunk(text, finish_reason=None):
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
        event = b"data: " + json.dumps({"choices": [choice]}).encode() + b"\\n\\n"
        return b"%x\\r\\n%s\\r\\n" % (len(event), event)

    async def answer(reader, writer):
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        prompt = json.loads(await reader.readexactly(length))["messages"][-1]["content"]
        writer.write(HEAD + build_chunk(prompt))
        await go_on.wait()
        writer.write(build_chunk(", and so on", "stop") + b"0\\r\\n\\r\\n")
        await reader.read()
        writer.close()

    async def main():
        global go_on
        go_on = asyncio.Event()
        async with await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            go_on.set()
            await asyncio.to_thread(sys.stdin.readline)

    asyncio.run(main())
"""


class Repeater:
    """A server process that repeats each prompt, and ends its answers after ``go_on()``."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", textwrap.dedent(REPEATER)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def repeater() -> Iterator[Repeater]:
    repeater = Repeater()
    yield repeater
    repeater.stop()


class Readers:
    """Reads ``count`` streams concurrently."""

    def __init__(self, client: AsyncClient, count: int) -> None:
        self.texts: dict[int, str] = {}
        self._client = client
        self._count = count
        self._waiting = count
        self._begun = anyio.Event()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """All streams have begun when the block starts, and have ended when the context manager exits."""
        async with anyio.create_task_group() as tasks:
            for number in range(self._count):
                tasks.start_soon(self._read, number)
            await self._begun.wait()
            await no_thread_at_work()
            yield

    async def _read(self, number: int) -> None:
        async for text in self._client.stream(f"number {number}", MODEL):
            if number not in self.texts:
                self._waiting -= 1
                if not self._waiting:
                    self._begun.set()
            self.texts[number] = self.texts.get(number, "") + text


@pytest.mark.anyio
async def test_a_thousand_concurrent_streams_hold_no_thread_and_all_end(repeater: Repeater) -> None:
    async with make_client_of_a_server(repeater.url) as client:
        readers = Readers(client, 1000)
        async with readers.reading():
            assert readers.texts == {number: f"number {number}" for number in range(1000)}
            assert threads_at_work() == []
            repeater.go_on()
    assert readers.texts == {number: f"number {number}, and so on" for number in range(1000)}


@pytest.mark.anyio
async def test_streams_that_begin_together_prepare_their_address_one_at_a_time(repeater: Repeater) -> None:
    before = set(threading.enumerate())
    async with make_client_of_a_server(repeater.url) as client, Readers(client, 30).reading():
        started = set(threading.enumerate()) - before
        repeater.go_on()
    assert len(started) <= 2, started  # trio starts a thread before it knows that the last one is idle


@pytest.mark.anyio
async def test_a_waiting_stream_uses_little_memory(repeater: Repeater) -> None:
    """Measured: about 17 to 25 KiB."""
    async with make_client_of_a_server(repeater.url) as client:
        readers = Readers(client, 200)
        tracemalloc.start()
        try:
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            async with readers.reading():
                gc.collect()
                held_bytes = tracemalloc.get_traced_memory()[0] - before
                repeater.go_on()
        finally:
            tracemalloc.stop()
    assert held_bytes / 200 < 40 * 1024
    assert len(readers.texts) == 200


# The host's threads


@pytest.mark.anyio
async def test_default_threads_stay_free_while_streams_wait_for_a_first_token(emulator: Emulator) -> None:
    gate = Gate()
    emulator.always(Response.text("One", delay=gate))
    got: list[str] = []

    async def read(client: AsyncClient) -> None:
        got.extend([text async for text in client.stream("Count", MODEL)])

    async with make_client(emulator.url) as client, held(gate), anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(read, client)
        await run_sync(emulator.wait_for_requests, 200, 30)
        await no_thread_at_work()
        assert current_default_thread_limiter().borrowed_tokens == 0
        with anyio.fail_after(20):
            async with at_work_in_all_threads_of_the_host():
                pass
        assert got == []
        gate.open()
    assert got == ["One"] * 200


@pytest.mark.anyio
async def test_streams_start_while_all_default_threads_are_busy(emulator: Emulator) -> None:
    async with make_client(emulator.url) as client:
        with anyio.fail_after(20):
            async with at_work_in_all_threads_of_the_host():
                assert [text async for text in client.stream("Count", MODEL)]
                assert await client.generate("Count", MODEL)
                assert await client.models()
                assert await client.mapping(MODEL)
                assert [model async for model in client.hub_models(limit=1)]


@asynccontextmanager
async def at_work_in_all_threads_of_the_host() -> AsyncIterator[None]:
    """Occupy all threads of AnyIO's default limiter, as a busy app does."""
    count = int(current_default_thread_limiter().total_tokens)
    at_work, done = threading.Barrier(count + 1), threading.Event()

    def work() -> None:
        at_work.wait(20)
        done.wait(20)

    async with anyio.create_task_group() as tasks:
        try:
            for _ in range(count):
                tasks.start_soon(run_sync, work)
            await run_sync(at_work.wait, 20, limiter=anyio.CapacityLimiter(1))
            assert current_default_thread_limiter().available_tokens == 0
            yield
        finally:
            done.set()


# A slow reader


class Flood:
    """A server that sends one long answer as fast as the client reads it.

    Attributes:
        sent: bytes of the body written so far.
    """

    def __init__(self, events: int, text: str) -> None:
        event = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % text.encode()
        end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        self.sent = 0
        self._body = itertools.chain(itertools.repeat(event, events), [end])
        self._connection: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._connection, _ = self._listener.accept()
        with self._connection as connection, suppress(OSError):  # the reader failed and closed the connection
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            for event in self._body:
                rest = memoryview(event)
                while rest:
                    written = connection.send(rest)
                    self.sent += written
                    rest = rest[written:]

    @property
    def stuck(self) -> bool:
        """Whether the socket accepts no more data."""
        assert self._connection is not None
        return not select.select([], [self._connection], [], 0)[1]

    def count_read(self) -> int:
        """Return the bytes of the body that the client has read: those sent, minus those in the socket buffers."""
        assert self._connection is not None
        with find_socket(self._connection.getpeername()) as peer:
            return self.sent - _ask(self._connection, termios.TIOCOUTQ) - _ask(peer, termios.FIONREAD)

    def __enter__(self) -> Flood:
        return self

    def __exit__(self, *error: Any) -> None:
        self._listener.close()
        self._thread.join(20)


@contextmanager
def find_socket(address: Any) -> Iterator[socket.socket]:
    """Yield this process's socket with this local address."""
    for number in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(number)))
        except OSError:  # not a socket, or closed since the listing
            continue
        with found:
            if found.family == socket.AF_INET and found.getsockname() == address:
                yield found
                return
    raise AssertionError(f"no socket has the address {address}")


def _ask(sock: socket.socket, what: int) -> int:
    return int.from_bytes(fcntl.ioctl(sock, what, bytes(4)), sys.byteorder)


@linux_only
@pytest.mark.anyio
async def test_a_slow_reader_is_at_most_one_piece_behind() -> None:
    """Unread data stays in the socket buffers, and on the server once they are full."""
    with Flood(events=4096, text="x" * 16384) as flood:
        stream = make_client_of_a_server(flood.url).stream("Count", MODEL)
        async with stream:
            pieces = aiter(stream)
            count = len(await anext(pieces))
            with anyio.fail_after(20):
                unchanged, before = 0, 0
                while unchanged < 20:
                    await anyio.sleep(0.005)
                    unchanged, before = unchanged + 1 if flood.stuck and flood.sent == before else 0, flood.sent
            assert flood.count_read() <= 2 * 65536
            assert flood.sent < 32 * 1024 * 1024
            async for text in pieces:
                count += len(text)
    assert count == 4096 * 16384
    assert stream.completion.finish_reason == "stop"


# A long event

LONG = "All work and no play. " * 100_000


def long_reply(within: Gate, after: Gate) -> Response:
    """Build a stream: a short event, a long event with a gate in the middle, a gate, the end."""
    body = Response.text("One", LONG, " end").body
    assert isinstance(body, tuple)
    head, one, event, *end = (step for step in body if isinstance(step, bytes))
    middle = len(event) // 2
    pieces = [event[start : start + 10_000] for start in range(0, middle, 10_000)]
    return Response(
        headers={"Content-Type": "text/event-stream"},
        body=(head, one, *pieces, within, event[len(pieces) * 10_000 :], after, *end),
    )


def receives_in_a_thread() -> bool:
    """Return whether another thread is waiting for more of an answer."""
    wire = os.path.join("transport", "wire.py")
    codes = innermost_code().values()
    return any(code.co_name == "receive" and code.co_filename.endswith(wire) for code in codes)


async def collect(items: AsyncIterable[str], into: list[str]) -> None:
    async for item in items:
        into.append(item)


async def until(condition: Callable[[], Any]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.002)


@pytest.mark.anyio
async def test_only_the_long_event_is_read_in_a_thread(emulator: Emulator) -> None:
    within, after = Gate(), Gate()
    emulator.reply(long_reply(within, after))
    got: list[str] = []

    async with make_client(emulator.url) as client, held(within, after), anyio.create_task_group() as tasks:
        tasks.start_soon(collect, client.stream("Count", MODEL), got)
        await reached(within)
        await until(lambda: got and receives_in_a_thread())
        assert got == ["One"]
        within.open()
        await until(lambda: len(got) == 2)
        await no_thread_at_work()
        assert not after.is_open
        after.open()
    assert got == ["One", LONG, " end"]


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["cancelled", "closed"])
async def test_a_stop_during_a_long_event_takes_effect_at_once(emulator: Emulator, how: str) -> None:
    within = Gate()
    emulator.reply(long_reply(within, within))
    got: list[str] = []
    told: list[type[BaseException]] = []
    async with make_client(emulator.url) as client, held(within):
        stream = client.stream("Count", MODEL)

        async def read() -> None:
            try:
                await collect(stream, got)
            except hf_text.StreamCancelledError as error:
                told.append(type(error))
            except anyio.get_cancelled_exc_class() as error:
                told.append(type(error))
                raise

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await reached(within)
                await until(lambda: got and receives_in_a_thread())
                tasks.cancel_scope.cancel() if how == "cancelled" else stream.close()
        expected = anyio.get_cancelled_exc_class() if how == "cancelled" else hf_text.StreamCancelledError
        assert told == [expected]
        assert not within.is_open
        await run_sync(emulator.wait_for_disconnect)
        await no_thread_at_work()
        assert stream.partial.text == "One"


@pytest.mark.anyio
@pytest.mark.parametrize("timeout", [Timeouts(gap=0.3), Timeouts(total=0.6)], ids=["gap", "total"])
async def test_a_timeout_during_a_long_event_is_raised(
    request: pytest.FixtureRequest, emulator: Emulator, timeout: Timeouts
) -> None:
    within = Gate()
    emulator.reply(long_reply(within, within))
    got: list[str] = []
    async with make_client(emulator.url) as client, held(within):
        stream = client.stream("Count", MODEL, timeout=timeout)
        with pytest.raises(hf_text.RequestTimeoutError) as caught:
            await collect(stream, got)
        await run_sync(emulator.wait_for_disconnect)
        await no_thread_at_work()
    assert caught.value.clock == request.node.callspec.id.rpartition("-")[2]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One" == "".join(got)
