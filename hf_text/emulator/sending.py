"""Sends a `Response`: head, encoding, framing, pauses, and the specified end."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from .gate import Gate
from .replies import BodyEnd

if TYPE_CHECKING:
    from .connection import Connection
    from .replies import Piece, Response
    from .request import Request

__all__ = ["send_reply"]

Step = bytes | float | Gate | socket.socket

_WINDOW_BITS = {"gzip": 31, "deflate": 15}


def send_reply(connection: Connection, request: Request, reply: Response) -> bool:
    """Send the reply. Returns whether the connection can serve another request. Raises ClientLeftError."""
    if reply.delay:
        _take_step(connection, reply.delay)
    if reply.end != "complete" and reply.end_at == "start":
        return _end(connection, reply)
    if reply.raw is not None:
        return _send_raw(connection, reply, reply.raw) and reply.keep_alive
    return _send_response(connection, request, reply)


def _send_raw(connection: Connection, reply: Response, raw: bytes | Callable[[], Iterable[Piece]]) -> bool:
    if isinstance(raw, bytes):
        connection.send(raw[: reply.end_after], reply.write_size)
        return _end(connection, reply)
    pieces = raw()
    try:
        for piece in pieces:
            step = piece.encode() if isinstance(piece, str) else piece
            if isinstance(step, bytes):
                connection.send(step, reply.write_size)
            else:
                _take_step(connection, step)
    except BodyEnd as ended:
        return _end(connection, replace(reply, end=ended.end))
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()
    return _end(connection, reply)


def _send_response(connection: Connection, request: Request, reply: Response) -> bool:
    framing = _choose_framing(reply, request)
    steps: Iterable[Step] = _encode(reply)
    if framing == "length":
        steps = list(steps)
    keep_alive = reply.keep_alive and request.keep_alive and framing != "close"
    head = _build_head(reply, framing, steps, keep_alive)
    if reply.end != "complete" and reply.end_at == "headers":
        connection.send(head[: len(head) // 2], reply.write_size)
        return _end(connection, reply)
    if request.method == "HEAD" or not _may_have_body(reply.status):
        _send_head(connection, reply, head)
        return _end(connection, reply) and keep_alive
    if isinstance(steps, list) and len(steps) < 2 and reply.end_after is None and not reply.header_pace:
        connection.send(head + b"".join(s for s in steps if isinstance(s, bytes)), reply.write_size)
    else:
        _send_head(connection, reply, head)
        _send_body(connection, reply, steps, chunked=framing == "chunked")
    return _end(connection, reply) and keep_alive


def _choose_framing(reply: Response, request: Request) -> str:
    whole = isinstance(reply.body, (bytes, str))
    framing = reply.framing if reply.framing != "auto" else "length" if whole else "chunked"
    if framing == "chunked" and "1.0" in (request.http_version, reply.http_version) and reply.framing == "auto":
        return "close"  # HTTP/1.0 has no chunked encoding
    return framing


def _build_head(reply: Response, framing: str, steps: Iterable[Step], keep_alive: bool) -> bytes:
    reason = _usual_reason(reply.status) if reply.reason is None else reply.reason
    fields = reply.header_list
    given = {name.lower() for name, _ in fields}
    if reply.encoding:
        fields.append(("Content-Encoding", reply.encoding))
    if not given & {"content-length", "transfer-encoding"} and _may_have_body(reply.status):
        fields += _framing_field(reply, framing, steps)
    if "connection" not in given:
        fields.append(("Connection", "keep-alive" if keep_alive else "close"))
    lines = [f"HTTP/{reply.http_version} {reply.status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join([*lines, "", ""]).encode()


def _framing_field(reply: Response, framing: str, steps: Iterable[Step]) -> list[tuple[str, str]]:
    if framing == "length":
        missing = reply.end != "complete" and reply.end_after is None  # then announce one byte too many
        return [("Content-Length", str(sum(len(s) for s in steps if isinstance(s, bytes)) + missing))]
    return [("Transfer-Encoding", "chunked")] if framing == "chunked" else []


def _usual_reason(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"


def _may_have_body(status: int) -> bool:
    return status >= 200 and status not in (204, 304)


def _send_head(connection: Connection, reply: Response, head: bytes) -> None:
    if not reply.header_pace:
        connection.send(head, reply.write_size)
        return
    for line in head.splitlines(keepends=True):
        connection.send(line, reply.write_size)
        connection.wait(reply.header_pace)


def _send_body(connection: Connection, reply: Response, steps: Iterable[Step], chunked: bool) -> None:
    left = reply.end_after
    if left == 0:
        return
    first = True
    for step in steps:
        if not isinstance(step, bytes):
            _take_step(connection, step)
            continue
        if reply.pace and not first:
            connection.wait(reply.pace)
        first = False
        part = step if left is None else step[:left]
        connection.send(_frame(part, len(step)) if chunked else part, reply.write_size)
        if left is not None:
            left -= len(part)
            if left == 0:
                return
    if chunked and reply.end == "complete":
        connection.send(b"0\r\n\r\n", reply.write_size)


def _frame(part: bytes, announced: int) -> bytes:
    """A chunk; a truncated one announces its full size and lacks the final line end."""
    return b"%x\r\n%b%b" % (announced, part, b"\r\n" if len(part) == announced else b"")


def _take_step(connection: Connection, step: float | Gate | socket.socket) -> None:
    if isinstance(step, Gate):
        connection.wait(gate=step)
    elif isinstance(step, socket.socket):
        connection.wait(readable=step)
    else:
        connection.wait(step)


def _end(connection: Connection, reply: Response) -> bool:
    if reply.end == "stall":
        connection.wait()
    elif reply.end == "cut":
        connection.cut()
    elif reply.end == "reset":
        connection.reset()
    return reply.end == "complete"


def _encode(reply: Response) -> Iterator[Step]:
    """The body's pieces, compressed if the reply has an encoding; empty pieces, which would end a chunked body, are
    omitted.
    """
    pieces = _pieces(reply)
    if reply.encoding is None:
        for piece in pieces:
            step = piece.encode() if isinstance(piece, str) else piece
            if step != b"":
                yield step
        return
    compressor = zlib.compressobj(wbits=_WINDOW_BITS[reply.encoding])
    for piece in pieces:
        step = piece.encode() if isinstance(piece, str) else piece
        yield compressor.compress(step) + compressor.flush(zlib.Z_SYNC_FLUSH) if isinstance(step, bytes) else step
    yield compressor.flush()


def _pieces(reply: Response) -> Iterable[Piece]:
    if isinstance(reply.body, (bytes, str)):
        return (reply.body,)
    return reply.body() if callable(reply.body) else reply.body
