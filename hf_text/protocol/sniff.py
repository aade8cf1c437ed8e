"""Detects media types from the first bytes of a file. Names and declared types are not trusted."""

from __future__ import annotations

import re

from ..patterns import pattern

__all__ = ["HEAD_BYTES", "sniff_media_type"]

# The number of bytes inspected; only the comments of an SVG file need more than a few.
HEAD_BYTES = 4096

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF-", "application/pdf"),
)
_RIFF_FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}

# The brands of an ISO base media file (ISO/IEC 14496-12; HEIF 23008-12; AVIF), most specific first.
_BRANDS = (
    ((b"avif", b"avis"), "image/avif"),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    ((b"mif1", b"msf1"), "image/heif"),
)
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)

_MARKUP_NOISE = pattern(rb"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_FIRST_TAG = pattern(rb"<(?:[a-z_][\w.-]*:)?([a-z_][\w.-]*)")
_TEXT_BYTES = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100)))


def sniff_media_type(data: bytes | bytearray | memoryview) -> str | None:
    """Detect the media type from the first bytes of a file; None if unknown.

    Markup without a tag in these bytes is ``"text/xml"``; other text is ``"text/plain"``.
    """
    head = bytes(data[:HEAD_BYTES])
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if head[:4] == b"RIFF":
        return _RIFF_FORMS.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _sniff_brand(head)
    if _is_bmp(head):
        return "image/bmp"
    if _is_mpeg_audio(head):
        return "audio/mpeg"
    return _sniff_text(head)


def _sniff_brand(head: bytes) -> str:
    size = int.from_bytes(head[:4], "big")
    brands = {head[start : start + 4] for start in range(8, min(size, len(head)), 4)}
    for known, media_type in _BRANDS:
        if not brands.isdisjoint(known):
            return media_type
    return "video/mp4"


def _is_bmp(head: bytes) -> bool:
    # Checking only two letters would match every text that begins with "BM".
    return head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _is_mpeg_audio(head: bytes) -> bool:
    # A tag with an existing version (ID3v2, 3.1): three letters alone would also match text that begins with "ID3".
    if head[:3] == b"ID3" and head[3:4] in (b"\x02", b"\x03", b"\x04"):
        return True
    # A layer III frame header with a valid bit rate and sampling rate (ISO/IEC 11172-3, 2.4.2.3).
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    return head[1] & 0x18 != 0x08 and head[2] >> 4 not in (0, 15) and head[2] & 0x0C != 0x0C


def _sniff_text(head: bytes) -> str | None:
    if not head or head.translate(None, _TEXT_BYTES):
        return None
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith(b"<"):
        return "text/plain"
    markup = _MARKUP_NOISE.sub(b"", text)
    tag = _FIRST_TAG.search(markup)
    if markup.lstrip().startswith(b"<!doctype html") or (tag and tag[1] in (b"html", b"head", b"body")):
        return "text/html"
    if tag is None:
        return "text/xml"
    return "image/svg+xml" if tag[1] == b"svg" else "application/xml"
