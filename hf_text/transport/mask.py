"""Takes secrets out of what is shown: servers repeat what they were sent, libraries print the address of a proxy.

Only what is shown is masked, never what is used: a listing or the place of a redirect stays as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, AnyStr

from .secrets import find_in_headers, find_in_proxies

__all__ = ["Mask"]

# Local servers are given keys such as "none" and "ollama": no secrets, but words of many a message.
_SHORTEST = 8
_SHOWN = "***"

# Without one of these there is nothing in a text that is written otherwise than it is meant.
_ESCAPES = ("\\", "&", "%")
# How many characters one of a secret may take: "&" written as "\u0026", escaped again and again.
_MAX_WRITTEN = 64


class Mask:
    """Puts ``***`` in the place of a client's secrets: its key, what its headers hold instead, its proxies' passwords.

    They are found as they are, and as JSON (also JSON within JSON), HTML and addresses write them, once or repeatedly.
    It takes time linear in the length of the text.

    Args:
        key: the key; None without one.
        headers: the headers that go along with each request.
        proxies: the addresses of the proxies.
    """

    def __init__(self, key: str | None, headers: Mapping[str, str], proxies: Iterable[str]) -> None:
        secrets = {key or "", *find_in_headers(headers), *find_in_proxies(proxies)}
        # The longest first: one may be a part of another.
        self._secrets = sorted((secret for secret in secrets if len(secret) >= _SHORTEST), key=len, reverse=True)

    def __call__(self, text: AnyStr) -> AnyStr:
        """The text (str, or bytes of a text in UTF-8) without the secrets."""
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
        """The first ``limit`` characters of a text without the secrets, and without a part of one at its end.

        However long the text is, only its beginning is looked at.
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
        """A JSON value, as ``as_bounded()`` gives it, without the secrets."""
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
        """This mask, with the secrets of more headers; itself if there are none in them."""
        more = {secret for secret in find_in_headers(headers) if len(secret) >= _SHORTEST} if headers else set()
        if more <= set(self._secrets):
            return self
        mask = Mask(None, {}, ())
        mask._secrets = sorted(more.union(self._secrets), key=len, reverse=True)
        return mask

    @cached_property
    def _written(self) -> re.Pattern[str]:
        """The secrets, however they are written."""
        return re.compile("|".join(map(_ways_to_write, self._secrets)))


def _hide(found: re.Match[str]) -> str:
    """``***``, behind the backslashes that belong to what stands before: JSON stays JSON."""
    text, start = found.string, found.start()
    first = start
    while text[first - 1 : first] == "\\":
        first -= 1
    backslashes = start - first + len(found[0]) - len(found[0].lstrip("\\"))
    return "\\" * max((backslashes - 1) // 2 * 2 - (start - first), 0) + _SHOWN


def _ways_to_write(secret: str) -> str:
    """A regular expression for a secret in all the ways in which it may be repeated."""
    runs = re.findall(r"\\+|[^\\]", secret, re.DOTALL)
    return "".join(_ways_to_write_backslashes(len(run)) if run[0] == "\\" else _ways_to_write_one(run) for run in runs)


def _ways_to_write_one(character: str) -> str:
    before = "" if character.isalnum() else r"\\{0,32}"  # \" or \/ of JSON
    return f"(?:{before}(?:{re.escape(character)}|{_in_html(character)})|{_escapes(character)})"


def _ways_to_write_backslashes(count: int) -> str:
    doubled = "|".join(rf"\\{{{count * times}}}" for times in (16, 8, 4, 2, 1))
    return rf"(?:{doubled}|(?:{_in_html(chr(92))}|{_escapes(chr(92))}){{{count}}})"


def _in_html(character: str) -> str:
    code = ord(character)
    named = {'"': "|quot", "&": "|amp", "'": "|apos", "<": "|lt", ">": "|gt"}.get(character, "")
    return rf"(?:&|\\{{1,32}}u0026)(?:amp;){{0,4}}(?:#0{{0,5}}{code}|#[xX]0{{0,5}}{_hex(f'{code:x}')}{named});"


def _escapes(character: str) -> str:
    """In JSON and in the languages that write strings like it; in addresses."""
    code, units = ord(character), character.encode("utf-16-be").hex()
    long = "".join(rf"\\{{1,32}}u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4))
    short = rf"|\\{{1,32}}x{_hex(f'{code:02x}')}" if code < 0x100 else ""
    address = "".join(rf"%(?:25){{0,4}}{_hex(f'{byte:02x}')}" for byte in character.encode())
    return f"{long}{short}|{address}"


def _hex(digits: str) -> str:
    """Hexadecimal digits in small and capital letters."""
    return re.sub("[a-f]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", digits)
