"""The body of a response, read piece by piece as it arrives.

Most bodies are plain. They are read directly from the connection, all available bytes at a time, which avoids the
per-chunk cost of http.client and urllib3. Compressed bodies are read the same way and decompressed by urllib3, which
limits the size of a decompressed piece.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import IO, Protocol, cast

from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from .call import SOCKET, Call, Wait
from .framing import BadFraming, ChunkedFraming, CloseFraming, Framing, LengthFraming
from .head import RawResponse

__all__ = ["Body", "BodyCut", "find_unreadable", "is_text", "open_body"]

_PIECE_BYTES = 65536


class BodyCut(Exception):
    """The body of a response ended prematurely. Never leaves the library."""


class Body(Protocol):
    """The body of a response, after its headers."""

    def read(self) -> bytes | Wait:
        """Return the next piece as soon as one arrives, ``b""`` at the end of the body. A call that does not block gets
        a ``Wait`` if nothing has arrived.

        Raises BodyCut if the body ends prematurely, Interrupted if the call has to stop.
        """

    @property
    def plain(self) -> bytes:
        """Once ``read()`` has raised BodyCut: plain text that arrived in spite of a Content-Encoding header."""

    def close(self) -> None:
        """Release the connection: it is reused if the body was read to its end, else closed."""


def open_body(raw: RawResponse, call: Call, encoding: str) -> Body:
    """The body of a response that this call received, in a content encoding (``""`` for none)."""
    return _PlainBody(raw, call) if encoding.strip().lower() in ("identity", "") else _EncodedBody(raw, call)


def find_unreadable(encoding: str) -> str | None:
    """The first content encoding in a header that cannot be decoded; None if all can."""
    names = (name.strip().lower() for name in encoding.split(","))
    return next((name for name in names if name not in ("", "identity", *HTTPResponse.CONTENT_DECODERS)), None)


class _PlainBody:
    def __init__(self, raw: RawResponse, call: Call) -> None:
        self._raw = raw
        self._call = call
        self._framing = _framing_of(raw)
        self._unread = raw.unread
        self._note_end()

    def read(self) -> bytes | Wait:
        framing = self._framing
        while not framing.ended:
            if framing.failure is not None:
                raise BodyCut(str(framing.failure))
            try:
                data = self._unread or self._raw.wire.receive(_PIECE_BYTES)
                self._unread = b""
                if data is SOCKET:
                    return data
                piece = framing.feed(data) if data else framing.close()
            except (BadFraming, OSError) as error:
                raise BodyCut(str(error)) from None
            over = framing.ended or framing.failure is not None
            if over:
                self._note_end()
            if piece:
                return piece
        return b""

    def _note_end(self) -> None:
        """If the body has ended and the connection can be reused, return it to its pool. Otherwise ``close()`` closes
        it after the last token was yielded, because closing takes as long as reading a token.
        """
        self._call.drained = False  # the next read does not wait
        if self._framing.ended and self._framing.clean and not self._unread and not self._raw.is_last:
            self._raw.release_conn()

    @property
    def plain(self) -> bytes:
        return b""

    def close(self) -> None:
        self._raw.give_up()


class _EncodedBody:
    def __init__(self, raw: RawResponse, call: Call) -> None:
        self._call = call
        self._encoding = raw.fields.get("content-encoding", "")[:80]
        self._compressed = _CompressedBytes(raw, call)
        self._unpacking = HTTPResponse(
            cast(IO[bytes], self._compressed), headers=raw.headers, preload_content=False, enforce_content_length=False
        )

    def read(self) -> bytes | Wait:
        if not self._call.blocking:  # urllib3 can only block
            return Wait.THREAD
        self._call.time_left()  # a few bytes may decompress to very many: the timeouts must hold for these as well
        try:
            piece: bytes | None = self._unpacking.read1(_PIECE_BYTES, decode_content=True)
        except HTTPError as error:
            raise BodyCut(f"{_root_cause(error)} (content-encoding: {self._encoding})") from None
        return piece or b""

    @property
    def plain(self) -> bytes:
        """The beginning of a body that is not compressed in spite of its header: a gateway decompressed or replaced
        it.
        """
        piece = self._compressed.only_piece or b""
        return piece if is_text(piece) else b""

    def close(self) -> None:
        self._compressed.close()


class _CompressedBytes(_PlainBody):
    """A file-like object with the compressed bytes, for urllib3."""

    closed = False
    only_piece: bytes | None = None  # the first piece; b"" once there is a second

    def read1(self, _: int) -> bytes:
        piece = self.read()
        assert not isinstance(piece, Wait)
        self.only_piece = piece if self.only_piece is None else b""
        return piece


def _framing_of(raw: RawResponse) -> Framing:
    if raw.chunked:
        return ChunkedFraming()
    if raw.length_remaining is not None:
        return LengthFraming(raw.length_remaining)
    return CloseFraming()


def _root_cause(error: BaseException) -> str:
    """The innermost cause of a broken body."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    return str(error) or type(error).__name__


def is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8 text. They may end in the middle of a character."""
    try:
        text = getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text[:1000])
