"""Chunk boundaries: bytes that replace them are neither treated as part of the answer nor ignored."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from hf_text import Client, TruncatedStreamError
from hf_text.emulator import Emulator, Response

Outcome = Callable[..., Any]

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
LINE_ENDS = {
    "LF alone": b"\n",
    "CR alone": b"\r",
    "nothing": b"",
    "LF CR": b"\n\r",
    "CR CR LF": b"\r\r\n",
    "a byte too many": b"x\r\n",
    "two bytes too many": b"xx",
    "a blank": b" \r\n",
}

pieces = pytest.mark.parametrize("write_size", [None, 1, 7], ids=["at once", "byte by byte", "in pieces"])


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


def in_chunks(*parts: bytes, line_end: bytes = b"\r\n", headers: str = "") -> bytes:
    """A chunked response; ``line_end`` follows the data of the second-to-last chunk."""
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
    chunks[-2] = chunks[-2].removesuffix(b"\r\n") + line_end
    return f"{HEAD}{headers}\r\n".encode() + b"".join(chunks) + b"0\r\n\r\n"


@pieces
def test_chunks_that_end_in_crlf_are_complete(once: Client, emulator: Emulator, write_size: int | None) -> None:
    emulator.always(Response(raw=in_chunks(event("One"), event(" two"), event(".", "stop")), write_size=write_size))
    assert [once.generate("Hi").text for _ in range(2)] == ["One two."] * 2
    assert [request.connection for request in emulator.requests] == [1, 1]


@pieces
@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_a_chunk_longer_than_its_size_truncates_the_answer(
    once: Client, emulator: Emulator, outcome: Outcome, line_end: bytes, write_size: int | None
) -> None:
    raw = in_chunks(event("One"), event(" two"), event(".", "stop"), line_end=line_end)
    emulator.reply(Response(raw=raw, write_size=write_size))
    result = outcome(once.stream("Hi"))
    assert type(result.error) is TruncatedStreamError
    assert "cut the answer off (a chunk does not end where its length says)" in str(result.error)
    assert result.text == result.partial.text == "One two"
    assert once.generate("Hi").text
    assert [request.connection for request in emulator.requests] == [1, 2]


@pytest.mark.parametrize("line_end", LINE_ENDS.values(), ids=LINE_ENDS)
def test_a_compressed_chunk_longer_than_its_size_truncates_the_answer(
    once: Client, emulator: Emulator, outcome: Outcome, line_end: bytes
) -> None:
    packed = gzip.compress(event("One") + event(".", "stop"), mtime=0)
    raw = in_chunks(packed[:30], packed[30:], line_end=line_end, headers="Content-Encoding: gzip\r\n")
    emulator.reply(Response(raw=raw))
    result = outcome(once.stream("Hi"))
    assert type(result.error) is TruncatedStreamError
    assert not result.text
