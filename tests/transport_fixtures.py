"""Fixtures of the transport tests: servers with less than full HTTP, threads to wait for, certificates."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import hf_text
from hf_text import Event, HFTextError, Stream

ROOT = Path(hf_text.__file__).parent.parent


class Outcome(NamedTuple):
    """The outcome of reading a stream: the yielded events and the error."""

    events: list[Event]
    error: HFTextError | None

    @property
    def text(self) -> str:
        """The yielded text."""
        return "".join(map(str, self.events))

    @property
    def partial(self) -> Any:
        """The partial answer that the error holds."""
        return getattr(self.error, "partial", None)


@pytest.fixture
def once(make_client: Callable[..., hf_text.Client]) -> hf_text.Client:
    """A client without retries."""
    return make_client(max_retries=0)


@pytest.fixture
def outcome() -> Callable[[Stream], Outcome]:
    """Read a stream to its end or to a library error; other errors propagate."""

    def read(stream: Stream) -> Outcome:
        events: list[Event] = []
        try:
            for event in stream.events():
                events.append(event)
        except HFTextError as error:
            return Outcome(events, error)
        return Outcome(events, None)

    return read


@pytest.fixture
def in_thread() -> Callable[..., Future[Any]]:
    """Run a function in its own thread; the future has the thread's ``ident``."""

    def start(work: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work(*args))
            except BaseException as error:
                future.set_exception(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        future.ident = thread.ident  # type: ignore[attr-defined]
        return future

    return start


@pytest.fixture
def wait_until() -> Callable[[Callable[[], Any]], None]:
    """Poll for a condition that no event signals."""

    def wait(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 5
        while not condition():
            assert time.monotonic() < deadline, "it did not come about within 5 s"
            time.sleep(0.001)

    return wait


@pytest.fixture
def wait_until_inside(wait_until: Callable[[Callable[[], Any]], None]) -> Callable[[int, str], None]:
    """Wait until a thread is inside the function of that name."""

    def is_inside(ident: int, function: str) -> bool:
        frame = sys._current_frames().get(ident)
        while frame is not None and frame.f_code.co_name != function:
            frame = frame.f_back
        return frame is not None

    return lambda ident, function: wait_until(lambda: is_inside(ident, function))


@pytest.fixture
def deaf_server() -> Iterator[socket.socket]:
    """A listener that accepts connections in the backlog only: no one reads from them or writes to them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def full_server() -> Iterator[socket.socket]:
    """A listener with a full backlog: a connection to it is neither established nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []
        try:
            for _ in range(16):
                sock = socket.socket()
                waiting.append(sock)
                sock.settimeout(0.05)
                sock.connect(listener.getsockname())
            pytest.skip("this system has no limit of waiting connections")
        except TimeoutError:
            yield listener
        finally:
            for sock in waiting:
                sock.close()


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Serve each connection with a function in its own thread; returns the port."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []
    open_sockets: list[socket.socket] = []

    def serve(handler: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def handle(sock: socket.socket) -> None:
            with sock:
                try:
                    handler(sock)
                except OSError:  # the client disconnected
                    return

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                open_sockets.append(sock)
                threads.append(threading.Thread(target=handle, args=(sock,), daemon=True))
                threads[-1].start()

        threads.append(threading.Thread(target=accept, daemon=True))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield serve
    for sock in [*listeners, *open_sockets]:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(5)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate for localhost and 127.0.0.1, and its key: the paths of two files."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", names]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the command openssl is not installed")
    return certificate, key


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program in its own Python with warnings as errors; the caller checks the output."""

    def run(
        program: str, *options: str, arguments: Sequence[str] = (), **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", *options, "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=ROOT,
            env={**os.environ, **environ},
        )

    return run
