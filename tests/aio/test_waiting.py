"""A stream in asyncio uses one reader registration and one timer for all its waits, and removes both at the end."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from asyncio.tasks import _PyTask as PyTask  # type: ignore[attr-defined]
from contextvars import ContextVar
from typing import Any

import pytest

from hf_text import Client, RequestTimeoutError, StreamCancelledError, Timeouts
from hf_text.aio import AsyncClient, AsyncStream
from hf_text.emulator import Emulator, Gate, Response

KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"


class WatchedLoop(asyncio.SelectorEventLoop):
    """Records reader registrations, timers and the number of scheduled callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.registered: list[Any] = []
        self.timers: list[asyncio.TimerHandle] = []
        self.scheduled = 0

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:
        self.scheduled += 1
        return super().call_soon(*args, **options)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self.registered.append(fd)
        super().add_reader(fd, callback, *args)

    def call_at(self, *args: Any, **options: Any) -> asyncio.TimerHandle:
        self.timers.append(super().call_at(*args, **options))
        return self.timers[-1]


def run(loop: asyncio.AbstractEventLoop, main: Any) -> Any:
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@pytest.fixture
def client(emulator: Emulator) -> Any:
    client = Client(KEY, hub_url=emulator.url, router_url=emulator.url, timeout=30)
    yield AsyncClient.of(client.operations)
    client.close()


def held(gates: list[Gate]) -> Response:
    """Build a stream with a gate before each piece."""
    body = Response.text(*("word " for _ in gates)).body
    assert isinstance(body, tuple)
    pieces = [part for gate, piece in zip(gates, body[1:], strict=False) for part in (gate, piece)]
    return Response(headers={"Content-Type": "text/event-stream"}, body=(body[0], *pieces, *body[len(gates) + 1 :]))


async def read_through(client: AsyncClient, gates: list[Gate], loop: WatchedLoop) -> str:
    """Read an answer with one piece per gate, waiting for each piece, and return its text."""
    text, closed = "", iter(gates)
    async with client.stream("Count", MODEL) as stream:
        loop.call_later(0.01, next(closed).open)
        async for piece in stream:
            text += piece
            gate = next(closed, None)
            if gate is not None:
                loop.call_later(0.01, gate.open)
    return text


def test_a_stream_registers_once_for_all_its_tokens(emulator: Emulator, client: AsyncClient) -> None:
    loop, gates = WatchedLoop(), [Gate() for _ in range(10)]
    emulator.always(held(gates))
    own = len(loop.registered)
    assert run(loop, read_through(client, gates, loop)) == "word " * 10
    assert len(loop.registered) - own <= 2


@pytest.mark.parametrize("task", [asyncio.Task, PyTask])
def test_a_token_continues_its_task_in_the_iteration_that_read_it(
    emulator: Emulator, client: AsyncClient, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, gates = WatchedLoop(), [Gate() for _ in range(10)]
    monkeypatch.setattr(asyncio, "Task", task)  # as nest_asyncio does; anyio accepts no other tasks
    loop.set_task_factory(lambda loop, coro, **options: task(coro, loop=loop, **options))
    emulator.always(held(gates))
    scheduled = []

    async def main() -> None:
        closed = iter(gates)
        async with client.stream("Count", MODEL) as stream:
            loop.call_later(0.01, next(closed).open)
            async for _ in stream:
                scheduled.append(loop.scheduled)
                gate = next(closed, None)
                if gate is not None:
                    loop.call_later(0.01, gate.open)

    run(loop, main())
    assert len(scheduled) == 10
    assert scheduled[-1] == scheduled[0]


def test_debug_mode_names_the_task_whose_code_blocks_the_loop(
    emulator: Emulator, client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    loop, gates = WatchedLoop(), [Gate(), Gate()]
    loop.set_debug(True)
    loop.slow_callback_duration = 1000.0
    emulator.always(held(gates))

    async def main() -> None:
        closed = iter(gates)
        loop.call_later(0.01, next(closed).open)
        async for _ in client.stream("Count", MODEL):
            gate = next(closed, None)
            if gate is None:
                loop.slow_callback_duration = 0.0  # all code counts as slow from here on; this task comes first
            else:
                loop.call_later(0.01, gate.open)

    run(loop, main())
    assert "coro=<test_debug_mode_names_the_task" in caplog.messages[0]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("why", [(), ("enough",)])
def test_a_task_that_is_cancelled_while_it_waits_tells_why_and_keeps_what_had_arrived(
    emulator: Emulator, client: AsyncClient, debug: bool, why: tuple[str, ...]
) -> None:
    loop, gates = WatchedLoop(), [Gate(), Gate()]
    loop.set_debug(debug)
    emulator.always(held(gates))

    async def main() -> tuple[Any, str]:
        stream = client.stream("Count", MODEL)
        task = loop.create_task(read(stream))
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value.args, stream.partial.text

    async def read(stream: AsyncStream) -> None:
        loop.call_later(0.01, gates[0].open)
        async for _ in stream:
            task = asyncio.current_task()
            assert task is not None
            loop.call_later(0.01, task.cancel, *why)

    assert run(loop, main()) == (why, "word ")
    emulator.wait_for_disconnect()
    gates[1].open()


@pytest.mark.parametrize("library", ["asyncio", "uvloop"])
def test_an_exit_in_the_middle_of_an_answer_ends_the_program(emulator: Emulator, library: str) -> None:
    pytest.importorskip(library, reason="uvloop is not installed")
    program = f"""
import sys, {library}
from hf_text.aio import AsyncClient

async def main():
    async with AsyncClient({KEY!r}, hub_url={emulator.url!r}, router_url={emulator.url!r}) as client:
        async for piece in client.stream("Count", {MODEL!r}):
            if piece.strip() == "three":
                sys.exit(3)

{library}.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


def test_a_context_variable_that_a_task_sets_between_two_tokens_stays_set(
    emulator: Emulator, client: AsyncClient
) -> None:
    loop, gates = WatchedLoop(), [Gate() for _ in range(5)]
    emulator.always(held(gates))
    count = ContextVar("count", default=0)

    async def main() -> int:
        closed = iter(gates)
        loop.call_later(0.01, next(closed).open)
        async for _ in client.stream("Count", MODEL):
            count.set(count.get() + 1)
            gate = next(closed, None)
            if gate is not None:
                loop.call_later(0.01, gate.open)
        return count.get()

    assert run(loop, main()) == 5


def test_a_finished_stream_leaves_no_timer_and_no_reference(emulator: Emulator, client: AsyncClient) -> None:
    loop = WatchedLoop()
    gate = Gate()
    emulator.reply(Response.text("one"))
    emulator.always(held([gate]))

    async def main() -> Any:
        # The first request to an address needs a thread, and older versions of anyio keep a reference to its last job.
        await client.generate("Count", MODEL)
        stream = client.stream("Count", MODEL)
        loop.call_later(0.01, gate.open)
        async for _ in stream:
            pass
        kept = weakref.ref(stream._steps)
        del stream, _
        await asyncio.sleep(0)  # the last token resumed this task inside a callback of the stream
        gc.collect()
        return kept()

    assert run(loop, main()) is None
    assert [timer for timer in loop.timers if not timer.cancelled() and timer.when() > loop.time()] == []


def test_a_redirect_on_an_open_connection_is_followed(emulator: Emulator, client: AsyncClient) -> None:
    async def main() -> tuple[str, str]:
        emulator.reply(Response.text("one"), Response.redirect("/v1/chat/completions"), Response.text("two"))
        return str(await client.generate("Count", MODEL)), str(await client.generate("Count", MODEL))

    assert asyncio.run(main()) == ("one", "two")
    assert [request.connection for request in emulator.requests] == [1, 1, 1]


def test_anyio_waits_where_a_loop_cannot_watch_sockets(emulator: Emulator) -> None:
    program = f"""
import asyncio
from hf_text.aio import AsyncClient

class Loop(asyncio.SelectorEventLoop):  # as Windows' ProactorEventLoop
    def add_reader(self, *args):
        raise NotImplementedError

async def main():
    async with AsyncClient({KEY!r}, hub_url={emulator.url!r}, router_url={emulator.url!r}) as client:
        print("".join([piece async for piece in client.stream("Count", {MODEL!r})]))

Loop().run_until_complete(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().endswith("nine ten"), done.stderr


def test_a_shorter_timeout_applies_although_the_timer_was_set_for_a_longer_one(emulator: Emulator) -> None:
    gate = Gate()
    emulator.always(held([gate, Gate()]))

    async def main() -> None:
        async with AsyncClient(
            KEY, hub_url=emulator.url, router_url=emulator.url, timeout=Timeouts(first=60, gap=1), max_retries=0
        ) as client:
            asyncio.get_running_loop().call_later(0.01, gate.open)
            async for _ in client.stream("Count", MODEL):
                pass

    with pytest.raises(RequestTimeoutError):
        asyncio.run(main())


def test_a_stream_closed_by_another_thread_between_reads_leaves_the_selector_empty(
    emulator: Emulator, client: AsyncClient
) -> None:
    gates = [Gate(), Gate()]
    emulator.always(held(gates))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        selector = loop._selector  # type: ignore[attr-defined]
        before = set(selector.get_map())
        stream = client.stream("Count", MODEL)
        loop.call_later(0.01, gates[0].open)
        assert await stream.read()
        await asyncio.to_thread(stream.cancel)
        with pytest.raises(StreamCancelledError):
            await stream.read()
        await asyncio.sleep(0)
        assert set(selector.get_map()) == before

    asyncio.run(main())
    gates[1].open()
    emulator.wait_for_disconnect()
