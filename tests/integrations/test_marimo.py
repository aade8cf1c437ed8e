"""marimo's chat on the two lines of docs/notebooks.rst, with the real package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import find_blocks

from hf_text.emulator import Emulator

PAGE = (Path(__file__).parents[2] / "docs" / "notebooks.rst").read_text("utf-8")

# What marimo does when somebody has typed a message, without the browser that it tells of the answer.
DRIVE = """
import asyncio
from marimo._ai._types import ChatMessage, ChatModelConfig
from marimo._plugins.ui._impl.chat.chat import SendMessageRequest

async def main():
    chat, sent = mo.ui.chat(answer), []
    chat._send_message = lambda message, buffers=None: sent.append(message)
    history = [ChatMessage(role="user", content="Why is the sky blue?")]
    await chat._send_prompt(SendMessageRequest(history, ChatModelConfig(max_tokens=50)))
    print(len(sent) > 5, chat.value[-1].content)
    await client.aclose()

asyncio.run(main())
"""


def test_marimos_chat_streams_an_answer(
    needs: Callable[..., None], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("marimo")
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    (block,) = [block for block in find_blocks(PAGE) if "mo.ui.chat(answer)" in block.code]
    done = subprocess.run(
        [sys.executable, "-c", block.code + DRIVE], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "True This is the hf_text emulator, not a real model. You asked: Why is the sky blue?\n"
    (request,) = emulator.requests
    assert request.json["max_tokens"] == 50
