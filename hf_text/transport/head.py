"""The head of a response: its status and headers.

http.client parses heads with the standard library's e-mail parser, and urllib3 then converts each response to its own
object. Together they take as long as everything else before the first token. So this module parses the plain head that
nearly every response has, and leaves any unusual head to http.client and urllib3.

The head is not read when http.client asks for it, right after the request is sent, but when ``receive_head()`` is
called, which need not block.
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
_INTERIM = pattern(rb"HTTP/1\.\d 1(?!01)\d\d\b")  # RFC 9110, section 15.2; http.client skips only 100
# Printable, each line ended by CR LF, none folded, at most as many headers as http.client accepts.
_PLAIN = re.compile(
    rb"HTTP/1\.1 ([2-9]\d\d)(?: ([\t -~]*))?\r\n((?:[-!#$%&'*+.^_`|~0-9A-Za-z]+:[\t -~\xa0-\xff]*\r\n){1,100})\r\n"
)
_LENGTH = re.compile(r"[0-9]{1,18}")
_LONE_CR = pattern(rb"\r(?!\n)")
_LINE_ENDS = pattern(r"[\r\n]+")
_BLANKS = " \t"
_MAX_NONSENSE = 4096  # bytes of a first line that is not HTTP
_WITHOUT_BODY = (204, 304)


class RawResponse(HTTPResponse):
    """A response that serves both http.client and urllib3, which each expect their own class.

    Before its head is read it has the status 0 and no headers.

    Attributes:
        wire: the connection to read the body from.
        fields: the headers, their names in lower case.
        unread: the beginning of the body, received together with the head.
        length_remaining: the length of the body, if a header gives it.
        is_last: whether the connection cannot be reused.
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
        self._searched = 0  # this many bytes of ``unread`` contain no end of a head
        self._left_to_http_client: io.BufferedReader | None = None
        self.fields: dict[str, str] = {}
        self._lines = b""
        super().__init__(cast(socket.socket, self.wire), debuglevel, **options)
        self._forget_headers()
        self.version, self.status, self.reason, self.chunked, self.length = 11, 0, "", False, None

    def begin(self) -> None:
        """Leave the head unread, unless an instrument inspects it. http.client would read it now, and close the
        connection if no other response may follow.
        """
        self.will_close = False
        if self._call.blocking and is_watched():
            self.receive_head()

    def receive_head(self) -> bool:
        """Read the head. Returns False if it has not arrived and the call does not block; then call again.

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
        """Clear the cached ``headers`` and ``msg``; the next access builds them again."""
        vars(self).pop("headers", None)
        vars(self).pop("msg", None)

    @cached_property
    def headers(self) -> Any:  # type: ignore[override]
        """The headers as libraries expect them, with their names as received."""
        headers = HTTPHeaderDict()
        for name, value in _read_lines(self._lines):
            headers.add(name, value)
        return headers

    @cached_property
    def msg(self) -> Any:  # type: ignore[override]
        """The older name of ``headers``."""
        return self.headers

    @property
    def through_proxy(self) -> bool:
        """Whether the response came from or through a proxy."""
        return self._pool is not None and self._pool.proxy is not None

    @property
    def proxy_address(self) -> str:
        """The address of the proxy, without user and password; ``""`` without a proxy."""
        proxy = self._pool.proxy if self.through_proxy else None
        return "" if proxy is None else f"{proxy.host}:{proxy.port}"

    @property
    def request_head(self) -> bytes | None:
        """The head of the request, as urllib3 sent it; None if unknown."""
        return self._connection.head if self._connection is not None else None

    def _read_status(self) -> tuple[str, int, str]:
        """Called by http.client to read a proxy's response to CONNECT."""
        if self._left_to_http_client is None:
            self._leave_to_http_client(self._next_head() or b"")
        return super()._read_status()  # type: ignore[misc, no-any-return]

    def release_conn(self) -> None:
        """Return the connection to urllib3's pool, after the body was read to its end."""
        self.close()
        pool, connection = self._pool, self._connection
        self._pool = self._connection = None  # no reference cycle: the connection holds its last response
        if connection is not None:
            pool._put_conn(connection)

    def give_up(self) -> None:
        """Close the connection, unless it was returned to the pool."""
        self.close()
        if self._connection is not None:
            self._connection.close()

    def _next_head(self) -> bytes | None:
        """Return a head with the empty line at its end, or the part received before the connection was closed; None if
        the head has not arrived and the call does not block.
        """
        data: Any = self.unread  # bytes, or a growing bytearray
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
        """Parse a plain head. Returns False if its body framing is unusual."""
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
        self._leave_to_http_client(_LONE_CR.sub(b" ", head))  # http.client would treat a lone CR as a line end
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
    """Whether the data is not the beginning of a head; the end of a head may then never come."""
    return not data.startswith(b"HTTP/"[: len(data)]) and (b"\n" in data or len(data) > _MAX_NONSENSE)


def _read_lines(lines: bytes) -> Iterator[tuple[str, str]]:
    for line in lines.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(":")
        yield name, value.strip(_BLANKS)


def _unfold(value: str) -> str:
    """The value of a header on one line."""
    return " ".join(line.strip(_BLANKS) for line in _LINE_ENDS.split(value)).strip(_BLANKS)


def _is_ambiguous(headers: HTTPHeaderDict) -> bool:
    """Whether parsers may disagree about where the body ends (RFC 9112, section 6.3). Bytes after it may then belong to
    it instead of the next response.
    """
    coding, length = headers.get("transfer-encoding", ""), headers.get("content-length")
    if coding:
        return coding.lower() != "chunked" or length is not None
    return length is not None and not _LENGTH.fullmatch(length)
