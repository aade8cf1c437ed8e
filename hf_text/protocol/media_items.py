"""Reads a media item: a path, bytes, a binary file or a PIL image becomes bytes of a known type.

Anything other than a picture or a sound format that the protocol supports is rejected. Errors never expose file
contents, neither in the message nor in the traceback's variables: passing a path must not be a way to read a file.
"""

from __future__ import annotations

import errno
import io
import os
from typing import IO, Any, Protocol

from ..checks import refusal, show
from ..errors import InvalidRequestError
from ..patterns import pattern
from .sniff import HEAD_BYTES, sniff_media_type

__all__ = ["AUDIO_FORMATS", "MediaItem", "Picture", "find_type", "names_svg", "read_item"]


class Picture(Protocol):
    """The required interface of a picture in memory; ``PIL.Image.Image`` has it."""

    @property
    def mode(self) -> str: ...

    format: str | None

    def convert(self, mode: str) -> Any: ...

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None: ...


MediaItem = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Picture

Data = bytes | bytearray | memoryview

# The formats of the "input_audio" part (OpenAI, "Create chat completion").
AUDIO_FORMATS = {"audio/wav": "wav", "audio/mpeg": "mp3"}

# A picture in memory is saved in its own format if that supports its mode, else as PNG, which is lossless.
_PICTURE_MODES = {
    "JPEG": ("L", "RGB"),
    "WEBP": ("RGB", "RGBA"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
}
_PNG_MODE_FOR = {"I": "I;16", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}

# The PIL.Image.Transpose value that undoes each EXIF orientation (from PIL.ImageOps.exif_transpose).
_ORIENTATION = 0x0112
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}

_BASE64 = pattern(r"[\w+/-]{100}")


def read_item(item: Any, name: str | None, place: str) -> tuple[str, Data]:
    """Return the media type and the bytes of an item that is neither a URL nor a data URI.

    Args:
        item: a path, bytes, a binary file or a PIL image.
        name: a file name that overrides the item's own.
        place: the place of the item, for errors.

    Raises:
        InvalidRequestError: the item is anything else, unreadable, or neither a picture nor a sound.
    """
    named_svg = names_svg(name or _get_name(item))
    if isinstance(item, (str, os.PathLike)):
        return _read_path(os.fsdecode(item), named_svg, place)
    if isinstance(item, memoryview) and not (item.c_contiguous and item.format == "B" and item.ndim == 1):
        item = item.tobytes()
    if isinstance(item, (bytes, bytearray, memoryview)):
        return find_type(item, named_svg, place), item
    if all(hasattr(item, name) for name in ("save", "format", "mode")):
        return _save_picture(item, place)
    if hasattr(item, "read"):
        return _read_file(item, named_svg, place)
    raise refusal(place, "a URL, a data URI, a path, bytes, a binary file or a PIL image", item)


def find_type(data: Data, named_svg: bool, place: str) -> str:
    """Return the media type of the caller's bytes. Raises InvalidRequestError, which does not show them."""
    media_type = _sniff(data, named_svg)
    if not _is_carried(media_type):
        raise _refuse_type(place, f"{media_type} (length: {len(data)})" if data else "empty")
    return media_type


def names_svg(name: str) -> bool:
    """Whether a file name has the extension of an SVG picture."""
    return name.lower().endswith(".svg")


def _sniff(data: Data, named_svg: bool) -> str:
    """Return the media type, or a description of bytes without a known type."""
    media_type = sniff_media_type(data) or ("bytes of no known type" if data else "empty")
    return "image/svg+xml" if media_type == "text/xml" and named_svg else media_type


def _is_carried(media_type: str) -> bool:
    return media_type.startswith("image/") or media_type in AUDIO_FORMATS


def _refuse_type(place: str, found: str) -> InvalidRequestError:
    return InvalidRequestError(f"{place} must be a picture, or WAV or MP3 audio, but is {found}")


def _get_name(item: Any) -> str:
    name = item if isinstance(item, (str, os.PathLike)) else getattr(item, "name", "")
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else ""


def _read_path(path: str, named_svg: bool, place: str) -> tuple[str, Data]:
    try:
        with _open_regular_file(os.path.expanduser(path)) as file:
            media_type = _sniff(file.read(HEAD_BYTES), named_svg)
            if _is_carried(media_type):
                file.seek(0)
                return media_type, file.read()
    except (OSError, ValueError) as error:  # ValueError for a null character
        reason = getattr(error, "strerror", None) or error
        raise InvalidRequestError(f"{place} cannot be read: {reason}{_show_path(path)}") from error
    raise _refuse_type(place, media_type)


def _show_path(path: str) -> str:
    """Show the path in an error, unless it looks like a picture in base64 passed by mistake."""
    if _BASE64.match(path):
        return ". A str is a path; for base64 pass hf_text.media_from_base64(…)"
    return f": {show(path)}"


def _open_regular_file(path: str) -> IO[bytes]:
    # A pipe or a device might never reach its end. A directory raises its own error.
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise OSError(errno.EINVAL, "Not a regular file")
    return open(path, "rb")


def _read_file(file: Any, named_svg: bool, place: str) -> tuple[str, Data]:
    if isinstance(file, io.TextIOBase):
        raise InvalidRequestError(f"{place} is a file in text mode, open it with mode 'rb': {show(file)}")
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError for a closed file
        raise InvalidRequestError(f"{place} cannot be read: {error}: {show(file)}") from error
    if not isinstance(data, (bytes, bytearray, memoryview)):
        kind = type(data).__name__
        del data
        raise InvalidRequestError(f"{place}.read() must return bytes (is the file open in mode 'rb'?), not {kind}")
    media_type = _sniff(data, named_svg)
    if not _is_carried(media_type):
        del data
        raise _refuse_type(place, media_type)
    return media_type, data


def _save_picture(picture: Any, place: str) -> tuple[str, bytes]:
    kind = picture.format if picture.mode in _PICTURE_MODES.get(picture.format, ()) else "PNG"
    buffer = io.BytesIO()
    try:
        picture = _turn_upright(picture)
        if picture.mode not in _PICTURE_MODES[kind]:
            picture = picture.convert(_PNG_MODE_FOR.get(picture.mode, "RGB"))
        picture.save(buffer, kind, quality=95, exif=b"")  # older versions would write the old orientation
    except (OSError, ValueError) as error:  # Pillow raises these for truncated, empty and closed pictures
        raise InvalidRequestError(f"{place} cannot be saved as {kind}: {error}: {show(picture)}") from error
    return f"image/{kind.lower()}", buffer.getvalue()


def _turn_upright(picture: Any) -> Any:
    """Rotate the picture according to its EXIF orientation, which models ignore."""
    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except (AttributeError, SyntaxError, KeyError, TypeError):  # Pillow raises these for broken EXIF data
        return picture
    return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture
