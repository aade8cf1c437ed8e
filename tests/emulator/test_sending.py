"""How a reply is sent: framing, compression, pauses, and the ways to end it."""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from hf_text.emulator import Emulator, Gate, Response

Dial = Callable[[], Any]
Exchange = Callable[[Response], bytes]


@pytest.fixture
def exchange(hf: Emulator, dial: Dial) -> Exchange:
    """Return a function that requests the reply with ``Connection: close`` and returns all its bytes."""

    def send(reply: Response) -> bytes:
        hf.reply(reply)
        client = dial()
        client.post(extra=b"Connection: close\r\n")
        return bytes(client.read_to_end())

    return send


def body_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def dechunk(data: bytes) -> list[bytes]:
    """Split a complete chunked body into its chunks."""
    chunks: list[bytes] = []
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        chunk, end, data = data[:size], data[size : size + 2], data[size + 2 :]
        assert end == b"\r\n"
        if size == 0:
            assert data == b""
            return chunks
        chunks.append(chunk)


class TestHead:
    def test_status_reason_and_headers_are_sent_as_given(self, exchange: Exchange) -> None:
        data = exchange(Response(418, [("X-A", "1"), ("X-A", "2")], reason="Short and stout"))
        assert data == (
            b"HTTP/1.1 418 Short and stout\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )

    @pytest.mark.parametrize(("status", "reason"), [(200, b"OK"), (429, b"Too Many Requests"), (599, b"Unknown")])
    def test_the_reason_defaults_to_the_usual_one(self, exchange: Exchange, status: int, reason: bytes) -> None:
        assert exchange(Response(status)).startswith(b"HTTP/1.1 %d %b\r\n" % (status, reason))

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_a_body_has_none(self, exchange: Exchange, status: int) -> None:
        data = exchange(Response(status, body="not sent"))
        assert b"Content-Length" not in data
        assert body_of(data) == b""

    def test_a_given_framing_header_replaces_the_correct_one(self, exchange: Exchange) -> None:
        data = exchange(Response(headers={"content-length": "3"}, body="four"))
        assert data.count(b"ength") == 1
        assert body_of(data) == b"four"

    def test_connection_close_is_announced_and_done(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(keep_alive=False))
        client = dial()
        client.post()
        assert b"Connection: close\r\n" in client.read_to_end()

    def test_headers_can_be_sent_slowly(self, exchange: Exchange) -> None:
        data = exchange(Response(headers={"X-A": "1"}, body="done", header_pace=0.001))
        assert data.endswith(b"X-A: 1\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone")

    def test_a_head_request_gets_only_the_head(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body="hello"))
        client = dial()
        client.send(b"HEAD /v1/chat/completions HTTP/1.1\r\n\r\n")
        client.send(b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
        first, second, rest = client.read_to_end().split(b"\r\n\r\n")
        assert b"Content-Length: 5" in first
        assert second.startswith(b"HTTP/1.1 200 OK")
        assert rest == b""

    def test_an_http_1_0_response_can_be_sent(self, exchange: Exchange) -> None:
        data = exchange(Response(body=("a", "b"), http_version="1.0"))
        assert data.startswith(b"HTTP/1.0 200 OK\r\n")
        assert body_of(data) == b"ab"


class TestFraming:
    @pytest.mark.parametrize("body", [b"hello", "hello"])
    def test_a_complete_body_has_a_content_length(self, exchange: Exchange, body: bytes | str) -> None:
        data = exchange(Response(body=body))
        assert b"Content-Length: 5\r\n" in data
        assert body_of(data) == b"hello"

    @pytest.mark.parametrize("body", [["one", b"two"], ("one", b"two"), lambda: iter(["one", "two"])])
    def test_each_piece_is_a_chunk(self, exchange: Exchange, body: Any) -> None:
        data = exchange(Response(body=body))
        assert b"Transfer-Encoding: chunked\r\n" in data
        assert dechunk(body_of(data)) == [b"one", b"two"]

    def test_an_empty_piece_does_not_end_the_body(self, exchange: Exchange) -> None:
        assert dechunk(body_of(exchange(Response(body=("one", "", b"", "two"))))) == [b"one", b"two"]

    def test_pieces_can_have_a_content_length(self, exchange: Exchange) -> None:
        data = exchange(Response(body=("one", 0.001, "two"), framing="length"))
        assert b"Content-Length: 6\r\n" in data
        assert body_of(data) == b"onetwo"

    def test_closing_the_connection_can_end_the_body(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body=("one", "two"), framing="close"))
        client = dial()
        client.post()
        data = client.read_to_end()
        assert b"Connection: close\r\n" in data
        assert not data.count(b"chunked") + data.count(b"Content-Length")
        assert body_of(data) == b"onetwo"

    @pytest.mark.parametrize("write_size", [1, 2, 7, 1000])
    def test_the_write_size_does_not_change_the_bytes(self, exchange: Exchange, write_size: int) -> None:
        reply = Response.text("Hello", " you", usage=(1, 2))
        assert exchange(dataclasses.replace(reply, write_size=write_size)) == exchange(reply)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    @pytest.mark.parametrize("framing", ["chunked", "length", "close"])
    def test_a_body_is_really_compressed(self, exchange: Exchange, encoding: Any, framing: Any) -> None:
        data = exchange(Response(body=("one " * 100, "two"), encoding=encoding, framing=framing))
        assert f"Content-Encoding: {encoding}\r\n".encode() in data
        body = b"".join(dechunk(body_of(data))) if framing == "chunked" else body_of(data)
        unpacked = zlib.decompressobj(wbits=47)  # detects gzip or zlib
        assert unpacked.decompress(body) == b"one " * 100 + b"two"
        assert unpacked.eof

    def test_compression_is_flushed_after_each_piece(self, hf: Emulator, dial: Dial) -> None:
        gate = Gate()
        hf.reply(Response(body=("one", gate, "two"), encoding="gzip", framing="close"))
        client = dial()
        client.post()
        assert gate.reached.wait(5)
        unpacked = zlib.decompressobj(wbits=47)
        data = client.read()
        while unpacked.decompress(body_of(data)) != b"one":  # the bytes sent before the gate must suffice
            data += client.read()
            unpacked = zlib.decompressobj(wbits=47)
        gate.open()


class TestPauses:
    def test_a_gate_holds_the_body_until_it_is_opened(self, hf: Emulator, dial: Dial) -> None:
        gate = Gate()
        hf.reply(Response(body=("one", gate, "two")))
        client = dial()
        client.post()
        assert gate.reached.wait(5)
        assert client.read_until(b"one\r\n").endswith(b"one\r\n")
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.read()
        client.sock.settimeout(5)
        gate.open()
        client.read_until(b"two\r\n")

    def test_a_gate_can_hold_the_whole_reply(self, hf: Emulator, dial: Dial) -> None:
        gate = Gate()
        hf.reply(Response(body="hello", delay=gate))
        client = dial()
        client.post()
        assert gate.reached.wait(5)
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.read()
        client.sock.settimeout(5)
        gate.open()
        client.read_until(b"hello")

    def test_one_gate_releases_many(self, hf: Emulator, dial: Dial) -> None:
        gate = Gate()
        hf.always(Response(body=(gate, "go")))
        clients = [dial() for _ in range(10)]
        for client in clients:
            client.post()
            client.read_until(b"\r\n\r\n")
        gate.open()
        for client in clients:
            client.read_until(b"go")

    def test_an_open_gate_does_not_wait(self, exchange: Exchange) -> None:
        gate = Gate()
        gate.open()
        gate.open()
        assert gate.is_open
        assert dechunk(body_of(exchange(Response(body=(gate, "go"), delay=gate)))) == [b"go"]

    def test_a_gate_shows_its_state(self) -> None:
        gate = Gate()
        assert repr(gate) == "<Gate shut>"
        gate.reached.set()
        gate.open()
        assert repr(gate) == "<Gate open, reached>"

    @pytest.mark.parametrize(
        "fields", [{"body": ("a", 0.001, 0, "b")}, {"pace": 0.001}, {"delay": 0.001}], ids=["piece", "pace", "delay"]
    )
    def test_a_pause_does_not_change_the_bytes(self, exchange: Exchange, fields: dict[str, Any]) -> None:
        assert exchange(Response(**{"body": ("a", "b"), **fields})) == exchange(Response(body=("a", "b")))


class TestEnds:
    def test_a_cut_omits_the_last_chunk(self, exchange: Exchange) -> None:
        assert body_of(exchange(Response(body=("one", "two"), end="cut"))) == b"3\r\none\r\n3\r\ntwo\r\n"

    def test_a_cut_between_pieces_leaves_complete_chunks(self, exchange: Exchange) -> None:
        assert body_of(exchange(Response(body=("one", "two"), end="cut", end_after=3))) == b"3\r\none\r\n"

    def test_a_cut_inside_a_piece_leaves_a_partial_chunk(self, exchange: Exchange) -> None:
        assert body_of(exchange(Response(body=("one", "two"), end="cut", end_after=4))) == b"3\r\none\r\n3\r\nt"

    def test_a_cut_after_zero_bytes_leaves_the_head(self, exchange: Exchange) -> None:
        assert body_of(exchange(Response(body=("one", "two"), end="cut", end_after=0))) == b""

    @pytest.mark.parametrize(
        ("end_after", "announced", "sent"), [(None, b"6", b"hello"), (2, b"5", b"he"), (0, b"5", b"")]
    )
    def test_a_cut_sends_less_than_the_content_length(
        self, exchange: Exchange, end_after: int | None, announced: bytes, sent: bytes
    ) -> None:
        data = exchange(Response(body="hello", end="cut", end_after=end_after))
        assert b"Content-Length: %b\r\n" % announced in data
        assert body_of(data) == sent

    def test_a_cut_counts_compressed_bytes(self, exchange: Exchange) -> None:
        data = exchange(Response(body="hello" * 100, encoding="gzip", end="cut", end_after=12))
        assert len(body_of(data)) == 12

    def test_a_cut_can_be_inside_the_headers(self, exchange: Exchange) -> None:
        data = exchange(Response(headers={"X-Long": "x" * 100}, end="cut", end_at="headers"))
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\n\r\n" not in data

    def test_a_cut_at_the_start_sends_nothing(self, exchange: Exchange) -> None:
        assert exchange(Response(body="hello", end="cut", end_at="start")) == b""

    @pytest.mark.parametrize("end_at", ["start", "headers", "body"])
    def test_a_reset_breaks_the_connection(self, hf: Emulator, dial: Dial, end_at: Any) -> None:
        hf.reply(Response(body=("one",), end="reset", end_at=end_at))
        client = dial()
        client.post()
        with pytest.raises(ConnectionResetError):
            client.read_to_end()

    def test_bytes_before_a_reset_can_be_read(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body=("one", "two"), end="reset", end_after=4))
        client = dial()
        client.post()
        client.read_until(b"3\r\nt")
        with pytest.raises(ConnectionResetError):
            client.read_to_end()

    def test_a_stall_keeps_the_connection_open(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body=("one", "two"), end="stall", end_after=4))
        client = dial()
        client.post()
        client.read_until(b"3\r\nt")
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.read()
        assert hf.open_connections == 1

    def test_raw_bytes_are_sent_unchanged(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(raw=b"anything", keep_alive=False))
        client = dial()
        client.post()
        assert client.read_to_end() == b"anything"

    def test_the_connection_can_continue_after_raw_bytes(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Response(body="second"))
        client = dial()
        client.post()
        client.read_until(b"ok")
        client.post()
        client.read_until(b"second")

    def test_raw_bytes_can_be_cut(self, exchange: Exchange) -> None:
        assert exchange(Response(raw=b"HTTP/1.1 200", end="cut", end_after=4)) == b"HTTP"


class TestReplyItself:
    def test_a_function_can_produce_an_endless_body(self, hf: Emulator, dial: Dial) -> None:
        hf.always(Response(body=lambda: itertools.repeat(b": keep-alive\n\n")))
        for _ in range(2):
            client = dial()
            client.post()
            client.read_until(b"e\r\n: keep-alive\n\n\r\n")
            client.close()
        hf.wait_for_disconnect(2)

    @pytest.mark.parametrize("fields", [{"end_after": 3}, {"end_at": "start"}])
    def test_an_end_position_needs_an_end(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="end="):
            Response(**fields)

    def test_a_write_size_of_zero_is_refused(self) -> None:
        with pytest.raises(ValueError, match="write_size must be at least 1, not 0"):
            Response(write_size=0)

    def test_a_list_of_pieces_is_not_modified(self) -> None:
        pieces: list[str] = ["one"]
        reply = Response(body=pieces)
        pieces.append("two")
        assert reply.body == ("one",)

    def test_json_has_its_content_type_and_extra_headers(self, exchange: Exchange) -> None:
        data = exchange(Response.json({"a": "ü"}, 201, {"X-A": "1"}, write_size=3))
        assert data.startswith(b"HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nX-A: 1\r\n")
        assert body_of(data) == '{"a":"ü"}'.encode()

    def test_html_shows_status_and_title(self, exchange: Exchange) -> None:
        data = exchange(Response.html(502, "Bad Gateway", headers={"X-A": "1"}))
        assert b"Content-Type: text/html; charset=utf-8\r\nX-A: 1\r\n" in data
        assert b"<h1>502</h1><p>Bad Gateway</p>" in data

    def test_a_redirect_has_a_location(self, exchange: Exchange) -> None:
        assert b"307 Temporary Redirect\r\nLocation: /there\r\n" in exchange(Response.redirect("/there"))
        assert b"302 Found" in exchange(Response.redirect("/there", 302))

    def test_events_are_json_text_or_raw_bytes(self, exchange: Exchange) -> None:
        data = exchange(Response.sse({"a": 1}, "text", b": comment\n\n", headers={"X-A": "1"}, framing="length"))
        assert b"Content-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-A: 1\r\n" in data
        assert body_of(data) == b'data: {"a":1}\n\ndata: text\n\n: comment\n\ndata: [DONE]\n\n'

    def test_done_can_be_left_out(self, exchange: Exchange) -> None:
        assert body_of(exchange(Response.sse("x", done=False, framing="length"))) == b"data: x\n\n"

    def test_a_chat_answer_is_one_object(self) -> None:
        reply = Response.chat(
            "Hi", reasoning="hm", tool_calls=[("f", {"a": 1})], usage=(1, 2), provider="groq", model="m"
        )
        assert dict(reply.headers)["x-inference-provider"] == "groq"
        assert isinstance(reply.body, bytes)
        for part in (b'"content":"Hi"', b'"reasoning_content":"hm"', b'"finish_reason":"tool_calls"'):
            assert part in reply.body
        assert b'"function":{"name":"f","arguments":"{\\"a\\":1}"}' in reply.body
        assert b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}' in reply.body

    def test_a_chat_answer_can_lack_usage_and_content(self) -> None:
        reply = Response.chat(tool_calls=[("f", "{}")], usage=None, finish="stop")
        assert isinstance(reply.body, bytes)
        assert b'"content":null' in reply.body
        assert b'"finish_reason":"stop"' in reply.body
        assert b"usage" not in reply.body
