"""The receiving end of a connection: what the heads and bodies of answers are read from."""

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
_MAX_RECORD = 16384  # bytes that TLS encrypts at a time


class Wire:
    """The receiving end of a connection: each read takes no longer than the call allows."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call
        timeout: float | None = sock.gettimeout()
        self._timeout = math.inf if timeout is None else timeout  # what the socket's is set to
        self._unbroken_bytes = 0  # received since others had their turn
        # What had arrived was taken, or nothing can have: the next bytes are waited for before they are asked for.
        call.drained = True
        self._tells_all = not isinstance(sock, (ssl.SSLSocket, TLSInTLS))  # TLS gives a record at a time

    def makefile(self, mode: str) -> io.BytesIO:
        """For http.client, which makes a file of a socket; it gets its bytes otherwise (``RawResponse``)."""
        return io.BytesIO()

    def receive(self, most: int) -> bytes | Literal[Wait.SOCKET]:
        """The bytes that have arrived; ``b""`` once the connection is closed. A call that does not block gets
        ``Wait.SOCKET`` if there are none yet, and after 64 KiB in a row, so that other tasks can run.

        Raises Interrupted if the call has to stop, OSError if the connection breaks.
        """
        call, sock = self._call, self._sock
        while True:
            left = call.time_left() if call.blocking else 0.0
            if not call.blocking and (call.drained or self._unbroken_bytes >= _MAX_UNBROKEN_BYTES):
                call.drained = False
                self._unbroken_bytes = 0  # a fast provider must not keep the event loop to itself,
                call.time_left()  # nor outrun the clocks
                return SOCKET
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
                return SOCKET
            except OSError:
                if call.cancelled:  # a socket that is shut down may tell so by an error
                    raise Interrupted from None
                raise
            if call.cancelled:  # the socket was shut down: this is not the end of the answer
                raise Interrupted
            self._unbroken_bytes += len(data)
            call.drained = self._tells_all and 0 < len(data) < most
            return data


class TLSInTLS:
    """The receiving end of a tunnel through a proxy that speaks TLS itself, in the manner of a socket."""

    def __init__(self, tunnel: SSLTransport) -> None:
        self._tunnel = tunnel
        self.settimeout, self.gettimeout = tunnel.settimeout, tunnel.gettimeout

    def recv(self, most: int) -> bytes:
        """All that has arrived. What was left in urllib3's buffer could not be waited for: the socket does not tell."""
        data = cast(bytes, self._tunnel.recv(most)) or b""  # urllib3 gives 0 for the end
        while self._tunnel.incoming.pending and len(data) + _MAX_RECORD <= most:
            try:
                more = self._tunnel.sslobj.read(most)
            except ssl.SSLWantReadError:  # a part of a record
                break
            if not more:
                break
            data += more
        return data
