"""Stands before a real server: hands requests on, hands the answers back as they arrive, and records both."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from .records import Record, name_record, payload_spans, record_paths
from .replies import BodyEnd, Response
from .secrets import Secrets

if TYPE_CHECKING:
    from .replies import End, Piece
    from .request import Request

__all__ = ["Recorder", "hide_request"]

_HUB = "https://huggingface.co"
_ROUTER = "https://router.huggingface.co"
_CONNECT_SECONDS = 30.0
_COMPRESSED = re.compile(rb"(?im)^content-encoding:[ \t]*(?!identity)[a-z]")
_HOP_BY_HOP = {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "upgrade"} | {
    "transfer-encoding",
    "proxy-authorization",
    "proxy-connection",
}


class Recorder:
    """Hands requests on and records what passes.

    Args:
        folder: where the records go; it is made if it is not there. Records of an earlier run are replaced.
        upstream: the URL of the server; None: Hugging Face, the Hub for ``/api/``, else the router.
        secrets: what must not be recorded, beside keys, cookies and billing names.
        failures: takes the errors of what could not be recorded.
    """

    def __init__(self, folder: Path, upstream: str | None, secrets: Iterable[str], failures: list[Exception]) -> None:
        self._folder = folder
        self._upstream = None if upstream is None else _check_url(upstream)
        self._secrets = tuple(secrets)
        self._failures = failures
        self._lock = threading.Lock()
        self._count = 0

    def answer(self, request: Request) -> Response:
        """What the server answers. Its bytes go to the client as they come. Raises OSError if it cannot be reached."""
        server = _send(self.url_for(request), request)
        return Response(raw=lambda: self._pass_on(request, server), keep_alive=False)

    def _pass_on(self, request: Request, server: socket.socket) -> Iterator[Piece]:
        started = time.monotonic()
        pieces: list[tuple[float, bytes]] = []
        end: End = "stall"  # what it is if the client leaves while nothing comes
        with server:
            try:
                for piece in _receive(server):
                    if isinstance(piece, bytes):
                        pieces.append((time.monotonic() - started, piece))
                    yield piece
                end = "complete"
            except OSError:
                end = "reset"
                raise BodyEnd(end) from None
            finally:
                self._save(request, tuple(pieces), end)

    def url_for(self, request: Request) -> SplitResult:
        """The server that a request goes to."""
        if self._upstream is not None:
            return self._upstream
        return urlsplit(_HUB if request.path.startswith("/api/") else _ROUTER)

    def _save(self, request: Request, pieces: tuple[tuple[float, bytes], ...], end: End) -> None:
        raw = b"".join(data for _, data in pieces)
        if _COMPRESSED.search(raw[: raw.find(b"\r\n\r\n") + 2]):
            why = "was compressed although that was refused, so that nothing can be crossed out in it"
            self._failures.append(
                ValueError(f"the answer to {request.method} {request.path} is not recorded: it {why}")
            )
            return
        target, body = hide_request(request, self._secrets)
        clean = _hide(raw, _secrets_of(request, self._secrets))
        record = Record(request.method, target, body, _cut_like(pieces, clean), end)
        with self._lock:
            if self._count == 0:
                self._folder.mkdir(parents=True, exist_ok=True)
                for old in record_paths(self._folder):
                    old.unlink()
            self._count += 1
            record.save(self._folder / name_record(self._count, request.method, target))


def hide_request(request: Request, secrets: Iterable[str]) -> tuple[str, bytes]:
    """The target and the body of a request as they are recorded."""
    own = _secrets_of(request, secrets)
    return own.hide(request.target.encode()).decode(), own.hide(request.body)


def _secrets_of(request: Request, secrets: Iterable[str]) -> Secrets:
    return Secrets(request.headers.pairs, request.query, request.body, secrets)


def _hide(raw: bytes, secrets: Secrets) -> bytes:
    """An answer without secrets, and as long as before. A secret may stand across the borders of chunks."""
    head = raw[: raw.find(b"\r\n\r\n") + 4]
    secrets.learn(head)
    clean = bytearray(raw)
    clean[: len(head)] = secrets.hide_in_head(head)
    spans = list(payload_spans(raw))
    content = secrets.hide(b"".join(raw[start:end] for start, end in spans))
    for start, end in spans:
        clean[start:end], content = content[: end - start], content[end - start :]
    return bytes(clean)


def _cut_like(pieces: tuple[tuple[float, bytes], ...], data: bytes) -> tuple[tuple[float, bytes], ...]:
    cut, start = [], 0
    for seconds, piece in pieces:
        cut.append((seconds, data[start : start + len(piece)]))
        start += len(piece)
    return tuple(cut)


def _send(url: SplitResult, request: Request) -> socket.socket:
    """A connection to the server on which the request was sent. The answer ends it, and must not be compressed: what
    is in it is to be seen.
    """
    fields = [(name, value) for name, value in request.headers.pairs if name.lower() not in _HOP_BY_HOP]
    fields += [("Host", url.netloc.rpartition("@")[2]), ("Connection", "close"), ("Accept-Encoding", "identity")]
    if request.body or request.method not in ("GET", "HEAD"):
        fields.append(("Content-Length", str(len(request.body))))
    head = [f"{request.method} {url.path.rstrip('/')}{request.target} HTTP/1.1", *(f"{k}: {v}" for k, v in fields)]
    server = _connect(url)
    server.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + request.body)
    server.settimeout(None)
    return server


def _connect(url: SplitResult) -> socket.socket:
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    server = socket.create_connection((host, port), _CONNECT_SECONDS)
    if url.scheme == "https":
        import ssl  # costs 10 ms, and is not needed for a server on this machine

        server = ssl.create_default_context().wrap_socket(server, server_hostname=host)
    return server


def _receive(server: socket.socket) -> Iterator[bytes | socket.socket]:
    """What arrives, until the server ends it; the socket itself before each wait."""
    while True:
        if not getattr(server, "pending", int)():  # what TLS holds back already makes no socket readable
            yield server
        data = server.recv(1 << 16)
        if not data:
            return
        yield data


def _check_url(url: str) -> SplitResult:
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError(f"upstream must be the URL of a server, not {url!r}")
    return split
