"""What docs/local.rst says is so; its snippets are run by tests/test_snippets.py, with the real model."""

from __future__ import annotations

import re
from pathlib import Path

from pages import find_blocks

import hf_text.local
from hf_text.local.names import DEFAULT_MODEL

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "local.rst").read_text("utf-8")
BLOCKS = list(find_blocks(PAGE))


def test_the_commands_are_those_of_the_readme_which_the_checks_run() -> None:
    (commands,) = [block.code.splitlines() for block in BLOCKS if block.language == "bash"]
    readme = (
        (PROJECT / "README.rst")
        .read_text("utf-8")
        .replace(".venv/bin/", "")
        .replace("--quiet ", "")
        .replace(".[local]", "hf_text[local]")
    )
    assert " && ".join(commands) in readme


def test_every_message_of_the_table_is_one_that_there_is() -> None:
    table = PAGE[PAGE.index("The message  ") : PAGE.index("A model that takes longer")]
    messages = re.findall(r"^``([^`]+)``  ", table, re.MULTILINE)
    assert len(messages) == 11
    package = Path(hf_text.local.__file__).parent
    source = "".join(path.read_text("utf-8") for path in package.glob("*.py"))
    literals = re.sub(r'"\n\s+f?"', "", source)
    for message in messages:
        words = re.split(r"\d\S* \w+|xllamacpp|by SIGKILL", message)
        assert [part for part in words if part not in literals] == [], message


def test_the_default_model_is_the_one_that_stands_there() -> None:
    assert PAGE.count(DEFAULT_MODEL) >= 2
    assert f"``{DEFAULT_MODEL}`` (491 MB)" in PAGE
