"""The example notebooks run from top to bottom without a key and without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernels import leaving_no_loop, run_notebook

EXAMPLES = Path(__file__).parents[2] / "examples"

# Expected output of some cells of each notebook.
SHOWN = {
    "quickstart": {
        "%%hf_text": "You asked: Why is the sky blue?",
        "answer = show(": "· novita · 10 + 21 tokens ·",
        "print(answer.text)": "novita 14 tokens stop",
        "for text in": "a lighthouse.",
        "@hf_text.tool": "What is the weather in Paris?",
        "should I wear": "And what should I wear?",
        "hf_text.parse": "City(name='emulated', population=0)",
        "hf_text.models(": "5 models",
        "except hf_text": "openai/gpt-oss-120b",
    },
    "data": {
        "batch.run(": "6 of 6 rows done",
        "labels[[": "This is the hf_text emulator",
        "groupby": "novita",
        "labels.plot": "Figure size",
        "sort_values": "openai/gpt-oss-120b",
        "models.plot": "Figure size",
    },
}


def text_of(output: Any) -> str:
    data = output.get("data", {})
    return str(output.get("text") or data.get("text/markdown") or data.get("text/plain", ""))


@pytest.mark.parametrize("name", SHOWN)
def test_a_notebook_runs_top_to_bottom_with_one_output_per_cell(name: str, tmp_path: Path) -> None:
    with leaving_no_loop():
        notebook = run_notebook((EXAMPLES / f"{name}.ipynb").read_text("utf-8"), tmp_path)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) <= 10
    assert {len(cell.outputs) for cell in cells} <= {0, 1}
    shown = {cell.source: text_of(cell.outputs[0]) for cell in cells if cell.outputs}
    assert len(shown) == len(SHOWN[name])
    for mark, words in SHOWN[name].items():
        (text,) = [text for source, text in shown.items() if mark in source]
        assert words in text
        assert "labels[[" in mark or text.count("You asked: ") <= 1
    assert {output.get("name") for cell in cells for output in cell.outputs} <= {None, "stdout"}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
    assert {cell.execution_count for cell in cells} == {None}
