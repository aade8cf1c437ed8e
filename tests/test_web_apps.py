"""The app of the page on web apps, served on a socket: error statuses, truncated answers, clients that disconnect."""

from __future__ import annotations

import json
import re
import socket
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import requests
import uvicorn

from hf_text.emulator import Emulator, Gate, Response

PAGE = (Path(__file__).parents[1] / "docs" / "web_apps.rst").read_text("utf-8")


@pytest.fixture
def address(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the app."""
    monkeypatch.setenv("HF_TOKEN", "hf_AKeyForTestsAndNothing")
    with serving("FastAPI(lifespan=") as url:
        yield f"{url}/answer?question=Count"


@contextmanager
def serving(mark: str) -> Iterator[str]:
    """Serve the app of the page whose code contains this marker."""
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", PAGE)
    (code,) = [block for block in blocks if mark in block]
    names: dict[str, Any] = {}
    exec(textwrap.dedent(code), names)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(names["app"], log_config=None, log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
    anyio.run(names["client"].aclose)  # the first app closes its client itself


def test_an_answer_is_passed_through(emulator: Emulator, address: str) -> None:
    emulator.reply(Response.text("One", " two"))
    answer = requests.get(address, timeout=20)
    assert (answer.status_code, answer.text) == (200, "One two")


@pytest.mark.parametrize(("fault", "status"), [("rate-limited", 503), ("credits-used-up", 502), ("not-http", 502)])
def test_an_error_before_the_answer_has_a_status_and_no_library_text(
    emulator: Emulator, address: str, fault: str, status: int
) -> None:
    emulator.always(fault)
    answer = requests.get(address, timeout=20)
    assert (answer.status_code, answer.json()) == (status, {"detail": "No answer at the moment."})


def test_a_truncated_answer_says_so(emulator: Emulator, address: str) -> None:
    emulator.reply("cut-mid-stream")
    assert requests.get(address, timeout=20).text.endswith("\n[The answer was cut off.]")


def test_a_visitor_who_leaves_closes_the_connection(emulator: Emulator, address: str) -> None:
    gate = Gate()
    chunk = b'data: {"choices": [{"index": 0, "delta": {"content": "One"}}]}\n\n'
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=[chunk, gate]))
    with requests.get(address, stream=True, timeout=20) as answer:
        assert answer.raw.read1(3)
    emulator.wait_for_disconnect()
    gate.open()


@pytest.mark.parametrize(("fault", "end"), [(Response.text("One\n", "two"), "whole"), ("cut-mid-stream", "failed")])
def test_events_carry_pieces_of_several_lines_and_how_the_answer_ended(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, fault: str | Response, end: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_AKeyForTestsAndNothing")
    emulator.reply(fault)
    with serving("text/event-stream") as url:
        answer = requests.get(f"{url}/events?question=Count", timeout=20)
    events = answer.text.split("\n\n")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert events[-2:] == [f"event: end\ndata: {end}", ""]
    if end == "whole":
        assert "".join(json.loads(event.removeprefix("data: ")) for event in events[:-2]) == "One\ntwo"
