"""Ctrl-C in each phase of each command."""

from __future__ import annotations

import os

import pytest
from pseudo_terminal import CTRL_C, CTRL_D, PATIENCE
from test_cli_process import held_after

from hf_text.emulator import Response

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals as on Unix")


def test_ctrl_c_before_an_answer_leaves_an_empty_line(hf, terminal):
    hf.reply("stall-before-headers")
    shell = terminal()
    shell.run("Hello")
    shell.wait_for("waiting for")
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert (shell.text, shell.cursor) == ("", 0)


def test_ctrl_c_in_an_answer_keeps_the_text_and_ends_its_line(hf, terminal):
    for end in ("Half", "Half\n"):
        reply, _ = held_after(end)
        hf.reply(reply)
        shell = terminal()
        shell.run("Hello")
        shell.wait_for("Half")
        shell.type(CTRL_C)
        assert shell.wait() == 130
        assert "Half" in shell.text
        assert shell.cursor == 0
        assert shell.lines[-1].endswith("^C")


@pytest.mark.parametrize("words", ["models", "doctor", "compare a/b --yes"])
def test_ctrl_c_while_waiting_for_the_catalogue(hf, terminal, words):
    for path in ("/v1/models", "/api/models", "/api/models/a/b", "/api/whoami-v2"):
        hf.always("stall-before-headers", path)
    shell = terminal()
    shell.run(*words.split())
    hf.wait_for_requests()
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert shell.cursor == 0
    assert "Traceback" not in shell.text


def test_ctrl_c_in_a_batch_shows_progress_and_the_same_command_resumes(hf, terminal, tmp_path):
    (tmp_path / "in.jsonl").write_text('"One"\n"Two"\n')
    words = ["batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "-m", "openai/gpt-oss-120b", "--yes"]
    reply, gate = held_after("Half")
    hf.reply(reply, reply)
    shell = terminal(40)
    shell.run(*words, "--drain", "0s")
    assert gate.reached.wait(PATIENCE)
    shell.wait_for("0/2")
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert shell.cursor == 0
    assert "Traceback" not in shell.text
    gate.open()
    shell.run(*words)
    assert shell.wait() == 0
    assert "2 of 2 rows are done" in shell.text.replace("\n", " ")


def test_ctrl_c_at_the_confirmation_sends_nothing(hf, terminal):
    shell = terminal()
    shell.run("compare", "openai/gpt-oss-120b")
    shell.wait_for("Continue?")
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert not [request for request in hf.requests if request.path.endswith("/chat/completions")]


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_ctrl_c_in_a_chat_stops_the_answer_and_leaves_it_out_of_the_next_turn(hf, terminal, term):
    reply, _ = held_after("Half")
    hf.reply(reply, Response.text("Two."))
    shell = terminal(TERM=term)
    shell.run("chat")
    shell.wait_for("\n>")
    shell.interrupt("Ctrl-D ends the conversation")
    shell.type("First\r")
    shell.wait_for("Half")
    shell.type(CTRL_C)
    shell.wait_for("this turn is not kept")
    shell.type("Second\r")
    shell.wait_for("Two.")
    shell.type("/quit\r")
    assert shell.wait() == 0
    assert [message["content"] for message in hf.requests[-1].json["messages"]] == ["Second"]


# Phases in which the user presses Ctrl-C: the command line, the arguments of the held reply, the text on the screen.
ANSWERS = [
    ("--reasoning Hello", {"reasoning": ["Hm, thinking."]}, "Hm, thinking."),
    ("Hello", {"reasoning": ["Hm."]}, "the model is thinking"),
    ("--markdown Hello", {}, "Half a line"),
    ("compare openai/gpt-oss-120b Hi --yes", {}, "asking"),
    ("doctor --ask", {}, "models of"),
]


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(("words", "more", "shown"), ANSWERS, ids=[words for words, _, _ in ANSWERS])
def test_ctrl_c_in_any_phase_leaves_the_cursor_at_the_start_of_a_line(hf, terminal, words, more, shown, columns):
    reply, gate = held_after("Half a line\n\nOf two", **more) if not more else held_after(**more)
    hf.always(reply)
    shell = terminal(columns)
    shell.run(*words.split())
    shell.wait_for(shown)
    assert gate.reached.wait(PATIENCE)
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert shell.cursor == 0
    assert "Traceback" not in shell.text


@pytest.mark.parametrize("words", ["doctor", "compare openai/gpt-oss-120b"])
@pytest.mark.parametrize(("keys", "status"), [(CTRL_C, 130), (CTRL_D, None), ("n\n", None)], ids=["c", "d", "n"])
def test_any_reply_to_the_confirmation_but_yes_sends_nothing(hf, terminal, words, keys, status):
    shell = terminal(40)
    shell.run(*words.split())
    shell.wait_for("y/N]")
    shell.type(keys)
    assert shell.wait() == (status if status is not None else int(words != "doctor"))
    assert shell.cursor == 0
    assert not [request for request in hf.requests if request.path.endswith("/chat/completions")]
