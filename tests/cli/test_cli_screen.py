"""The terminal's screen while an answer streams, at several widths."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest
from pseudo_terminal import PATIENCE
from test_cli_process import held_after

from hf_text.cli.wrapping import Wrapping
from hf_text.columns import columns_of
from hf_text.emulator import Response

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals as on Unix")


TEXT = "A line that is a good deal longer than forty columns, with words of every length, goes on."


def test_a_status_line_names_the_provider_until_text_arrives(hf, terminal):
    reply, gate = held_after("Hello")
    hf.reply(replace(reply, body=[gate, *reply.body]))
    shell = terminal()
    shell.run("-m", "openai/gpt-oss-120b", "Hello")
    shell.wait_for("waiting for openai/gpt-oss-120b at 127.0.0.1")
    gate.open()
    assert shell.wait() == 0
    assert shell.lines[0].startswith("hf-text: openai/gpt-oss-120b, from ")
    assert shell.lines[1:] == ["Hello And more."]


def test_hidden_reasoning_is_shown_as_thinking(hf, terminal):
    reply, gate = held_after(reasoning=["Hm."])
    hf.reply(reply)
    shell = terminal()
    shell.run("Hello")
    shell.wait_for("the model is thinking")
    gate.open()
    assert shell.wait() == 0
    assert "thinking" not in shell.text


def test_reasoning_is_dim_and_the_answer_is_not(hf, terminal):
    hf.reply(Response.text("Yes.", reasoning=["Hm."]))
    shell = terminal()
    shell.run("--reasoning", "Hello")
    assert shell.wait() == 0
    assert b"\x1b[2mHm.\x1b[0m" in shell.raw
    assert shell.lines[1:] == ["Hm.", "Yes."]


def test_a_missing_prompt_shows_the_usage(hf, terminal):
    shell = terminal()
    shell.run()
    assert shell.wait() == 2
    assert shell.lines[0].startswith("usage: hf-text")
    assert 'hf-text "Why is the sky blue?"' in shell.text


def test_control_characters_in_an_answer_are_escaped(hf, terminal):
    text = ["A\tb\r", "\n\x1b]0;title\x07c\r\x9b2Jd é", "\u202egnp.exe\u2028", "\r", "\n"]
    hf.reply(Response.text(*text, reasoning=["\x1b[2Jhm"]))
    shell = terminal()
    shell.run("--reasoning", "Hello")
    assert shell.wait() == 0
    assert shell.lines[1:] == [r"\x1b[2Jhm", "A       b", r"\x1b]0;title\x07c\r\x9b2Jd é\u202egnp.exe\u2028"]
    assert b"\x1b]" not in shell.raw


@pytest.mark.parametrize("words", ["Hello", "models", "providers a/b", "doctor --ask", "compare a/b --yes"])
def test_control_characters_in_errors_and_names_are_escaped(hf, terminal, words):
    hf.always(Response.error(404, "no\x1b[2Jsuch\nhf-text: all is well\u202e", "string"))
    hf.models = [{**model, "id": "a/b\x1b[2J\n"} for model in hf.models[:1]]
    shell = terminal()
    shell.run(*words.split())
    shell.wait()
    assert not {b"\x1b[2J", "\u202e".encode()} & {shell.raw[at : at + 4] for at in range(len(shell.raw))}
    assert not any(line.startswith("hf-text: all is well") for line in shell.lines)


def test_an_error_starts_on_its_own_line(hf, terminal):
    hf.reply("cut-mid-stream")
    shell = terminal()
    shell.run("Hello")
    assert shell.wait() == 1
    assert shell.lines[1] == "One two"
    assert shell.lines[2].startswith("hf-text: error: ")


def test_words_are_not_split_at_the_edge_even_when_resized(hf, terminal):
    reply, gate = held_after(*re.findall(r"\S+\s*|\s+", TEXT), " ")
    hf.reply(reply)
    shell = terminal()
    shell.run("Hello")
    shell.wait_for("goes on.")
    shell.resize(40)
    gate.open()
    assert shell.wait() == 0
    shell = terminal(40)
    hf.reply(Response.text(*TEXT))  # one character per piece
    shell.run("Hello")
    assert shell.wait() == 0
    assert shell.text.split()[-len(TEXT.split()) :] == TEXT.split()
    assert max(map(len, shell.lines)) <= 40


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("aaa bbb ccc", ["aaa bbb", "ccc"]),
        ("aaaaaaaa bb", ["aaaaaaaa", "bb"]),
        ("aaaa bbbbbbbbbbbb c", ["aaaa", "bbbbbbbbbbbb", "c"]),
        ("aa  \nbb", ["aa", "bb"]),
        ("    aaa bbb ccc", ["    aaa bbb ccc"]),
        ("```\naaa bbb ccc\n```\naaa bbb ccc", ["```", "aaa bbb ccc", "```", "aaa bbb", "ccc"]),
        ("日本語日本語", ["日本語日", "本語"]),
        ("日本語👍\U0001f3fd日", ["日本語👍\U0001f3fd", "日"]),
        ("aaaaaa👩\u200d👩\u200d👧 b", ["aaaaaa👩\u200d👩\u200d👧", "b"]),
        ("か\u3099か\u3099か\u3099か\u3099か", ["か\u3099" * 4, "か"]),
        ("e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301e\u0301", ["e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301e\u0301"]),
    ],
)
def test_lines_break_between_words_however_the_text_arrives(text, lines):
    for size in (1, 3, 100):
        wrapping = Wrapping(lambda: 8)
        pieces = [wrapping.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert ("".join(pieces) + wrapping.end()).split("\n") == lines


def test_the_second_answer_of_a_chat_starts_at_column_zero(hf, terminal):
    hf.reply(Response.text("One two three."), Response.text("Four five six seven eight nine."))
    shell = terminal(40)
    shell.run("chat")
    for turn, shown in (("First", "three."), ("Second", "nine."), ("/help", "/quit            end")):
        shell.wait_for("\n>", times=1 + shell.text.count("\n> "))
        shell.type(f"{turn}\r")
        shell.wait_for(shown)
    assert "Four five six seven eight nine." in shell.lines
    assert "  /model [NAME]    show or change the" in shell.lines
    shell.type("/quit\r")
    assert shell.wait() == 0


@pytest.mark.parametrize("words", ["chat", "chat --markdown", "--markdown Hello"])
def test_an_answer_continues_in_the_new_width_after_a_resize(hf, terminal, words):
    reply, gate = held_after("One two three.\n\n")
    tail = Response.text(f"{TEXT}\n\n| a | b |\n|---|---|\n| 日本 | 2 |\n\n", TEXT)
    hf.reply(replace(reply, body=[*reply.body[: reply.body.index(gate) + 1], *tail.body]))
    shell = terminal(80)
    shell.run(*words.split())
    if words.startswith("chat"):
        shell.wait_for("\n>")
        shell.type("Hello\r")
    shell.wait_for("One two three.")
    assert gate.reached.wait(PATIENCE)
    shell.resize(40)
    gate.open()
    shell.wait_for("goes on.", times=2)
    if words.startswith("chat"):
        shell.type("/quit\r")
    assert shell.wait() == 0
    below = shell.lines[shell.lines.index("One two three.") :]
    assert " ".join(" ".join(below).split()).count(TEXT) == 2
    assert max(map(columns_of, below)) <= 40


def test_a_bar_stays_on_one_line_after_a_resize(hf, terminal, tmp_path):
    (tmp_path / "in.jsonl").write_text('"One"\n"Two"\n"Three"\n')
    reply, gate = held_after("Half")
    hf.always(reply)
    shell = terminal(80)
    shell.run("batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "-m", "openai/gpt-oss-120b")
    shell.wait_for("Continue?")
    shell.type("y\n")
    shell.wait_for("0/3")
    assert gate.reached.wait(PATIENCE)
    shell.resize(40)
    gate.open()
    assert shell.wait() == 0
    assert "3 of 3 rows are done" in shell.text.replace("\n", " ")
