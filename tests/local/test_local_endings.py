"""The parent of a server ends, in every state and by every signal: no process, port or file remains."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_hub import Hub

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, and ends by signals")

# Prints the ids of its children as they start, then the state it has reached, and stays in it.
PROGRAM = """
import os, signal, subprocess, sys, threading

signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored in what a shell starts in the background
model, state = sys.argv[1:]

class Telling(subprocess.Popen):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        print("child", self.pid, flush=True)

subprocess.Popen = Telling

from hf_text.local import LocalServer

def stay():
    threading.Event().wait()

with LocalServer(model) as server:
    print("port", server.api_base.split(":")[2].split("/")[0], flush=True)
    if state == "forked":
        pid = os.fork()
        if pid == 0:
            os.close(1)
            os.close(2)
            stay()
        print("forked", pid, flush=True)
    if state == "streaming":
        with server.client(timeout=50) as client:
            texts = iter(client.stream("Why?", max_tokens=3000, extra_body={"ignore_eos": True}))
            next(texts)
            print("streaming", flush=True)
            for text in texts:
                pass
    print(state, flush=True)
    stay()
"""

SIGNALS = [signal.SIGTERM, signal.SIGKILL, signal.SIGINT]


class Program(subprocess.Popen[str]):
    """The program above; its output is read word by word."""

    def read(self, word: str) -> list[str]:
        """Read the output up to the line that begins with this word. Returns the rest of that line."""
        assert self.stdout is not None
        for line in self.stdout:
            first, *rest = line.split()
            if first == word:
                return rest
        raise AssertionError(f"it ended before it told {word}: {self.wait()}")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def start(temporary: Path) -> Iterator[Callable[..., Program]]:
    """Start the program."""
    started: list[Program] = []

    def start(model: object, state: str) -> Program:
        program = Program(
            [sys.executable, "-c", PROGRAM, str(model), state],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()


def wait_until_loading(pid: int) -> None:
    """Wait until the server's process loads the model, which holds the GIL."""
    maps = Path(f"/proc/{pid}/maps")
    while ".gguf" not in maps.read_text():
        pass


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def assert_it_ended_by(program: Program, number: signal.Signals) -> None:
    _, errors = program.communicate(timeout=15)
    assert program.returncode == -number
    assert ("KeyboardInterrupt" in errors) == (number is signal.SIGINT)
    assert errors.count("Traceback") == (number is signal.SIGINT)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
class TestWhateverEndsTheParent:
    def test_while_the_server_is_being_started(
        self, number: signal.Signals, start: Callable[..., Program], model: Path, wait_for_end: Callable[[int], None]
    ) -> None:
        program = start(model, "starting")
        (child,) = program.read("child")
        program.send_signal(number)
        assert_it_ended_by(program, number)
        wait_for_end(int(child))

    def test_while_the_model_is_being_loaded(
        self,
        number: signal.Signals,
        start: Callable[..., Program],
        model: Path,
        wait_for_end: Callable[[int], None],
        temporary: Path,
    ) -> None:
        program = start(model, "loading")
        (child,) = program.read("child")
        wait_until_loading(int(child))
        program.send_signal(number)
        assert_it_ended_by(program, number)
        wait_for_end(int(child))
        assert list(temporary.iterdir()) == []

    @pytest.mark.parametrize("state", ["idle", "streaming"])
    def test_while_the_server_is_idle_or_answers(
        self,
        number: signal.Signals,
        start: Callable[..., Program],
        model: Path,
        wait_for_end: Callable[[int], None],
        temporary: Path,
        state: str,
    ) -> None:
        program = start(model, state)
        (child,), (port,) = program.read("child"), program.read("port")
        program.read(state)
        assert is_open(int(port))
        program.send_signal(number)
        assert_it_ended_by(program, number)
        wait_for_end(int(child))
        assert not is_open(int(port))
        assert list(temporary.iterdir()) == []

    def test_while_a_model_is_being_downloaded(
        self,
        number: signal.Signals,
        start: Callable[..., Program],
        model: Path,
        hub: Hub,
        wait_for_end: Callable[[int], None],
    ) -> None:
        hub.repos["a/b"] = {"c.gguf": model}
        hub.hold_after = 1000
        program = start("a/b", "downloading")
        (child,) = program.read("child")
        assert hub.held.wait(30)
        program.send_signal(number)
        _, errors = program.communicate(timeout=15)
        assert program.returncode == -number
        assert "Exception ignored" not in errors
        wait_for_end(int(child))

    def test_while_a_forked_process_lives_on(
        self, number: signal.Signals, start: Callable[..., Program], model: Path, wait_for_end: Callable[[int], None]
    ) -> None:
        program = start(model, "forked")
        (child,), (forked,) = program.read("child"), program.read("forked")
        program.read("forked")
        try:
            program.send_signal(number)
            assert_it_ended_by(program, number)
            wait_for_end(int(child))
            os.kill(int(forked), 0)  # it is still alive
        finally:
            os.kill(int(forked), signal.SIGKILL)


@pytest.fixture
def inherits_orphans() -> Iterator[None]:
    """Orphaned processes become children of this one, so that it can read their exit status."""
    prctl, subreaper = ctypes.CDLL(None).prctl, 36
    prctl(subreaper, 1, 0, 0, 0)
    yield
    prctl(subreaper, 0, 0, 0, 0)


def test_the_parent_can_end_while_the_model_is_loading(
    start: Callable[..., Program], model: Path, inherits_orphans: None
) -> None:
    program = start(model, "loading")
    child = int(program.read("child")[0])
    wait_until_loading(child)
    os.kill(child, signal.SIGSTOP)
    program.kill()
    program.wait()
    os.kill(child, signal.SIGCONT)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGIO  # the kernel killed it, without Python


def test_ctrl_c_in_a_terminal_reaches_only_the_parent(
    start: Callable[..., Program], model: Path, wait_for_end: Callable[[int], None]
) -> None:
    program = start(model, "idle")
    (child,) = program.read("child")
    program.read("idle")
    assert os.getpgid(int(child)) != os.getpgid(program.pid)  # a signal of the terminal goes to the process group
    program.send_signal(signal.SIGINT)
    assert_it_ended_by(program, signal.SIGINT)
    wait_for_end(int(child))
