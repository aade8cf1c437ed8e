"""Once the address is known, the event loop connects and does the TLS handshake. Threads only resolve names."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from test_aio_cancellation import count_connecting, threads_at_work, unanswering_port

from hf_text import RequestTimeoutError, Timeouts, TransportError
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Response

pytestmark = pytest.mark.anyio

KEY = "hf_MadeUpKeyForTests"
FOLDER = Path(__file__).parents[1] / "emulator"
TLS = (str(FOLDER / "certificate.pem"), str(FOLDER / "key.pem"))


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def client_of(url: str, **options: Any) -> AsyncClient:
    return AsyncClient(KEY, api_base=f"{url}/v1", **{"timeout": 30, "max_retries": 0, "max_threads": 1, **options})


def closing(text: str) -> Response:
    """Build a complete answer that closes its connection."""
    body = Response.text(text).body
    return Response(headers={"Content-Type": "text/event-stream", "Connection": "close"}, body=body)


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator(**({"tls": TLS} if request.param == "https" else {})) as emulator:
        emulator.always(closing("Hello"))
        yield emulator


async def test_a_new_connection_to_a_known_address_needs_no_thread(server: Emulator) -> None:
    async with client_of(server.url, verify=TLS[0]) as client:
        assert str(await client.generate("Hi", "m")) == "Hello"
        async with client.threads.limiter():  # the only thread is taken
            with anyio.fail_after(20):
                for _ in range(3):
                    assert str(await client.generate("Hi", "m")) == "Hello"
    assert server.connections == 4


async def test_a_connection_opened_by_the_loop_is_reused(server: Emulator) -> None:
    async with client_of(server.url, verify=TLS[0]) as client:
        await client.generate("Hi", "m")
        server.always(Response.text("Hello"))
        for _ in range(3):
            await client.generate("Hi", "m")
    assert server.connections == 2


@pytest.mark.parametrize("verify", [True, TLS[0]], ids=["unknown authority", "another name"])
async def test_the_loop_rejects_an_invalid_certificate_like_a_thread(
    monkeypatch: pytest.MonkeyPatch, verify: Any
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **options: real("127.0.0.1", *args, **options))
    with Emulator(tls=TLS) as emulator:
        url = emulator.url.replace("127.0.0.1", "host.test") if verify is not True else emulator.url
        told = []
        async with client_of(url, verify=verify) as client:
            for _ in range(2):
                with pytest.raises(TransportError) as caught:
                    await client.generate("Hi", "m")
                told.append(str(caught.value))
        assert told[0] == told[1]
        assert "certificate" in told[1].lower()
        assert emulator.requests == []


async def test_the_loop_reports_a_refused_connection_like_a_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told = []
    async with client_of(f"http://127.0.0.1:{port}") as client:
        for _ in range(2):
            with pytest.raises(TransportError, match="refused") as caught:
                await client.generate("Hi", "m")
            told.append(str(caught.value))
    assert told[0] == told[1]


async def test_the_connect_timeout_applies_in_the_loop_like_in_a_thread() -> None:
    told = []
    with unanswering_port() as port:
        async with client_of(f"http://127.0.0.1:{port}", timeout=Timeouts(connect=1)) as client:
            for _ in range(2):
                with pytest.raises(RequestTimeoutError) as caught:
                    await client.generate("Hi", "m")
                told.append(str(caught.value))
    assert told[0] == told[1]


@contextmanager
def deaf_port() -> Iterator[tuple[int, socket.socket]]:
    """Yield a port that accepts connections and never sends anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1], listener


async def test_a_timeout_during_the_handshake_is_reported_as_such() -> None:
    told = []
    with deaf_port() as (port, _):
        async with client_of(f"https://127.0.0.1:{port}", timeout=Timeouts(connect=1)) as client:
            for _ in range(2):
                with pytest.raises(RequestTimeoutError, match="not complete the TLS handshake") as caught:
                    await client.generate("Hi", "m")
                told.append(str(caught.value))
    assert told[0] == told[1]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks for the connecting socket in /proc/net/tcp")
async def test_cancelled_while_the_loop_is_connecting() -> None:
    with unanswering_port() as port:
        async with client_of(f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(2):  # the first connects in a thread
                before = count_connecting(port)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(client.generate, "Hi", "m")
                    with anyio.fail_after(20):
                        while count_connecting(port) == before:
                            await anyio.sleep(0.001)
                    tasks.cancel_scope.cancel()
                assert count_connecting(port) == before
            assert not threads_at_work()


@pytest.mark.parametrize("how", ["cancel", "close"])
async def test_stopped_by_another_task_during_the_tls_handshake(how: str) -> None:
    with deaf_port() as (port, listener):
        async with client_of(f"https://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(2):
                stream = client.stream("Hi", "m")
                failures: list[BaseException] = []

                async def read(stream: Any = stream, failures: Any = failures) -> None:
                    try:
                        await stream.read()
                    except Exception as error:
                        failures.append(error)

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    accepted, _ = await anyio.to_thread.run_sync(listener.accept)
                    with accepted:
                        await anyio.to_thread.run_sync(accepted.recv, 1)  # the handshake has begun
                        getattr(stream, how)()
                        with anyio.fail_after(20):
                            while not failures:
                                await anyio.sleep(0.001)
                        while await anyio.to_thread.run_sync(accepted.recv, 65536):
                            pass
                assert type(failures[0]).__name__ == "StreamCancelledError"


async def test_the_thread_that_resolves_a_name_is_released_before_the_loop_connects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **options: real("127.0.0.1", *args, **options))
    with deaf_port() as (port, listener):
        async with client_of(f"http://host.test:{port}", timeout=Timeouts(connect=30, first=1)) as client:
            with pytest.raises(RequestTimeoutError):
                await client.generate("Hi", "m")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.generate, "Hi", "m")
                for _ in range(2):
                    accepted, _ = await anyio.to_thread.run_sync(listener.accept)
                    accepted.close()
                with anyio.fail_after(20):
                    async with client.threads.limiter():
                        pass
                tasks.cancel_scope.cancel()


async def test_a_broken_proxy_is_not_bypassed(emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with client_of(emulator.url, proxies={"http": f"http://127.0.0.1:{port}"}) as client:
        for _ in range(2):
            with pytest.raises(TransportError, match="proxy"):
                await client.generate("Hi", "m")
    assert emulator.requests == []
