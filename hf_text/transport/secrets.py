"""Which values are secrets, and a str with a masked ``repr``."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from ..patterns import pattern

__all__ = ["Secret", "SecretBytes", "find_in_headers", "find_in_proxies", "hide_headers", "hide_proxies"]

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRET_WORDS = frozenset(
    [
        *("auth", "authentication", "authorization", "bearer", "cookie", "jwt", "session", "sessionid", "sid"),
        *("key", "keys", "apikey", "token", "apitoken", "authtoken", "pat", "secret", "secrets", "sig", "signature"),
        *("password", "passwd", "passphrase", "pwd", "credential", "credentials"),
    ]
)
_USER = pattern(r"(?:[^/]*//)?([^/]*)@")


class Secret(str):
    """A str whose ``repr`` is ``'***'``, for tracebacks that show the values of variables and error trackers that
    collect them. In every other way it is an ordinary str.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> SecretBytes:
        """Like ``str.encode()``; the bytes are hidden too."""
        return SecretBytes(super().encode(encoding, errors))


class SecretBytes(bytes):
    """The same for bytes: an encoded value, or the head of a request."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


def hide_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers; the value is a ``Secret`` if the name indicates one."""
    return {name: Secret(value) if _is_secret(name) else value for name, value in headers.items()}


def hide_proxies(proxies: Mapping[str, str]) -> dict[str, str]:
    """The addresses of proxies, each as a ``Secret`` because it may hold a password."""
    return {scheme: Secret(address) for scheme, address in proxies.items()}


def find_in_headers(headers: Mapping[str, str]) -> Iterator[str]:
    """The secrets in headers: whole values, and parts of them (a cookie's value, a password, a signature)."""
    for name, value in headers.items():
        if _is_secret(name):
            yield value
            yield from _find_in_value(value)


def find_in_proxies(proxies: Iterable[str]) -> Iterator[str]:
    """The passwords in proxy addresses, as written and as sent."""
    for address in proxies:
        user = _USER.match(address)
        if user:
            yield user[1].partition(":")[2]
            yield unquote(user[1]).partition(":")[2]
            yield base64.b64encode(unquote(user[1]).encode()).decode()


def _is_secret(name: str) -> bool:
    """Whether a header with this name holds a secret. Matches whole words, so ``X-Portkey-Provider`` does not."""
    return any(word.lower() in _SECRET_WORDS for word in _WORD.findall(name))


def _find_in_value(value: str) -> Iterator[str]:
    scheme, _, rest = value.partition(" ")
    if rest and "=" not in scheme:
        yield rest
        if scheme.lower() == "basic":
            yield from _decode_basic(rest)
    for part in re.split(r"[;,\s]+", value if "=" in scheme else rest or value):
        _, mark, inner = part.partition("=")
        if mark and inner.strip("="):  # base64 ends with "=" signs
            yield inner.strip('"')


def _decode_basic(credentials: str) -> Iterator[str]:
    try:
        user = base64.b64decode(credentials, validate=True).decode()
    except ValueError:
        return
    yield user
    yield user.partition(":")[2]
