"""Bound on the memory that a server can make a client use: 1.5 times ``max_event_bytes``, once, within the timeouts.

Each case is read in a subprocess, so that its memory is measured apart from the server's.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest

MIB = 1 << 20
CAP = 16 * MIB
FILL = b"x" * MIB

CHUNK = b'data: {"choices":[{"delta":{"content":"'
CASES: dict[str, tuple[str, Callable[[], Iterable[bytes]]]] = {
    "an event that never ends": ("", lambda: [CHUNK, *[FILL] * 20]),
    "an event of lines that never ends": ("", lambda: [b"data: x\n" * 131_072] * 20),
    "text that never ends": ("text/plain", lambda: [FILL] * 20),
    "JSON that never ends": ("application/json", lambda: [b'{"a":"', *[FILL] * 20]),
    "white space that never ends": ("", lambda: [b" " * MIB] * 20),
    "a page that never ends": ("text/html", lambda: [b"<h1>", *[FILL] * 20]),
    "a long error": ("", lambda: [b'data: {"error":{"message":"', *[FILL] * 15, b'"}}\n\n']),
    "a long error of a kind of its own": ("", lambda: [b"event: error\ndata: ", *[FILL] * 15, b"\n\n"]),
    "a long error in a choice": (
        "",
        lambda: [b'data: {"choices":[{"index":0,"error":{"message":"', *[FILL] * 15, b'"}}]}\n\n'],
    ),
    "a long error field": ("", lambda: [b"error: ", *[FILL] * 15, b"\n\n"]),
    "a long error in many lines": ("", lambda: [b'data: {"error":"', *[b"\ndata: " + FILL[:65_000]] * 240, b'"}\n\n']),
    "a long error in JSON": ("application/json", lambda: [b'{"error":"', *[FILL] * 15, b'"}']),
    "a long error after text": ("", lambda: [CHUNK, b'x"}}]}\n\ndata: {"error":"', *[FILL] * 15, b'"}\n\n']),
}

PROGRAM = """
import json, sys, hf_text

def memory(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name)) * 1024

settings = {"api_base": sys.argv[1], "max_event_bytes": int(sys.argv[2]), "timeout": float(sys.argv[3])}
try:
    hf_text.Client("key", max_retries=0, **settings).generate("Hi", "m")  # everything is loaded
except hf_text.HFTextError:
    pass
client = hf_text.Client("key", **settings)
before = memory("VmRSS")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak counts from here
try:
    client.generate("Hi", "m")
except hf_text.HFTextError as error:
    told = {"type": type(error).__name__, "message": str(error), "attempts": len(error.attempts)}
    told["clock"] = getattr(error, "clock", None)
    print(json.dumps({**told, "peak": memory("VmHWM") - before}))
"""

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is told by /proc")


def pack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same as gzip: little data that decompresses to a lot."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


@pytest.fixture
def read(raw_server: Callable[..., int]) -> Callable[..., dict[str, Any]]:
    """Read such a body in a subprocess, after a short one; returns the outcome and the memory used."""

    def run(content_type: str, pieces: Callable[[], Iterable[bytes]], packed: bool, **options: Any) -> dict[str, Any]:
        served = 0

        def serve(sock: socket.socket) -> None:
            nonlocal served
            served += 1
            sock.recv(65_536)
            kind = f"Content-Type: {content_type or 'text/event-stream'}\r\n"
            encoding = "Content-Encoding: gzip\r\n" if packed else ""
            sock.sendall(f"HTTP/1.1 200 OK\r\n{kind}{encoding}Connection: close\r\n\r\n".encode())
            body = [b"x"] if served == 1 else pieces()
            for piece in pack(body) if packed else body:
                sock.sendall(piece)

        url = f"http://127.0.0.1:{raw_server(serve)}/v1"
        cap, seconds = options.get("cap", CAP), options.get("seconds", 30)
        command = [sys.executable, "-c", PROGRAM, url, str(cap), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True)
        return {**json.loads(done.stdout), "served": served}

    return run


@needs_linux
@pytest.mark.parametrize("name", CASES)
def test_a_capped_event_takes_at_most_one_and_a_half_times_the_cap(read: Any, name: str) -> None:
    result = read(*CASES[name], False)
    assert result["peak"] <= 1.5 * CAP, result
    assert len(result["message"]) < 3000
    if "page" not in name:  # only the beginning of a page is read
        assert result["attempts"] == 1
        assert result["type"] == ("ProviderStreamError" if "error" in name else "MalformedStreamError")


@needs_linux
@pytest.mark.parametrize("name", [name for name in CASES if "never ends" in name])
def test_a_compressed_event_takes_no_more_memory(read: Any, name: str) -> None:
    result = read(*CASES[name], True)
    assert result["peak"] <= 1.5 * CAP, result


@needs_linux
@pytest.mark.parametrize("name", ["an event that never ends", "JSON that never ends", "white space that never ends"])
def test_a_timeout_ends_an_endless_event_below_the_cap(read: Any, name: str) -> None:
    """The server cannot keep the client busy with little data."""
    content_type, pieces = CASES[name]
    result = read(content_type, lambda: chain(pieces(), repeat(FILL)), True, cap=1 << 40, seconds=0.3)
    assert (result["type"], result["clock"]) == ("RequestTimeoutError", "first")
