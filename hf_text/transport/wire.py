"""The receiving end of a connection, for reading the heads and bodies of responses."""

from __future__ import annotations

import io
import math
import socket
import ssl
from typing import Literal, cast

from urllib3.util.ssltransport import SSLTransport

from .call import SOCKET, Call, Interrupted, Wait

__all__ = ["TLSInTLS", "Wire"]

_MAX_UNBROKEN_BYTES = 65536
_MAX_RECORD = 16384  # bytes in a TLS record


class Wire:
    """The receiving end of a connection: each read takes no longer than the call allows."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call
        timeout: float | None = sock.gettimeout()
        self._timeout = math.inf if timeout is None else timeout  # the current timeout of the socket
        self._unbroken_bytes = 0  # received since other tasks could run
        # Everything that had arrived was read, or nothing can have arrived yet: wait before reading.
        call.drained = True
        self._tells_all = not isinstance(sock, (ssl.SSLSocket, TLSInTLS))  # TLS returns one record at a time

    def makefile(self, mode: str) -> io.BytesIO:
        """Return an empty file for http.client, which requires one; ``RawResponse`` supplies its bytes."""
        return io.BytesIO()

    def receive(self, most: int) -> bytes | Literal[Wait.SOCKET]:
        """Return the bytes that have arrived; ``b""`` once the connection is closed. A call that does not block gets
        ``Wait.SOCKET`` if nothing has arrived, and after every 64 KiB so that other tasks can run.

        Raises Interrupted if the call has to stop, OSError if the connection breaks.
        """
        call, sock = self._call, self._sock
        while True:
            left = call.time_left() if call.blocking else 0.0
            if not call.blocking and (call.drained or self._unbroken_bytes >= _MAX_UNBROKEN_BYTES):
                call.drained = False
                self._unbroken_bytes = 0  # a fast provider must not starve the event loop,
                call.time_left()  # nor evade the clocks
                return SOCKET
            # Setting the timeout is a system call. It may be 2 % too long, so it is not set again for each token.
            if self._timeout > left * 1.02 or (left and not self._timeout):
                sock.settimeout(left)
                self._timeout = left
            try:
                data = sock.recv(most)
            except TimeoutError:  # perhaps the shorter timeout of an earlier read
                self._timeout = math.inf
                continue
            except (BlockingIOError, ssl.SSLWantReadError):
                call.time_left()
                return SOCKET
            except OSError:
                if call.cancelled:  # reading from a socket after shutdown() may raise
                    raise Interrupted from None
                raise
            if call.cancelled:  # cancel() shut the socket down: this is not the end of the response
                raise Interrupted
            self._unbroken_bytes += len(data)
            call.drained = self._tells_all and 0 < len(data) < most
            return data


class TLSInTLS:
    """A socket-like reader for a TLS tunnel through an HTTPS proxy."""

    def __init__(self, tunnel: SSLTransport) -> None:
        self._tunnel = tunnel
        self.settimeout, self.gettimeout = tunnel.settimeout, tunnel.gettimeout

    def recv(self, most: int) -> bytes:
        """Return all bytes that have arrived. Bytes left in urllib3's buffer would not make the socket readable."""
        data = cast(bytes, self._tunnel.recv(most)) or b""  # urllib3 returns 0 at the end
        while self._tunnel.incoming.pending and len(data) + _MAX_RECORD <= most:
            try:
                more = self._tunnel.sslobj.read(most)
            except ssl.SSLWantReadError:  # a partial record
                break
            if not more:
                break
            data += more
        return data
