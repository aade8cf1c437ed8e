"""The body of an answer, in the pieces in which it arrives.

Most bodies are plain: they are read from the connection itself, all that has arrived at a time, which spares
http.client's and urllib3's price for each chunk. Compressed ones are read so too, and unpacked by urllib3, which bounds
what a piece may grow to.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from urllib3.exceptions import HTTPError

from .call import Call
from .framing import BadFraming, ChunkedFraming, CloseFraming, Framing, LengthFraming
from .wire import Wire, unread_bytes

__all__ = ["Body", "BodyCut", "open_body"]

_PIECE_BYTES = 65536


class BodyCut(Exception):
    """The body of an answer ended before its proper end. Never leaves the library."""


class Body(Protocol):
    """What is left of an answer after its headers."""

    pollable: bool  # whether read() heeds a call that does not block

    def read(self) -> bytes | None:
        """The next piece as soon as there is one; ``b""`` at the proper end; None if there is none yet and the call
        does not block.

        Raises BodyCut if the body ends improperly, Interrupted if the call may not go on.
        """

    def close(self) -> None:
        """Part with the connection: it serves other requests if the body was read to its end, else it is closed."""


def open_body(raw: Any, call: Call) -> Body:
    """The body of urllib3's answer ``raw``, received in this call."""
    encoding = raw.headers.get("content-encoding", "identity").strip().lower()
    return _PlainBody(raw, call) if encoding in ("identity", "") else _EncodedBody(raw, call)


class _PlainBody:
    pollable = True

    def __init__(self, raw: Any, call: Call) -> None:
        self._raw = raw
        self._framing = _framing_of(raw)
        self._wire = cast(Wire, call.reader.raw)
        self._unread = unread_bytes(call.reader)
        self._release_at_end()

    def read(self) -> bytes | None:
        framing = self._framing
        while not framing.ended:
            if framing.failure is not None:
                raise BodyCut(str(framing.failure))
            try:
                data = self._unread or self._wire.receive(_PIECE_BYTES)
                self._unread = b""
                if data is None:
                    return None
                piece = framing.feed(data) if data else framing.close()
            except (BadFraming, OSError) as error:
                raise BodyCut(str(error)) from None
            self._release_at_end()
            if piece:
                return piece
        return b""

    def _release_at_end(self) -> None:
        """Once the body has ended, give the connection back to urllib3's pool, if nothing stands in the way."""
        if self._framing.ended and self._framing.clean and not self._unread:
            self._raw._original_response.close()  # http.client did not see the end of what we read
            self._raw.release_conn()

    def close(self) -> None:
        self._raw.close()


class _EncodedBody:
    pollable = False

    def __init__(self, raw: Any, call: Call) -> None:
        self._raw = raw
        self._call = call
        raw._fp = _CompressedBytes(raw, call)

    def read(self) -> bytes | None:
        self._call.time_left()  # a little that has arrived may unpack to very much: reading it must end as well
        try:
            piece: bytes | None = self._raw.read1(_PIECE_BYTES, decode_content=True)
        except HTTPError as error:
            raise BodyCut(_last_words(error)) from None
        return piece or b""

    def close(self) -> None:
        self._raw._original_response.close()
        self._raw.close()


class _CompressedBytes(_PlainBody):
    """What urllib3 unpacks. http.client would not tell whether more came than the body."""

    closed = False

    def read1(self, _: int) -> bytes | None:
        return self.read()

    def close(self) -> None:
        """Urllib3 closes it at the end of the body, which has parted with the connection by then."""


def _framing_of(raw: Any) -> Framing:
    if raw.chunked:
        return ChunkedFraming()
    if raw.length_remaining is not None:
        return LengthFraming(raw.length_remaining)
    return CloseFraming()


def _last_words(error: BaseException) -> str:
    """The innermost reason of a broken body."""
    while error.args and isinstance(error.args[-1], BaseException):
        error = error.args[-1]
    return str(error) or type(error).__name__
