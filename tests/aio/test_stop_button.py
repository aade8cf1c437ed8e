"""In a Jupyter kernel, the example notebook runs from top to bottom, and the stop button stops an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernels import PATIENCE, Kernel, leaving_no_loop, run_notebook, starting_kernel

from hf_text.emulator import Emulator, Response

NOTEBOOK = Path(__file__).parents[2] / "examples" / "streaming.ipynb"
BUILT_IN = "This is the hf_text emulator, not a real model."


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Iterator[None]:
    """The kernel inherits a key and the emulator's address."""
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    with leaving_no_loop():
        yield


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with starting_kernel() as kernel:
        yield kernel


# From top to bottom


def code_cells() -> list[Any]:
    """Run the notebook and return its code cells with their outputs."""
    return [cell for cell in run_notebook(NOTEBOOK.read_text("utf-8")).cells if cell.cell_type == "code"]


def text_of(cell: Any) -> str:
    """Return a cell's printed text and its values, as Markdown where available."""
    shown = []
    for output in cell.outputs:
        data = output.get("data", {})
        shown.append(output.get("text") or data.get("text/markdown") or data.get("text/plain", ""))
    return "".join(shown)


def test_the_notebook_runs_from_top_to_bottom(emulator: Emulator) -> None:
    emulator.reply(Response.text("*Rayleigh*", " scattering."))
    cells = code_cells()
    shown = {cell.source: text_of(cell) for cell in cells}
    first, whole, *_ = shown.values()
    assert first == "*Rayleigh* scattering."
    assert BUILT_IN in whole
    expected = {
        "times = answer.timings": "novita: 0",
        "shown.update": "limerick",
        "async for text": "sea salty",
        "asyncio.gather": "night dark",
        "groupby": "FinishReason(reason='stop')",
        "except hf_text": "openai/gpt-oss-120b",
    }
    for mark, words in expected.items():
        (text,) = [text for source, text in shown.items() if mark in source]
        assert words in text
    assert {output.get("name") for cell in cells for output in cell.outputs} <= {None, "stdout"}


def test_an_answer_is_shown_as_markdown() -> None:
    cells = code_cells()
    results = [output for cell in cells for output in cell.outputs if "data" in output]
    markdown = [output.data["text/markdown"] for output in results if "text/markdown" in output.data]
    assert len(markdown) == 6
    assert [text.startswith("<details><summary>Reasoning</summary>") for text in markdown].count(True) == 1


# The stop button

BLOCKING = """
import hf_text
stream = hf_text.stream("Tell me a story.")
print("begun")
for text in stream:
    print(text, end="")
"""

ASYNC = """
from hf_text.aio import AsyncClient
client = AsyncClient()
stream = client.stream("Tell me a story.")
print("begun")
async for text in stream:
    print(text, end="")
"""

AGAIN = {
    BLOCKING: "print(hf_text.generate('Count'))",
    ASYNC: "print(await client.generate('Count'))",
}


@pytest.mark.parametrize(
    ("cell", "error"), [(BLOCKING, "KeyboardInterrupt"), (ASYNC, "CancelledError")], ids=["blocking", "async"]
)
def test_the_stop_button_stops_an_answer_and_the_kernel_survives(
    emulator: Emulator, kernel: Kernel, cell: str, error: str
) -> None:
    stages = [
        (Response(end="stall", end_at="start"), "begun", ""),
        (Response.text("Once", " upon", finish=None, done=False, end="stall"), "Once upon", "Once upon"),
    ]
    for number, (reply, seen, arrived) in enumerate(stages, 1):
        emulator.reply(reply)
        running = kernel.begin(cell)
        kernel.wait_for_output(running, seen)
        emulator.wait_for_requests(2 * number - 1, PATIENCE)
        kernel.press_stop()
        assert kernel.wait_for_end(running) == error
        emulator.wait_for_disconnect(number)
        assert kernel.run("print(repr(stream.partial.text))") == f"{arrived!r}\n"
        assert kernel.run(AGAIN[cell]) == "one two three four five six seven eight nine ten\n"
