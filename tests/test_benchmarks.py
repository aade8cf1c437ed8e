"""The benchmarks run; how quick anything is, is nothing that a test can tell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_a_figure_is_measured_and_set_beside_the_floor() -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--only", "cpu_each"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    for client in ("raw_socket", "hf_text_sync", "hf_text_async"):
        assert re.search(rf"^  {client} +[\d.]+ +[\d.]+ x", done.stdout, re.MULTILINE)


def test_the_command_of_the_documentation_is_the_one_that_is_run_for_every_change() -> None:
    page = (PROJECT / "docs" / "performance.rst").read_text("utf-8")
    commands = re.findall(r"^    python (-m benchmarks.*)$", page, re.MULTILINE)
    assert commands
    assert [command for command in commands if command not in (PROJECT / ".ci" / "run").read_text("utf-8")] == []
