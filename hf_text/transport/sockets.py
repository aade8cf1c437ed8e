"""Sockets that the garbage collector closes without a word.

A stream that is dropped closes its connection. But in a circle of references, and at the interpreter's end, the
collector may come to the socket before it comes to the stream, and Python's own sockets then warn of an unclosed
them.
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
    """What a TLS context is to make of a socket."""

    def __del__(self) -> None:
        self.close()


def make_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """A new socket. Where Python's class was replaced (gevent, pytest-socket), one of the replacement."""
    ours = issubclass(_Socket, socket.socket)
    return (_Socket if ours else socket.socket)(family, kind, protocol)


def duplicate_socket(sock: socket.socket) -> socket.socket:
    """A socket with a descriptor of its own for the same connection."""
    # Python makes members of an enum of the first two, which takes longer than all else here.
    plain = isinstance(sock, socket.SocketType)
    family, kind = (_family(sock), _kind(sock)) if plain else (sock.family, sock.type)
    return _Socket(family, kind, sock.proto, fileno=socket.dup(sock.fileno()))
