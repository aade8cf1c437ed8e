"""A recording proxy for a real server: forwards requests, streams the responses back, and records both."""

from __future__ import annotations

import re
import socket
import threading
import time
import zlib
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
_ENCODING = re.compile(rb"(?im)^content-encoding:[ \t]*(?!identity)([a-z][^\r\n]*?)[ \t]*\r?$")
_WINDOWS = {b"gzip": (31,), b"x-gzip": (31,), b"deflate": (15, -15)}  # zlib's wbits; RFC 9110, 8.4.1


class Recorder:
    """Forwards requests and records them with their answers.

    Args:
        folder: the folder of the records; it is created if missing. Records of an earlier run are replaced.
        upstream: the URL of the server; None: Hugging Face, the Hub for ``/api/``, else the router.
        secrets: texts to redact, in addition to keys, cookies and billing names.
        failures: receives an error for each answer that could not be recorded.
        verify: a CA bundle; None: the system's.
    """

    def __init__(
        self,
        folder: Path,
        upstream: str | None,
        secrets: Iterable[str],
        failures: list[Exception],
        verify: str | None = None,
    ) -> None:
        self._folder = folder
        self._upstream = None if upstream is None else _check_url(upstream)
        self._verify = verify
        self._secrets = tuple(secrets)
        self._failures = failures
        self._lock = threading.Lock()
        self._count = 0

    def answer(self, request: Request) -> Response:
        """The server's answer, streamed to the client as it arrives. Raises OSError if the server is unreachable."""
        from . import upstream  # imports ssl, http.client and urllib.request (40 ms), which only recording needs

        url = self.url_for(request)
        server = upstream.send(url, request, self._verify)
        pieces = upstream.lead_back(upstream.receive(server), url)
        return Response(raw=lambda: self._pass_on(request, server, pieces), keep_alive=False)

    def _pass_on(
        self, request: Request, server: socket.socket, arriving: Iterator[bytes | socket.socket]
    ) -> Iterator[Piece]:
        started = time.monotonic()
        pieces: list[tuple[float, bytes]] = []
        end: End = "stall"  # recorded if the client disconnects while the server sends nothing
        with server:
            try:
                for piece in arriving:
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
        """The URL of the server for a request."""
        if self._upstream is not None:
            return self._upstream
        return urlsplit(_HUB if request.path.startswith("/api/") else _ROUTER)

    def _save(self, request: Request, pieces: tuple[tuple[float, bytes], ...], end: End) -> None:
        raw = b"".join(data for _, data in pieces)
        target, body = hide_request(request, self._secrets)
        try:
            clean = _hide(raw, _secrets_of(request, self._secrets))
        except ValueError as error:
            self._failures.append(ValueError(f"the answer to {request.method} {request.path} is not recorded: {error}"))
            return
        record = Record(request.method, target, body, _cut_like(pieces, clean), end)
        with self._lock:
            if self._count == 0:
                self._folder.mkdir(parents=True, exist_ok=True)
                for old in record_paths(self._folder):
                    old.unlink()
            self._count += 1
            record.save(self._folder / name_record(self._count, request.method, target))


def hide_request(request: Request, secrets: Iterable[str]) -> tuple[str, bytes]:
    """The redacted target and body of a request, as they are recorded."""
    own = _secrets_of(request, secrets)
    return own.hide(request.target.encode()).decode(), own.hide(request.body)


def _secrets_of(request: Request, secrets: Iterable[str]) -> Secrets:
    return Secrets(request.headers.pairs, request.query, request.body, secrets)


def _hide(raw: bytes, secrets: Secrets) -> bytes:
    """The answer with secrets redacted and its length unchanged. A secret may span several chunks.

    Raises ValueError for a compressed answer that contains secrets or cannot be decoded.
    """
    head = raw[: raw.find(b"\r\n\r\n") + 4]
    secrets.learn(head)
    clean = bytearray(raw)
    clean[: len(head)] = secrets.hide_in_head(head)
    spans = list(payload_spans(raw))
    content = b"".join(raw[start:end] for start, end in spans)
    if encoding := _ENCODING.search(head):
        plain = _decompress(content, encoding[1].lower())
        if secrets.hide(plain) != plain:
            raise ValueError("it was compressed although that was refused, and nothing in it can be redacted")
        return bytes(clean)
    content = secrets.hide(content)
    for start, end in spans:
        clean[start:end], content = content[: end - start], content[end - start :]
    return bytes(clean)


def _decompress(content: bytes, encoding: bytes) -> bytes:
    """The decompressed content, as far as it is complete. Raises ValueError."""
    for bits in _WINDOWS.get(encoding, ()):
        plain, rest = b"", content
        try:
            while rest:  # gzip may have several members
                reader = zlib.decompressobj(bits)
                plain += reader.decompress(rest)
                rest = reader.unused_data
        except zlib.error:
            continue
        return plain
    raise ValueError("it was compressed although that was refused, and it cannot be decoded")


def _cut_like(pieces: tuple[tuple[float, bytes], ...], data: bytes) -> tuple[tuple[float, bytes], ...]:
    cut, start = [], 0
    for seconds, piece in pieces:
        cut.append((seconds, data[start : start + len(piece)]))
        start += len(piece)
    return tuple(cut)


def _check_url(url: str) -> SplitResult:
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError(f"upstream must be the URL of a server, not {url!r}")
    return split
