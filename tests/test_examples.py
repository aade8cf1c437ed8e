"""Each example is run as its docstring says, an emulator in the place of the servers; so is each snippet of docs/async.rst."""

from __future__ import annotations

import http.client
import importlib.util
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from test_readme import Block, find_blocks

from hf_text.aio import AsyncClient, AsyncStream
from hf_text.emulator import Emulator, Gate, Reply
from hf_text.emulator.request import Request

PROJECT = Path(__file__).parents[1]
EXAMPLES = PROJECT / "examples"
BLOCKS = list(find_blocks((PROJECT / "docs" / "async.rst").read_text("utf-8")))

BUILT_IN = "This is the hf_text emulator, not a real model."
KEY = "hf_MadeUpKeyForTests"
BACKENDS = ("asyncio", "trio")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
    """Programs that are started find this key, the library, and the emulator."""
    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; whatever it warns of is an error."""
    command = [sys.executable, "-X", "dev", "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False)


# examples/ten_prompts.py


class Crowd:
    """Answers when so many requests have come together; the first of all comes to its end after all others.

    Attributes:
        most: how many requests were answered at the same time, at most.
    """

    def __init__(self, size: int, total: int, refused: int) -> None:
        self.most = 0
        self._size, self._total, self._refused = size, total, refused
        self._here = self._came = 0
        self._changed = threading.Condition()

    def answer(self, request: Request) -> Reply:
        with self._changed:
            self._here += 1
            self._came += 1
            number = self._came
            self.most = max(self.most, self._here)
            self._changed.notify_all()
            wanted = self._total if number == 1 else self._size
            assert self._changed.wait_for(lambda: self._came >= wanted, 5)
            self._here -= 1
        if number == self._refused:
            return Reply.error(403, "Not this one", "string")
        return Reply.text(f"Heard: {request.json['messages'][0]['content']}")


@pytest.mark.parametrize("backend", [(), *((backend,) for backend in BACKENDS)], ids=str)
def test_ten_prompts_are_asked_four_at_a_time_and_printed_in_order(emulator: Emulator, backend: tuple[str]) -> None:
    crowd = Crowd(size=4, total=10, refused=5)
    emulator.always(crowd.answer)
    done = run(str(EXAMPLES / "ten_prompts.py"), *backend)
    assert done.stderr == ""
    assert crowd.most == 4
    lines = done.stdout.splitlines()
    prompts, outcomes = lines[::2], lines[1::2]
    assert [line.split(".")[0].strip() for line in prompts] == [str(number) for number in range(1, 11)]
    failed = [outcome for outcome in outcomes if outcome.startswith("    FAILED: Not this one")]
    answered = [outcome for prompt, outcome in zip(prompts, outcomes, strict=True) if outcome.endswith(prompt[4:])]
    assert (len(failed), len(answered)) == (1, 9)
    assert done.returncode == 1


def test_ten_prompts_that_are_all_answered_are_a_success(emulator: Emulator) -> None:
    done = run(str(EXAMPLES / "ten_prompts.py"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(BUILT_IN) == 10


# examples/fastapi_app.py

needs_fastapi = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("fastapi", "uvicorn"))), reason="fastapi and uvicorn are not installed"
)

Ask = Callable[[str], http.client.HTTPConnection]


@pytest.fixture
def app(emulator: Emulator) -> Iterator[subprocess.Popen[str]]:
    """The app in a server of its own, which must end well, without an error in its log."""
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.send_signal(signal.SIGINT)
            assert server.stderr is not None
            log = server.stderr.read()
    assert "ERROR" not in log, log


@pytest.fixture
def port(app: subprocess.Popen[str]) -> int:
    assert app.stderr is not None
    for line in app.stderr:
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("the server did not start")


@pytest.fixture
def connection(port: int) -> Iterator[http.client.HTTPConnection]:
    """A visitor's connection to the app."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    yield connection
    connection.close()


def ask(connection: http.client.HTTPConnection, prompt: str = "Count") -> None:
    connection.request("POST", "/answer", json.dumps({"prompt": prompt}), {"Content-Type": "application/json"})


def stalls(gate: Gate, *pieces: str) -> Reply:
    """A stream that holds at the gate after these pieces, and then ends as it should."""
    body = Reply.text(*pieces).body
    assert isinstance(body, tuple)
    return Reply(headers={"Content-Type": "text/event-stream"}, body=(*body[: len(pieces) + 1], gate, *body[-2:]))


@needs_fastapi
class TestFastAPI:
    def test_the_page_has_what_it_takes_to_ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", "/")
        response = connection.getresponse()
        page = response.read().decode()
        assert (response.status, response.headers.get_content_type()) == (200, "text/html")
        assert "<form>" in page
        assert 'fetch("/answer"' in page

    def test_the_answer_comes_piece_by_piece(self, emulator: Emulator, connection: http.client.HTTPConnection) -> None:
        gate = Gate()
        emulator.reply(stalls(gate, "Once"))
        ask(connection)
        response = connection.getresponse()
        assert (response.status, response.read1()) == (200, b"Once")
        gate.open()
        assert response.read() == b""

    def test_whoever_leaves_in_the_midst_of_the_answer_stops_it(
        self, emulator: Emulator, connection: http.client.HTTPConnection
    ) -> None:
        emulator.reply("stall-mid-stream")
        ask(connection)
        response = connection.getresponse()
        assert response.read1().startswith(b"One")
        response.close()
        connection.close()
        emulator.wait_for_disconnect()

    @pytest.mark.parametrize("fault", ["stall-before-headers", "stall-after-headers", "keep-alive-comments-only"])
    def test_whoever_leaves_before_the_answer_stops_it(
        self, emulator: Emulator, connection: http.client.HTTPConnection, fault: str
    ) -> None:
        emulator.reply(fault)
        ask(connection)
        emulator.wait_for_requests()
        connection.close()
        emulator.wait_for_disconnect()

    @pytest.mark.parametrize(
        ("prompt", "reply", "status", "words"),
        [
            ("", Reply(), 400, "messages must not be empty"),
            ("Count", Reply.error(422, "Too many tokens"), 400, "Too many tokens"),
            ("Count", Reply.error(429, "Slow down", headers={"Retry-After": "3600"}), 429, "Slow down"),
            ("Count", "bad-key", 502, "Check the key"),
            ("Count", "credits-used-up", 502, "credits"),
            ("Count", "no-text", 200, ""),
        ],
    )
    def test_an_error_before_the_answer_is_a_status(
        self,
        emulator: Emulator,
        connection: http.client.HTTPConnection,
        prompt: str,
        reply: Reply | str,
        status: int,
        words: str,
    ) -> None:
        emulator.always(reply)
        ask(connection, prompt)
        response = connection.getresponse()
        assert response.status == status
        assert words in response.read().decode()
