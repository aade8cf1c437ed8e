"""One TCP connection of the emulator: buffered reading, writing, waiting, and the ways to end it.

Every wait is a ``select`` on the client's socket, so that a client that leaves is noticed at once, and so that another
thread ends it by shutting the socket down: no pause, hold or stall outlives the emulator.
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

# PollSelector needs no descriptor of its own and has no limit on their numbers; Windows has only the other.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)
_RECEIVE_SIZE = 1 << 16


class ClientLeftError(Exception):
    """The client closed the connection (or its sending side) while the emulator waited or wrote."""


class Connection:
    """An accepted connection.

    Attributes:
        number: counts the connections of one emulator, from 1.
        dropped: whether the emulator itself ended it from another thread.
    """

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = number
        self.dropped: bool = False
        self._sock = sock
        self._buffer = bytearray()
        self._lock = threading.Lock()  # so that no other thread shuts down a descriptor that was closed and reused
        self._closed = False

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands as a TLS server. Raises OSError."""
        with self._lock:  # wrapping takes the descriptor out of the old socket
            self._sock = secured = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
        secured.do_handshake()

    # Reading

    def read_until(self, mark: bytes, limit: int) -> bytes | None:
        """Everything up to and with ``mark``; None if the client closed before. ValueError beyond ``limit`` bytes."""
        start = 0
        while (found := self._buffer.find(mark, start)) < 0:
            if len(self._buffer) > limit:
                raise ValueError(f"more than {limit} bytes without {mark!r}")
            start = max(0, len(self._buffer) - len(mark) + 1)
            if not self._receive():
                return None
        return self._take(found + len(mark))

    def read_exactly(self, size: int) -> bytes | None:
        """That many bytes; None if the client closed before."""
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
        """Write all of it, at most ``size`` bytes at once. Raises ClientLeftError."""
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
        """Return after that many seconds (None: never), when the gate opens, or when that socket has something to read.

        Raises ClientLeftError as soon as the client leaves or the connection is shut down.
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
        """Keep what the client sent meanwhile (a request ahead of time). False if it closed instead."""
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
        """End it in the usual way. Under TLS this says so (close_notify) without waiting for the client's answer."""
        if hasattr(self._sock, "unwrap"):
            with suppress(OSError, ValueError):
                self._sock.settimeout(0)
                self._sock.unwrap()
        self.cut()

    def cut(self) -> None:
        """End it with a FIN, under TLS without close_notify."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._shut_down()
                self._sock.close()

    def reset(self) -> None:
        """End it with a RST: closing with SO_LINGER and zero seconds."""
        with self._lock:
            if not self._closed:
                self._closed = True
                with suppress(OSError):  # the client was quicker
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._sock.close()

    def drop(self) -> None:
        """From another thread: wake whatever waits on this connection; its own thread closes it."""
        with self._lock:
            self.dropped = True
            if not self._closed:
                self._shut_down()

    def _shut_down(self) -> None:
        with suppress(OSError):
            # Not SSLSocket.shutdown, which takes the TLS layer away from a thread that is reading.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def _wants_more(error: OSError) -> bool:
    """Whether TLS only lacks the rest of a record (by name, so that ssl is not imported without TLS)."""
    return type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")
