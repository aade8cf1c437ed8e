"""The checks of ``hf-text doctor`` on this machine and on the way to a server, before any request to a model."""

from __future__ import annotations

import netrc
import os
import platform
import socket
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from .._version import __version__
from ..endpoint import Endpoint
from ..errors import HFTextError
from ..keys import find_key
from ..transport.issuers import Certificate, look_at_certificate
from .advice import explain

__all__ = [
    "TOKENS_PAGE",
    "UNUSABLE",
    "Finding",
    "look_at_certificates",
    "look_at_key",
    "look_at_names",
    "look_at_netrc",
    "look_at_proxies",
    "look_at_tls",
    "tell_versions",
]

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
UNUSABLE = "unusable"
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SECONDS = 5.0

_NOT_TRUSTED = (
    "check the clock of this machine and the address. If a company proxy or an antivirus inspects TLS, get its "
    "certificate (PEM), and pass it with --ca-bundle FILE or REQUESTS_CA_BUNDLE"
)


class Finding(NamedTuple):
    """One line of the report: what was checked, what was found, and how to fix it; empty if all is well."""

    what: str
    found: str
    fix: str = ""


def tell_versions() -> Finding:
    """Report the versions in use."""
    return Finding("versions", f"hf_text {__version__}, Python {platform.python_version()}, {platform.system()}")


def look_at_key(endpoint: Endpoint) -> Finding:
    """Report the source of the key, but not the key itself."""
    if not endpoint.hugging_face:
        is_set = os.environ.get("HF_TEXT_API_KEY", "").strip()
        return Finding(
            "key", "from HF_TEXT_API_KEY: ***" if is_set else "HF_TEXT_API_KEY is not set; many servers need no key"
        )
    try:
        key = find_key()
    except HFTextError as error:
        return Finding("key", UNUSABLE, explain(error))
    if key is None:
        return Finding("key", "none was found", f"create one at {TOKENS_PAGE} and set HF_TOKEN")
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    place = next((name for name in names if os.environ.get(name, "").strip()), "the file of 'hf auth login', or Colab")
    return Finding("key", f"found, from {place}: hf_***")


def look_at_netrc(endpoint: Endpoint) -> Iterator[Finding]:
    """Report an entry in this file: other programs read it, this one does not."""
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        hosts = netrc.netrc(path).hosts
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return
    for host in _hosts(endpoint):
        if host in hosts:
            yield Finding("netrc", f"{path} has an entry for {host}, which is not used")


def look_at_proxies() -> Iterator[Finding]:
    """Report the proxies of the environment, without their passwords."""
    for scheme, url in getproxies().items():
        if scheme in ("http", "https", "all"):
            try:
                parts = urlsplit(url if "://" in url else f"//{url}")
                place = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
            except ValueError:
                yield Finding(f"proxy for {scheme}", "not a URL", f"set {scheme.upper()}_PROXY to http://host:port")
                continue
            yield Finding(f"proxy for {scheme}", place)


def look_at_certificates(bundle: str | None) -> Iterator[Finding]:
    """Report the certificates that the environment trusts; ``bundle`` is the command line's."""
    for name in _BUNDLES:
        path = os.environ.get(name)
        if path and not os.path.exists(path):
            yield Finding(name, f"{path} does not exist", f"unset {name}, or set it to the path of a PEM file")
        elif path:
            yield Finding(name, path)
    path = os.environ.get("SSL_CERT_FILE")
    if path and not bundle and not any(map(os.environ.get, _BUNDLES)):
        yield Finding("SSL_CERT_FILE", f"{path} is not used; set REQUESTS_CA_BUNDLE instead")


def look_at_names(endpoint: Endpoint) -> Iterator[Finding]:
    """Check whether the names of the servers can be resolved."""
    if not getproxies():  # otherwise the proxy resolves names
        yield from map(_resolve, _hosts(endpoint))


def _resolve(host: str) -> Finding:
    try:
        socket.getaddrinfo(host, 443)
    except (OSError, UnicodeError):
        return Finding(
            f"name {host}", "cannot be resolved", "check the network and DNS; behind a proxy, set HTTPS_PROXY"
        )
    return Finding(f"name {host}", "resolved")


def look_at_tls(endpoint: Endpoint, bundle: str | None) -> Iterator[Finding]:
    """Report the issuers of the servers' certificates. An unreachable server is reported by its request."""
    bundle = bundle or next(filter(None, map(os.environ.get, _BUNDLES)), None)
    if bundle and not os.path.exists(bundle):
        return
    seen = set()
    for url in _urls(endpoint):
        place = urlsplit(url).netloc
        if urlsplit(url).scheme == "https" and place not in seen:
            seen.add(place)
            found = look_at_certificate(url, bundle, _SECONDS)
            if found is not None:
                yield _judge(place, found)


def _judge(place: str, found: Certificate) -> Finding:
    issuer = f"the certificate is issued by {found.issuer or 'an unknown authority'}"
    if found.problem:
        return Finding(f"TLS with {place}", f"{issuer}, and is not trusted: {found.problem}", _NOT_TRUSTED)
    if not found.public:
        issuer += ", trusted only by your own certificates; its owner can read the traffic"
    return Finding(f"TLS with {place}", f"{found.protocol}, {issuer}")


def _urls(endpoint: Endpoint) -> list[str]:
    return list(filter(None, (endpoint.hub_url, endpoint.api_base)))


def _hosts(endpoint: Endpoint) -> list[str]:
    return list(dict.fromkeys(urlsplit(url).hostname or "" for url in _urls(endpoint)))
