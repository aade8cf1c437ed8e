"""Masks secrets in messages: servers echo what they receive, and libraries print proxy addresses.

Only values for display are masked. Values that are used, such as a listing or the target of a redirect, are unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, AnyStr

from .secrets import find_in_headers, find_in_proxies

__all__ = ["Mask"]

# Users give local servers keys such as "none" and "ollama". These are not secrets, but common words in messages.
_SHORTEST = 8
_SHOWN = "***"

# A text without any of these contains no escaped characters.
_ESCAPES = ("\\", "&", "%")
# How many characters a single character of a secret may take: "&" written as "\u0026", escaped repeatedly.
_MAX_WRITTEN = 64


class Mask:
    """Replaces a client's secrets with ``***``: its key, credentials in its headers, and the passwords of its proxies.

    Finds secrets verbatim and as escaped in JSON (also JSON within JSON), HTML and URLs, once or repeatedly. Takes time
    linear in the length of the text.

    Args:
        key: the key, or None.
        headers: the headers sent with each request.
        proxies: the addresses of the proxies.
    """

    def __init__(self, key: str | None, headers: Mapping[str, str], proxies: Iterable[str]) -> None:
        secrets = {key or "", *find_in_headers(headers), *find_in_proxies(proxies)}
        # Longest first: one secret may be a part of another.
        self._secrets = sorted((secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: AnyStr) -> AnyStr:
        """The text (str, or UTF-8 bytes) without the secrets."""
        if isinstance(text, bytes):
            return self._hide_in(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        return self._hide_in(text)

    def _hide_in(self, text: str) -> str:
        if not text or not self._secrets:
            return text
        for secret in self._secrets:
            text = text.replace(secret, _SHOWN)
        if any(escape in text for escape in _ESCAPES):
            text = self._written.sub(_hide, text)
        return text

    def beginning(self, text: str, limit: int) -> str:
        """The first ``limit`` characters of a text without the secrets, and without a truncated secret at the end.

        Searches only the beginning of a long text.
        """
        if len(text) <= limit or not self._secrets:
            return self._hide_in(text[:limit])
        window = text[: limit + _MAX_WRITTEN * len(self._secrets[0])]
        pieces, place = [], 0
        for found in self._written.finditer(window):
            if found.start() >= limit:
                break
            pieces += [window[place : found.start()], _hide(found)]
            place = found.end()
        return "".join([*pieces, window[place:limit]])

    def in_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers without the secrets."""
        return {name: self(value) for name, value in headers.items()}

    def in_value(self, value: Any) -> Any:
        """A JSON value, as ``as_bounded()`` returns it, without the secrets."""
        if not self._secrets:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, list):
            return [self.in_value(item) for item in value]
        if isinstance(value, dict):
            return {self(key): self.in_value(item) for key, item in value.items()}
        return value

    def with_headers(self, headers: Mapping[str, str]) -> Mask:
        """A mask that also hides the secrets in these headers; this mask if they contain no new ones."""
        more = {secret for secret in find_in_headers(headers) if len(secret) >= _SHORTEST} if headers else set()
        if more <= set(self._secrets):
            return self
        mask = Mask(None, {}, ())
        mask._secrets = sorted(more.union(self._secrets), key=len, reverse=True)
        return mask

    @cached_property
    def _written(self) -> re.Pattern[str]:
        """Matches the secrets in every way of writing them."""
        return re.compile("|".join(map(_ways_to_write, self._secrets)))


def _hide(found: re.Match[str]) -> str:
    """``***``, after the backslashes that escape preceding characters, so that JSON stays valid."""
    text, start = found.string, found.start()
    first = start
    while text[first - 1 : first] == "\\":
        first -= 1
    backslashes = start - first + len(found[0]) - len(found[0].lstrip("\\"))
    return "\\" * max((backslashes - 1) // 2 * 2 - (start - first), 0) + _SHOWN


def _ways_to_write(secret: str) -> str:
    """A regular expression for a secret in every way in which it may be echoed."""
    runs = re.findall(r"\\+|[^\\]", secret, re.DOTALL)
    return "".join(_ways_to_write_backslashes(len(run)) if run[0] == "\\" else _ways_to_write_one(run) for run in runs)


def _ways_to_write_one(character: str) -> str:
    before = "" if character.isalnum() else r"\\{0,32}"  # JSON's \" or \/
    return f"(?:{before}(?:{re.escape(character)}|{_in_html(character)})|{_escapes(character)})"


def _ways_to_write_backslashes(count: int) -> str:
    doubled = "|".join(rf"\\{{{count * times}}}" for times in (16, 8, 4, 2, 1))
    return rf"(?:{doubled}|(?:{_in_html(chr(92))}|{_escapes(chr(92))}){{{count}}})"


def _in_html(character: str) -> str:
    code = ord(character)
    named = {'"': "|quot", "&": "|amp", "'": "|apos", "<": "|lt", ">": "|gt"}.get(character, "")
    return rf"(?:&|\\{{1,32}}u0026)(?:amp;){{0,4}}(?:#0{{0,5}}{code}|#[xX]0{{0,5}}{_hex(f'{code:x}')}{named});"


def _escapes(character: str) -> str:
    """Escapes in JSON, in languages with similar string literals, and in URLs."""
    code, units = ord(character), character.encode("utf-16-be").hex()
    long = "".join(rf"\\{{1,32}}u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4))
    short = rf"|\\{{1,32}}x{_hex(f'{code:02x}')}" if code < 0x100 else ""
    address = "".join(rf"%(?:25){{0,4}}{_hex(f'{byte:02x}')}" for byte in character.encode())
    return f"{long}{short}|{address}"


def _hex(digits: str) -> str:
    """A pattern for hexadecimal digits in lower and upper case."""
    return re.sub("[a-f]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", digits)
