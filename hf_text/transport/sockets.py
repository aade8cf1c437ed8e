"""Sockets that the garbage collector closes without a warning.

A stream that is garbage-collected closes its connection. In a reference cycle, and during interpreter shutdown, the
socket may be collected before the stream, and Python's own sockets then emit a ResourceWarning.
"""

from __future__ import annotations

import socket
import ssl

__all__ = ["TLSSocket", "duplicate_socket", "make_socket"]


_family, _kind = socket.SocketType.family.__get__, socket.SocketType.type.__get__


class _Socket(socket.socket):
    def __del__(self) -> None:
        self.close()


class TLSSocket(ssl.SSLSocket):
    """The socket class of TLS contexts."""

    def __del__(self) -> None:
        self.close()


def make_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """A new socket. If Python's class was replaced (gevent, pytest-socket), it is an instance of the replacement."""
    ours = issubclass(_Socket, socket.socket)
    return (_Socket if ours else socket.socket)(family, kind, protocol)


def duplicate_socket(sock: socket.socket) -> socket.socket:
    """A socket with its own descriptor for the same connection."""
    # Python's properties convert these two to enum members, which takes longer than everything else here.
    plain = isinstance(sock, socket.SocketType)
    family, kind = (_family(sock), _kind(sock)) if plain else (sock.family, sock.type)
    return _Socket(family, kind, sock.proto, fileno=socket.dup(sock.fileno()))
