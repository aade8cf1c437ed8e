"""Takes secrets out of what is shown: servers repeat what they were sent, libraries print the address of a proxy."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import AnyStr
from urllib.parse import quote, unquote

__all__ = ["Mask", "redact"]

# Local servers are given keys such as "none" and "ollama": no secrets, but words of many a message.
_SHORTEST = 8

_SECRET_HEADER = re.compile(r"auth|key|token|cookie|secret|password", re.IGNORECASE)
_USER = re.compile(r"^(?:[^/]*//)?([^/]*)@")

# A character that JSON, or JSON within JSON, has escaped. Of the backslashes the last one or two do that.
_ESCAPED = re.compile(r"(?<!\\)(\\{1,8})u00([0-9a-f]{2})", re.IGNORECASE)


class Mask:
    """Puts ``***`` in the place of a client's secrets: its key, what its headers hold instead, its proxies' passwords.

    Args:
        key: the key; None without one.
        headers: the headers that go along with each request.
        proxies: the addresses of the proxies.
    """

    def __init__(self, key: str | None, headers: Mapping[str, str], proxies: Iterable[str]) -> None:
        secrets = [key or "", *_find_in_headers(headers), *_find_in_proxies(proxies)]
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)  # one may be a part of another

    def __call__(self, text: AnyStr) -> AnyStr:
        """The text (str or bytes) without the secrets."""
        masked = self._redact(text)
        plain = _unescape(masked) if self._forms else masked
        found = self._redact(plain)
        return masked if found == plain else found

    def in_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers without the secrets; they themselves if there are none in them."""
        values = "\n".join(headers.values())
        if not any(form in values for form in self._forms):
            return headers
        masked = [(name, self(value)) for name, value in headers.items()]
        return type(headers)(masked)  # type: ignore[call-arg]  # looked up in any case, as the headers are

    def _redact(self, text: AnyStr) -> AnyStr:
        for form in self._forms:
            text = redact(text, form)
        return text


def redact(text: AnyStr, key: str | None) -> AnyStr:
    """``text`` (str or bytes) with ``***`` wherever the key stands in it; unchanged without a key."""
    if not key:
        return text
    if isinstance(text, bytes):
        return text.replace(key.encode(), b"***")
    return text.replace(key, "***")


def _find_in_headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if _SECRET_HEADER.search(name):
            yield value
            yield value.partition(" ")[2]  # without the scheme


def _find_in_proxies(proxies: Iterable[str]) -> Iterator[str]:
    for address in proxies:
        user = _USER.match(address)
        if user:
            yield user[1].partition(":")[2]
            yield unquote(user[1]).partition(":")[2]
            yield base64.b64encode(unquote(user[1]).encode()).decode()


def _forms(secret: str) -> Iterator[str]:
    """How a secret may look where it is repeated: as it is, in JSON (some write ``\\/``), in an address."""
    in_json = json.dumps(secret)[1:-1]
    yield from (secret, in_json, in_json.replace("/", r"\/"), quote(secret, safe=""))


def _unescape(text: AnyStr) -> AnyStr:
    """The text with no character escaped that need not be. JSON stays JSON."""
    if isinstance(text, bytes):
        return _unescape(text.decode("latin-1")).encode("latin-1")
    return _ESCAPED.sub(_write_plainly, text)


def _write_plainly(escaped: re.Match[str]) -> str:
    before, code = escaped.groups()
    return before[: (len(before) - 1) // 2 * 2] + json.dumps(chr(int(code, 16)))[1:-1]
