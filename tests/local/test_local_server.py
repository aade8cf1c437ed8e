"""Starting and closing servers: many times, concurrently, in threads, tasks and forks; nothing remains of them."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from thorough import repeated

import hf_text
from hf_text import InvalidRequestError, LocalServerError
from hf_text.local import LocalServer

BACKENDS = ("asyncio", "trio")
CYCLES = repeated(50)
SHORT: dict[str, Any] = {"max_tokens": 3, "temperature": 0}

Wait = Callable[[int], None]


def port_of(server: LocalServer) -> int:
    port = urlsplit(server.api_base).port
    assert port
    return port


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def open_pipes() -> list[str]:
    """The open pipes of this process."""
    targets = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the descriptor of the listing itself
            targets.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(target for target in targets if target.startswith("pipe:"))


# Repeated starts


@pytest.mark.timeout(400)
def test_repeated_use_leaves_nothing_behind(model: Path, wait_for_end: Wait, nothing_leaks: None) -> None:
    answers = set()
    for _ in range(CYCLES):
        with LocalServer(model, context=256) as server, server.client(timeout=50) as client:
            pid, port = server.pid, port_of(server)
            answers.add(client.generate("Hello!", **SHORT).text)
        wait_for_end(pid)
        assert not is_open(port)
    assert len(answers) == 1


@pytest.mark.timeout(400)
def test_repeated_opening_and_closing_leaves_nothing_behind(
    model: Path, wait_for_end: Wait, nothing_leaks: None
) -> None:
    for _ in range(CYCLES):
        with LocalServer(model, context=256) as server:
            pid, port = server.pid, port_of(server)
        wait_for_end(pid)
        assert not is_open(port)


class Telling(subprocess.Popen[bytes]):
    """Records the id of each process that is started."""

    started: list[int]
    begun: threading.Event

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.started.append(self.pid)
        self.begun.set()


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> type[Telling]:
    Telling.started, Telling.begun = [], threading.Event()
    monkeypatch.setattr(subprocess, "Popen", Telling)
    return Telling


@pytest.mark.timeout(400)
def test_closing_ends_a_start_at_any_point(
    model: Path, telling: type[Telling], wait_for_end: Wait, nothing_leaks: None
) -> None:
    """In half of the rounds the process has started before the close; in the others it may not have."""
    server = LocalServer(model)
    with ThreadPoolExecutor(1) as threads:
        for number in range(CYCLES):
            telling.begun.clear()
            starting = threads.submit(server.start)
            if number % 2:
                assert telling.begun.wait(30)
            server.close()
            error = starting.exception(timeout=30)
            assert error is None or "closed while it started" in str(error)
            server.close()  # for a start that finished after the first close
    for pid in telling.started:
        wait_for_end(pid)
    assert len(telling.started) >= CYCLES / 2


@pytest.mark.timeout(400)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cancelled_start_ends_at_any_point(
    model: Path,
    telling: type[Telling],
    wait_for_end: Wait,
    wait_until: Callable[[Callable[[], Any]], None],
    backend: str,
) -> None:
    before = open_pipes()

    async def enter(server: LocalServer) -> None:
        async with server:
            await anyio.sleep_forever()

    async def cycle(number: int) -> None:
        telling.begun.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(enter, LocalServer(model))
            if number % 2:
                await anyio.to_thread.run_sync(telling.begun.wait)
            else:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    async def cycles() -> None:
        for number in range(20):
            await cycle(number)

    anyio.run(cycles, backend=backend)
    for pid in telling.started:
        wait_for_end(pid)
    assert len(telling.started) >= 10
    wait_until(lambda: open_pipes() == before)  # the starting thread closes them after the process ends


# In an event loop


@pytest.mark.parametrize("backend", BACKENDS)
def test_starting_does_not_block_the_event_loop(model: Path, backend: str, wait_for_end: Wait) -> None:
    async def turn(turns: list[None]) -> None:
        while True:
            await anyio.sleep(0)
            turns.append(None)

    async def run() -> tuple[int, int]:
        turns: list[None] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turn, turns)
            async with LocalServer(model) as server:
                turned, pid = len(turns), server.pid
                async with server.async_client(timeout=50) as client:
                    assert (await client.generate("Hello!", **SHORT)).text
            tasks.cancel_scope.cancel()
        return turned, pid

    turned, pid = anyio.run(run, backend=backend)
    assert turned > 100
    wait_for_end(pid)


def test_a_blocking_program_loads_no_event_loop(model: Path) -> None:
    code = """if True:
        import sys
        from hf_text.local import LocalServer
        with LocalServer(sys.argv[1]) as server, server.client() as client:
            client.generate("Hello!", max_tokens=2)
        print({"anyio", "asyncio", "xllamacpp", "huggingface_hub", "numpy"} & set(sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code, str(model)], capture_output=True, timeout=50
    )
    assert (done.stdout, done.stderr) == (b"set()\n", b"")


# Several servers


def test_two_servers_in_one_program_are_independent(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.symlink_to(model)
    with LocalServer(model) as one, LocalServer(other) as two, one.client() as client, two.client() as second:
        assert (one.model, two.model) == (model.stem, "other")
        assert len({one.pid, two.pid, os.getpid()}) == 3
        assert one.api_base != two.api_base
        assert one.api_key != two.api_key
        assert client.generate("Hello!", **SHORT).text == second.generate("Hello!", **SHORT).text
        with hf_text.Client(one.api_key, api_base=two.api_base) as wrong, pytest.raises(hf_text.AuthenticationError):
            wrong.generate("Hello!")


def test_concurrent_starts_share_one_server(model: Path, telling: type[Telling]) -> None:
    with ThreadPoolExecutor(4) as threads:
        server = LocalServer(model)
        assert list(threads.map(lambda _: server.start(), range(4))) == [server] * 4
        server.close()
    assert len(telling.started) == 1


# After a fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_can_use_the_server_without_ending_it(model: Path) -> None:
    code = """if True:
        import os, sys
        from hf_text.local import LocalServer

        with LocalServer(sys.argv[1]) as server:
            forked = os.fork()
            if forked == 0:
                with server.client(timeout=50) as client:
                    print(bool(client.generate("Hello!", max_tokens=2).text), flush=True)
                server.close()
                sys.exit()  # through the end of the with block, and what Python does at its exit
            print(os.waitpid(forked, 0)[1])
            with server.client(timeout=50) as client:
                print(bool(client.generate("Hello!", max_tokens=2).text))
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code, str(model)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n0\nTrue\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_server_created_before_a_fork_can_be_started_after_it(model: Path) -> None:
    code = """if True:
        import os, sys
        from hf_text.local import LocalServer

        server = LocalServer(sys.argv[1])
        forked = os.fork()
        with server:
            print(bool(server.client(timeout=50).generate("Hello!", max_tokens=2).text), flush=True)
        if forked:
            print(os.waitpid(forked, 0)[1])
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(model)], capture_output=True, text=True, timeout=50, check=False
    )
    assert (sorted(done.stdout.split()), done.stderr) == (["0", "True", "True"], "")


# When it is no longer referenced


def test_a_garbage_collected_server_ends(model: Path, wait_for_end: Wait, nothing_leaks: None) -> None:
    server = LocalServer(model).start()
    pid = server.pid
    del server
    gc.collect()
    wait_for_end(pid)


def test_a_server_lives_as_long_as_its_clients(model: Path, wait_for_end: Wait) -> None:
    server = LocalServer(model).start()
    pid, client = server.pid, server.client(timeout=50)
    del server
    gc.collect()
    assert client.generate("Hello!", **SHORT).text
    client.close()
    del client
    gc.collect()
    wait_for_end(pid)


def test_a_server_ends_with_a_program_that_does_not_close_it(model: Path, wait_for_end: Wait) -> None:
    code = "import sys; from hf_text.local import LocalServer; s = LocalServer(sys.argv[1]).start(); print(s.pid)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code, str(model)], capture_output=True, timeout=50)
    assert done.stderr == b""
    wait_for_end(int(done.stdout))


# What it shows, and what it hides


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_repr_shows_the_model_and_no_key(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with LocalServer(model) as server:
        assert (server.model, server.path, server.size) == (model.stem, model.absolute(), model.stat().st_size)
        assert repr(server) == f"<LocalServer of {model}, at {server.api_base}>"
        assert len(server.api_key) >= 32
        assert server.api_key not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert server.api_key not in Path(f"/proc/{server.pid}/environ").read_text()
        with server.client() as client:
            client.generate("Hello!", **SHORT)
            assert server.api_key not in repr(client)
    assert repr(server) == f"<LocalServer of {model}, not running>"
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="this system does not tell who listens")
def test_it_listens_only_on_loopback_and_opens_nothing_else(server: LocalServer) -> None:
    listening = f":{port_of(server):04X} 00000000:0000 0A"
    lines = [line for line in Path("/proc/net/tcp").read_text().splitlines() if listening in line]
    assert [line.split()[1].split(":")[0] for line in lines] == ["0100007F"]
    folder = Path(f"/proc/{server.pid}/fd")
    assert [os.readlink(folder / number) for number in "12"] == [os.devnull, os.devnull]
    assert stat.S_ISFIFO((folder / "0").stat().st_mode)
    assert not [name for name in map(os.readlink, folder.iterdir()) if "(deleted)" in name]  # the server's log


def test_each_slot_has_the_full_context(model: Path) -> None:
    with LocalServer(model, context=512, slots=2) as server, server.client(timeout=50) as client:
        with pytest.raises(hf_text.BadRequestError, match=r"\b512\b"):
            client.generate("word " * 800)
        assert client.generate("word " * 400, **SHORT, extra_body={"ignore_eos": True}).text


def test_a_proxy_of_the_environment_is_not_used(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with server.client(timeout=50) as client:
        assert client.generate("Hello!", **SHORT).text


def test_attributes_that_need_a_running_server_say_so(model: Path) -> None:
    server = LocalServer(model)
    for name in ("api_base", "api_key", "model", "path", "size", "pid"):
        with pytest.raises(LocalServerError, match="not running: use it in a with statement, or call start"):
            getattr(server, name)
    server.close()  # nothing to close
    with server:
        pass
    with pytest.raises(LocalServerError, match="not running"):
        server.client()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"context": 0}, "context"),
        ({"context": "4096"}, "context"),
        ({"slots": 0}, "slots"),
        ({"threads": 0}, "threads"),
        ({"threads": True}, "threads"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": None}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"model": 7}, "model"),
        ({"model": ""}, "model"),
        ({"model": "a\0b"}, "model"),
    ],
)
def test_an_invalid_argument_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{named} must be"):
        LocalServer(**{"model": __file__, **options})


def test_slow_loading_is_logged(model: Path, telling: type[Telling], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hf_text")
    told = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    listener = Listener()
    logging.getLogger("hf_text").addHandler(listener)
    try:
        with ThreadPoolExecutor(1) as threads:
            starting = threads.submit(LocalServer(model).start)
            assert telling.begun.wait(30)
            os.kill(telling.started[0], signal.SIGSTOP)
            assert told.wait(30)
            os.kill(telling.started[0], signal.SIGCONT)
            starting.result(timeout=50).close()
    finally:
        logging.getLogger("hf_text").removeHandler(listener)
    assert "(98 MB) is still loading, after 2 s" in caplog.messages[0]
