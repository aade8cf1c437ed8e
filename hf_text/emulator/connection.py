"""One TCP connection of the emulator: buffered reading, writing, waiting, and the ways to close it.

Every wait is a ``select`` on the client's socket. So a disconnect of the client is noticed at once, and another thread
can end the wait by shutting down the socket: no pause, hold or stall outlives the emulator.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from .gate import Gate

__all__ = ["ClientLeftError", "Connection"]

# PollSelector needs no extra file descriptor and has no limit on descriptor numbers; Windows has only SelectSelector.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
_RECEIVE_SIZE = 1 << 16


class ClientLeftError(Exception):
    """The client closed the connection (or its sending side) while the emulator waited or wrote."""


class Connection:
    """An accepted connection.

    Attributes:
        number: its number within the emulator, from 1.
        dropped: whether the emulator closed it from another thread.
    """

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = number
        self.dropped: bool = False
        self._sock = sock
        self._buffer = bytearray()
        self._lock = threading.Lock()  # prevents another thread from shutting down a closed and reused descriptor
        self._closed = False

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Perform the TLS handshake as the server. Raises OSError."""
        with self._lock:  # wrapping moves the descriptor out of the old socket
            self._sock = secured = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        secured.do_handshake()

    # Reading

    def read_until(self, mark: bytes, limit: int) -> bytes | None:
        """The data up to and including ``mark``; None if the client closed first. Raises ValueError after more than
        ``limit`` bytes.
        """
        start = 0
        while (found := self._buffer.find(mark, start)) < 0:
            if len(self._buffer) > limit:
                raise ValueError(f"more than {limit} bytes without {mark!r}")
            start = max(0, len(self._buffer) - len(mark) + 1)
            if not self._receive():
                return None
        return self._take(found + len(mark))

    def read_exactly(self, size: int) -> bytes | None:
        """Exactly ``size`` bytes; None if the client closed first."""
        while len(self._buffer) < size:
            if not self._receive():
                return None
        return self._take(size)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _receive(self) -> bool:
        data = self._sock.recv(_RECEIVE_SIZE)
        self._buffer += data
        return bool(data)

    # Writing and waiting

    def send(self, data: bytes, size: int | None = None) -> None:
        """Send all data, in writes of at most ``size`` bytes. Raises ClientLeftError."""
        step = size or len(data) or 1
        view = memoryview(data)
        try:
            for start in range(0, len(data), step):
                self._sock.sendall(view[start : start + step])
        except OSError as error:
            raise ClientLeftError from error

    def wait(
        self, seconds: float | None = None, gate: Gate | None = None, readable: socket.socket | None = None
    ) -> None:
        """Wait for ``seconds`` (None: no limit), or until the gate opens or the socket ``readable`` has data.

        Raises ClientLeftError as soon as the client disconnects or the connection is shut down.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        with _Selector() as selector, ExitStack() as stack:
            selector.register(self._sock, selectors.EVENT_READ)
            bell = stack.enter_context(gate.waiting()) if gate else readable
            if bell is not None:
                selector.register(bell, selectors.EVENT_READ)
            while deadline is None or time.monotonic() < deadline:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = [key.fileobj for key, _ in selector.select(left)]
                if self._sock in ready and not self._receive_some():
                    raise ClientLeftError
                if bell in ready:
                    return

    def _receive_some(self) -> bool:
        """Buffer data that the client sent early, such as a pipelined request. False if it closed instead."""
        self._sock.settimeout(0)
        try:
            return self._receive()
        except BlockingIOError:
            return True
        except OSError as error:
            return _wants_more(error)
        finally:
            self._sock.settimeout(None)

    # Ending

    def close(self) -> None:
        """Close it properly. With TLS, send close_notify without waiting for the client's."""
        if hasattr(self._sock, "unwrap"):
            with suppress(OSError, ValueError):
                self._sock.settimeout(0)
                self._sock.unwrap()
        self.cut()

    def cut(self) -> None:
        """Close it with a FIN, with TLS without close_notify."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._shut_down()
                self._sock.close()

    def reset(self) -> None:
        """Close it with a RST, by setting SO_LINGER to zero seconds."""
        with self._lock:
            if not self._closed:
                self._closed = True
                with suppress(OSError):  # the client closed first
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._sock.close()

    def drop(self) -> None:
        """Wake the thread that waits on this connection, from another thread; the woken thread closes it."""
        with self._lock:
            self.dropped = True
            if not self._closed:
                self._shut_down()

    def _shut_down(self) -> None:
        with suppress(OSError):
            # Not SSLSocket.shutdown, which removes the TLS layer while another thread may be reading.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def _wants_more(error: OSError) -> bool:
    """Whether TLS only waits for the rest of a record. Compared by name, to avoid importing ssl without TLS."""
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")
