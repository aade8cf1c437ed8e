"""Where the body of an answer ends: pure decoders of HTTP's three framings (RFC 9112, section 6.3).

http.client takes a chunk at a time, at about 4 µs each; most of what a provider sends are chunks of one token.
These take all the chunks that have arrived in one go.
"""

from __future__ import annotations

__all__ = ["BadFraming", "ChunkedFraming", "CloseFraming", "Framing", "LengthFraming"]

_MAX_LINE = 65536
_MAX_TRAILER = 65536
_MAX_DIGITS = 16  # of the length of a chunk
_LAST_CHUNK = b"0\r\n\r\n"
_HEX_DIGITS = b"0123456789abcdefABCDEF"


class BadFraming(Exception):
    """The body is not framed as HTTP prescribes, or ended before its end."""


class Framing:
    """Takes the bytes of a connection, gives those of the body.

    Attributes:
        ended: whether the end of the body was seen.
        clean: whether nothing came after that end, so that the connection can serve another request.
        failure: what is wrong with the framing, found after bytes that were given; nothing more is to be fed.
    """

    ended = False
    clean = True
    failure: BadFraming | None = None

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in what came. Raises BadFraming, unless there were some before the fault."""
        raise NotImplementedError

    def close(self) -> bytes:
        """The connection was closed: nothing more comes (``b""``). Raises BadFraming if the body had not ended."""
        raise NotImplementedError


class CloseFraming(Framing):
    """The body ends where the connection does."""

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
    """The body comes in chunks, each with its length before it; one of length 0 ends it."""

    def __init__(self) -> None:
        self._left = 0  # bytes of the current chunk that are still to come
        self._in_chunk = False  # a chunk has begun, and the line end after it has not come
        self._in_trailer = False
        self._trailer_bytes = 0
        self.ended: bool = False
        self._line = b""  # the beginning of a line that has not come whole

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
        """Take what has come of a chunk, or a line; gives the position after it."""
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
        if self._in_chunk and line != b"\r":  # nor do h11 and llhttp take an LF alone
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
            # int() takes signs, underscores and "0x", which would let two readers of one stream see different chunks.
            if not size or size.strip(_HEX_DIGITS) or len(size) > _MAX_DIGITS:
                raise BadFraming("the length of a chunk is not a number")
            self._left = int(size, 16)
            self._in_chunk = self._left > 0
            self._in_trailer = not self._in_chunk

    def close(self) -> bytes:
        # "0" and its line end are the end; some servers leave out the empty line after it.
        if not self._in_trailer:
            raise BadFraming("the body was cut off before its last chunk")
        self.ended = True
        self.clean = False
        return b""


def _take_whole_chunks(data: bytes, position: int, body: list[bytes]) -> int:
    """Take the chunks that have arrived whole, up to the first that is in any way unusual; gives the position after
    them.

    Nearly every chunk of every answer goes through here.
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
