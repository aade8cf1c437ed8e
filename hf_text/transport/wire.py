"""The receiving end of a connection: what http.client reads headers with, and what bodies are read from."""

from __future__ import annotations

import io
import math
import socket
import ssl
from http.client import HTTPResponse
from typing import Any, cast

from .call import Call, Interrupted

__all__ = ["RawAnswer", "Wire", "unread_bytes"]

_BUFFER_BYTES = 65536
_MOST_UNBROKEN_BYTES = 65536


class RawAnswer(HTTPResponse):
    """http.client's answer, read in the time that the call allows."""

    def __init__(self, sock: socket.socket, call: Call, **options: Any) -> None:
        super().__init__(cast(socket.socket, _File(sock, call)), **options)

    def begin(self) -> None:
        super().begin()
        # urllib3 would log what the parser left over, with a traceback, which prints.
        self.msg.defects.clear()
        self.msg.set_payload("")

    def _read_status(self) -> tuple[str, int, str]:
        """http.client passes over 100 only, not over the other interim answers (RFC 9110, section 15.2)."""
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, 100 if 101 < status < 200 else status, reason


class _File:
    """Stands for a socket where http.client makes a file of it."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call

    def makefile(self, mode: str) -> io.BufferedReader:
        self._call.reader = io.BufferedReader(Wire(self._sock, self._call), _BUFFER_BYTES)
        return self._call.reader


class Wire(io.RawIOBase):
    """The receiving end of a connection: each read takes no longer than the call allows."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call
        self._timeout = math.inf  # what the socket's is set to
        self._paused = False
        self._unbroken_bytes = 0  # received since others had their turn
        # Keeps the socket open until the answer is read, as http.client expects.
        self._open = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """For http.client, which reads the headers."""
        if self._paused:
            return None
        data = self.receive(len(buffer))
        assert data is not None
        buffer[: len(data)] = data
        return len(data)

    def receive(self, most: int) -> bytes | None:
        """The bytes that have arrived; ``b""`` once the connection is closed. For a call that does not block None if
        there are none yet, and now and then in any case: then others get their turn.

        Raises Interrupted if the call may not go on, OSError if the connection breaks.
        """
        call, sock = self._call, self._sock
        while True:
            left = call.time_left() if call.blocking else 0.0
            if not call.blocking and self._unbroken_bytes >= _MOST_UNBROKEN_BYTES:
                self._unbroken_bytes = 0  # a fast provider must not keep the event loop to itself
                return None
            # Setting the timeout costs a system call, so it may be 2 % off: while tokens come it need not be set again.
            if self._timeout > left * 1.02 or (left and not self._timeout):
                sock.settimeout(left)
                self._timeout = left
            try:
                data = sock.recv(most)
            except TimeoutError:  # perhaps the one of an earlier read, which was shorter
                self._timeout = math.inf
                continue
            except (BlockingIOError, ssl.SSLWantReadError):
                call.time_left()
                return None
            except OSError:
                if call.cancelled:  # a socket that is shut down may tell so by an error
                    raise Interrupted from None
                raise
            if call.cancelled:  # the socket was shut down: this is no end of the answer
                raise Interrupted
            self._unbroken_bytes += len(data)
            return data

    def close(self) -> None:
        self._open.close()
        super().close()


def unread_bytes(reader: io.BufferedReader) -> bytes:
    """What http.client received together with the headers, and did not use."""
    wire = cast(Wire, reader.raw)
    wire._paused = True
    try:
        return reader.peek()
    finally:
        wire._paused = False
