"""Pictures and sounds of every kind, made into content parts.

Whatever the caller hands over becomes bytes first, and the bytes say what it is; names and declared types are not
believed. Only an http(s) URL is passed on as it is, for the server to fetch. What is neither a picture nor a sound that
the protocol carries is refused here, before anything is sent.
"""

from __future__ import annotations

import base64
import binascii
import errno
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, Protocol
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ..checks import refusal, show
from ..errors import InvalidRequestError
from .messages import Message

__all__ = ["Media", "MediaItem", "Picture", "add_media", "build_media_parts", "has_media", "sniff_media_type"]


class Picture(Protocol):
    """What is asked of a picture in memory; ``PIL.Image.Image`` has it."""

    @property
    def mode(self) -> str: ...

    format: str | None

    def convert(self, mode: str) -> Any: ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None: ...


MediaItem = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Picture
Media = MediaItem | tuple[MediaItem, str] | Sequence[MediaItem | tuple[MediaItem, str]]

_WANTED = "a picture, or WAV or MP3 audio"

# The formats of the "input_audio" part (OpenAI, "Create chat completion").
_AUDIO_FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3"}

_MEDIA_PART_TYPES = ("image_url", "input_audio")

# How much of the beginning is looked at; only an SVG file's comments make it worth more than a few bytes.
_HEAD = 4096

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"%PDF-", "application/pdf"),
)
_RIFF_FORMS = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}

# The brands of an ISO base media file (ISO/IEC 14496-12; HEIF 23008-12; AVIF), the most telling first.
_BRANDS = (
    ((b"avif", b"avis"), "image/avif"),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    ((b"mif1", b"msf1"), "image/heif"),
)
_BMP_HEADER_SIZES = (12, 16, 40, 52, 56, 64, 108, 124)

_SCHEME = re.compile(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MARKUP_NOISE = re.compile(rb"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_FIRST_TAG = re.compile(rb"<(?:[a-z_][\w.-]*:)?([a-z_][\w.-]*)")
_TEXT_BYTES = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100)))

# What is kept of a picture in memory: its own format where that can hold its mode, else PNG, which is exact.
_PICTURE_MODES = {
    "JPEG": ("L", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
}
_PNG_MODE_FOR = {"I": "I;16", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}


def build_media_parts(media: Media | None) -> list[dict[str, Any]]:
    """The content parts for one item of media or for several.

    Args:
        media: one item, or a list or tuple of them; None and an empty list give no parts. An item is

            * an http or https URL, passed on as it is;
            * a data URI; its base64 is checked, and a picture type that its bytes contradict is corrected;
            * the path of a file, as str or ``os.PathLike``; ``~`` is expanded;
            * bytes, bytearray or memoryview;
            * a binary file, read from where it stands to its end;
            * a PIL image; saved as PNG, or as the JPEG or WEBP that it was read from;
            * a tuple of one of these and a file name. The name helps where the bytes leave it open whether they are an
              SVG picture, and nowhere else.

            A tuple ``(a, b)`` given for ``media`` itself is an item and its name if ``a`` is bytes, a file or an image
            and ``b`` None or a str that is neither a URL nor a data URI; else it is two items. In a list there is no
            such doubt: there a tuple is always an item and its name.

    Returns:
        for a picture ``{"type": "image_url", "image_url": {"url": …}}``, for WAV and MP3 audio
        ``{"type": "input_audio", "input_audio": {"data": …, "format": "wav" or "mp3"}}``.

    Raises:
        InvalidRequestError: an item is something else, empty, or cannot be read; the message says which and what it is.
    """
    return [_build_part(item, f"media[{index}]") for index, item in enumerate(_list_items(media))]


def add_media(messages: Sequence[dict[str, Any]], media: Media | None) -> list[dict[str, Any]]:
    """The conversation with media added to the user's last message, after its text.

    Args:
        messages: checked messages; they are not changed. If none is the user's, one is added at the end.
        media: as for ``build_media_parts``, which also tells the errors.
    """
    parts = build_media_parts(media)
    added = list(messages)
    if not parts:
        return added
    for index in range(len(added) - 1, -1, -1):
        if added[index]["role"] == "user":
            added[index] = {**added[index], "content": [*_list_parts(added[index].get("content")), *parts]}
            return added
    return [*added, {"role": "user", "content": parts}]


def has_media(messages: Iterable[Message]) -> bool:
    """Whether any message holds a picture or a sound."""
    contents = (message.get("content") for message in messages)
    return any(
        isinstance(part, Mapping) and part.get("type") in _MEDIA_PART_TYPES
        for content in contents
        if isinstance(content, (list, tuple))
        for part in content
    )


def sniff_media_type(data: bytes | bytearray | memoryview) -> str | None:
    """The media type that the first bytes of a file show; None if they show none.

    Markup whose first tag is not among them is ``"text/xml"``; other text is ``"text/plain"``.
    """
    head = bytes(data[:_HEAD])
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
    # Two letters alone would make a picture of every text that begins with "BM".
    return head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES


def _is_mpeg_audio(head: bytes) -> bool:
    # A frame header of layer III with a bit rate and a sampling rate that exist (ISO/IEC 11172-3, 2.4.2.3).
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


def _list_items(media: Any) -> Sequence[Any]:
    if media is None:
        return ()
    if isinstance(media, tuple) and _is_named(media):
        return (media,)
    return media if isinstance(media, (list, tuple)) else (media,)


def _is_named(media: tuple[Any, ...]) -> bool:
    if len(media) != 2 or isinstance(media[0], (str, os.PathLike, tuple, list)):
        return False
    return media[1] is None or (isinstance(media[1], str) and _SCHEME.match(media[1]) is None)


def _list_parts(content: object) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content) if isinstance(content, (list, tuple)) else []


def _build_part(item: Any, place: str) -> dict[str, Any]:
    name = None
    if isinstance(item, tuple):
        if len(item) != 2 or not isinstance(item[1], (str, type(None))):
            raise refusal(place, "an item of media or a tuple (item, file name)", item)
        item, name = item
    scheme = _SCHEME.match(item) if isinstance(item, str) else None
    if scheme:
        return _build_url_part(item, place) if "://" in scheme[0] else _build_data_uri_part(item, name, place)
    data = _read_item(item, place)
    media_type = _find_type(data, _names_svg(name or _get_name(item)), place)
    return _build_encoded_part(media_type, str(binascii.b2a_base64(data, newline=False), "ascii"))


def _build_encoded_part(media_type: str, encoded: str) -> dict[str, Any]:
    if media_type in _AUDIO_FORMATS:
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": _AUDIO_FORMATS[media_type]}}
    return _build_picture_part(f"data:{media_type};base64,{encoded}")


def _build_picture_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _find_type(data: bytes | bytearray | memoryview, named_svg: bool, place: str) -> str:
    media_type = sniff_media_type(data)
    if media_type == "text/xml" and named_svg:
        media_type = "image/svg+xml"
    if media_type is None or not (media_type.startswith("image/") or media_type in _AUDIO_FORMATS):
        found = f"{media_type or 'bytes of no known type'}: {show(bytes(data[:_HEAD]))}" if data else "empty"
        raise InvalidRequestError(f"{place} must be {_WANTED}, but is {found}")
    return media_type


def _build_url_part(url: str, place: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise InvalidRequestError(f"{place} is not a usable http or https URL: {show(url)}")
    return _build_picture_part(url)


def _build_data_uri_part(uri: str, name: str | None, place: str) -> dict[str, Any]:
    header, comma, payload = uri[5:].partition(",")
    declared, *parameters = header.split(";")
    if not comma or "/" not in declared:
        raise InvalidRequestError(f"{place} is a data URI without a media type: {show(uri)}")
    if [parameter.strip().lower() for parameter in parameters[-1:]] != ["base64"]:
        data = unquote_to_bytes(payload)
        encoded = str(binascii.b2a_base64(data, newline=False), "ascii")
    else:
        # Escapes and line breaks are allowed here; not every server reads them.
        encoded = "".join(unquote(payload).split())
        data = _decode_base64(encoded, f"{place} is a data URI with broken base64: {show(uri)}")
    named_svg = _names_svg(name or "") or declared.lower() == "image/svg+xml"
    return _build_encoded_part(_find_type(data, named_svg, place), encoded)


def _decode_base64(encoded: str, complaint: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidRequestError(f"{complaint} ({error})") from None


def _get_name(item: Any) -> str:
    name = item if isinstance(item, (str, os.PathLike)) else getattr(item, "name", "")
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""


def _names_svg(name: str) -> bool:
    return name.lower().endswith(".svg")


def _read_item(item: Any, place: str) -> bytes | bytearray | memoryview:
    if isinstance(item, (str, os.PathLike)):
        return _read_path(os.fsdecode(item), place)
    if isinstance(item, (bytes, bytearray)):
        return item
    if isinstance(item, memoryview):
        return item if item.c_contiguous and item.format == "B" and item.ndim == 1 else item.tobytes()
    if all(hasattr(item, name) for name in ("save", "format", "mode")):
        return _save_picture(item, place)
    if hasattr(item, "read"):
        return _read_file(item, place)
    raise refusal(place, "a URL, a data URI, a path, bytes, a binary file or a PIL image", item)


def _read_path(path: str, place: str) -> bytes:
    try:
        return _read_regular_file(os.path.expanduser(path))
    except (OSError, ValueError) as error:  # ValueError is what a null character raises
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequestError(f"{place} cannot be read: {reason}: {show(path)}") from error


def _read_regular_file(path: str) -> bytes:
    # A pipe or a device might never come to an end. A directory has an error of its own.
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "Not a regular file")
    with open(path, "rb") as file:
        return file.read()


def _read_file(file: Any, place: str) -> bytes | bytearray | memoryview:
    if isinstance(file, io.TextIOBase):
        raise InvalidRequestError(f"{place} is a file in text mode, open it with mode 'rb': {show(file)}")
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError is what a closed file raises
        raise InvalidRequestError(f"{place} cannot be read: {error}: {show(file)}") from error
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise refusal(f"{place}.read()", "bytes (is the file open in mode 'rb'?)", data)
    return data


def _save_picture(picture: Any, place: str) -> bytes:
    kind = picture.format if picture.mode in _PICTURE_MODES.get(picture.format, ()) else "PNG"
    buffer = io.BytesIO()
    try:
        if picture.mode not in _PICTURE_MODES[kind]:
            picture = picture.convert(_PNG_MODE_FOR.get(picture.mode, "RGB"))
        picture.save(buffer, kind, quality=95)
    except (OSError, ValueError) as error:  # what Pillow raises for truncated, empty and closed pictures
        raise InvalidRequestError(f"{place} cannot be saved as {kind}: {error}: {show(picture)}") from error
    return buffer.getvalue()
