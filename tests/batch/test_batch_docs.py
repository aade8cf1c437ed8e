"""Each snippet and each command of docs/batch.rst is run, an emulator in the place of the servers."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_readme import Block, find_blocks

from hf_text.emulator import Emulator

PROJECT = Path(__file__).parent.parent.parent
PAGE = (PROJECT / "docs" / "batch.rst").read_text("utf-8")
BLOCKS = list(find_blocks(PAGE))
# The one with a model on this machine is run by tests/local/test_local_docs.py.
PYTHON = [block for block in BLOCKS if block.language == "python" and "LocalServer" not in block.code]
SHELL = [block for block in BLOCKS if block.language == "bash"]

# A text of the snippet, and what it prints.
PRINTS = {
    'summary = batch.run("questions.jsonl"': "3 of 3 rows are done",
    "ordered=True": "You asked: Two?",
    "to_frame": "This is the hf_text emulator",
    "generate_frame(reviews": "You asked: Positive? Great",
    "merge(glob": "2 rows",
    "ray.data": "You asked: Positive or negative? Great",
    "SparkSession": "You asked: Positive or negative? Great",
    "distributed": "",
    "AsyncClient": "You asked: Two?",
    "batch.failures": "",
}
ENGINES = ("ray", "pyspark", "datasets")


@pytest.fixture
def folder(tmp_path: Path, emulator: Emulator) -> Path:
    """A folder with the files that the page speaks of."""
    reviews = [("1", "Great", "5"), ("2", "Fine", "3")]
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text", "stars"), *reviews])
    lines = [json.dumps({"id": number, "text": text, "stars": stars}) for number, text, stars in reviews]
    (tmp_path / "reviews.jsonl").write_text("\n".join(lines) + "\n")
    questions = [{"custom_id": str(number), "prompt": f"What is {number}?"} for number in range(3)]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    return tmp_path


def run(command: list[str], folder: Path, emulator: Emulator) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {**os.environ, **emulator.environ, "HF_TOKEN": "hf_MadeUp", "PATH": path, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def engine_of(block: Block) -> str | None:
    return next((name for name in ENGINES if f"import {name}" in block.code or f"from {name}" in block.code), None)


def mark_of(block: Block) -> str:
    (mark,) = [mark for mark in PRINTS if mark in block.code]
    return mark


@pytest.mark.timeout(110)
@pytest.mark.parametrize("block", PYTHON, ids=mark_of)
def test_a_snippet_does_what_it_says(block: Block, folder: Path, emulator: Emulator) -> None:
    engine = engine_of(block)
    if engine and importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed; see the note in docs/batch.rst on when this was run")
    if "merge(" in block.code:
        for number in range(8):
            shard = ["hf-text", "batch", "reviews.jsonl", f"labels-{number}.jsonl", "--shard", f"{number}/8"]
            run([*shard, "--template", "{text}", "--id", "id"], folder, emulator)
    if "failures" in block.code:
        run(
            [
                "hf-text",
                "batch",
                "questions.jsonl",
                "answers.jsonl",
                "--max-tokens",
                "500",
                "-m",
                "openai/gpt-oss-120b",
            ],
            folder,
            emulator,
        )
    script = folder / "snippet.py"
    script.write_text(block.code)
    assert PRINTS[mark_of(block)] in run([sys.executable, str(script)], folder, emulator)


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.code.splitlines()[-1][:40])
def test_a_command_does_what_it_says(block: Block, folder: Path, emulator: Emulator) -> None:
    printed = run(["bash", "-euc", block.code], folder, emulator)
    assert "rows are done" in printed
