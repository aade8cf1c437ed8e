"""The library inside host apps: several event loops, uvloop, asyncio's debug mode, notebooks, Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

import hf_text
from hf_text import Client, HuggingFaceAPI
from hf_text.aio import AsyncClient, AsyncStream
from hf_text.callers import cached_operations
from hf_text.client import default_client
from hf_text.emulator import Emulator, Gate, Response

KEY = "hf_MadeUpKeyForTests"
BACKENDS = ("asyncio", "trio")
ROOT = Path(hf_text.__file__).parent.parent


@pytest.fixture
def shared(emulator: Emulator) -> Iterator[AsyncClient]:
    """One client for a whole test, closed when no event loop runs."""
    # Its timeouts are longer than any test waits: a request that only a timeout would end counts as not stopped.
    client = Client(KEY, hub_url=emulator.url, router_url=emulator.url, timeout=30)
    yield AsyncClient.of(client.operations)
    client.close()


@pytest.fixture
def module_functions(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point the module functions and the class interface at the emulator, and close their connections afterwards."""
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    default_client().close()
    cached_operations.cache_clear()


def held_reply(gate: Gate, *pieces: str) -> Response:
    """Build a stream that sends these pieces, waits at the gate, and then ends normally."""
    body = Response.text(*pieces).body
    assert isinstance(body, tuple)
    return Response(headers={"Content-Type": "text/event-stream"}, body=(*body[: len(pieces) + 1], gate, *body[-2:]))


@contextlib.contextmanager
def opened_in_the_end(*gates: Gate) -> Iterator[None]:
    try:
        yield
    finally:
        for gate in gates:
            gate.open()


async def read_stream(client: AsyncClient, text: str = "Count") -> str:
    async with client.stream(text) as stream:
        return "".join([piece async for piece in stream])


async def read_all(stream: AsyncStream) -> None:
    while await stream.read():
        pass


# Event loops


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_client_works_in_consecutive_event_loops(emulator: Emulator, shared: AsyncClient, backend: str) -> None:
    texts = [anyio.run(read_stream, shared, f"number {number}.", backend=backend) for number in range(5)]
    assert [text.rpartition(" ")[2] for text in texts] == ["0.", "1.", "2.", "3.", "4."]
    assert emulator.connections == 1


def test_one_client_works_on_asyncio_and_trio(shared: AsyncClient) -> None:
    (text,) = {anyio.run(read_stream, shared, backend=backend) for backend in (*BACKENDS, *BACKENDS)}
    assert text.endswith("nine ten")


def test_one_client_works_in_concurrent_event_loops(shared: AsyncClient) -> None:
    start = threading.Barrier(6)

    async def read_many(number: int) -> list[str]:
        start.wait(5)
        texts: list[str] = []

        async def read(text: str) -> None:
            texts.append(await read_stream(shared, text))

        async with anyio.create_task_group() as tasks:
            for turn in range(10):
                tasks.start_soon(read, f"loop {number} turn {turn}.")
        return texts

    def run(number: int) -> list[str]:
        return anyio.run(read_many, number, backend=BACKENDS[number % 2])

    with ThreadPoolExecutor(6) as pool:
        for number, texts in enumerate(pool.map(run, range(6))):
            expected = {f"loop {number} turn {turn}." for turn in range(10)}
            assert {text.partition("asked: ")[2] for text in texts} == expected


def test_cancelling_in_one_event_loop_does_not_affect_another(emulator: Emulator, shared: AsyncClient) -> None:
    gates = [Gate(), Gate()]
    emulator.reply(*(held_reply(gate, "One") for gate in gates))

    async def cancel() -> None:
        with anyio.CancelScope() as scope:
            async for _ in shared.stream("Count"):
                scope.cancel()

    with opened_in_the_end(*gates), ThreadPoolExecutor(1) as pool:
        whole = pool.submit(lambda: anyio.run(read_stream, shared))
        assert gates[0].reached.wait(5)
        anyio.run(cancel)
        emulator.wait_for_disconnect()
        gates[0].open()
        assert whole.result(5) == "One"


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_event_loop_has_its_own_threads(emulator: Emulator, backend: str) -> None:
    gates = [Gate(), Gate()]
    emulator.reply(*(Response.text("One", delay=gate) for gate in gates))
    client = Client(KEY, hub_url=emulator.url, router_url=emulator.url, timeout=5)
    shared = AsyncClient.of(client.operations, max_threads=1)

    def run() -> str:
        return anyio.run(read_stream, shared, backend=backend)

    with opened_in_the_end(*gates), ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(run), pool.submit(run)
        assert gates[0].reached.wait(5)
        assert gates[1].reached.wait(5)
        for gate in gates:
            gate.open()
        assert [first.result(5), second.result(5)] == ["One", "One"]
    client.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_blocking_portal_can_read_a_stream(shared: AsyncClient, backend: str) -> None:
    with anyio.from_thread.start_blocking_portal(backend) as portal:
        assert portal.call(read_stream, shared).endswith("nine ten")
        assert portal.call(shared.generate, "Count").finish_reason == "stop"
        with portal.wrap_async_context_manager(shared.stream("Count")) as stream:
            assert portal.call(stream.read)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_can_outlive_its_event_loop(emulator: Emulator, shared: AsyncClient, backend: str) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))

    kept = []

    async def begin() -> None:
        kept.append(shared.stream("Count").events())
        await anext(kept[0])

    with opened_in_the_end(gate):
        anyio.run(begin, backend=backend)
        assert emulator.disconnects == 0
        kept.clear()
        emulator.wait_for_disconnect()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_stream_can_be_read_in_another_event_loop_after_its_own_ended(
    emulator: Emulator, shared: AsyncClient, backend: str
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = shared.stream("Count")
    with opened_in_the_end(gate):
        anyio.run(stream.read, backend=backend)
        gate.open()
        anyio.run(read_all, stream, backend=backend)
    assert stream.completion.finish_reason == "stop"


# Plain asyncio


def test_asyncio_debug_mode_reports_nothing(
    emulator: Emulator, shared: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Debug mode reports coroutines that were never awaited and callbacks scheduled from the wrong thread."""
    gate = Gate()
    emulator.reply(Response.text("One"), held_reply(gate, "One"), held_reply(gate, "One"))

    async def main() -> None:
        asyncio.get_running_loop().slow_callback_duration = 60  # a slow callback here is due to the machine
        assert await read_stream(shared) == "One"
        async for _ in shared.stream("Count"):
            break
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(read_stream(shared), 0.02)
        async for _ in shared.hub_models():
            break

    with opened_in_the_end(gate):
        asyncio.run(main(), debug=True)
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_tasks_that_still_read_at_exit_do_not_delay_it(
    emulator: Emulator, shared: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    gates = [Gate(), Gate()]
    emulator.reply(held_reply(gates[0], "One"), Response.text("One", delay=gates[1]))
    tasks = []

    async def main() -> None:
        tasks.append(asyncio.create_task(read_stream(shared)))
        await asyncio.to_thread(gates[0].reached.wait, 5)
        tasks.append(asyncio.create_task(read_stream(shared)))
        await asyncio.to_thread(gates[1].reached.wait, 5)

    with opened_in_the_end(*gates):
        asyncio.run(main())
        emulator.wait_for_disconnect(2)
    assert all(task.cancelled() for task in tasks)
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_unawaited_task_does_not_leak_its_error(
    emulator: Emulator, shared: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The library's threads do not cause a warning in asyncio's log."""
    emulator.always("no-finish-no-done")

    async def main() -> None:
        task = asyncio.create_task(read_stream(shared))
        await asyncio.wait([task])
        assert isinstance(task.exception(), hf_text.TruncatedStreamError)

    asyncio.run(main())
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_streams_in_gather_end_independently(emulator: Emulator, shared: AsyncClient) -> None:
    emulator.always(
        lambda request: Response.text("One") if b"good" in request.body else Response.error(403, "No", "string")
    )

    async def main() -> list[Any]:
        texts = ["good", "bad", "good"]
        return await asyncio.gather(*(read_stream(shared, text) for text in texts), return_exceptions=True)

    good, bad, also_good = asyncio.run(main())
    assert (good, also_good) == ("One", "One")
    assert isinstance(bad, hf_text.PermissionDeniedError)


def test_a_stream_can_be_closed_by_a_timer_of_the_loop(emulator: Emulator, shared: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))

    async def main() -> None:
        stream = shared.stream("Count")
        asyncio.get_running_loop().call_later(0.02, stream.close)
        with pytest.raises(hf_text.StreamCancelledError):
            await read_all(stream)

    with opened_in_the_end(gate):
        asyncio.run(main())
        emulator.wait_for_disconnect()


def test_the_selector_of_the_loop_is_left_empty(emulator: Emulator, shared: AsyncClient) -> None:
    """A closed descriptor left in the selector breaks the next file that gets the same number."""
    gate = Gate()
    emulator.always(held_reply(gate, "One"))

    async def main() -> tuple[set[Any], set[Any]]:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        before = set(selector.get_map())
        for _ in range(5):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(read_stream(shared), 0.02)
        gate.open()
        for _ in range(5):
            await read_stream(shared)
        # AnyIO may wait on its own selector; then the library never registers anything here.
        return before, set(selector.get_map())

    with opened_in_the_end(gate):
        before, after = asyncio.run(main())
    assert after == before


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")
class TestUvloop:
    def test_answers_are_whole(self, shared: AsyncClient) -> None:
        text = anyio.run(read_stream, shared, backend_options={"use_uvloop": True})
        assert text.endswith("nine ten")

    def test_a_cancelled_stream_closes_its_connection(self, emulator: Emulator, shared: AsyncClient) -> None:
        gate = Gate()
        emulator.always(held_reply(gate, "One"))

        async def main() -> None:
            for _ in range(20):
                with anyio.move_on_after(0.01) as scope:
                    await read_stream(shared)
                assert scope.cancelled_caught

        with opened_in_the_end(gate):
            anyio.run(main, backend_options={"use_uvloop": True})
            emulator.wait_for_disconnect(len(emulator.requests))

    def test_many_streams_at_once(self, shared: AsyncClient) -> None:
        async def main() -> list[str]:
            got: list[str] = []

            async def read() -> None:
                got.append(await read_stream(shared))

            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(read)
            return got

        texts = anyio.run(main, backend_options={"use_uvloop": True})
        assert [text.endswith("nine ten") for text in texts] == [True] * 50


# Notebooks: the main thread's loop is running already, and the blocking functions are called inside it


def test_blocking_functions_work_inside_a_running_event_loop(emulator: Emulator, module_functions: None) -> None:
    async def cell() -> None:
        assert str(hf_text.generate("Count")).endswith("nine ten")
        assert "".join(hf_text.stream("Count")).endswith("nine ten")
        assert hf_text.models()
        assert HuggingFaceAPI.get_models()
        assert HuggingFaceAPI.get_mapping_sync("emulator/small")
        assert "".join(map(str, HuggingFaceAPI.create_generator("", "Count"))).endswith("nine ten")
        with Client(KEY, hub_url=emulator.url, router_url=emulator.url) as client:
            assert client.generate("Count")

    asyncio.run(cell())


def test_async_functions_work_after_blocking_ones_in_the_same_cell(module_functions: None) -> None:
    async def cell() -> None:
        assert hf_text.generate("Count")
        async with aclosing(HuggingFaceAPI.create_async_generator("", "Count")) as events:
            text = "".join([str(event) async for event in events])
        assert text.endswith("nine ten")
        assert await HuggingFaceAPI.get_mapping("emulator/small")

    asyncio.run(cell())


def test_blocking_functions_work_in_a_worker_thread_of_a_loop(module_functions: None) -> None:
    async def main() -> hf_text.Completion:
        return await asyncio.to_thread(hf_text.generate, "Count")

    assert asyncio.run(main()).finish_reason == "stop"


def test_the_loop_can_cancel_a_blocking_stream(emulator: Emulator, client: Client) -> None:
    """An app that uses the blocking client in a thread can stop a stream from its event loop."""
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = client.stream("Count")

    def read() -> str:
        return "".join(stream)

    async def main() -> None:
        task = asyncio.create_task(asyncio.to_thread(read))
        await asyncio.to_thread(gate.reached.wait, 5)
        stream.cancel()
        with pytest.raises(hf_text.StreamCancelledError):
            await task

    with opened_in_the_end(gate):
        asyncio.run(main())
        emulator.wait_for_disconnect()


# Ctrl-C


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("stage", ["headers", "body"])
@pytest.mark.parametrize("run", ["asyncio.run(main())", "trio.run(main)"])
def test_ctrl_c_ends_the_program_at_once_with_one_traceback(emulator: Emulator, run: str, stage: str) -> None:
    gate = Gate()
    emulator.reply(Response.text("One", delay=gate) if stage == "headers" else held_reply(gate, "One"))
    program = f"""
        import asyncio, trio
        from hf_text.aio import AsyncClient, AsyncStream

        async def main():
            async with AsyncClient("{KEY}") as client:
                async for text in client.stream("Count"):
                    print(text, flush=True)

        {run}
    """
    environ = {**os.environ, **emulator.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    with opened_in_the_end(gate):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert gate.reached.wait(20)
            if stage == "body":
                assert process.stdout is not None
                assert process.stdout.readline() == "One\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()
            process.wait()
        emulator.wait_for_disconnect()
    assert process.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    assert "never retrieved" not in errors
    assert "StreamCancelledError" not in errors


# pytest


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", BACKENDS)
async def test_a_stream_from_an_async_fixture_can_be_read_in_the_test(
    anyio_backend: str, begun: tuple[AsyncStream, Gate]
) -> None:
    stream, gate = begun
    gate.open()
    while await stream.read():
        pass
    assert stream.completion.finish_reason == "stop"


@pytest.fixture
async def begun(emulator: Emulator, anyio_backend: str) -> Any:
    """A stream with one piece read, and the gate that holds back the rest."""
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    async with AsyncClient(KEY, hub_url=emulator.url, router_url=emulator.url, timeout=5) as client:
        stream = client.stream("Count")
        assert await stream.read()
        yield stream, gate
