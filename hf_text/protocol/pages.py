"""What people write for people where a program asked: web pages, in whatever charset, told in a few words."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

__all__ = ["as_utf8", "decode_text", "describe_page", "strip_tags"]

# A pattern may cross no second beginning of its own, so that a page of nothing but opening tags takes linear time.
# They are compiled when they are needed, which is rare, and not with each import.
_HEADING = r"(?si)<h1[^<>]*>((?:(?!<h1).)*?)</h1>\s*(?:<p[^<>]*>((?:(?!<p).)*?)</p>)?"
_TITLE = r"(?si)<title[^<>]*>((?:(?!<title).)*?)</title>"
_BODY_TEXT = r"(?si)<(h2|h3|pre|p)\b[^<>]*>((?:(?!<\1\b).)*?)</\1>"

_UNSEEN = r"(?si)<(script|style)\b(?:(?!<\1\b).)*?</\1>|<!--(?:(?!<!--).)*?-->"
_SEARCHED = 65536

_CHARSET = r"(?i)charset\s*=\s*[\"']?([\w.:-]{1,40})"
_META_BYTES = 2048
# Charsets in which ASCII is ASCII: a secret that was taken out of the bytes cannot come back when they are decoded.
_CHARSETS = r"utf-8|ascii|gb\w+|big5\w*|shift_jis\w*|euc_\w+|iso8859-\d+|cp(?:125\d|874|9\d\d)|koi8-[rtu]|tis-620"
_BOM = codecs.BOM_UTF8
_MAX_WORDS = 300


def as_utf8(body: bytes) -> bytes:
    """A body in UTF-16 that says so by its first bytes, in UTF-8; any other as it is."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body.decode("utf-16", "replace").encode()
    return body


def decode_text(body: bytes | bytearray, headers: Mapping[str, str]) -> str:
    """The text of a body: in UTF-8 where it is that, else in the charset of ``Content-Type`` or of the page itself."""
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    declared = _find_charset(headers.get("content-type", ""))
    if declared in (None, "utf-8", "ascii", "iso8859-1", "cp1252"):  # what servers say that were not told
        try:
            return body.decode()
        except UnicodeDecodeError:
            declared = _find_charset(body[:_META_BYTES].decode("latin-1")) or declared
    return body.decode(declared or "utf-8", "replace")


def _find_charset(text: str) -> str | None:
    found = re.search(_CHARSET, text)
    try:
        name = codecs.lookup(re.sub(r"(?i)^x-|^windows-(?=9)", "", found[1])).name if found else ""
    except LookupError:
        return None
    return name if re.fullmatch(_CHARSETS, name) else None


def describe_page(text: str) -> str:
    """The words of an error page: ``<h1>502</h1><p>Bad Gateway</p>``; where that is one word only, its title or its
    first paragraph too; without a heading, as in XML, the beginning of its text.
    """
    heading, title = re.search(_HEADING, text), re.search(_TITLE, text)
    found = heading or title
    words = strip_tags(" ".join(part for part in found.groups() if part)) if found else ""
    if len(words.split()) < 2:
        more = [strip_tags(title[1])] if title and title is not found else []
        if len(" ".join([words, *more]).split()) < 2:
            paragraph = re.search(_BODY_TEXT, text)
            more = [strip_tags(paragraph[2] if paragraph else re.sub(_UNSEEN, " ", text[:_SEARCHED]))]
        for said in filter(None, more):
            words = said if words in said else f"{words}: {said}"
    return words[:_MAX_WORDS] or "an HTML page"


def strip_tags(text: str) -> str:
    """HTML as plain text in one line."""
    from html import unescape  # here, because it is rarely needed and reads a large table

    return " ".join(unescape(re.sub(r"<[^<>]*>", " ", text)).split())
