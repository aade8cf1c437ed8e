"""Connections from the recorder to the real server, directly or through a proxy, with or without TLS."""

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
    """Send the request to the server. Returns the socket, from which the response can be read until it is closed.

    The request asks for an uncompressed response, so that secrets in it can be redacted. Raises OSError.

    Args:
        url: the base URL of the server.
        request: the client's request.
        verify: a CA bundle; None: the system's.
    """
    fields = [(name, value) for name, value in request.headers.pairs if name.lower() not in _HOP_BY_HOP]
    fields += [("Host", url.netloc.rpartition("@")[2]), ("Connection", "close"), ("Accept-Encoding", "identity")]
    if request.body or request.method not in ("GET", "HEAD"):
        fields.append(("Content-Length", str(len(request.body))))
    proxy, target = _find_proxy(url), url.path.rstrip("/") + request.target
    if proxy and url.scheme == "http":  # an HTTP proxy needs the absolute URL
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
        clear_frames(error.__traceback__)  # in Python 3.10 they keep the proxy's response, and thus the socket, alive
        if isinstance(error, HTTPException):
            raise OSError(f"the proxy does not speak HTTP: {error!r}") from error
        raise
    return connection.sock


def _find_proxy(url: SplitResult) -> SplitResult | None:
    """The proxy from the environment: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``, as in other
    clients.
    """
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
    """Yield received data until the server closes the connection, and the socket itself before each wait."""
    while True:
        if not getattr(server, "pending", int)():  # data buffered by TLS does not make the socket readable
            yield server
        data = server.recv(1 << 16)
        if not data:
            return
        yield data


def lead_back(pieces: Iterator[bytes | socket.socket], url: SplitResult) -> Iterator[bytes | socket.socket]:
    """The pieces, but with a redirect to the same server rewritten to point to the recorder, so that the client stays
    there.
    """
    held = b""
    for piece in pieces:
        if not isinstance(piece, bytes):
            yield piece
            continue
        held += piece
        if _REDIRECT.match(held) and b"\r\n\r\n" not in held:
            continue  # the head is incomplete
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
    """The path on the recorder for a URL of the server; other URLs unchanged."""
    base = url.path.rstrip("/")
    split = urlsplit(location.decode("latin-1"))
    elsewhere = bool(split.netloc) and (split.scheme or url.scheme, split.netloc) != (url.scheme, url.netloc)
    if elsewhere or not split.path.startswith(f"{base}/"):
        return location
    return urlunsplit(("", "", split.path[len(base) :], split.query, split.fragment)).encode("latin-1")
