"""Response heads are parsed as http.client and urllib3 parse them, however they arrive."""

from __future__ import annotations

import http.client
import itertools
import re
import select
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict, HTTPResponse
from urllib3.exceptions import InvalidHeader

from hf_text.transport.call import Call, Interrupted, Timeouts
from hf_text.transport.head import RawResponse

_NAMES = ("Content-Type", "Transfer-Encoding", "content-length", "Connection", "Set-Cookie", "X-A!#$%&'*+.^_`|~")
names = st.sampled_from(_NAMES)
_VALUES = (
    "|a| b c |\t7\t|0|12|012|-1|+5|1_0|5, 5|chunked|Chunked|gzip, chunked|close|keep-alive, Close|text/event-stream"
    "|multipart/mixed; boundary=x|\xe9|\x80|a\x0bb|a\x00|a:b: c|http://x|folded\r\n more|folded\n\tmore"
    "|\r\n twice\r\n  more"
)
values = st.sampled_from(_VALUES.split("|"))
lines = st.builds("{}:{}".format, names, values) | st.sampled_from(
    ["no colon", " begins blank: x", ": no name", "x y: z"]
)
_STARTS = (
    "HTTP/1.1 200 OK|HTTP/1.1 200|HTTP/1.1 200 |HTTP/1.0 200 OK|HTTP/1.1 204 No|HTTP/1.1 304 Not|HTTP/1.9 500 \xe9"
    "|HTTP/1.1 404 Not Found at all|HTTP/1.1  200 OK|HTTP/1.1 999 x|HTTP/1.1 2000 x|HTTP/2 200|HTTP/1.1 101 Up|ICY 200"
)
starts = st.sampled_from(_STARTS.split("|"))
ends = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"])


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """A head, regular or odd, with consistent line ends or mixed ones."""
    head = "".join(line + draw(ends) for line in [draw(starts), *draw(st.lists(lines, max_size=5)), ""])
    return head.encode("latin-1")


def facts_of(answer: Any, headers: HTTPHeaderDict, body: Any, is_last: bool) -> tuple[Any, ...]:
    return answer.status, answer.reason, [*headers.iteritems()], body.chunked, body.length_remaining, is_last


def read_by_us(head: bytes, cut: int, blocking: bool) -> Any:
    """The parsed head and the bytes after it; or the error."""

    def send() -> None:
        with suppress(OSError):  # the reader may have stopped
            theirs.sendall(head[:cut])
            theirs.sendall(head[cut:] + b"rest")

    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            sending = threading.Thread(target=send)
            sending.start()
            call = Call(Timeouts(5, 5, 5))
            answer = RawResponse(ours, call, method="POST")
            try:
                call.blocking = blocking
                while not answer.receive_head():
                    select.select([ours], [], [])
                call.blocking = True
                rest = answer.unread + (b"" if answer.unread == b"rest" else answer.wire.receive(100) or b"")
                result: Any = *facts_of(answer, answer.headers, answer, answer.is_last), rest
            except (http.client.HTTPException, ConnectionError, InvalidHeader) as error:
                result = repr(error)
            finally:
                answer.close()
        sending.join()
    return result


def read_by_the_libraries(head: bytes) -> Any:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(head)
        theirs.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(ours, method="POST")
        try:
            answer.begin()
            # No blanks around a value, and one per fold (RFC 9112, sections 5.1 and 5.2).
            values = [(name, re.sub(r"\s*\n\s*", " ", value).strip(" \t")) for name, value in answer.headers.items()]
            headers = HTTPHeaderDict(values)
            theirs_too = HTTPResponse(headers=headers, status=answer.status, preload_content=False)
            return *facts_of(answer, headers, theirs_too, answer.will_close), b"rest"
        except (http.client.HTTPException, ConnectionError, InvalidHeader) as error:
            return repr(error)
        finally:
            answer.close()


def check(head: bytes, cut: int = 0, blocking: bool = True) -> None:
    """Both parse the same, except that the library may close a connection that http.client would reuse."""
    ours, theirs = read_by_us(head, cut, blocking), read_by_the_libraries(head)
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs, head
    else:
        assert (*ours[:5], ours[6]) == (*theirs[:5], theirs[6]), head
        assert ours[5] or not theirs[5], head


@given(heads(), st.integers(0, 300), st.booleans())
def test_a_head_is_read_like_http_client_reads_it(head: bytes, cut: int, blocking: bool) -> None:
    check(head, cut, blocking)


CHUNKED, FOUR = "Transfer-Encoding: chunked\r\n", "Content-Length: 4\r\n"


@pytest.mark.parametrize("headers", ["", CHUNKED, FOUR, FOUR + "A: b\r\n c\r\n", CHUNKED + "A:\r\n b\r\n"])
def test_a_connection_is_reused_where_urllib3_would(headers: str) -> None:
    head = f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode()
    assert read_by_us(head, 0, True) == read_by_the_libraries(head)


@pytest.mark.parametrize(
    "headers",
    [
        CHUNKED + FOUR,
        FOUR + CHUNKED,
        CHUNKED + CHUNKED,
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n" + FOUR,
        "Transfer-Encoding: identity\r\n" + FOUR,
        "Content-Length: 4, 4\r\n",
        FOUR + FOUR,
        "Content-Length: +4\r\n",
        "Content-Length: 0_4\r\n",
        FOUR + "no header\r\n" + CHUNKED,
        FOUR + "Transfer-Encoding : chunked\r\n",
        FOUR + "Transfer Encoding: chunked\r\n",
    ],
)
def test_a_connection_with_ambiguous_framing_is_not_reused(headers: str) -> None:
    *_, is_last, rest = read_by_us(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode(), 0, True)
    assert (is_last, rest) == (True, b"rest")


@pytest.mark.parametrize(
    "headers", ["A: b\rTransfer-Encoding: chunked\r\n" + FOUR, "A: b\r\rConnection: close\r\n" + FOUR]
)
def test_a_bare_carriage_return_does_not_start_a_header(headers: str) -> None:
    """Gateways that forward foreign headers do not treat it as a line end."""
    status, _, found, chunked, length, *_ = read_by_us(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode(), 0, True)
    assert (status, chunked, length) == (200, False, 4)
    assert [name for name, _ in found] == ["A", "Content-Length"]


@pytest.mark.parametrize("start", _STARTS.split("|"))
def test_a_head_with_any_header_is_read_like_http_client_reads_it(start: str) -> None:
    lengths = ["9" * 18, "9" * 19, "9" * 5000]  # int() rejects the longest
    odd = [
        "no colon",
        " begins blank: x",
        ": no name",
        "x y: z",
        "Content-Length 5: 6",
        "A: b\r\nContent-Length: 4\r\nA: c",
    ]
    for line in [*itertools.starmap("{}:{}".format, itertools.product(_NAMES, [*_VALUES.split("|"), *lengths])), *odd]:
        for end, more in (("\r\n", ""), ("\n", ""), ("\r\n", "Content-Length: 4\r\n")):
            head = f"{start}{end}{more}{line}{end}{end}".encode("latin-1")
            check(head)


def test_a_head_that_arrives_byte_by_byte_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hf_text.transport.head._PIECE_BYTES", 1)
    for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"HTTP/1.0 200 OK\nA: b\nA: c\n\n"):
        assert read_by_us(head, 0, True) == read_by_the_libraries(head)


@pytest.mark.parametrize("interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\n"])
@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\n\n"])
def test_interim_responses_are_skipped_before_any_head(interim: bytes, head: bytes) -> None:
    for cut in range(len(interim * 2 + head)):
        assert read_by_us(interim * 2 + head, cut, True) == read_by_us(head, 0, True)


@pytest.mark.parametrize("blocking", [True, False])
def test_interim_responses_do_not_extend_the_timeout(blocking: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 103 Early\r\n\r\n" * 5000)
        call = Call(Timeouts(0.01, 0.01, 0.01))
        call.blocking = blocking
        answer = RawResponse(ours, call, method="POST")
        while call.longest_wait():
            pass
        with pytest.raises(Interrupted):
            answer.receive_head()
        answer.close()


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail ESMTP\r\n", b"\r\n"])
def test_a_non_http_answer_is_refused_without_waiting(banner: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(banner)  # the connection stays open
        answer = RawResponse(ours, Call(Timeouts(5, 5, 5)), method="POST")
        with pytest.raises(http.client.BadStatusLine):
            answer.receive_head()
        answer.close()


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", "header line"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", "100 headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300_000, "1048576 bytes of headers"),
    ],
)
def test_an_oversized_head_is_refused(head: bytes, words: str) -> None:
    assert words in read_by_us(head, 0, True)


def test_a_hundred_headers_keep_their_order() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + b"".join(b"A%d: %d\r\n" % (n, n) for n in range(99)) + b"\r\n"
    _, _, headers, *_ = read_by_us(head, 100, True)
    assert headers[1:] == [(f"A{number}", str(number)) for number in range(99)]
