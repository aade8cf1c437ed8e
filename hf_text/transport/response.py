"""A response as it comes: its status and headers, and the body still to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .body import BodyCut, find_unreadable, is_text, open_body
from .call import Call, Wait
from .mask import Mask

__all__ = ["Response"]


class Response:
    """A response whose body is still to be read.

    Attributes:
        status: the HTTP status.
        headers: the headers, their names in lower case.
        url: the address that answered, after redirects.
        proxy: the address of the proxy that may have answered in its place; ``""`` if there is none.
        mask: takes the secrets out of a text, before it is shown.
        read: gives the next piece of the body, as soon as there is one; ``b""`` at its proper end. If the call does not
            block: what to wait for. Raises BodyCut if the body ends improperly, Interrupted if the call has to stop.
    """

    def __init__(self, raw: Any, url: str, call: Call, mask: Mask) -> None:
        self.mask = mask
        self.status: int = raw.status
        self.headers: dict[str, str] = raw.fields
        self.url = url
        self.reason: str = raw.reason or ""
        self.proxy: str = raw.proxy_address
        encoding = self.headers.get("content-encoding", "")
        self._unreadable = find_unreadable(encoding) if encoding else None
        self._body = open_body(raw, call, encoding)
        self._call = call
        self.read: Callable[[], bytes | Wait] = self._body.read

    @property
    def shown_headers(self) -> dict[str, str]:
        """The headers without secrets, for what is shown of them."""
        return self.mask.in_headers(self.headers)

    def read_into(self, data: bytearray, limit: int) -> None:
        """Append the body until there are ``limit`` bytes, or a piece more (the rest is not read). For a call that
        blocks. Raises as ``read()``.
        """
        while len(data) < limit and (piece := self.read()):
            assert not isinstance(piece, Wait)
            data += piece

    def read_error(self, limit: int) -> bytes:
        """The first ``limit`` bytes of the body of an error: one that breaks off says what it says. A proxy may reset
        the connection after its page.
        """
        data = bytearray()
        try:
            self.read_into(data, limit)
        except BodyCut:
            data = data or bytearray(self._body.plain)
        return bytes(data[:limit])

    def unreadable(self, data: bytes) -> str | None:
        """The content encoding that keeps these bytes, the beginning of the body, from being read; None if nothing
        does. Some servers name a charset there, and send plain text.
        """
        return None if self._unreadable is None or (data and is_text(data)) else self._unreadable

    def close(self) -> None:
        """Release the connection: it went back to its pool if the body was read to its end, else it is closed."""
        self._body.close()
        self._call.release()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
