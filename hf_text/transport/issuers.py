"""The issuer of a server's certificate, which shows whether something on the network path inspects TLS."""

from __future__ import annotations

import contextlib
import os
import ssl
from http.client import HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy

__all__ = ["Certificate", "look_at_certificate"]


class Certificate(NamedTuple):
    """The certificate of a server.

    Attributes:
        issuer: the name of its issuer; empty if unknown.
        public: whether a public authority vouches for it.
        problem: why it is not trusted; empty if it is.
        protocol: such as ``"TLSv1.3"``.
    """

    issuer: str
    public: bool
    problem: str
    protocol: str


def look_at_certificate(url: str, bundle: str | None, seconds: float) -> Certificate | None:
    """Fetch the certificate of a server, or of a proxy that intercepts TLS. Blocks.

    Args:
        url: an address of the server. The proxies of the environment are used.
        bundle: the path of the certificates to trust instead of those that come with requests.
        seconds: the limit for each connection.

    Returns None if the server cannot be reached or does not speak TLS; a request reports why.
    """
    try:
        found, protocol = _shake_hands(url, _trusting(bundle or DEFAULT_CA_BUNDLE_PATH), seconds)
        return Certificate(_name_issuer(found), bundle is None or _is_public(url, seconds), "", protocol)
    except ssl.SSLCertVerificationError as error:
        problem = str(error.verify_message)
    except (OSError, HTTPException, ValueError):
        return None
    return Certificate(_find_issuer(url, seconds), False, problem, "")


def _is_public(url: str, seconds: float) -> bool:
    with contextlib.suppress(OSError, HTTPException):
        _shake_hands(url, _trusting(DEFAULT_CA_BUNDLE_PATH), seconds)
        return True
    return False


def _trusting(bundle: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    return context


def _find_issuer(url: str, seconds: float) -> str:
    """The issuer of an untrusted certificate. Python describes only trusted certificates, so this one is trusted for a
    single connection that sends no data.
    """
    unchecked, alone = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
    unchecked.check_hostname = alone.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    alone.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with contextlib.suppress(OSError, HTTPException):  # the certificate may also have expired
        data, _ = _shake_hands(url, unchecked, seconds, binary=True)
        alone.load_verify_locations(cadata=data)
        return _name_issuer(_shake_hands(url, alone, seconds)[0])
    return ""


def _shake_hands(url: str, context: ssl.SSLContext, seconds: float, *, binary: bool = False) -> tuple[Any, str]:
    """The certificate and the protocol. Raises OSError (including ssl.SSLError), HTTPException and ValueError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy is None:
        connection = HTTPSConnection(host, port, context=context, timeout=seconds)
    else:
        way = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if way.scheme != "http":
            raise ValueError("only http:// proxies are supported here")
        connection = HTTPSConnection(way.hostname or "", way.port or 80, context=context, timeout=seconds)
        connection.set_tunnel(host, port, HTTPAdapter().proxy_headers(proxy))
    with contextlib.closing(connection):
        connection.connect()
        sock: Any = connection.sock
        return sock.getpeercert(binary), str(sock.version())


def _name_issuer(certificate: Any) -> str:
    names = {name: value for part in certificate.get("issuer", ()) for name, value in part}
    return str(names.get("organizationName") or names.get("commonName") or "")
