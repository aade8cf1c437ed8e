"""marimo's chat in Chromium. Skipped unless HF_TEXT_BROWSER names a Chromium; marimo and playwright are installed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pages import find_blocks

from hf_text.emulator import Emulator, Gate, Response

CHROMIUM = os.environ.get("HF_TEXT_BROWSER", "")
PAGE = Path(__file__).parents[2] / "docs" / "notebooks.rst"
PATIENCE = 60  # seconds; longer than any step takes
STOP = "marimo-chatbot button:has(svg.lucide-square)"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="HF_TEXT_BROWSER names no Chromium")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a marimo app whose only cell is the snippet in docs/notebooks.rst. Yield its address."""
    (block,) = [block for block in find_blocks(PAGE.read_text("utf-8")) if "mo.ui.chat(answer)" in block.code]
    cell = "".join(f"    {line}\n" for line in block.code.splitlines())
    app = folder / "app.py"
    app.write_text(f"import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n{cell}    return\n", "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "marimo",
        "--yes",
        "run",
        str(app),
        "--headless",
        "--no-token",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}/"
            _wait_until_it_answers(url, server)
            yield url
        finally:
            server.terminate()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("marimo did not start")


@pytest.mark.timeout(300)
def test_the_stop_button_keeps_what_had_arrived_and_the_chat_goes_on(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    with serving(tmp_path) as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(url)

        def ask(words: str) -> None:
            page.locator("marimo-chatbot .cm-content").click()
            page.keyboard.type(words)
            page.keyboard.press("Enter")

        later = Gate()
        first, once, upon, *rest = Response.text("Once", " upon", " a time.").body  # type: ignore[misc]
        emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(first, once, upon, later, *rest)))
        ask("Tell me a story.")
        page.get_by_text("Once upon").wait_for()
        page.click(STOP)
        page.locator(STOP).wait_for(state="detached")
        later.open()
        ask("And then?")
        page.get_by_text("You asked: And then?").wait_for()
        assert page.get_by_text("Once upon").count() == 1
        assert page.get_by_text("a time").count() == 0
        roles = [message["role"] for message in emulator.requests[-1].json["messages"]]
        assert roles == ["user", "assistant", "user"]
        browser.close()
