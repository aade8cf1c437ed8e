"""A response: its status and headers, and its unread body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .body import BodyCut, find_unreadable, is_text, open_body
from .call import Call, Wait
from .mask import Mask

__all__ = ["Response"]


class Response:
    """A response whose body is not read yet.

    Attributes:
        status: the HTTP status.
        headers: the headers, their names in lower case.
        url: the address that responded, after redirects.
        proxy: the address of the proxy that may have responded instead; ``""`` if there is none.
        mask: masks the secrets in a text for display.
        read: returns the next piece of the body as soon as one arrives, ``b""`` at the end. If the call does not block
            and nothing has arrived, returns a ``Wait``. Raises BodyCut if the body ends prematurely, Interrupted if
            the call has to stop.
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
        """The headers without secrets, for display."""
        return self.mask.in_headers(self.headers)

    def read_into(self, data: bytearray, limit: int) -> None:
        """Append the body to ``data`` until it has at least ``limit`` bytes; the rest is not read. For a call that
        blocks. Raises as ``read()``.
        """
        while len(data) < limit and (piece := self.read()):
            assert not isinstance(piece, Wait)
            data += piece

    def read_error(self, limit: int) -> bytes:
        """The first ``limit`` bytes of the body of an error. A truncated body counts as well: a proxy may reset the
        connection after its page.
        """
        data = bytearray()
        try:
            self.read_into(data, limit)
        except BodyCut:
            data = data or bytearray(self._body.plain)
        return bytes(data[:limit])

    def unreadable(self, data: bytes) -> str | None:
        """The content encoding that makes the body unreadable, judged by its first bytes; None if it is readable. Some
        servers send a charset as content encoding, and plain text.
        """
        return None if self._unreadable is None or (data and is_text(data)) else self._unreadable

    def close(self) -> None:
        """Release the connection: close it, unless the body was read to its end and it is back in its pool."""
        self._body.close()
        self._call.release()

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
