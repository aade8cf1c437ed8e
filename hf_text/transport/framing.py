"""Where the body of a response ends: pure decoders of HTTP's three framings (RFC 9112, section 6.3).

http.client reads one chunk at a time, at about 4 µs each, and most chunks from providers hold a single token. These
decoders take all available chunks at once.
"""

from __future__ import annotations

__all__ = ["BadFraming", "ChunkedFraming", "CloseFraming", "Framing", "LengthFraming"]

_MAX_LINE = 65536
_MAX_TRAILER = 65536
_MAX_DIGITS = 16  # in the length of a chunk
_LAST_CHUNK = b"0\r\n\r\n"
_HEX_DIGITS = b"0123456789abcdefABCDEF"


class BadFraming(Exception):
    """The framing of the body violates HTTP, or the body ended prematurely."""


class Framing:
    """Decodes the bytes of a connection into the bytes of the body.

    Attributes:
        ended: whether the end of the body was reached.
        clean: whether no bytes followed the end, so the connection can be reused.
        failure: an error in the framing after bytes that were returned; do not feed more.
    """

    ended = False
    clean = True
    failure: BadFraming | None = None

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes in the received data. Raises BadFraming if no body bytes precede the error."""
        raise NotImplementedError

    def close(self) -> bytes:
        """Signal that the connection was closed; returns ``b""``. Raises BadFraming if the body had not ended."""
        raise NotImplementedError


class CloseFraming(Framing):
    """The body ends when the connection is closed."""

    clean = False

    def feed(self, data: bytes) -> bytes:
        return data

    def close(self) -> bytes:
        self.ended = True
        return b""


class LengthFraming(Framing):
    """The body has as many bytes as ``Content-Length`` says."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.ended: bool = length == 0

    def feed(self, data: bytes) -> bytes:
        body = data[: self._left]
        self._left -= len(body)
        self.ended = self._left == 0
        self.clean: bool = len(body) == len(data)
        return body

    def close(self) -> bytes:
        raise BadFraming(f"{self._left} bytes of the body are missing")


class ChunkedFraming(Framing):
    """The body is a sequence of chunks, each preceded by its length; a chunk of length 0 ends it."""

    def __init__(self) -> None:
        self._left = 0  # missing bytes of the current chunk
        self._in_chunk = False  # a chunk has begun, and the line end after it has not arrived
        self._in_trailer = False
        self._trailer_bytes = 0
        self.ended: bool = False
        self._line = b""  # the beginning of an incomplete line

    def feed(self, data: bytes) -> bytes:
        if self._line:
            data, self._line = self._line + data, b""
        body: list[bytes] = []
        position = 0
        try:
            while position < len(data) and not self.ended:
                if self._in_chunk or self._in_trailer:
                    position = self._take_part(data, position, body)
                else:
                    whole = _take_whole_chunks(data, position, body)
                    position = whole if whole > position else self._take_part(data, position, body)
        except BadFraming as error:
            if not body:
                raise
            self.failure: BadFraming = error
        if self.ended:
            self.clean: bool = position == len(data)
        return body[0] if len(body) == 1 else b"".join(body)

    def _take_part(self, data: bytes, position: int, body: list[bytes]) -> int:
        """Take the available part of a chunk, or a line; returns the position after it."""
        if self._left:
            part = data[position : position + self._left]
            body.append(part)
            self._left -= len(part)
            return position + len(part)
        if not (self._in_chunk or self._in_trailer) and data.startswith(_LAST_CHUNK, position):
            self.ended = True
            return position + len(_LAST_CHUNK)
        end = data.find(b"\n", position)
        if end < 0:
            self._keep_line(data[position:])
            return len(data)
        self._read_line(data[position:end])
        return end + 1

    def _keep_line(self, line: bytes) -> None:
        self._line = line
        if len(line) > _MAX_LINE:
            raise BadFraming("the line before a chunk is too long")

    def _read_line(self, line: bytes) -> None:
        if self._in_chunk and line != b"\r":  # h11 and llhttp do not accept a lone LF either
            raise BadFraming("a chunk does not end where its length says")
        line = line.removesuffix(b"\r")
        if self._in_chunk:
            self._in_chunk = False
        elif self._in_trailer:
            self.ended = not line
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _MAX_TRAILER:
                raise BadFraming("the trailer is too long")
        else:
            size = line.partition(b";")[0].strip()
            # int() accepts signs, underscores and "0x", so two readers of one stream could see different chunks.
            if not size or size.strip(_HEX_DIGITS) or len(size) > _MAX_DIGITS:
                raise BadFraming("the length of a chunk is not a number")
            self._left = int(size, 16)
            self._in_chunk = self._left > 0
            self._in_trailer = not self._in_chunk

    def close(self) -> bytes:
        # The "0" line ends the body; some servers omit the empty line after it.
        if not self._in_trailer:
            raise BadFraming("the body was cut off before its last chunk")
        self.ended = True
        self.clean = False
        return b""


def _take_whole_chunks(data: bytes, position: int, body: list[bytes]) -> int:
    """Take the complete chunks, up to the first unusual one; returns the position after them.

    This is the fast path for nearly every chunk.
    """
    while position < len(data):
        start = data.find(b"\r\n", position) + 2
        size = data[position : start - 2]
        if start < 2 or not size or size.strip(_HEX_DIGITS):
            return position
        end = start + int(size, 16)
        if end == start or not data.startswith(b"\r\n", end):
            return position
        body.append(data[start:end])
        position = end + 2
    return position
