"""Checks of the headers and proxies that a user gives. Messages show no values, which may be secrets."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ..errors import InvalidRequestError
from .secrets import hide_headers

__all__ = ["check_headers", "check_proxies"]

_FRAMING = ("content-length", "transfer-encoding")


def check_headers(headers: Mapping[str, str] | None, argument: str = "headers") -> dict[str, str]:
    """Validated headers. Raises InvalidRequestError, which names the header but does not show its value."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise InvalidRequestError(f"{argument} must be a mapping of names to values, not a {type(headers).__name__}")
    checked = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidRequestError(f"{argument}: {name!r:.80} must be a str with a str for its value")
        if not name.isascii() or not name.isprintable() or not name or any(c in name for c in " :"):
            raise InvalidRequestError(f"{argument}: {name!r:.80} is not a valid header name")
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise InvalidRequestError(f"{argument}: the value of {name!r:.80} contains characters that are not allowed")
        if name.lower() in _FRAMING:  # copied from a forwarded request; with two, servers disagree about the body's end
            raise InvalidRequestError(f"{argument}: {name!r:.80} is set by hf_text; leave it out")
        checked[name] = value
    return hide_headers(checked)


def check_proxies(proxies: Mapping[str, str] | None) -> dict[str, str]:
    """Validated proxies. Raises InvalidRequestError, which shows no address because it may hold a password."""
    if proxies is not None and not isinstance(proxies, Mapping):
        raise InvalidRequestError(f"proxies must be a mapping of schemes to addresses, not a {type(proxies).__name__}")
    for scheme, address in (proxies or {}).items():
        if not isinstance(scheme, str) or not isinstance(address, str):
            raise InvalidRequestError(f"proxies: {scheme!r:.80} must be a str with an address, a str, for its value")
        if address and not _has_host(address):
            raise InvalidRequestError(f"proxies: the address for {scheme!r:.80} has no host")
    return dict(proxies or {})


def _has_host(address: str) -> bool:
    try:
        return bool(urlsplit(address if "//" in address else f"//{address}").hostname)
    except ValueError:
        return False
