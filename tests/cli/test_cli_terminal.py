"""The command in a terminal: the final screen, and the effect of keys while it runs."""

from __future__ import annotations

import os
import re
import shlex

import pytest
from pseudo_terminal import CTRL_C, CTRL_D

from hf_text.emulator import Response

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals as on Unix")

ESCAPE = re.compile(rb"\x1b")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")

# Each command, and a text on its screen when it has finished.
COMMANDS = {
    "ask": ("Hello", "from"),
    "chat": ("chat --reasoning", "from"),
    "models": ("models", "openai/gpt-oss-120b"),
    "providers": ("providers openai/gpt-oss-120b", "groq"),
    "compare": ("compare openai/gpt-oss-120b Hello --yes --max-tokens 9", "TOKENS/S"),
    "doctor": ("doctor", "stream: "),
    "batch": ("batch {folder}/in.jsonl {folder}/out.jsonl -m openai/gpt-oss-120b", "3 of 3 rows are done"),
    "emulate": ("emulate", "Ctrl-C to stop it"),
}


def run_to_its_end(shell, folder, name):
    (folder / "in.jsonl").write_text('"One"\n"Two"\n"Three"\n')
    words, shown = COMMANDS[name]
    shell.run(*shlex.split(words.format(folder=folder)))
    if name == "chat":
        shell.wait_for("\n>")
        shell.type("Hello\r")
        shell.wait_for("\n>", times=2)
        shell.type(CTRL_D)
    elif name == "emulate":
        shell.wait_for(shown)
        shell.type(CTRL_C)
    elif name in ("batch", "doctor"):
        shell.wait_for("y/N]")
        shell.type("y\n")
    status = shell.wait()
    assert shown in shell.text.replace("\n", " ")
    return status


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_works_and_leaves_the_cursor_at_the_start_of_a_line(hf, terminal, tmp_path, name, columns):
    shell = terminal(columns)
    assert run_to_its_end(shell, tmp_path, name) == 0
    assert shell.cursor == 0
    assert "Traceback" not in shell.text


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_dumb_ascii_terminal_gets_neither_escapes_nor_unicode(hf, terminal, tmp_path, name):
    shell = terminal(TERM="dumb", LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    hf.always(Response.text("Grüße"))
    assert run_to_its_end(shell, tmp_path, name) == 0
    assert not ESCAPE.search(shell.raw)
    assert shell.raw.isascii()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_no_color_disables_colors(hf, terminal, tmp_path, name):
    shell = terminal(NO_COLOR="1", HF_TEXT_MARKDOWN="1")
    hf.always(Response.text("`code`\n", reasoning=["Hm."]))
    assert run_to_its_end(shell, tmp_path, name) == 0
    assert {found for found in COLOUR.findall(shell.raw) if b"3" in found or b"2" in found} == set()


@pytest.mark.parametrize(
    "words",
    [
        "models",
        "providers openai/gpt-oss-120b",
        "doctor",
        "ask Hello",
        "compare a/b -h",
        "compare openai/gpt-oss-120b Hi --yes",
        "chat --help",
        "emulate",
        "batch --help",
        "batch in.jsonl out.jsonl --json -m a/b",
    ],
)
def test_a_closed_pipe_ends_quietly(hf, start, tmp_path, words):
    (tmp_path / "in.jsonl").write_text('"One"\n')
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*re.sub(r"\b(?=\w+\.jsonl)", f"{tmp_path}/", words).split(), stdout=writer)
    os.close(writer)
    status, out, err = process.finish()
    assert (status, out) == (141, "")
    assert "error" not in err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", ["models", "Hello"])
def test_a_dead_network_is_explained_at_both_widths(terminal, key, unused_url, words):
    for columns in (80, 40):
        shell = terminal(columns)
        shell.run(words, "--api-base", unused_url)
        assert shell.wait() == 1
        assert "hf-text: error: " in shell.text
        assert max(map(len, shell.lines)) <= columns


def test_usage_errors_wrap_between_words(terminal):
    shell = terminal(40)
    shell.run("--mrkdown", "Hello")
    assert shell.wait() == 2
    assert shell.lines[-2:] == ["hf-text: error: unknown option", "--mrkdown; did you mean --markdown?"]


def test_a_command_that_comes_after_an_option_is_not_sent_as_a_question(hf, terminal):
    shell = terminal(200)
    shell.run("--temperature", "0", "chat")
    assert shell.wait() == 2
    assert "hf-text: error: the command must come first: hf-text chat …" in shell.text
    assert hf.requests == []


# The text until which the window keeps its 80 columns, the keys that end the command, and the output at 40 columns.
RESIZED = {
    "models": ("models", None, "", "openai/gpt-oss-120b"),
    "providers": ("providers openai/gpt-oss-120b", None, "", "groq"),
    "compare": ("compare openai/gpt-oss-120b Hi --max-tokens 9", "y/N]", "y\n", "Not shown at this width: "),
    "doctor": ("doctor", "y/N]", "y\n", "ok stream: "),
    "emulate": ("emulate", "Ctrl-C to stop it", CTRL_C, "Press Ctrl-C to stop it."),
}


@pytest.mark.parametrize(("words", "until", "keys", "shown"), RESIZED.values(), ids=RESIZED)
def test_output_continues_in_the_new_width_after_a_resize(hf, terminal, words, until, keys, shown):
    shell = terminal(80)
    shell.run(*words.split())
    if until is None:
        hf.wait_for_requests()
    else:
        shell.wait_for(until)
    before = len(shell.raw)
    shell.resize(40)
    shell.type(keys)
    assert shell.wait() == 0
    assert shown in " ".join(shell.text.split())
    if until is not None:
        assert max(map(len, re.split(rb"\r\n|\r\x1b\[K", COLOUR.sub(b"", shell.raw[before:])))) <= 40
