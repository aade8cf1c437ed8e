"""Checks the claims of docs/local.rst; tests/test_snippets.py runs its snippets with the real model."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pages import find_blocks

import hf_text.local
from hf_text.local.names import DEFAULT_MODEL

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "local.rst").read_text("utf-8")
BATCH_PAGE = (PROJECT / "docs" / "batch.rst").read_text("utf-8")
BLOCKS = list(find_blocks(PAGE))


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """A folder with the model at the path that the pages use."""
    (tmp_path / ".model").symlink_to(model.parent, target_is_directory=True)
    return tmp_path


def test_a_table_is_labelled_and_resumed_after_ctrl_c(folder: Path) -> None:
    pytest.importorskip("pandas")
    (block,) = [block for block in find_blocks(BATCH_PAGE) if "LocalServer" in block.code]
    rows = [f"{number},The lamp is number {number}.,{number % 5}" for number in range(20)]
    (folder / "reviews.csv").write_text("\n".join(["id,text,stars", *rows]) + "\n")
    (folder / "label.py").write_text(block.code)
    output = folder / "local.jsonl"
    command = [sys.executable, "-W", "error", "label.py"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        while process.poll() is None and not (output.exists() and output.read_bytes().count(b"\n") >= 3):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=50)
    assert process.returncode == 130, said
    assert "Run it again to continue" in said
    assert 3 <= output.read_bytes().count(b"\n") < 20
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=folder, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 labels" in done.stdout
    assert output.read_bytes().count(b"\n") == 20


def test_the_commands_match_the_readme() -> None:
    (commands,) = [block.code.splitlines() for block in BLOCKS if block.language == "bash"]
    readme = (
        (PROJECT / "README.rst")
        .read_text("utf-8")
        .replace(".venv/bin/", "")
        .replace("--quiet ", "")
        .replace(".[local]", "hf_text[local]")
    )
    assert " && ".join(commands) in readme


def test_every_documented_message_exists() -> None:
    table = PAGE[PAGE.index("The message  ") : PAGE.index("If a model takes longer")]
    messages = re.findall(r"^``([^`]+)``  ", table, re.MULTILINE)
    assert len(messages) == 11
    package = Path(hf_text.local.__file__).parent
    source = "".join(path.read_text("utf-8") for path in package.glob("*.py"))
    literals = re.sub(r'"\n\s+f?"', "", source)
    for message in messages:
        words = re.split(r"\d\S* \w+|xllamacpp|by SIGKILL", message)
        assert [part for part in words if part not in literals] == [], message


def test_the_documented_default_model_is_correct() -> None:
    assert PAGE.count(DEFAULT_MODEL) >= 2
    assert f"``{DEFAULT_MODEL}`` (491 MB)" in PAGE
