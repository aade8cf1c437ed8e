"""Bytes of an event stream to events, through sseclient-py.

sseclient-py reads events well when it is fed whole ones; this is the part that sees to that, by the standard
(WHATWG HTML, section 9.2.6): it drops a byte order mark, makes every newline a line feed, replaces what is no
UTF-8, keeps an event that has not ended yet, and refuses one that grows beyond a limit. An event that never ends is
dropped, as the standard says.
"""

from __future__ import annotations

from collections.abc import Iterator

from sseclient import Event, SSEClient

__all__ = ["EventTooLong", "SSEDecoder"]

_BOM = b"\xef\xbb\xbf"

# sseclient-py appends line to line, which takes quadratic time for an event of very many lines.
_MANY_LINES = 500


class EventTooLong(ValueError):
    """One event is longer than allowed."""


class SSEDecoder:
    """Decodes an event stream that arrives in pieces of any size, in time linear in its length.

    Args:
        max_event_bytes: the longest event that is taken, from the first byte of its first field to the last byte of its
            last. A newline counts as one byte; comments before the first field do not count.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._blocks: list[bytes] = []
        self._client = SSEClient(self._blocks)  # type: ignore[arg-type]  # it only iterates
        self._start: bytes | None = b""  # what may be a byte order mark; None once the stream has begun
        self._after_cr = False
        self._tail: list[bytes] = []  # the event that has not ended yet, in the pieces that came
        self._tail_bytes = 0

    def decode(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes; give the events that they complete, to be used up before the next call.

        Raises EventTooLong, now or after the events that come before the one that is too long.
        """
        if self._start is not None:
            data = self._skip_bom(data)
        if self._after_cr or b"\r" in data:
            data = self._unify_newlines(data)
        end = self._end_of_events(data)
        if not end:
            self._keep(data)
            return iter(())
        block, rest = data[:end], data[end:]
        if self._tail:
            block = b"".join([*self._tail, block])
            self._tail.clear()
            self._tail_bytes = 0
        if len(block) > self._limit or len(rest) > self._limit or block.count(b"\n") > _MANY_LINES:
            return self._events_one_by_one(block, rest)
        if rest:
            self._keep(rest)
        return self._events_of(block)

    def _skip_bom(self, data: bytes) -> bytes:
        assert self._start is not None
        data = self._start + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(_BOM)

    def _unify_newlines(self, data: bytes) -> bytes:
        """CR LF and CR to LF, also when the two come in different pieces: a CR ends its line at once."""
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _end_of_events(self, data: bytes) -> int:
        """How many of these bytes belong to events that are complete."""
        end = data.rfind(b"\n\n")
        if end >= 0:
            return end + 2
        # The empty line may lie across two pieces.
        return 1 if data.startswith(b"\n") and self._tail and self._tail[-1].endswith(b"\n") else 0

    def _keep(self, data: bytes) -> None:
        """Keep the beginning of an event, but not comments before it: a server may keep alive with them for hours."""
        if (self._tail[0] if self._tail else data).startswith((b":", b"\n")):
            data = _skip_comments(b"".join([*self._tail, data]))
            self._tail.clear()
            self._tail_bytes = 0
        if data:
            self._tail.append(data)
            self._tail_bytes += len(data)
            self._check_length(self._tail_bytes - data.endswith(b"\n"))

    def _check_length(self, length: int) -> None:
        if length > self._limit:
            raise EventTooLong(f"an event of the stream is longer than {self._limit} bytes (max_event_bytes)")

    def _events_of(self, block: bytes) -> Iterator[Event]:
        if not block.isascii():
            block = _replace_bad_bytes(block)
        self._blocks[:] = (block,)
        return self._client.events()

    def _events_one_by_one(self, block: bytes, rest: bytes) -> Iterator[Event]:
        for event in block.split(b"\n\n"):
            if len(event) > self._limit:
                self._check_length(len(_skip_comments(event + b"\n")) - 1)
            if event.count(b"\n") > _MANY_LINES:
                yield from _event_of_many_lines(event)
            else:
                yield from self._events_of(event + b"\n\n")
        self._keep(rest)


def _skip_comments(data: bytes) -> bytes:
    """The data without comments and empty lines at its beginning; of a comment that has not ended only the colon."""
    start = 0
    while data[start : start + 1] in (b":", b"\n"):
        end = data.find(b"\n", start)
        if end < 0:
            return b":"
        start = end + 1
    return data[start:]


def _event_of_many_lines(block: bytes) -> Iterator[Event]:
    """What sseclient makes of an event, in linear time."""
    event = Event()
    data: list[str] = []
    for line in block.decode(errors="replace").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field in ("event", "id", "retry"):
            setattr(event, field, value)
    event.event = event.event or "message"
    event.data = "\n".join(data)
    if data:
        yield event


def _replace_bad_bytes(block: bytes) -> bytes:
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode(errors="replace").encode()
    return block
