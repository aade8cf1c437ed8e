"""The help fits the terminal, its examples run, and the reference in the docs matches it."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hf_text.cli.chat import Chat
from hf_text.cli.commands import COMMANDS
from hf_text.cli.parsers import parser_of
from hf_text.cli.parsers.chat import CHAT_COMMANDS
from hf_text.emulator import Response

ROOT = Path(__file__).parent.parent.parent

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


def examples():
    for name in COMMANDS:
        _, _, text = parser_of(name).epilog.partition("examples:\n")
        lines = [line.strip() for line in text.splitlines()]
        assert lines, f"the help of {name} has no examples"
        yield from lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Create the files that the examples use."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("Some notes.")
    (tmp_path / "cat.jpg").write_bytes(PNG)
    (tmp_path / "questions.jsonl").write_text('"Why?"\n')
    (tmp_path / "reviews.jsonl").write_text(json.dumps({"id": 1, "text": "Fine.", "stars": 5}) + "\n")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    (tmp_path / "saved.json").write_text(json.dumps(turns))
    return tmp_path


@pytest.mark.parametrize("line", list(examples()))
def test_every_help_example_runs(hf, cli, folder, line):
    if "-x" in line.split():
        hf.always(Response.text("```sh\nseq 10\n```\n", "Yes.", usage=(3, 2), provider="groq"))
    words = shlex.split(line.partition(" > ")[0].replace("http://localhost:8080/v1", hf.api_base))
    stdin = b""
    if words[:2] == ["cat", "notes.txt"]:
        words, stdin = words[3:], b"Some notes."
    assert words[0] == "hf-text"
    if "emulate" in words or "--local" in words:  # they need a signal, or a model
        name = "emulate" if "emulate" in words else "ask"
        parser_of(name).parse(words[2:])
        return
    if "answers.jsonl" in words and "questions.jsonl" not in words:
        cli("batch", "questions.jsonl", "answers.jsonl", "-m", "openai/gpt-oss-120b")
    if "talk.json" in words:
        cli("chat", stdin=b"Hi\n/save talk.json\n")
    result = cli(*words[1:], stdin=stdin)
    assert result.status == 0, result.err


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", list(COMMANDS))
def test_help_fits_the_terminal_except_for_examples(monkeypatch, name, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    text, _, _ = parser_of(name).format_help().partition("examples:")
    long = [
        line for line in text.splitlines() if len(line) > min(columns, 100) and not line.startswith(("  ", "usage:"))
    ]
    assert not long


def test_the_documented_reference_matches_the_parsers():
    command = [sys.executable, str(ROOT / ".ci" / "command.py"), "--check"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (shown.returncode, shown.stdout.strip()) == (0, ""), "run python .ci/command.py"


def test_the_chat_help_lists_every_command():
    commands = {f"/{name[3:]}" for name in dir(Chat) if name.startswith("do_")}
    assert {*re.findall(r"^  (/\w+)", CHAT_COMMANDS, re.MULTILINE)} == {*commands, "/quit"}


def test_no_option_takes_a_key():
    for name in COMMANDS:
        shown = [
            option
            for action in parser_of(name).arguments
            if action.help != argparse.SUPPRESS
            for option in action.option_strings
        ]
        assert not {"--api-key", "--token", "--key", "-k"} & set(shown)
