"""An emulator for each test, and clients that show the bytes on the wire."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from hf_text.emulator import Emulator, assert_nothing_leaked


class Dialled:
    """A raw TCP connection to the emulator."""

    def __init__(self, hf: Emulator) -> None:
        self.sock = socket.create_connection(("127.0.0.1", urlsplit(hf.url).port or 0), timeout=5)

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.sock.sendall(part)

    def post(self, body: bytes = b"{}", path: str = "/v1/chat/completions", extra: bytes = b"") -> None:
        head = b"POST %b HTTP/1.1\r\nHost: x\r\n%bContent-Length: %d\r\n\r\n" % (path.encode(), extra, len(body))
        self.send(head + body)

    def get(self, path: str = "/", extra: bytes = b"") -> None:
        self.send(b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (path.encode(), extra))

    def read(self) -> bytes:
        """Return the next bytes, or none at the end of the connection."""
        return self.sock.recv(1 << 16)

    def read_until(self, mark: bytes) -> bytes:
        data = b""
        while mark not in data:
            piece = self.read()
            assert piece, f"the connection ended after {data!r}"
            data += piece
        return data

    def read_to_end(self) -> bytes:
        data = b""
        while piece := self.read():
            data += piece
        return data

    def close(self) -> None:
        self.sock.close()


@dataclass(frozen=True)
class Transcript:
    """A complete HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of each event of a stream: parsed JSON, or the text if it is not JSON."""
        data = [line[5:].strip() for line in self.body.decode().split("\n") if line.startswith("data:")]
        return [json.loads(item) if item.startswith("{") else item for item in data]

    @property
    def text(self) -> str:
        """The text of a chat completion stream."""
        choices = [choice for event in self.events if isinstance(event, dict) for choice in event["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


Ask = Callable[..., Transcript]


@pytest.fixture
def hf() -> Iterator[Emulator]:
    with assert_nothing_leaked(), Emulator() as running:
        yield running


@pytest.fixture
def dial(hf: Emulator) -> Iterator[Callable[[], Dialled]]:
    """Return a function that opens connections, and close them after the test."""
    with ExitStack() as stack:

        def connect() -> Dialled:
            dialled = Dialled(hf)
            stack.callback(dialled.close)
            return dialled

        yield connect


@pytest.fixture
def ask(hf: Emulator) -> Ask:
    """Return a function that sends one request on a new connection: a POST if it has JSON."""

    def send(
        path: str, json_: Any = None, method: str | None = None, key: str | None = None, **headers: str
    ) -> Transcript:
        return send_to(hf, path, json_, method, key, **headers)

    return send


def send_to(
    hf: Emulator, path: str, json_: Any = None, method: str | None = None, key: str | None = None, **headers: str
) -> Transcript:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(hf.url).port, timeout=5)
    sent = {**headers, **({} if key is None else {"Authorization": f"Bearer {key}"})}
    body = None if json_ is None else json.dumps(json_)
    try:
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
        response = connection.getresponse()
        return Transcript(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
