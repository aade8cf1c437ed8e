"""Output in VS Code's notebooks: its requests to the kernel, and how it shows the kernel's messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernels import Kernel, leaving_no_loop, plain, starting_kernel

from hf_text.emulator import Emulator, Response

KNOWN = ("display_data", "update_display_data", "clear_output", "execute_result", "stream", "error")
SETUP = """
%load_ext hf_text
from IPython.display import clear_output
from hf_text import batch
from hf_text.aio import batch as waited
from hf_text.notebook import show
"""
CLEARING = """
for prompt in ("One", "Two", "Hi"):
    clear_output(wait=True)
    answer = show(prompt)
"""
BATCH = '{}.run([{{"prompt": str(n)}} for n in range({})], "{}", progress=True, drain=0)'
# The code that VS Code's variables view runs silently after each cell.
LOOK_AT_VARIABLES = "[repr(value)[:1000] for name, value in list(globals().items()) if not name.startswith('_')]"


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, tmp_path: Path) -> Iterator[Kernel]:
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    monkeypatch.chdir(tmp_path)
    with leaving_no_loop(), starting_kernel() as kernel:
        kernel.run(SETUP)
        yield kernel


def shown(messages: list[Any]) -> list[dict[str, Any]]:
    """Return the final outputs of a cell, by content type."""
    outputs: list[dict[str, Any]] = []
    by_id: dict[str, dict[str, Any]] = {}
    clear = False
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        assert kind in KNOWN, content  # fails for other messages, such as comm_open of a widget
        if kind == "clear_output":
            clear = True
        elif kind == "update_display_data":
            by_id[content["transient"]["display_id"]].clear()
            by_id[content["transient"]["display_id"]].update(content["data"])
        else:
            output = content.get("data") or {kind: content["text"] if kind == "stream" else plain(content["traceback"])}
            by_id[content.get("transient", {}).get("display_id", "")] = output
            outputs = [output] if clear else [*outputs, output]
            clear = False  # a pending clear_output(wait=True) is done
    return outputs


def test_an_answer_is_one_output_with_a_fallback_in_plain_text(kernel: Kernel) -> None:
    for cell in ('show("Hi")', "%%hf_text\nHi", 'clear_output(wait=True)\nshow("Hi")', CLEARING):
        (output,) = shown(kernel.messages(cell))
        assert set(output) == {"text/markdown", "text/plain"}
        assert output["text/plain"].startswith(
            "This is the hf_text emulator, not a real model. You asked: Hi\n\n[openai/"
        )
        assert kernel.run(LOOK_AT_VARIABLES) == ""


def test_a_batch_shows_its_bar_and_its_result(kernel: Kernel) -> None:
    for call in ("batch", "await waited"):
        bar, summary = shown(kernel.messages(BATCH.format(call, 12, f"{call}.jsonl")))
        assert bar["text/html"].startswith('<div><progress max="12" value="12"')
        assert bar["text/plain"].startswith("12/12 · ")
        assert summary["text/plain"].startswith("12 of 12 rows done")
        assert "<table>" in summary["text/html"]


@pytest.mark.parametrize("press", [Kernel.press_stop, Kernel.send_interrupt], ids=["signal", "message"])
def test_an_interrupt_keeps_what_had_arrived(emulator: Emulator, kernel: Kernel, press: Any) -> None:
    story = Response.text("Once", " upon", finish=None, done=False, end="stall")
    for cell in ('show("Story")', "%%hf_text\nStory"):
        emulator.reply(story)
        running = kernel.begin(cell)
        before = kernel.wait_for_output(running, "Once upon")
        press(kernel)
        answer, error = shown(before + kernel.rest_of(running))
        assert answer["text/plain"].startswith("Once upon\n\n[stopped · openai/")
        assert error["error"].splitlines()[-1].startswith("KeyboardInterrupt")

    emulator.always(story)
    running = kernel.begin(BATCH.format("batch", 2000, "stopped.jsonl"))
    before = kernel.wait_for_output(running, " in flight")
    press(kernel)
    bar, *said, error = shown(before + kernel.rest_of(running))
    assert bar["text/plain"].startswith("0/2,000 · stopped (Ctrl-C)")
    assert error["error"].startswith("Stopped: stopped by Ctrl-C before the first row. Run it again to continue")
    assert "".join(line["stream"] for line in said).startswith("Ctrl-C: no more rows are started, ")
