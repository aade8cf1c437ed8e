"""Run each example against an emulator, and check the guarantees of docs/async.rst."""

from __future__ import annotations

import http.client
import importlib.util
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from pages import read_blocks

import hf_text
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Gate, Request, Response

PROJECT = Path(__file__).parents[1]
EXAMPLES = PROJECT / "examples"

BUILT_IN = "This is the hf_text emulator, not a real model."
EVENT_STREAM = {"Content-Type": "text/event-stream"}
KEY = "hf_MadeUpKeyForTests"
BACKENDS = ("asyncio", "trio")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
    """Configure programs with this key and the emulator."""
    monkeypatch.setenv("HF_TOKEN", KEY)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; fail on any warning."""
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False)
    assert done.stderr == ""
    return done


def held_reply(gate: Gate, *pieces: str) -> Response:
    """A stream that blocks at the gate after these pieces, then ends normally."""
    body = Response.text(*pieces).body
    assert isinstance(body, tuple)
    return Response(headers=EVENT_STREAM, body=(*body[: len(pieces) + 1], gate, *body[-2:]))


class Crowd:
    """Answer once ``size`` requests are open; hold the first one until all have arrived.

    Attributes:
        most: the highest number of concurrent requests.
    """

    def __init__(self, size: int, total: int, refused: int = 0) -> None:
        self.most = 0
        self._size, self._total, self._refused = size, total, refused
        self._open = self._came = 0
        self._full = False
        self._changed = threading.Condition()

    def answer(self, request: Request) -> Response:
        with self._changed:
            self._open += 1
            self._came += 1
            number = self._came
            self.most = max(self.most, self._open)
            if number == self._size:
                self._changed.wait_for(lambda: self._open > self._size, 0.2)  # time for one request too many
                self._full = True
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._full and (number > 1 or self._came >= self._total), 5)
            self._open -= 1
        if number == self._refused:
            return Response.error(403, "Not this one", "string")
        return Response.text("Asked: ", request.json["messages"][0]["content"])


# examples/ten_prompts.py


@pytest.mark.parametrize("arguments", [(), ("asyncio",), ("trio",)], ids=str)
def test_ten_prompts_are_asked_four_at_a_time_and_printed_in_order(
    emulator: Emulator, arguments: tuple[str, ...]
) -> None:
    crowd = Crowd(size=4, total=10, refused=5)
    emulator.always(crowd.answer)
    done = run(str(EXAMPLES / "ten_prompts.py"), *arguments)
    assert done.returncode == 1
    assert crowd.most == 4
    lines = done.stdout.splitlines()
    prompts, outcomes = lines[::2], lines[1::2]
    assert [prompt[:4] for prompt in prompts] == [f"{number:2}. " for number in range(1, 11)]
    answers = [f"    Asked: {prompt[4:]}" for prompt in prompts]
    (failed,) = set(outcomes) - set(answers)
    assert failed.startswith("    FAILED: Not this one")
    assert sum(outcome == answer for outcome, answer in zip(outcomes, answers, strict=True)) == 9


def test_ten_answered_prompts_exit_successfully() -> None:
    done = run(str(EXAMPLES / "ten_prompts.py"))
    assert done.returncode == 0
    assert done.stdout.count(BUILT_IN) == 10


# examples/agent.py


@pytest.mark.parametrize(("said", "written"), [("y\n", True), ("n\n", False), ("", False)])
def test_the_agent_reads_freely_and_writes_only_what_is_allowed(
    emulator: Emulator, tmp_path: Path, said: str, written: bool
) -> None:
    (tmp_path / "tea.md").write_text("Tea is a plant.", "utf-8")
    emulator.reply(
        Response.text(tool_calls=[("list_files", {}), ("read_file", {"name": "../secret"})]),
        Response.text(tool_calls=[("write_file", {"name": "tea.txt", "text": "tea.md"})]),
        Response.text("One file."),
    )
    command = [sys.executable, "-W", "error", str(EXAMPLES / "agent.py"), str(tmp_path), "Which are about tea?"]
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.endswith("One file.\n")
    assert "[list_files: done]" in done.stderr
    assert "PermissionError" in done.stderr.splitlines()[1]
    assert (tmp_path / "tea.txt").exists() == written
    last = [request.json for request in emulator.requests if request.method == "POST"][-1]
    assert last["messages"][-1]["content"] == ("written" if written else "The user does not want this.")


def test_the_agent_refuses_a_folder_that_is_not_there(emulator: Emulator, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / "agent.py"), str(tmp_path / "nowhere"), "Hi"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, emulator.requests) == (2, "", [])
    assert "there is no folder" in done.stderr


def test_the_agent_says_why_it_failed(emulator: Emulator, tmp_path: Path) -> None:
    emulator.always("cut-mid-stream")
    command = [sys.executable, "-W", "error", str(EXAMPLES / "agent.py"), str(tmp_path), "Hi"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "One two")
    assert "failed: " in done.stderr


# examples/fastapi_app.py


class App:
    """Run the app in its own uvicorn."""

    def __init__(self, **variables: str) -> None:
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app", "--port", "0"]
        self._server = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, **variables}
        )
        assert self._server.stderr is not None
        self._log = self._server.stderr
        found = (re.search(r"running on http://127\.0\.0\.1:(\d+)", line) for line in self._log)
        self.port = next(int(port[1]) for port in found if port)

    def stop(self) -> str:
        """Stop the app. Returns its log on the first call."""
        if self._log.closed:
            return ""
        self._server.send_signal(signal.SIGINT)
        with self._log:
            log = self._log.read()
        self._server.wait(10)
        return log


@pytest.fixture
def app() -> Iterator[App]:
    """The app; fails if the app logged an error."""
    app = App()
    try:
        yield app
    finally:
        log = app.stop()
    assert "ERROR" not in log, log


@pytest.fixture
def visitor(app: App) -> Iterator[http.client.HTTPConnection]:
    """A visitor's connection to the app."""
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=5)
    yield connection
    connection.close()


def ask(visitor: http.client.HTTPConnection, prompt: str = "Count") -> None:
    visitor.request("POST", "/answer", json.dumps({"prompt": prompt}), {"Content-Type": "application/json"})


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("fastapi", "uvicorn")),
    reason="fastapi or uvicorn is not installed",
)
class TestFastAPI:
    def test_the_page_has_a_form(self, visitor: http.client.HTTPConnection) -> None:
        visitor.request("GET", "/")
        response = visitor.getresponse()
        page = response.read().decode()
        assert (response.status, response.headers.get_content_type()) == (200, "text/html")
        assert "<form>" in page
        assert 'fetch("/answer"' in page

    def test_the_answer_arrives_in_pieces(self, emulator: Emulator, visitor: http.client.HTTPConnection) -> None:
        gate = Gate()
        emulator.reply(held_reply(gate, "Once"))
        ask(visitor)
        response = visitor.getresponse()
        assert (response.status, response.read1()) == (200, b"Once")
        gate.open()
        assert response.read() == b""

    def test_a_visitor_who_leaves_mid_answer_stops_it(
        self, emulator: Emulator, visitor: http.client.HTTPConnection
    ) -> None:
        emulator.reply("stall-mid-stream")
        ask(visitor)
        response = visitor.getresponse()
        assert response.read1().startswith(b"One")
        response.close()
        visitor.close()
        emulator.wait_for_disconnect()

    def test_visitors_who_leave_before_the_answer_stop_it(
        self, emulator: Emulator, visitor: http.client.HTTPConnection
    ) -> None:
        faults = ("stall-before-headers", "stall-after-headers", "keep-alive-comments-only")
        for number, fault in enumerate(faults, 1):
            emulator.reply(fault)
            ask(visitor)
            emulator.wait_for_requests(number)
            visitor.close()
            emulator.wait_for_disconnect(number)

    def test_an_error_before_the_answer_is_an_app_message_and_is_logged(
        self, emulator: Emulator, app: App, visitor: http.client.HTTPConnection
    ) -> None:
        unknown = "The model cannot be reached."
        cases: list[tuple[Response | str, int, str, str]] = [
            (Response.error(422, "Too many tokens"), 400, "The model cannot answer that.", "Too many tokens"),
            (
                Response.error(429, "Slow down", headers={"Retry-After": "3600"}),
                429,
                "Too many questions at once. Try again in a minute.",
                "Slow down",
            ),
            ("bad-key", 502, unknown, "Check the key"),
            ("credits-used-up", 502, unknown, "credits"),
        ]
        for reply, status, told, _ in cases:
            emulator.always(reply)
            ask(visitor)
            response = visitor.getresponse()
            assert (response.status, json.load(response)["detail"]) == (status, told)
        ask(visitor, "")
        response = visitor.getresponse()
        assert (response.status, json.load(response)["detail"]) == (400, "The model cannot answer that.")
        log = app.stop()
        assert [words for *_, words in cases if words not in log] == []
        assert "messages must not be empty" in log

    def test_a_custom_server_is_set_by_a_variable_and_gets_no_hugging_face_key(self) -> None:
        with Emulator() as server:
            app = App(HF_TEXT_API_BASE=f"{server.url}/v1", HF_TEXT_MODEL="emulator/small")
            try:
                visitor = http.client.HTTPConnection("127.0.0.1", app.port, timeout=5)
                ask(visitor, "Why?")
                assert visitor.getresponse().read().decode().startswith(BUILT_IN)
                visitor.close()
            finally:
                app.stop()
        assert {(request.key, request.json["model"]) for request in server.requests} == {(None, "emulator/small")}

    def test_a_truncated_answer_is_not_shown_as_complete(
        self, emulator: Emulator, app: App, visitor: http.client.HTTPConnection
    ) -> None:
        emulator.reply("cut-mid-stream")
        ask(visitor)
        response = visitor.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        assert "TruncatedStreamError" in app.stop()


BLOCKS = read_blocks(PROJECT / "docs" / "async.rst")


def test_the_snippet_with_a_limit_respects_it(emulator: Emulator) -> None:
    (block,) = [block for block in BLOCKS if "CapacityLimiter(4)" in block.code]
    crowd = Crowd(size=4, total=4)
    emulator.always(crowd.answer)
    assert run("-c", block.code).stdout.count("Asked: ") == 20
    assert crowd.most == 4


# The guarantees of docs/async.rst

Main = Callable[[AsyncClient], Awaitable[None]]


def run_with_client(backend: str, main: Main, **options: Any) -> None:
    """Run this function with a client of the emulator; fail after five seconds."""

    async def run() -> None:
        with anyio.fail_after(5):
            async with AsyncClient(KEY, **{"timeout": 5, **options}) as client:
                await main(client)

    anyio.run(run, backend=backend)


def floods(*events: str, after: Response | None = None) -> Response:
    """A stream that begins with one word, or as ``after``, and repeats these events forever without a pause."""
    body = (after or Response.text("One", finish=None, done=False)).body
    assert isinstance(body, tuple)
    piece = "".join(events).encode() * 5000
    return Response(headers=EVENT_STREAM, body=lambda: itertools.chain(body, itertools.repeat(piece)))


TEXT = 'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
EMPTY = 'data: {"choices":[{"index":0,"delta":{}}]}\n\n'


async def read(client: AsyncClient, begun: anyio.Event | None = None) -> None:
    async for _ in client.stream("Count"):
        if begun is not None:
            begun.set()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_waiting_stream_holds_no_thread(emulator: Emulator, backend: str) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))

    async def main(client: AsyncClient) -> None:
        begun = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, client, begun)
            await begun.wait()
            await anyio.wait_all_tasks_blocked()
            assert await client.generate("Count")
            gate.open()

    try:
        run_with_client(backend, main, max_threads=1)
    finally:
        gate.open()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("event", [TEXT, EMPTY], ids=["text", "empty chunks"])
def test_a_provider_that_never_pauses_does_not_starve_the_loop(emulator: Emulator, event: str, backend: str) -> None:
    emulator.reply(floods(event))

    async def main(client: AsyncClient) -> None:
        begun = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, client, begun)
            await begun.wait()
            for _ in range(20):
                await checkpoint()
            assert await client.generate("Count")
            tasks.cancel_scope.cancel()

    run_with_client(backend, main)
    emulator.wait_for_disconnect()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("reply", "clock"),
    [
        (floods(TEXT), "total"),
        (floods(EMPTY), "gap"),
        (floods(EMPTY, after=Response.text("One", finish=None, done=True)), "gap"),
        (floods(EMPTY, after=Response.text("One")), None),
    ],
    ids=["text", "empty chunks", "after [DONE] without a finish reason", "after a whole answer"],
)
def test_timeouts_end_a_provider_that_never_pauses(
    emulator: Emulator, reply: Response, clock: str | None, backend: str
) -> None:
    emulator.reply(reply)
    clocks = hf_text.Timeouts(gap=0.2, total=1 if clock == "total" else None)

    async def main(client: AsyncClient) -> None:
        ended: str | None = None
        try:
            await read(client)
        except hf_text.RequestTimeoutError as error:
            ended = error.clock
        assert ended == clock

    run_with_client(backend, main, timeout=clocks)


@pytest.mark.parametrize("backend", BACKENDS)
def test_data_that_arrived_in_time_counts_despite_a_busy_loop(emulator: Emulator, backend: str) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))

    async def main(client: AsyncClient) -> None:
        begun = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, client, begun)
            await begun.wait()
            await anyio.wait_all_tasks_blocked()
            gate.open()
            time.sleep(0.4)  # block the event loop for longer than the timeout

    try:
        run_with_client(backend, main, timeout=hf_text.Timeouts(gap=0.2))
    finally:
        gate.open()
