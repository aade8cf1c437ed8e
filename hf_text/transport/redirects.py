"""Where the key may go on to: a redirect, the next page of a listing."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from urllib3.exceptions import LocationParseError
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
    """Where a redirect leads: to the same origin, or from ``http`` to ``https`` there. Raises TransportError for any
    other, because the key and the conversation go along.
    """
    host = urlsplit(url).netloc
    _, old = _join(url, "")
    target, new = _join(url, location)
    if old is None or new is None:
        raise TransportError(f"{host} redirects to {mask.beginning(location, 200)!r}, which is not an address")
    if new != old and not _is_upgrade(old, new):
        parts = urlsplit(target)
        where = mask.beginning(f"{parts.scheme}://{parts.netloc}", 200)
        raise TransportError(
            f"{host} redirects to {where}, another host or port: not followed, "
            "because the key and the messages would go there. If that is right, give that address itself"
        )
    return target


def follow_link(url: str, link: str, mask: Mask) -> str:
    """The next page of a listing, on the same origin. Raises TransportError for any other: the key goes along."""
    _, old = _join(url, "")
    target, new = _join(url, link)
    if new is None or new != old:
        where = mask.beginning(link, 200)
        raise TransportError(f"{urlsplit(url).netloc} names a next page on another host, {where!r}: not followed")
    return target


def _join(url: str, reference: str) -> tuple[str, _Origin | None]:
    """An absolute address, and its origin; None for what cannot be sent to, or holds a user name."""
    try:
        target = urljoin(url, reference)
        return target, _origin_of(target)
    except ValueError:
        return "", None


def _origin_of(url: str) -> _Origin:
    """The origin of an address. Raises ValueError where readers differ about it: one of them decides here, another
    connects.
    """
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ValueError(f"not an address: {url!r:.200}") from None
    again = urlsplit(parts.url)
    if parts.scheme not in _PORTS or not parts.host or parts.auth is not None or "\\" in url:
        raise ValueError(f"not an address: {url!r:.200}")
    if parts.host.strip("[]") != again.hostname or parts.port != again.port:
        raise ValueError(f"an ambiguous address: {url!r:.200}")
    return _Origin(parts.scheme, parts.host, parts.port or _PORTS[parts.scheme])


def _is_upgrade(old: _Origin, new: _Origin) -> bool:
    """Whether it leads to TLS at the same host: from one default port to the other, or at the same port."""
    if (old.scheme, new.scheme, old.host) != ("http", "https", new.host):
        return False
    return new.port == old.port or (old.port, new.port) == (80, 443)
