"""The head of an answer: its status and headers.

http.client reads heads well, but it takes the stack of the standard library's e-mail parser to do it, and urllib3 then
makes an object of its own of each. Together that takes as long as everything else that happens before the first token.
So the plain head, which nearly every answer has, is read here; one that is in any way unusual is left to these two.

A head is not read when http.client asks for it, as soon as the request is sent, but when ``receive_head()`` is called,
which need not block.
"""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from functools import cached_property
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from urllib3 import HTTPHeaderDict
from urllib3.response import HTTPResponse as LibraryResponse

from ..patterns import pattern
from .call import Call, Wait
from .instruments import is_watched
from .wire import Wire

__all__ = ["RawResponse"]

_PIECE_BYTES = 65536
_MAX_HEAD = 1024 * 1024

_END = re.compile(rb"\n\r?\n")
_INTERIM = pattern(rb"HTTP/1\.\d 1(?!01)\d\d\b")  # RFC 9110, section 15.2; http.client passes over 100 only
# Printable, each line ended by CR LF, none folded, at most as many headers as http.client takes.
_PLAIN = re.compile(
    rb"HTTP/1\.1 ([2-9]\d\d)(?: ([\t -~]*))?\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t -~\xa0-\xff]*\r\n){1,100})\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,18}")
_LONE_CR = pattern(rb"\r(?!\n)")
_LINE_ENDS = pattern(r"[\r\n]+")
_BLANKS = " \t"
_MAX_NONSENSE = 4096  # bytes that are not HTTP, before their first line ends
_WITHOUT_BODY = (204, 304)


class RawResponse(HTTPResponse):
    """An answer, for http.client and for urllib3, which each expect an object of their own.

    It bears being looked at before its head was read: then it has the status 0, and no headers.

    Attributes:
        wire: what the body is to be read from.
        fields: the headers, their names in lower case.
        unread: the beginning of the body, which came together with the head.
        length_remaining: the length of the body, where a header gives it.
        is_last: whether the connection serves no other request.
    """

    version_string = "HTTP/1.1"  # for urllib3's log
    length_remaining: int | None = None
    is_last = True

    # urllib3 sets these.
    _pool: Any = None
    _connection: Any = None

    def __init__(self, sock: socket.socket, call: Call, debuglevel: int = 0, **options: Any) -> None:
        self.wire = Wire(sock, call)
        self.unread = b""
        self._call = call
        self._has_head = False
        self._searched = 0  # so much of it holds no end of a head
        self._left_to_http_client: io.BufferedReader | None = None
        self.fields: dict[str, str] = {}
        self._lines = b""
        super().__init__(cast(socket.socket, self.wire), debuglevel, **options)
        self._forget_headers()
        self.version, self.status, self.reason, self.chunked, self.length = 11, 0, "", False, None

    def begin(self) -> None:
        """For http.client, which would read the head now, and close the connection if no other answer may follow."""
        self.will_close = False
        if self._call.blocking and is_watched():
            self.receive_head()

    def receive_head(self) -> bool:
        """Read the head. False if it has not arrived yet and the call does not block; then call again.

        Raises what http.client raises, Interrupted if the call has to stop, OSError if the connection breaks.
        """
        while not self._has_head and (head := self._next_head()) is not None:
            if not _INTERIM.match(head):
                plain = None if self.debuglevel else _PLAIN.fullmatch(head)  # http.client prints what it reads
                if plain is None or not self._take_plain(*plain.groups(b"")):
                    self._take_unusual(head)
                self._has_head = True
        return self._has_head

    def _forget_headers(self) -> None:
        """Have them made anew when they are next looked at."""
        vars(self).pop("headers", None)
        vars(self).pop("msg", None)

    @cached_property
    def headers(self) -> Any:  # type: ignore[override]
        """The headers as libraries look at them, with their names as they came."""
        headers = HTTPHeaderDict()
        for name, value in _read_lines(self._lines):
            headers.add(name, value)
        return headers

    @cached_property
    def msg(self) -> Any:  # type: ignore[override]
        """The same by its older name."""
        return self.headers

    @property
    def through_proxy(self) -> bool:
        """Whether it came from a proxy, or through one."""
        return self._pool is not None and self._pool.proxy is not None

    @property
    def proxy_address(self) -> str:
        """The address of that proxy, without user and password; ``""`` without one."""
        proxy = self._pool.proxy if self.through_proxy else None
        return "" if proxy is None else f"{proxy.host}:{proxy.port}"

    @property
    def request_head(self) -> bytes | None:
        """The head of the request that this answers, as urllib3 sent it; None where it is not known."""
        return self._connection.head if self._connection is not None else None

    def _read_status(self) -> tuple[str, int, str]:
        """For http.client, which reads the answer of a proxy to CONNECT from here on."""
        if self._left_to_http_client is None:
            self._leave_to_http_client(self._next_head() or b"")
        return super()._read_status()  # type: ignore[misc, no-any-return]

    def release_conn(self) -> None:
        """Give the connection back to urllib3's pool: the body was read to its end."""
        self.close()
        pool, connection = self._pool, self._connection
        self._pool = self._connection = None  # the connection remembers its last answer: the pool would hold itself
        if connection is not None:
            pool._put_conn(connection)

    def give_up(self) -> None:
        """Close the connection, unless it was given back."""
        self.close()
        if self._connection is not None:
            self._connection.close()

    def _next_head(self) -> bytes | None:
        """A head with the empty line at its end, or as much of it as came before the connection was closed; None if
        it is still to come and the call does not block.
        """
        data: Any = self.unread  # bytes, or a bytearray that grows
        start, self._searched = self._searched, 0
        while not (end := _END.search(data, start)):
            if len(data) > _MAX_HEAD:
                raise HTTPException(f"got more than {_MAX_HEAD} bytes of headers")
            if _is_nonsense(data):
                break
            piece = self.wire.receive(_PIECE_BYTES)
            if piece is Wait.SOCKET:
                self.unread, self._searched = data, start
                return None
            if not piece:
                break
            start = max(len(data) - 2, 0)
            data = bytearray(data) if data and isinstance(data, bytes) else data
            data += piece
        place = end.end() if end else len(data)
        self.unread = bytes(data[place:])
        return bytes(data[:place])

    def _take_plain(self, status: bytes, reason: bytes, lines: bytes) -> bool:
        """Take what is in a plain head. False if it describes a body in an unusual way."""
        fields: dict[str, str] = {}
        for name, value in _read_lines(lines):
            name = name.lower()
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        coding, length = fields.get("transfer-encoding", ""), fields.get("content-length", "")
        if int(status) in _WITHOUT_BODY:
            return False
        if "transfer-encoding" not in fields:
            if not _LENGTH.fullmatch(length):
                return False
            self.length_remaining = int(length)
        elif coding.lower() != "chunked" or length:
            return False
        self.version = 11
        self.chunked = bool(coding)
        self.code = self.status = int(status)
        self.reason = reason.decode("latin-1").strip()
        self.fields, self._lines = fields, lines
        self._forget_headers()
        self.is_last = "close" in fields.get("connection", "").lower()
        return True

    def _take_unusual(self, head: bytes) -> None:
        self._leave_to_http_client(_LONE_CR.sub(b" ", head))  # which would take it for the end of a line
        self.headers = None
        super().begin()
        message: Any = self.headers
        headers = HTTPHeaderDict((name, _unfold(value)) for name, value in message.items())
        library = LibraryResponse(headers=headers, status=self.status, preload_content=False)
        self.chunked = library.chunked
        self.length_remaining = library.length_remaining
        self.is_last = self.will_close or _is_ambiguous(headers) or bool(message.get_payload())
        self.will_close = False
        self.headers = self.msg = headers
        self.fields = {name.lower(): value for name, value in headers.itermerged()}

    def _leave_to_http_client(self, head: bytes) -> None:
        self.fp = self._left_to_http_client = io.BufferedReader(io.BytesIO(head))


def _is_nonsense(data: bytes | bytearray) -> bool:
    """Whether this is the beginning of something else than a head, which may have no empty line."""
    return not data.startswith(b"HTTP/"[: len(data)]) and (b"\n" in data or len(data) > _MAX_NONSENSE)


def _read_lines(lines: bytes) -> Iterator[tuple[str, str]]:
    for line in lines.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        yield name, value.strip(_BLANKS)


def _unfold(value: str) -> str:
    """The value of a header in one line."""
    return " ".join(line.strip(_BLANKS) for line in _LINE_ENDS.split(value)).strip(_BLANKS)


def _is_ambiguous(headers: HTTPHeaderDict) -> bool:
    """Whether readers may differ about where the body ends (RFC 9112, section 6.3). What follows it may be a part of
    it, and no response to another request.
    """
    coding, length = headers.get("transfer-encoding", ""), headers.get("content-length")
    if coding:
        return coding.lower() != "chunked" or length is not None
    return length is not None and not _LENGTH.fullmatch(length)
