"""Run the command in this process or in a new one, always against an emulator and never with a real key."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pseudo_terminal import Terminal

import hf_text
from hf_text.cli import main
from hf_text.emulator import Emulator, Response

ROOT = Path(hf_text.__file__).parent.parent


class Result(NamedTuple):
    """Exit status and output of a command."""

    status: int
    out: str
    err: str


class Process(subprocess.Popen[bytes]):
    """The command in its own process."""

    def finish(self) -> Result:
        """Wait until the process ends. The result lacks output that was already read."""
        out, err = self.communicate(timeout=15)
        return Result(self.returncode, (out or b"").decode(), (err or b"").decode())


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """Set a user's key in the environment."""
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    return "hf_MadeUpKeyForTests"


@pytest.fixture
def hf(emulator: Emulator, key: str, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator that the command uses as Hugging Face."""
    monkeypatch.delenv("HF_TEXT_API_KEY", raising=False)
    return emulator


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs the command in this process, with ``stdin`` as its standard input."""

    def run(*argv: str, stdin: bytes = b"", encoding: str = "utf-8") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding))
        return Result(main(argv), *capsys.readouterr())

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Return a function that starts the command as a process with pipes.

    ``redirected`` holds redirections that need a shell, such as ``2>&-``. Further arguments are passed to ``Popen``.
    """
    started: list[Process] = []
    # A child inherits an ignored SIGINT (as under nohup).
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*argv: str, redirected: str = "", **options: Any) -> Process:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-W", "error", "-m", "hf_text", *argv]
        if redirected:
            command = ["sh", "-c", f'exec "$@" {redirected}', "sh", *command]
        # Unbuffered output would hide a missing flush.
        process = Process(command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": ""}, **{**pipes, **options})
        started.append(process)
        return process

    yield start
    signal.signal(signal.SIGINT, before)
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Return a function that opens a ``Terminal`` with these arguments."""
    opened: list[Terminal] = []

    def open_one(columns: int = 80, **environ: str) -> Terminal:
        opened.append(Terminal(columns, **environ))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def answer(hf: Emulator) -> Callable[..., None]:
    """Return a function that sets the pieces of the next answer's text."""

    def answer(*pieces: str, **options: Any) -> None:
        hf.reply(Response.text(*pieces, **options))

    return answer


@pytest.fixture
def unused_url() -> Iterator[str]:
    """A base URL that refuses connections: its port is bound, but not listening."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
