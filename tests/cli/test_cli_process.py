"""The command as a process: pipes, signals, terminals."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import hf_text
from hf_text.emulator import Gate, Response

ROOT = Path(hf_text.__file__).parent.parent

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals, pipes and terminals as on Unix")


def held_after(*pieces, **options):
    """Build an answer that sends these pieces of text and continues when the gate opens. Return both."""
    reply = Response.text(*pieces, " And more.", **options)
    gate = Gate()
    body = list(reply.body)
    body.insert(next(i for i, event in enumerate(body) if b"And more" in event), gate)
    return replace(reply, body=body), gate


def endless():
    """Build an endless answer."""
    event = Response.text("All work and no play.\n", finish=None, done=False).body[-1]

    def repeat():
        while True:
            yield event

    return replace(Response.sse(done=False), body=repeat)


def read_some(pipe):
    """Return the next bytes from the pipe. Fail after 15 seconds."""
    assert select.select([pipe], [], [], 15)[0], "nothing came"
    return os.read(pipe.fileno(), 100)


def interrupt(process):
    process.send_signal(signal.SIGINT)
    return process.finish()


def is_quiet(err):
    """Return whether standard error has no traceback and no error message."""
    return not any(word in err for word in ("Traceback", "Exception", "Error", "error"))


def test_help_and_ask_import_neither_emulator_nor_event_loop_nor_extras():
    code = (
        "import sys; from hf_text.cli import main; main(['--help']);"
        "print({'hf_text.emulator', 'asyncio', 'anyio', 'click', 'rich', 'prompt_toolkit'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "set()"


# --- Streaming


def test_the_text_is_written_as_it_arrives(hf, start):
    reply, gate = held_after("Hello")
    hf.reply(reply)
    process = start("Hello")
    assert read_some(process.stdout) == b"Hello"
    gate.open()
    status, out, err = process.finish()
    assert (status, out) == (0, " And more.\n")
    assert is_quiet(err)


def test_the_reasoning_is_shown_as_it_arrives(hf, start):
    reply, gate = held_after(reasoning=["Hm."])
    hf.reply(reply)
    process = start("--reasoning", "Hello", stdout=subprocess.DEVNULL)
    shown = b""
    while not shown.endswith(b"Hm."):
        shown += read_some(process.stderr)
    gate.open()
    assert process.finish().status == 0


# --- Ctrl-C


def test_ctrl_c_ends_the_answer_with_the_text_so_far(hf, start):
    reply, _ = held_after("Hello")
    hf.reply(reply)
    process = start("Hello")
    assert read_some(process.stdout) == b"Hello"
    status, out, err = interrupt(process)
    assert (status, out) == (130, "\n")
    assert is_quiet(err)
    hf.wait_for_disconnect()


def test_ctrl_c_before_an_answer_writes_nothing(hf, start):
    hf.reply("stall-before-headers")
    process = start("Hello")
    hf.wait_for_requests()
    assert interrupt(process) == (130, "", "")
    hf.wait_for_disconnect()


def test_ctrl_c_with_json_writes_what_arrived(hf, start):
    reply, _ = held_after("Hello")
    hf.reply(reply)
    process = start("--json", "Hello")
    assert b"from" in process.stderr.readline()  # the answer has begun
    status, out, err = interrupt(process)
    assert status == 130
    assert is_quiet(err)
    assert json.loads(out)["error"]["type"] == "KeyboardInterrupt"
    assert json.loads(out)["partial"]["text"] == "Hello"


def test_ctrl_c_interrupts_reading_standard_input(hf, start):
    process = start("Hello", stdin=subprocess.PIPE)
    process.stdin.write(bytes(1 << 20))  # more than a pipe buffers: when this returns, the command is reading
    assert interrupt(process) == (130, "", "")
    assert hf.requests == []


def test_ctrl_c_ends_the_demo_too(start):
    process = start("--demo", "Hello", "there " * 1000)
    assert read_some(process.stdout)
    status, _, err = interrupt(process)
    assert status == 130
    assert is_quiet(err)


# --- Pipes


def test_a_closed_pipe_ends_the_command_quietly_and_closes_the_connection(hf, start):
    hf.reply(endless())
    process = start("Hello")
    assert process.stdout.readline() == b"All work and no play.\n"
    process.stdout.close()
    assert process.wait(15) == 141
    assert is_quiet(process.stderr.read().decode())
    hf.wait_for_disconnect()


def test_help_into_a_closed_pipe_ends_quietly(start):
    reader, writer = os.pipe()
    os.close(reader)
    process = start("--help", stdout=writer)
    os.close(writer)
    assert process.finish() == (141, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error_in_one_line(hf, start):
    with open("/dev/full", "wb") as full:
        status, _, err = start("Hello", stdout=full).finish()
    assert status == 1
    assert err.splitlines()[1:] == ["hf-text: error: cannot write to standard output: No space left on device"]


def test_a_closed_standard_error_does_not_mix_errors_into_the_answer(hf, start):
    hf.reply(Response.text("Hi."), "cut-mid-stream")
    assert start("Hello", redirected="<&- 2>&-").finish()[:2] == (0, "Hi.\n")
    with open(os.devnull, "rb") as unwritable:
        assert start("Hello", stderr=unwritable).finish()[:2] == (1, "One two\n")


def test_the_provider_is_named_on_one_line_whatever_its_name(hf, start):
    hf.reply(Response.text("Hi", provider="a\u061cb"))  # headers are decoded as Latin-1
    result = start("-m", "a/b", "Hello").finish()
    assert result.err == "hf-text: a/b, from a\u00d8\\x9cb\n"


def test_a_pipe_gets_the_text_unchanged(hf, start):
    hf.reply(Response.text("A\x1b[1mb\r\n"))
    assert start("Hello").finish().out == "A\x1b[1mb\r\n"


def test_waiting_for_piped_input_is_announced(hf, start):
    process = start("Hello", stdin=subprocess.PIPE)
    assert b"--no-stdin" in process.stderr.readline()
    process.stdin.write(b"It came late.")
    assert process.finish().status == 0
    assert hf.requests[-1].json["messages"][-1]["content"] == "Hello\n\nIt came late."
