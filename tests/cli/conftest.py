"""The command, run in this process or as one of its own; always against an emulator, and never with a user's key."""

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
    """How a command ended."""

    status: int
    out: str
    err: str


class Process(subprocess.Popen[bytes]):
    """The command in a process of its own."""

    def finish(self) -> Result:
        """Wait for its end; what was read before is not in the result."""
        out, err = self.communicate(timeout=15)
        return Result(self.returncode, (out or b"").decode(), (err or b"").decode())


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The user's key, in the environment."""
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    return "hf_MadeUpKeyForTests"


@pytest.fixture
def hf(emulator: Emulator, key: str, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator that the command takes for Hugging Face."""
    monkeypatch.delenv("HF_TEXT_API_KEY", raising=False)
    return emulator


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in this process. ``stdin`` is what is piped in."""

    def run(*argv: str, stdin: bytes = b"", encoding: str = "utf-8") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding))
        return Result(main(argv), *capsys.readouterr())

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Starts the command as a process, with pipes.

    ``redirected`` is for what only a shell can do, such as ``2>&-``; further arguments are those of ``Popen``.
    """
    started: list[Process] = []
    # What is ignored here (as under nohup) would be ignored there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def start(*argv: str, redirected: str = "", **options: Any) -> Process:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-W", "error", "-m", "hf_text", *argv]
        if redirected:
            command = ["sh", "-c", f'exec "$@" {redirected}', "sh", *command]
        # Unbuffered, Python would hide that something was not flushed.
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
    """Opens terminals; ``columns`` and the environment are those of ``Terminal``."""
    opened: list[Terminal] = []

    def open_one(columns: int = 80, **environ: str) -> Terminal:
        opened.append(Terminal(columns, **environ))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def answer(hf: Emulator) -> Callable[..., None]:
    """Sets the text of the next answer, in these pieces."""

    def answer(*pieces: str, **options: Any) -> None:
        hf.reply(Response.text(*pieces, **options))

    return answer


@pytest.fixture
def unused_url() -> Iterator[str]:
    """A base URL where nobody listens: the port is taken, but not listened to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
