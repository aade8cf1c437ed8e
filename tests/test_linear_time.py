"""Text from a server or a model is processed in time linear in its length.

Each text is processed in a subprocess with a CPU limit of a few seconds, at two sizes. The sizes are so large that
a few passes over the text fit easily, but quadratic time does not.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

MIB = 1 << 20
SIZES = (MIB // 16, MIB // 4)
CPU_SECONDS = 6

PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({cpu}, {cpu}))
sys.setrecursionlimit(1000)
{setup}
size = {size}
for part in {parts!r}:
    text = part * (size // len(part))
    {action}
print("done")
"""

# What processes the text: the setup, the action, and the parts of the worst-case texts.
MASK = """
from hf_text.transport.mask import Mask
mask = Mask("hf_Zw9Kq3Vt7Rb5Xn1Jm8", {"Cookie": 'a=Gy4/Tz8"Wf2\\\\\\\\Sv6'}, ["http://me:Uo3Ia5Ye7Bx9@proxy"])
"""
ERROR = """
import json
from hf_text.protocol.replies import parse_reply_error
def error(body, kind="text/plain"):
    parse_reply_error(500, {"content-type": kind}, body.encode("utf-8", "replace"), now=0, host="h")
"""
ANSWER = """
from hf_text.protocol.chunks import Assembler
def answer(text, size):
    assembler, events = Assembler(), []
    for start in range(0, len(text), size):
        assembler.feed({"choices": [{"delta": {"content": text[start : start + size]}}]}, events)
    assembler.flush(events)
    assert assembler.text + assembler.reasoning
"""
CALLS = """
from hf_text.protocol.tool_calls import ToolCallAssembler
def call(text, size):
    calls = ToolCallAssembler()
    for start in range(0, len(text), size):
        piece = {"index": 0, "id": "a", "function": {"name": "f", "arguments": text[start : start + size]}}
        calls.feed([piece])
    calls.calls()
"""
STREAM = """
from hf_text.generation.sse import SSEDecoder
def stream(text, size):
    decoder, data = SSEDecoder(1 << 30), text.encode()
    for start in range(0, len(data), size):
        for event in decoder.decode(data[start : start + size]):
            pass
    list(decoder.decode(b"\\n\\n"))
"""
HEAD = """
import socket, threading
from hf_text.transport.call import Call, Timeouts
from hf_text.transport.head import RawResponse
def head(text):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines = [text[start : start + 60_000] for start in range(0, min(len(text), 900_000), 60_000)]
        data = "HTTP/1.1 200 OK\\r\\n" + "".join(f"A:{line}\\r\\n {line}\\r\\n" for line in lines[:8]) + "\\r\\n"
        sending = threading.Thread(target=theirs.sendall, args=(data.encode(),))
        sending.start()
        RawResponse(ours, Call(Timeouts())).receive_head()
        sending.join()
"""
FRAMING = """
from hf_text.transport.framing import BadFraming, ChunkedFraming
def frame(text, size):
    framing, data = ChunkedFraming(), text.encode()
    try:
        for start in range(0, len(data), size):
            framing.feed(data[start : start + size])
    except BadFraming:
        pass
"""

FOLLOW = """
from hf_text import TransportError
from hf_text.transport.mask import Mask
from hf_text.transport.redirects import follow_redirect
def follow(place):
    try:
        follow_redirect("http://a/b", place, Mask("hf_Zw9Kq3Vt7Rb5Xn1Jm8", {}, ()))
    except TransportError:
        pass
"""

CASES: dict[str, tuple[str, str, list[str]]] = {
    "a notebook": (
        "from hf_text.markdown import render",
        "render(text); render('x', text)",
        ["~", "`", "``a`", "```\n", "<", "<http://", "[", "![", "](", "> ", ">\n"],
    ),
    "formulas in a notebook": (
        "from hf_text.markdown import render",
        "render(text); render('x', text)",
        ["$", "$$ ", "$a", "\n$ `", "    $"],
    ),
    "a notebook, again": (
        "from hf_text.markdown import render",
        "render(text); render('x', text)",
        ["- ", "1. ", "\\", "$x{$", "\t", "|`a`", "> ```\n", "https://`a`", "[a]: ", "a\n\n", "\\end", "~~~\n"],
    ),
    "the mask": (
        MASK,
        "mask(text); mask.beginning(text, size // 2)",
        ["\\", "&", "&amp;", "%", "%25", "\\u0068", "hf_Zw9Kq3", "hf_\\", "&#104;f", '"', "Gy4/"],
    ),
    "a page": (
        ERROR,
        "error(text[: size // 4], 'text/html')",
        ["<", "<h1", "<h1>", "<title>", "<p>", "<h2><h3><pre><p>", "</p>", "&", "&#", "<h1></h1>", "<!--", "\xff"],
    ),
    "an error": (
        ERROR,
        "error(text); error(json.dumps({'error': text})); error(json.dumps([{'message': part}] * (size // 20)))",
        [" ", "model ", "exceed ", "context ", "error: ", '"', "\\", "\n"],
    ),
    "headers of errors": (
        "from hf_text.protocol.replies import next_link, parse_retry_after",
        "next_link(text); parse_retry_after({'ratelimit': text}, 0); parse_retry_after({'retry-after': text}, 0)",
        ["<", "<a>;", '<a>; rel="', "r=0;t=1", "r ", "r=", " ", "Mon, ", ",", "9"],
    ),
    "think tags": (
        ANSWER,
        "answer(text, size); answer('<think>' + text, 1000)",
        ["<think>", "</think>", "<", " ", "</thin", "`</think>`", "\ud83d"],
    ),
    "tool calls": (CALLS, "call(text, size); call(text, 1000)", ["{", "{}", "[", "\\", '"', '{"a":1}', " ", "0 "]),
    "a stream": (
        STREAM,
        "stream(text, 65536); stream(text, 1000)",
        ["\n", "\r", "data: x\n", "data:x\n\n", ":\n", ":x", "x\n", "error: x\n", "data", "id\n", "\r\n\r", ": x\n\n"],
    ),
    "a stream, byte by byte": (STREAM, "stream(text[: size // 4], 1)", [":", ":\n", "data: x\n", "x", "\n"]),
    "values in a row": (
        "from contextlib import suppress\nfrom hf_text.protocol.jsons import read_values",
        "with suppress(ValueError, RecursionError): list(read_values(text))",
        ["data:", "data: ", "0,", "{}", " ", "[DONE]", "[DONE", '"a"\n', "\0", "[", '{"a":', "9"],
    ),
    "a report": (
        "from hf_text.protocol.stream_errors import begins_report",
        "begins_report(text)",
        ['"error": ', '"error"', "event: ", "event:e\n", " ", "error", '"choices": [', "model ", "exceed a "],
    ),
    "a head": (HEAD, "head(text)", [" ", "\t", "a ", " \t", "\r"]),
    "chunks": (
        FRAMING,
        "frame(text, 65536); frame(text, 1000)",
        ["1\r\nx\r\n", "1;a\r\nx\r\n", "0", "0\r\nA: b\r\n", "1\nx\r\n"],
    ),
    "a place to go on to": (
        FOLLOW,
        "follow(text[: size // 16]); follow('http://' + text[: size // 16])",
        ["/", "/..", "../", "a", "%", "@", ":", "[", "?", "#", "\\", "."],
    ),
}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of CPU time")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CASES)
def test_it_takes_linear_time(name: str, size: int) -> None:
    setup, action, parts = CASES[name]
    program = PROGRAM.format(cpu=CPU_SECONDS, setup=setup, size=size, parts=parts, action=action)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=55, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_the_check_fails_for_quadratic_time() -> None:
    """A pattern that once folded header lines."""
    program = PROGRAM.format(
        cpu=1, setup="import re", size=MIB, parts=[" "], action=r're.sub(r"\s*[\r\n]+\s*", " ", text)'
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode < 0
