"""Sending a long body while looking whether a response comes before its end.

A server that refuses a body (413, 401, a redirect) may say so at its beginning, and then read no more of it, or hang
up. Whoever only sends waits for his clock then, or sees a broken connection instead of the reason.
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
    """Send all of the data, or as much as the server takes until it answers with a status from 300 up.

    Gives what came of a response, and whether all was sent. Raises OSError if the connection breaks before either,
    Interrupted if the call has to stop.
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
            came = came or _receive(sock)  # a reset may come after the reason for it
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
    """What has come, if anything. Raises OSError at the end of the connection."""
    if not wait_for_read(sock, 0):
        return b""
    try:
        data = bytes(sock.recv(_PIECE_BYTES))
    except _NOT_READY:  # TLS sends things of its own
        return b""
    if not data:
        raise ConnectionResetError("the server closed the connection during the upload")
    return data


def _is_refusal(came: bytes) -> bool:
    """Whether a response has begun that will not change by what is still to be sent."""
    while came[_STATUS_PLACE : _STATUS_PLACE + 1] == b"1":  # an interim response
        _, end, came = came.partition(b"\r\n\r\n")
        if not end:
            return False
    return came[_STATUS_PLACE : _STATUS_PLACE + 1] in (b"3", b"4", b"5")
