"""marimo's chat with the two lines from docs/notebooks.rst, with the real package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import find_blocks

from hf_text.emulator import Emulator, Response

PAGE = (Path(__file__).parents[2] / "docs" / "notebooks.rst").read_text("utf-8")

BEGIN = """
import asyncio
from marimo._ai._types import ChatMessage, ChatModelConfig
from marimo._plugins.ui._impl.chat.chat import CancelPromptRequest, SendMessageRequest

async def begin(sent):
    chat = mo.ui.chat(answer)
    chat._send_message = lambda message, buffers=None: sent(message["content"])
    history = [ChatMessage(role="user", content="Why is the sky blue?")]
    request = SendMessageRequest(history, ChatModelConfig(max_tokens=50), request_id="1")
    return chat, asyncio.create_task(chat._send_prompt(request))
"""
# What marimo does when a user sends a message, without the browser that shows the answer.
ASK = """
async def main():
    sent = []
    chat, task = await begin(sent.append)
    await task
    print(len(sent) > 5, chat.value[-1].content)
    await client.aclose()

asyncio.run(main())
"""
# What it does when the user presses the stop button.
STOP = """
async def main():
    upon = asyncio.Event()
    chat, task = await begin(lambda chunk: upon.set() if chunk and chunk.get("delta") == " upon" else None)
    await upon.wait()
    await chat._cancel_prompt(CancelPromptRequest("1"))
    await task
    print("stopped", flush=True)
    input()  # the connection is closed though the program and the client live on

asyncio.run(main())
"""


@pytest.fixture
def code(needs: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> str:
    """The two lines from the page."""
    needs("marimo")
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    (block,) = [block for block in find_blocks(PAGE) if "mo.ui.chat(answer)" in block.code]
    return block.code


def test_the_marimo_chat_streams_an_answer(code: str, emulator: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code + BEGIN + ASK], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "True This is the hf_text emulator, not a real model. You asked: Why is the sky blue?\n"
    (request,) = emulator.requests
    assert request.json["max_tokens"] == 50


def test_the_connection_is_closed_when_marimo_cancels_the_answer(code: str, emulator: Emulator) -> None:
    emulator.reply(Response.text("Once", " upon", finish=None, done=False, end="stall"))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code + BEGIN + STOP], text=True, **pipes) as program:
        emulator.wait_for_disconnect(1, timeout=50)
        output, errors = program.communicate("\n", timeout=50)
    assert (output, errors) == ("stopped\n", "")
