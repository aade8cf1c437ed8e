"""The command in a terminal: what stands on the screen at the end, and what the keyboard does on the way."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from dataclasses import replace

import pytest
from pseudo_terminal import CTRL_C, CTRL_D, PATIENCE
from test_cli_process import held_after

from hf_text.cli.wrapping import Wrapping
from hf_text.columns import columns_of
from hf_text.emulator import Response

pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals as on Unix")

TEXT = "A line that is a good deal longer than forty columns, with words of every length, goes on."
ESCAPE = re.compile(rb"\x1b")
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")

# Each command, and what stands on its screen when it has done its work.
COMMANDS = {
    "ask": ("Hello", "from"),
    "chat": ("chat", "Ctrl-D ends"),
    "models": ("models", "openai/gpt-oss-120b"),
    "providers": ("providers openai/gpt-oss-120b", "groq"),
    "compare": ("compare openai/gpt-oss-120b Hello --yes --max-tokens 9", "TOKENS/S"),
    "doctor": ("doctor", "stream: "),
    "batch": ("batch {folder}/in.jsonl {folder}/out.jsonl -m openai/gpt-oss-120b", "3 of 3 rows are done"),
    "emulate": ("emulate", "Ctrl-C ends it"),
}


def run_to_its_end(shell, folder, name):
    (folder / "in.jsonl").write_text('"One"\n"Two"\n"Three"\n')
    words, shown = COMMANDS[name]
    shell.run(*shlex.split(words.format(folder=folder)))
    if name == "chat":
        shell.wait_for("\n>")
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
def test_every_command_does_its_work_and_leaves_the_cursor_at_the_beginning_of_a_line(
    hf, terminal, tmp_path, name, columns
):
    shell = terminal(columns)
    assert run_to_its_end(shell, tmp_path, name) == 0
    assert shell.cursor == 0
    assert "Traceback" not in shell.text


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_dumb_terminal_without_unicode_gets_neither_escapes_nor_what_it_cannot_show(hf, terminal, tmp_path, name):
    shell = terminal(TERM="dumb", LANG="C", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    hf.always(Response.text("Grüße"))
    assert run_to_its_end(shell, tmp_path, name) == 0
    assert not ESCAPE.search(shell.raw)
    assert shell.raw.isascii()


@pytest.mark.parametrize("name", ["ask", "models", "providers", "compare", "doctor", "batch"])
def test_no_color_means_none(hf, terminal, tmp_path, name):
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
        "emulate --help",
        "batch --help",
    ],
)
def test_a_reader_that_leaves_is_met_in_silence(hf, start, words):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*words.split(), stdout=writer)
    os.close(writer)
    status, out, err = process.finish()
    assert (status, out) == (141, "")
    assert "error" not in err
    assert "Traceback" not in err


# --- Who is waited for


def test_while_nothing_has_come_a_line_tells_who_is_waited_for_and_then_it_is_gone(hf, terminal):
    reply, gate = held_after("Hello")
    hf.reply(replace(reply, body=[gate, *reply.body]))
    shell = terminal()
    shell.run("-m", "openai/gpt-oss-120b", "Hello")
    shell.wait_for("waiting for openai/gpt-oss-120b at 127.0.0.1")
    gate.open()
    assert shell.wait() == 0
    assert shell.lines[0].startswith("hf-text: openai/gpt-oss-120b, from ")
    assert shell.lines[1:] == ["Hello And more."]


def test_a_model_that_thinks_unseen_is_said_to_think(hf, terminal):
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


# --- What is shown


def test_without_a_prompt_the_usage_is_shown(hf, terminal):
    shell = terminal()
    shell.run()
    assert shell.wait() == 2
    assert shell.lines[0].startswith("usage: hf-text")
    assert 'hf-text "Why is the sky blue?"' in shell.text


def test_what_would_drive_the_terminal_is_shown_to_it(hf, terminal):
    text = ["A\tb\r", "\n\x1b]0;title\x07c\r\x9b2Jd é", "\u202egnp.exe\u2028", "\r", "\n"]
    hf.reply(Response.text(*text, reasoning=["\x1b[2Jhm"]))
    shell = terminal()
    shell.run("--reasoning", "Hello")
    assert shell.wait() == 0
    assert shell.lines[1:] == [r"\x1b[2Jhm", "A       b", r"\x1b]0;title\x07c\r\x9b2Jd é\u202egnp.exe\u2028"]
    assert b"\x1b]" not in shell.raw


@pytest.mark.parametrize("words", ["Hello", "models", "providers a/b", "doctor --ask", "compare a/b --yes"])
def test_what_others_put_into_an_error_or_a_name_drives_nothing(hf, terminal, words):
    hf.always(Response.error(404, "no\x1b[2Jsuch\nhf-text: all is well\u202e", "string"))
    hf.models = [{**model, "id": "a/b\x1b[2J\n"} for model in hf.models[:1]]
    shell = terminal()
    shell.run(*words.split())
    shell.wait()
    assert not {b"\x1b[2J", "\u202e".encode()} & {shell.raw[at : at + 4] for at in range(len(shell.raw))}
    assert not any(line.startswith("hf-text: all is well") for line in shell.lines)


def test_an_error_has_a_line_of_its_own(hf, terminal):
    hf.reply("cut-mid-stream")
    shell = terminal()
    shell.run("Hello")
    assert shell.wait() == 1
    assert shell.lines[1] == "One two"
    assert shell.lines[2].startswith("hf-text: error: ")


def test_words_are_not_cut_at_the_edge_also_when_that_moves(hf, terminal):
    reply, gate = held_after(*re.findall(r"\S+\s*|\s+", TEXT), " ")
    hf.reply(reply)
    shell = terminal()
    shell.run("Hello")
    shell.wait_for("goes on.")
    shell.resize(40)
    gate.open()
    assert shell.wait() == 0
    shell = terminal(40)
    hf.reply(Response.text(*TEXT))  # a character each
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
def test_lines_end_between_words_however_the_text_comes(text, lines):
    for size in (1, 3, 100):
        wrapping = Wrapping(lambda: 8)
        pieces = [wrapping.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert ("".join(pieces) + wrapping.end()).split("\n") == lines


# --- Ctrl-C


def test_ctrl_c_before_any_answer_leaves_an_empty_line(hf, terminal):
    hf.reply("stall-before-headers")
    shell = terminal()
    shell.run("Hello")
    shell.wait_for("waiting for")
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert (shell.text, shell.cursor) == ("", 0)


def test_ctrl_c_in_an_answer_leaves_what_came_and_the_prompt_gets_a_line_of_its_own(hf, terminal):
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
def test_ctrl_c_while_the_catalogue_is_waited_for(hf, terminal, words):
    for path in ("/v1/models", "/api/models", "/api/models/a/b", "/api/whoami-v2"):
        hf.always("stall-before-headers", path)
    shell = terminal()
    shell.run(*words.split())
    hf.wait_for_requests()
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert shell.cursor == 0
    assert "Traceback" not in shell.text


def test_ctrl_c_at_the_question_whether_to_go_on_asks_nobody(hf, terminal):
    shell = terminal()
    shell.run("compare", "openai/gpt-oss-120b")
    shell.wait_for("Go on?")
    shell.type(CTRL_C)
    assert shell.wait() == 130
    assert not [request for request in hf.requests if request.path.endswith("/chat/completions")]


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_ctrl_c_in_a_chat_stops_the_answer_and_the_next_turn_does_not_hold_it(hf, terminal, term):
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


# Where the user presses Ctrl-C: what is typed, the replies that hold there, and what then stands on the screen.
ANSWERS = [
    ("--reasoning Hello", {"reasoning": ["Hm, thinking."]}, "Hm, thinking."),
    ("Hello", {"reasoning": ["Hm."]}, "the model is thinking"),
    ("--markdown Hello", {}, "Half a line"),
    ("compare openai/gpt-oss-120b Hi --yes", {}, "asking"),
    ("doctor --ask", {}, "models of"),
]


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize(("words", "more", "shown"), ANSWERS, ids=[words for words, _, _ in ANSWERS])
def test_ctrl_c_in_each_phase_of_an_answer_ends_the_command_at_the_beginning_of_a_line(
    hf, terminal, words, more, shown, columns
):
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
def test_whatever_is_answered_to_the_question_but_yes_asks_nobody(hf, terminal, words, keys, status):
    shell = terminal(40)
    shell.run(*words.split())
    shell.wait_for("y/N]")
    shell.type(keys)
    assert shell.wait() == (status if status is not None else int(words != "doctor"))
    assert shell.cursor == 0
    assert not [request for request in hf.requests if request.path.endswith("/chat/completions")]


@pytest.mark.parametrize("words", ["models", "Hello"])
def test_a_dead_network_is_told_in_words_at_both_widths(terminal, key, unused_url, words):
    for columns in (80, 40):
        shell = terminal(columns)
        shell.run(words, "--api-base", unused_url)
        assert shell.wait() == 1
        assert "hf-text: error: " in shell.text
        assert max(map(len, shell.lines)) <= columns


def test_a_message_about_arguments_is_broken_between_words(terminal):
    shell = terminal(40)
    shell.run("--mrkdown", "Hello")
    assert shell.wait() == 2
    assert shell.lines[-2:] == ["hf-text: error: unknown option", "--mrkdown; did you mean --markdown?"]


# --- Another width on the way


@pytest.mark.parametrize("words", ["chat", "chat --markdown", "--markdown Hello"])
def test_an_answer_whose_window_is_made_narrower_goes_on_in_the_new_width(hf, terminal, words):
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


def test_a_bar_whose_window_is_made_narrower_stays_in_one_line(hf, terminal, tmp_path):
    (tmp_path / "in.jsonl").write_text('"One"\n"Two"\n"Three"\n')
    reply, gate = held_after("Half")
    hf.always(reply)
    shell = terminal(80)
    shell.run("batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "-m", "openai/gpt-oss-120b")
    shell.wait_for("Go on?")
    shell.type("y\n")
    shell.wait_for("0/3")
    assert gate.reached.wait(PATIENCE)
    shell.resize(40)
    gate.open()
    assert shell.wait() == 0
    assert "3 of 3 rows are done" in shell.text.replace("\n", " ")


# --- The shell


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_complete_commands_and_options(hf, terminal, tmp_path, name):
    pytest.importorskip("argcomplete")
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    command = tmp_path / "hf-text"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    shell = terminal(
        PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", PYTHONPATH=os.getcwd(), HOME=str(tmp_path), PS1="$ "
    )
    register = f"{sys.executable} -m argcomplete.scripts.register_python_argcomplete"
    if name == "zsh":
        shell.run("-f", "-i", prefix=(program,))
        shell.type(f'autoload -U compinit; compinit -u; eval "$({register} hf-text)"; echo re""ady\n')
    else:
        shell.run("--no-config", "-i", prefix=(program,))
        shell.type(f'{register} --shell fish hf-text | source; echo re""ady\n')
    shell.wait_for("\nready")
    shell.type("hf-text prov\t")
    shell.wait_for("hf-text providers")
    shell.type("--sort thr\t")
    shell.wait_for("--sort throughput")
    shell.type("\x15exit\n")
    shell.wait()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands_and_options(hf, terminal, tmp_path):
    pytest.importorskip("argcomplete")
    command = tmp_path / "hf-text"
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    shell = terminal(PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}", PS1="$ ", PYTHONPATH=os.getcwd())
    shell.run("--norc", "--noprofile", "-i", prefix=(shutil.which("bash"),))
    shell.type(f'eval "$({sys.executable} -m argcomplete.scripts.register_python_argcomplete hf-text)"; echo re""ady\n')
    shell.wait_for("\nready")
    shell.type("hf-text prov\t")
    shell.wait_for("hf-text providers")
    shell.type("--sort thr\t")
    shell.wait_for("--sort throughput")
    shell.type("\x15exit\n")
    shell.wait()


def test_the_second_answer_of_a_chat_begins_a_line_of_its_own_width(hf, terminal):
    hf.reply(Response.text("One two three."), Response.text("Four five six seven eight nine."))
    shell = terminal(40)
    shell.run("chat")
    for turn, shown in (("First", "three."), ("Second", "nine."), ("/help", "/quit            end")):
        shell.wait_for("\n>", times=1 + shell.text.count("\n> "))
        shell.type(f"{turn}\r")
        shell.wait_for(shown)
    assert "Four five six seven eight nine." in shell.lines
    shell.type("/quit\r")
    assert shell.wait() == 0
