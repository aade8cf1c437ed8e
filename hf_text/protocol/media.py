"""Media for a conversation: pictures and sounds of every kind, made into content parts.

Whatever the caller hands over becomes bytes first, and the bytes say what it is; names and declared types are not
believed. Only an http(s) URL is passed on as it is, for the server to fetch. What is neither a picture nor a sound that
the protocol carries is refused here, before anything is sent.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from ..checks import refusal, show
from ..errors import InvalidRequestError
from ..patterns import pattern
from .media_items import AUDIO_FORMATS, MediaItem, find_type, names_svg, read_item
from .messages import Message

__all__ = [
    "Media",
    "add_media",
    "build_media_parts",
    "has_media",
    "media_from_base64",
    "media_from_url",
]

Media = MediaItem | tuple[MediaItem, str] | Sequence[MediaItem | tuple[MediaItem, str]]

_MEDIA_PART_TYPES = ("image_url", "input_audio")

_SCHEME = pattern(r"data:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def media_from_url(url: str, *, allow_files: bool = False) -> str:
    """A URL for ``media=``, and nothing but a URL: for what comes from other people, such as the visitors of a page.

    In ``media=`` a str can also be a path, and the file is then sent to the model. This takes
    http and https URLs and data URIs only. A URL is fetched by the server that runs the model: one of your own should
    not reach what is not meant for them.

    Args:
        url: the URL.
        allow_files: whether to take ``file://`` URLs of this machine too; the result is then a path.

    Returns:
        what to give as ``media=``.

    Raises:
        InvalidRequestError: it is something else.
    """
    scheme = url.strip().partition(":")[0].lower() if isinstance(url, str) else ""
    if scheme == "file" and allow_files:
        return _find_path(url.strip())
    if scheme not in ("http", "https", "data"):
        raise refusal("url", "an http or https URL, or a data URI", url)
    if scheme != "data":
        _check_url(url.strip(), "url")
    return url.strip()


def media_from_base64(text: str | bytes) -> bytes:
    """The bytes of a picture or sound in base64, for ``media=``, where a bare str would be the path of a file.

    Args:
        text: base64 of either alphabet, with or without line breaks and ``=`` at the end.

    Raises:
        InvalidRequestError: it is something else.
    """
    if not isinstance(text, (str, bytes, bytearray)):
        raise InvalidRequestError(f"text must be base64 in a str or bytes, not {type(text).__name__}")
    encoded = b"".join((text.encode("utf-8", "replace") if isinstance(text, str) else bytes(text)).split())
    encoded = encoded.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    return _decode_base64(encoded + b"=" * (-len(encoded) % 4), "text is not base64")


def build_media_parts(media: Media | None) -> list[dict[str, Any]]:
    """The content parts for one item of media or for several.

    Args:
        media: one item, or a list or tuple of them; None and an empty list give no parts. An item is

            * an http or https URL, passed on as it is;
            * a data URI; its base64 is checked, and a picture type that its bytes contradict is corrected;
            * the path of a file, as str or ``os.PathLike``; ``~`` is expanded. So a str that comes from other people
              must not stand here as it is: see ``media_from_url``;
            * bytes, bytearray or memoryview;
            * a binary file, read from where it stands to its end;
            * a PIL image; turned as its EXIF data say, and saved as PNG, or as the JPEG or WEBP that it was read from;
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
        media: as for ``build_media_parts``, where the errors are listed, too.
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
    for message in messages:
        content = message.get("content")
        if isinstance(content, (list, tuple)) and any(map(_is_media, content)):
            return True
    return False


def _is_media(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in _MEDIA_PART_TYPES


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
        if "://" in scheme[0]:
            return _build_picture_part(_check_url(item, place))
        return _build_data_uri_part(item, name, place)
    media_type, data = read_item(item, name, place)
    return _build_encoded_part(media_type, str(binascii.b2a_base64(data, newline=False), "ascii"))


def _build_encoded_part(media_type: str, encoded: str) -> dict[str, Any]:
    if media_type in AUDIO_FORMATS:
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": AUDIO_FORMATS[media_type]}}
    return _build_picture_part(f"data:{media_type};base64,{encoded}")


def _build_picture_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


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
    named_svg = names_svg(name or "") or declared.lower() == "image/svg+xml"
    return _build_encoded_part(find_type(data, named_svg, place), encoded)


def _decode_base64(encoded: str | bytes, complaint: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise InvalidRequestError(f"{complaint} ({error})") from None


def _check_url(url: str, place: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable()
    except ValueError:
        usable = False
    if usable:
        return url
    hint = ""
    if url[:5].lower() == "file:":
        hint = ". Pass a file by its path, or with hf_text.media_from_url(…, allow_files=True)"
    raise InvalidRequestError(f"{place} is not a usable http or https URL: {show(url)}{hint}")


def _find_path(url: str) -> str:
    """The path in a file URL (RFC 8089)."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/"):
        raise refusal("url", "the URL of a file on this machine, such as file:///tmp/cat.png", url)
    return path[1:] if os.name == "nt" else path
