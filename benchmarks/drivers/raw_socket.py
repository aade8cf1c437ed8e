"""The floor: a socket, ``split(b"\\n\\n")`` and ``json.loads``. No checks at all."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._parts = urlsplit(base_url)
        self._path = self._parts.path
        self._context = ssl.create_default_context(cafile=verify) if self._parts.scheme == "https" else None
        self._connection: socket.socket | None = None

    def _connect(self) -> socket.socket:
        connection = socket.create_connection((self._parts.hostname, self._parts.port or 80))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_hostname=self._parts.hostname)
        return connection

    def stream(self) -> Iterator[str]:
        if self._connection is None:
            self._connection = self._connect()
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
        head = f"POST {self._path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._connection.sendall(head.encode() + body)
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            data = self._connection.recv(65536)
            if not data:
                return
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                at = event.find(b"data: ") + 6
                if event[at : at + 6] != b"[DONE]":
                    text = json.loads(event[at:])["choices"][0]["delta"].get("content")
                    if text:
                        yield text
        if "/close/" in self._path:
            self._connection.close()
            self._connection = None
