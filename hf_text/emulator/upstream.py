"""The real server behind a recorder: the way to it, which may lead through a proxy and TLS, and what it says."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from traceback import clear_frames
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from .request import Request

__all__ = ["lead_back", "receive", "send"]

_CONNECT_SECONDS = 30.0
_HOP_BY_HOP = {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "upgrade"} | {
    "transfer-encoding",
    "proxy-authorization",
    "proxy-connection",
}
_REDIRECT = re.compile(rb"HTTP/1\.[01] 3\d\d\b")
_LOCATION = re.compile(rb"(?im)^(location:[ \t]*)([^\r\n]*)")


def send(url: SplitResult, request: Request, verify: str | None) -> socket.socket:
    """A connection to the server on which the request was sent. The answer ends it, and should not be compressed: what
    is in it is to be seen. Raises OSError.

    Args:
        url: where paths are added.
        request: what the client sent.
        verify: a file of certificates to trust; None: those of the system.
    """
    fields = [(name, value) for name, value in request.headers.pairs if name.lower() not in _HOP_BY_HOP]
    fields += [("Host", url.netloc.rpartition("@")[2]), ("Connection", "close"), ("Accept-Encoding", "identity")]
    if request.body or request.method not in ("GET", "HEAD"):
        fields.append(("Content-Length", str(len(request.body))))
    proxy, target = _find_proxy(url), url.path.rstrip("/") + request.target
    if proxy and url.scheme == "http":  # it reads the request, which names the server
        target = f"http://{url.netloc}{target}"
        fields += _authorization(proxy).items()
    head = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    server = _connect(url, proxy, verify)
    server.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + request.body)
    server.settimeout(None)
    return server


def _connect(url: SplitResult, proxy: SplitResult | None, verify: str | None) -> socket.socket:
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    there = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
    connection: HTTPConnection
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=verify)
        connection = HTTPSConnection(*there, timeout=_CONNECT_SECONDS, context=context)
        if proxy is not None:
            connection.set_tunnel(host, port, _authorization(proxy))
    else:
        connection = HTTPConnection(*there, timeout=_CONNECT_SECONDS)
    try:
        connection.connect()
    except (OSError, HTTPException) as error:
        connection.close()
        clear_frames(error.__traceback__)  # in Python 3.10 they hold the proxy's answer, and with it the socket
        if isinstance(error, HTTPException):
            raise OSError(f"the proxy does not speak HTTP: {error!r}") from error
        raise
    return connection.sock


def _find_proxy(url: SplitResult) -> SplitResult | None:
    """That of the environment: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``, as other clients do."""
    if proxy_bypass(url.hostname or ""):
        return None
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found:
        return None
    proxy = urlsplit(found if "://" in found else f"http://{found}")
    if proxy.scheme != "http":
        raise OSError(f"a proxy of the kind {proxy.scheme}:// is not supported here; give one of the kind http://")
    return proxy


def _authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}


def receive(server: socket.socket) -> Iterator[bytes | socket.socket]:
    """What arrives, until the server ends it; the socket itself before each wait."""
    while True:
        if not getattr(server, "pending", int)():  # what TLS holds back already makes no socket readable
            yield server
        data = server.recv(1 << 16)
        if not data:
            return
        yield data


def lead_back(pieces: Iterator[bytes | socket.socket], url: SplitResult) -> Iterator[bytes | socket.socket]:
    """What arrives; a redirect to the same server is made one to the recorder, where the client is to stay."""
    held = b""
    for piece in pieces:
        if not isinstance(piece, bytes):
            yield piece
            continue
        held += piece
        if _REDIRECT.match(held) and b"\r\n\r\n" not in held:
            continue  # its head is not whole
        yield _redirected(held, url) if _REDIRECT.match(held) else held
        break
    else:
        if held:
            yield held
    yield from pieces


def _redirected(answer: bytes, url: SplitResult) -> bytes:
    head, rest = answer.split(b"\r\n\r\n", 1)
    return _LOCATION.sub(lambda found: found[1] + _own_path(found[2], url), head) + b"\r\n\r\n" + rest


def _own_path(location: bytes, url: SplitResult) -> bytes:
    """The address as the recorder has it, if it is one of the server; else unchanged."""
    base = url.path.rstrip("/")
    split = urlsplit(location.decode("latin-1"))
    elsewhere = bool(split.netloc) and (split.scheme or url.scheme, split.netloc) != (url.scheme, url.netloc)
    if elsewhere or not split.path.startswith(f"{base}/"):
        return location
    return urlunsplit(("", "", split.path[len(base) :], split.query, split.fragment)).encode("latin-1")
