"""The README stays short, and its setup commands are those that ``.ci/run`` runs on copies of the tree.

``test_snippets.py`` runs its other commands and snippets.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from pages import PROJECT, read_blocks

README = PROJECT / "README.rst"
SET_UP = [block for block in read_blocks(README) if "-m venv" in block.code]


@pytest.mark.skipif(os.name == "nt", reason="the commands are for a POSIX shell")
def test_the_set_up_commands_match_the_ci_script() -> None:
    shown = subprocess.run(
        ["bash", str(PROJECT / ".ci" / "run"), "--show"], capture_output=True, text=True, timeout=30, check=True
    )
    assert [block.code for block in SET_UP] == [f"{line}\n" for line in shown.stdout.splitlines()]
    assert len(SET_UP) == 3
    assert ".venv/bin/hf-text --local .model" in SET_UP[0].code
    assert ".venv/bin/hf-text --demo" in SET_UP[1].code
    assert ".venv/bin/python -m pytest" in SET_UP[2].code
    assert SET_UP[2].code.strip() in (PROJECT / "CONTRIBUTING.rst").read_text("utf-8")


def test_the_readme_fits_two_screens_with_three_commands_on_the_first() -> None:
    assert [block.line < 40 for block in SET_UP] == [True, True, True]
    assert len(README.read_text("utf-8").splitlines()) <= 110


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_ci_script_is_valid_bash() -> None:
    subprocess.run(["bash", "-n", str(PROJECT / ".ci" / "run")], timeout=30, check=True)
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)
