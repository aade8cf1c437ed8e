"""Redacts keys, cookies and billing names in records.

Each secret is replaced by the same number of letters, so that byte counts (``Content-Length``, chunk sizes) stay
correct and a record can be replayed byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

__all__ = ["Secrets"]

# Words in the names of header fields and parameters with secret values.
_SECRET_WORDS = frozenset(
    {"authorization", "cookie", "credential", "credentials", "key", "passwd", "password", "secret", "session"}
    | {"apikey", "signature", "token"}
)
_BILLING_NAMES = frozenset({"x-hf-bill-to", "openai-organization", "openai-project"})
# Patterns of keys. Shorter matches in an answer are not keys: hf_hub_download is a function.
_KEYS = re.compile(rb"\b(?:hf_[A-Za-z0-9]{30,}|(?:sk-|gsk_|xai-|nvapi-|csk-)[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{16})\b")
# Not "token" and "key" alone: in JSON these have other meanings.
_JSON_FIELD = re.compile(
    rb'"([a-z_-]*(?:api_?key|access_token|auth_token|refresh_token|authorization|password|secret|private_key))"'
    rb'\s*:\s*"((?:[^"\\]|\\.)+)"',
    re.IGNORECASE,
)
_HEADER = re.compile(rb"(?m)^([A-Za-z0-9_-]+):[ \t]*([^\r\n]+)")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SHORTEST = 4  # a shorter secret would match everywhere


class Secrets:
    """The secrets of one exchange.

    Args:
        headers: the request's header fields.
        query: the request's query, decoded.
        body: the request's body.
        more: further texts to redact.
    """

    def __init__(
        self, headers: Iterable[tuple[str, str]], query: dict[str, list[str]], body: bytes, more: Iterable[str]
    ) -> None:
        self._found = set(filter(None, more))
        self._names: set[str] = set()
        for name, value in headers:
            if name.lower() in _BILLING_NAMES:
                self._names.add(value)
            elif _is_secret(name):
                self._found |= _secrets_in(value)
        for name, values in query.items():
            if _is_secret(name):
                self._found |= set(values)
        self._found |= {value.decode("utf-8", "replace") for _, value in _JSON_FIELD.findall(body)}

    def learn(self, head: bytes) -> None:
        """Add the secrets of a response head: cookies, parameters of signed URLs, and billing names."""
        for name, value in _HEADER.findall(head):
            if name.lower() in (b"set-cookie", b"set-cookie2"):
                self._found.add(value.split(b";")[0].partition(b"=")[2].decode("latin-1"))
            elif name.lower() == b"location":
                self._found |= _secrets_in_address(value.decode("latin-1"))
            elif name.decode().lower() in _BILLING_NAMES:
                self._names.add(value.decode("latin-1"))

    def hide(self, data: bytes) -> bytes:
        """The data with secrets redacted and its length unchanged."""
        for form in sorted(self._forms(), key=len, reverse=True):
            data = data.replace(form, b"x" * len(form))
        for name in self._names:
            data = re.sub(rb"(?<![\w-])" + re.escape(name.encode("latin-1")) + rb"(?![\w-])", _cross_out, data)
        data = _JSON_FIELD.sub(_cross_out_value, data)
        return _KEYS.sub(_cross_out, data)

    def hide_in_head(self, head: bytes) -> bytes:
        """The head of a message with secrets redacted, including all values of header fields that contain secrets."""
        return _HEADER.sub(_cross_out_header, self.hide(head))

    def _forms(self) -> set[bytes]:
        """The secrets, each also as escaped in JSON, URLs and HTML."""
        texts = {text for text in self._found if len(text) >= _SHORTEST}
        texts |= {form(text) for text in texts for form in (_in_json, _in_url, html.escape)}
        return {text.encode(encoding) for text in texts for encoding in ("utf-8", "latin-1") if _fits(text, encoding)}


def _is_secret(name: str) -> bool:
    """Whether the value of a header field or parameter with this name is secret, judged by the words of the name."""
    return not _SECRET_WORDS.isdisjoint(word.lower() for word in _WORDS.findall(name))


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _secrets_in(value: str) -> set[str]:
    """The secrets in a header value: the credentials, the values of cookies, and decoded Basic credentials."""
    scheme, _, rest = value.partition(" ")
    found = {rest.strip() or value}
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        found |= {decoded, decoded.partition(":")[2]}
    for cookie in value.split(";"):
        if "=" in cookie:
            found.add(cookie.partition("=")[2].strip())
    return set(filter(None, found))


def _secrets_in_address(address: str) -> set[str]:
    """The values of secret parameters in a URL, both encoded and decoded."""
    pairs = [parameter.partition("=") for parameter in address.partition("?")[2].partition("#")[0].split("&")]
    return {form for name, _, value in pairs if _is_secret(unquote(name)) for form in (value, unquote(value)) if form}


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_url(text: str) -> str:
    return quote(text, safe="")


def _cross_out(found: re.Match[bytes]) -> bytes:
    return b"x" * len(found[0])


def _cross_out_header(found: re.Match[bytes]) -> bytes:
    name = found[1].decode()
    return _cross_out_value(found) if _is_secret(name) or name.lower() in _BILLING_NAMES else found[0]


def _cross_out_value(found: re.Match[bytes]) -> bytes:
    start, end = found.span(2)
    whole, offset = found[0], found.start()
    return whole[: start - offset] + b"x" * (end - start) + whole[end - offset :]
