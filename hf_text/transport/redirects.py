"""Checks the addresses that a server sends and that will receive the key: redirects, next pages of a listing."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from urllib3.util import parse_url

from ..errors import TransportError
from .mask import Mask

__all__ = ["follow_link", "follow_redirect"]

_PORTS = {"http": 80, "https": 443}


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


def follow_redirect(url: str, location: str, mask: Mask) -> str:
    """The target of a redirect to the same origin, or from ``http`` to ``https`` on the same host. Raises
    TransportError for any other target, because the key and the conversation would be sent there.
    """
    host = urlsplit(url).netloc
    target = _join(url, location)
    if target is None:
        raise TransportError(f"{host} redirects to {mask.beginning(location, 200)!r}, which is not an address")
    old, new = _origin_of(url), _origin_of(target)
    if old is None or new is None or not (new == old or _is_upgrade(old, new)):
        parts = urlsplit(target)
        where = mask.beginning(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", 200)
        raise TransportError(
            f"{host} redirects to {where}, another host: not followed, "
            "because the key and the messages would be sent there. If that is right, use that address"
        )
    return target


def follow_link(url: str, link: str, mask: Mask) -> str:
    """The next page of a listing, on the same origin. Raises TransportError for any other, as the key is sent too."""
    target = _join(url, link)
    if target is None or _origin_of(target) is None or _origin_of(target) != _origin_of(url):
        where = mask.beginning(link, 200)
        raise TransportError(f"{urlsplit(url).netloc} links to a next page on another host, {where!r}: not followed")
    return target


def _join(url: str, reference: str) -> str | None:
    """The absolute address; None if it is invalid."""
    try:
        target = urljoin(url, reference)
        parse_url(target)  # urllib3 is stricter than urljoin()
    except ValueError:
        return None
    return target


def _origin_of(url: str) -> _Origin | None:
    """The origin of an address. None if the scheme is not supported, the address holds a user name, or two parsers
    disagree about it: the one that checks here is not the one that connects.
    """
    parts = parse_url(url)
    again = urlsplit(parts.url)
    if parts.scheme not in _PORTS or not parts.host or parts.auth is not None or "\\" in url:
        return None
    if parts.host.strip("[]") != again.hostname or parts.port != again.port:
        return None
    return _Origin(parts.scheme, parts.host, parts.port or _PORTS[parts.scheme])


def _is_upgrade(old: _Origin, new: _Origin) -> bool:
    """Whether the redirect leads to TLS on the same host: from one default port to the other, or on the same port."""
    if (old.scheme, new.scheme, old.host) != ("http", "https", new.host):
        return False
    return new.port == old.port or (old.port, new.port) == (80, 443)
