"""`Request`, and reading one from a connection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Headers", "Request", "UnreadableRequestError", "read_request"]

_HEAD_LIMIT = 1 << 16
_BODY_LIMIT = 1 << 28


class UnreadableRequestError(ValueError):
    """The client sent an invalid HTTP request.

    Attributes:
        status: the status of the response.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Headers(Mapping[str, str]):
    """Header fields by name; lookup is case-insensitive. The values of a repeated name are joined with a comma.

    Attributes:
        pairs: the fields as they were received.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        self._values: dict[str, str] = {}
        for name, value in self.pairs:
            key = name.lower()
            self._values[key] = f"{self._values[key]}, {value}" if key in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({list(self._values)})"  # names only: a value may be a key


@dataclass(frozen=True, repr=False)
class Request:
    """One request that the emulator received.

    Attributes:
        method: ``"GET"``, ``"POST"`` ….
        path: the decoded path, without the query.
        query: the values of each query parameter.
        headers: the header fields; lookup is case-insensitive.
        body: the body, without transfer coding.
        connection: the number of its TCP connection, from 1.
        target: the request target as it was sent.
        http_version: ``"1.1"`` or ``"1.0"``.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Headers
    body: bytes
    connection: int
    target: str
    http_version: str = "1.1"

    @property
    def json(self) -> Any:
        """The body as JSON. Raises ValueError if it is invalid."""
        return json.loads(self.body)

    @property
    def authorization(self) -> str | None:
        """The ``Authorization`` header; None if it is missing."""
        return self.headers.get("authorization")

    @property
    def key(self) -> str | None:
        """The bearer token; None if there is none."""
        scheme, _, key = (self.authorization or "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" and key.strip() else None

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to keep the connection alive."""
        wishes = self.headers.get("connection", "").lower()
        return "close" not in wishes if self.http_version == "1.1" else "keep-alive" in wishes

    @classmethod
    def unreadable(cls) -> Request:
        """A placeholder for a request that could not be read."""
        return cls("", "", {}, Headers(), b"", 0, "")

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target} on connection {self.connection}, {len(self.body)} bytes>"


def read_request(connection: Connection) -> Request | None:
    """The next request on this connection; None when the client closed it. Raises UnreadableRequestError."""
    head = _read_head(connection)
    if head is None:
        return None
    method, target, version, headers = _parse_head(head)
    if headers.get("expect", "").lower() == "100-continue":
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(connection, headers)
    if body is None:
        return None
    try:
        url = urlsplit(target)
    except ValueError as error:
        raise UnreadableRequestError(f"not a request target: {target[:80]!r}") from error
    query = parse_qs(url.query, keep_blank_values=True)
    return Request(method, unquote(url.path), query, headers, body, connection.number, target, version)


def _read_head(connection: Connection) -> bytes | None:
    head: bytes | None = b"\r\n"
    while head == b"\r\n":  # RFC 9112 section 2.2: empty lines before a request are skipped
        head = _read_line(connection)
    while head is not None and not head.endswith(b"\r\n\r\n"):
        line = _read_line(connection)
        head = None if line is None else head + line
        if head is not None and len(head) > _HEAD_LIMIT:
            raise UnreadableRequestError("the header fields are too long", 431)
    return head


def _read_line(connection: Connection) -> bytes | None:
    try:
        return connection.read_until(b"\r\n", _HEAD_LIMIT)
    except ValueError as error:
        raise UnreadableRequestError(str(error), 431) from error


def _parse_head(head: bytes) -> tuple[str, str, str, Headers]:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise UnreadableRequestError(f"not a request line: {first[:80]!r}")
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise UnreadableRequestError(f"not a header field: {line[:80]!r}")
        pairs.append((name, value.strip()))
    return words[0], words[1], words[2].removeprefix("HTTP/"), Headers(pairs)


def _read_body(connection: Connection, headers: Headers) -> bytes | None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(connection)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise UnreadableRequestError(f"not a Content-Length: {length[:80]!r}")
    if int(length) > _BODY_LIMIT:
        raise UnreadableRequestError("the body is too long", 413)
    return connection.read_exactly(int(length))


def _read_chunks(connection: Connection) -> bytes | None:
    body = bytearray()
    while True:
        line = _read_line(connection)
        if line is None:
            return None
        size = _parse_chunk_size(line)
        if len(body) + size > _BODY_LIMIT:
            raise UnreadableRequestError("the body is too long", 413)
        if size == 0:
            return bytes(body) if _skip_trailers(connection) else None
        data = connection.read_exactly(size + 2)
        if data is None:
            return None
        body += data[:-2]


def _parse_chunk_size(line: bytes) -> int:
    try:
        return int(line.split(b";")[0].strip() or b"?", 16)
    except ValueError as error:
        raise UnreadableRequestError(f"not a chunk size: {line[:80]!r}") from error


def _skip_trailers(connection: Connection) -> bool:
    line = _read_line(connection)
    while line not in (b"\r\n", None):
        line = _read_line(connection)
    return line is not None
