"""Where the body of an answer ends: pure decoders of HTTP's three framings (RFC 9112, section 6.3).

http.client takes a chunk at a time, at about 4 µs each; most of what a provider sends are chunks of one token.
These take all the chunks that have arrived in one go.
"""

from __future__ import annotations

__all__ = ["BadFraming", "ChunkedFraming", "CloseFraming", "Framing", "LengthFraming"]

_LONGEST_LINE = 65536
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
        self.ended = length == 0

    def feed(self, data: bytes) -> bytes:
        body = data[: self._left]
        self._left -= len(body)
        self.ended = self._left == 0
        self.clean = len(body) == len(data)
        return body

    def close(self) -> bytes:
        raise BadFraming(f"{self._left} bytes of the body are missing")


class ChunkedFraming(Framing):
    """The body comes in chunks, each with its length before it; one of length 0 ends it."""

    def __init__(self) -> None:
        self._left = 0  # bytes of the current chunk, with the CR LF after it, that are still to come
        self._line = b""  # the beginning of a line that has not come whole
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        # Runs for every piece that arrives. One token a chunk and several chunks a piece is the common case.
        if self._line:
            data, self._line = self._line + data, b""
        body: list[bytes] = []
        position, length = 0, len(data)
        while position < length:
            if self._left:
                end = position + self._left
                # Of what is left, the last two bytes are the CR LF after the chunk.
                body.append(data[position : min(end - 2, length)] if end - 2 > position else b"")
                taken = min(end, length) - position
                self._left -= taken
                position += taken
                continue
            end = data.find(b"\n", position)
            try:
                if end < 0:
                    self._keep_line(data[position:])
                    break
                self._read_line(data[position:end])
            except BadFraming as error:
                if not body:
                    raise
                self.failure = error
                break
            position = end + 1
            if self.ended:
                self.clean = position == length
                break
        return body[0] if len(body) == 1 else b"".join(body)

    def _keep_line(self, line: bytes) -> None:
        self._line = line
        if len(line) > _LONGEST_LINE:
            raise BadFraming("the line before a chunk is too long")

    def _read_line(self, line: bytes) -> None:
        line = line.rstrip(b"\r")
        if self._in_trailer:
            self.ended = not line
            return
        size = line.partition(b";")[0].strip()
        try:
            # int() takes signs, underscores and "0x", which would let two readers of one stream see different chunks.
            if size.strip(_HEX_DIGITS):
                raise ValueError
            count = int(size, 16)
        except ValueError:
            raise BadFraming("the length of a chunk is no number") from None
        if count:
            self._left = count + 2
        else:
            self._in_trailer = True

    def close(self) -> bytes:
        # "0" and its line end are the end; some servers leave out the empty line after it.
        if not self._in_trailer:
            raise BadFraming("the body was cut off before its last chunk")
        self.ended = True
        self.clean = False
        return b""
