"""Sending a long body while watching for an early response.

A server that rejects a body (413, 401, a redirect) may respond early and then stop reading or close the connection. A
client that only sends would then time out, or see a broken connection instead of the reason.
"""

from __future__ import annotations

import ssl
from typing import Any

from urllib3.util.wait import wait_for_read, wait_for_socket

from .call import Call

__all__ = ["upload"]

_PIECE_BYTES = 65536
_NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_STATUS_PLACE = len("HTTP/1.1 ")


def upload(sock: Any, data: bytes, call: Call) -> tuple[bytes, bool]:
    """Send the data until all is sent or the server responds with a status of 300 or above.

    Returns the received part of a response, and whether all data was sent. Raises OSError if the connection breaks
    before either, Interrupted if the call has to stop.
    """
    rest = memoryview(data)
    came = b""
    sock.settimeout(0)
    while rest and not _is_refusal(came):
        listening = len(came) < _PIECE_BYTES
        wait_for_socket(sock, read=listening, write=True, timeout=call.time_left())
        call.time_left()
        try:
            came += _receive(sock) if listening else b""
            rest = rest[_send(sock, rest[:_PIECE_BYTES]) :]
        except OSError:
            came = came or _receive(sock)  # the server may have sent a reason before the reset
            if not came:
                raise
            break
    return came, not rest


def _send(sock: Any, data: memoryview) -> int:
    try:
        return int(sock.send(data))
    except _NOT_READY:
        return 0


def _receive(sock: Any) -> bytes:
    """The bytes that have arrived, if any. Raises OSError if the connection is closed."""
    if not wait_for_read(sock, 0):
        return b""
    try:
        data = bytes(sock.recv(_PIECE_BYTES))
    except _NOT_READY:  # a TLS record without data
        return b""
    if not data:
        raise ConnectionResetError("the server closed the connection during the upload")
    return data


def _is_refusal(came: bytes) -> bool:
    """Whether a response has begun that does not depend on the rest of the body."""
    while came[_STATUS_PLACE : _STATUS_PLACE + 1] == b"1":  # an interim response
        _, end, came = came.partition(b"\r\n\r\n")
        if not end:
            return False
    return came[_STATUS_PLACE : _STATUS_PLACE + 1] in (b"3", b"4", b"5")
