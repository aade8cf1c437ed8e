"""Decodes the bytes of an event stream into events, with sseclient-py.

sseclient-py parses events well if each is complete. This module splits the stream into complete events by the standard
(WHATWG HTML, section 9.2.6): it drops a byte order mark, converts every newline to a line feed, replaces invalid UTF-8,
buffers an unfinished event, and rejects one that exceeds a limit. An event that never ends stays in the buffer; the
caller may terminate it when the stream has ended.

Nearly every event from a model is a single ``data: …`` line. It needs no parsing, and sseclient-py would take longer
than decoding its JSON, so sseclient-py gets only the other events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from sseclient import SSEClient

__all__ = ["STRAY", "EventTooLong", "SSEDecoder"]

STRAY = ""  # no event has this type

_BOM = b"\xef\xbb\xbf"
_DATA = "data: "

# The beginnings of lines in the standard, which ignores all other lines. Here these are returned, because they may
# report failures: llama.cpp's "error:", or the output of a server that breaks off the event stream.
_FIELDS = ("data:", "event:", "id:", "retry:", ":")
_BARE_FIELDS = ("", "data", "event", "id", "retry")
_MAX_STRAY = 65536
_INDENTED = ("data: {\n", "data:{\n", "data: [\n", "data:[\n")

# sseclient-py concatenates lines, which takes quadratic time for an event with very many or very long lines.
_MANY_LINES = 500
_LONG_BYTES = 256 * 1024


class EventTooLong(ValueError):
    """An event is longer than the limit."""


class SSEDecoder:
    """Decodes an event stream that arrives in pieces of any size, in time linear in its length.

    Args:
        max_event_bytes: the maximum size of an event, from the first byte of its first field to the last byte of its
            last. A newline counts as one byte; comments before the first field do not count.

    Attributes:
        unfinished: the unfinished event at the end of the data.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._long = min(max_event_bytes, _LONG_BYTES)
        self._start: bytes | None = b""  # a possible part of a byte order mark; None once the stream has begun
        self._after_cr = False
        self.unfinished = bytearray()

    def decode(self, data: bytes) -> Iterable[tuple[str, str]]:
        """Feed the next bytes and return the events that they complete, each as its type and its data. Exhaust them
        before the next call. Lines that violate the event stream format are returned per block as an event of the type
        `STRAY`.

        Raises EventTooLong, at once or after the events that precede the one that is too long.
        """
        if not self.unfinished and data[-2:] == b"\n\n" and data[:6] == b"data: ":
            event = self._find_lone(data)
            if event is not None:
                return (("message", event),)
        if self._start is not None:
            data = self._skip_bom(data)
        if self._after_cr or b"\r" in data:
            data = self._unify_newlines(data)
        end = self._end_of_events(data)
        if not end:
            self._keep(data)
            return iter(())
        block, rest = data[:end], data[end:]
        if self.unfinished or len(rest) > self._limit:
            self.unfinished += block
            whole, self.unfinished = self.unfinished, bytearray()
            if len(whole) > self._long or len(rest) > self._limit:
                return self._events_of_long(whole, rest)
            block = bytes(whole)
        elif len(block) > self._long:
            return self._events_of_long(bytearray(block), rest)
        if rest:
            self._keep(rest)
        return self._events_of(block)

    def _find_lone(self, data: bytes) -> str | None:
        """The data of a piece with a single one-line event; None for any other piece. Most tokens arrive this way."""
        if self._start is not None or self._after_cr or len(data) > self._long:
            return None
        try:
            event = data[6:-2].decode()
        except UnicodeDecodeError:
            return None
        return None if "\n" in event or "\r" in event else event

    def begin_unfinished(self, limit: int) -> str:
        """The first ``limit`` bytes of the unfinished event, as text."""
        return self.unfinished[:limit].decode(errors="replace")

    def _skip_bom(self, data: bytes) -> bytes:
        assert self._start is not None
        data = self._start + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._start = data
            return b""
        self._start = None
        return data.removeprefix(_BOM)

    def _unify_newlines(self, data: bytes) -> bytes:
        """Replace CR LF and CR with LF, even if CR and LF arrive in different pieces. A CR ends its line at once."""
        if not data:
            return data
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _end_of_events(self, data: bytes) -> int:
        """How many of these bytes belong to complete events."""
        end = data.rfind(b"\n\n")
        if end >= 0:
            return end + 2
        # The empty line may be split between two pieces.
        return 1 if data.startswith(b"\n") and self.unfinished.endswith(b"\n") else 0

    def _keep(self, data: bytes) -> None:
        """Buffer the beginning of an event, but not comments before it: a server may send keep-alive comments for
        hours.
        """
        self.unfinished += data
        _drop_comments(self.unfinished)
        self._check_length(len(self.unfinished) - self.unfinished.endswith(b"\n"))

    def _check_length(self, length: int) -> None:
        if length > self._limit:
            self.unfinished = bytearray()  # the error may outlive this call and would keep the buffer alive
            raise EventTooLong(f"an event of the stream is longer than {self._limit} bytes (max_event_bytes)")

    def _events_of(self, block: bytes) -> Iterator[tuple[str, str]]:
        events = block.decode(errors="replace").split("\n\n")
        del block  # it may be long and is no longer needed
        for event in events:
            if event.startswith(_DATA) and "\n" not in event:
                yield "message", event[len(_DATA) :]
            elif event:
                yield from self._parse(event)

    def _parse(self, event: str) -> Iterator[tuple[str, str]]:
        if event[0] == ":" and "\n" not in event:
            return iter(())
        stray = _find_stray(event)
        if stray and event.startswith(_INDENTED):  # JSON on several lines, with a ``data:`` field on the first only
            return iter([("message", event.partition(":")[2].lstrip())])
        if len(event) > _LONG_BYTES or event.count("\n") > _MANY_LINES:
            parsed = _parse_many_lines(event)
        else:
            client = SSEClient([event.encode() + b"\n\n"])  # type: ignore[arg-type]  # it only iterates
            parsed = ((event.event, event.data) for event in client.events())
        return chain([(STRAY, stray)], parsed) if stray else parsed

    def _events_of_long(self, left: bytearray, rest: bytes) -> Iterator[tuple[str, str]]:
        """As ``_events_of()``, but one event at a time, because each may be very long: holds at most two copies."""
        while left:
            end = left.find(b"\n\n")
            if end > self._limit:
                self._check_length(end - _length_of_comments(left, end))
            with memoryview(left) as view:
                event = str(view[:end], "utf-8", "replace")
            del left[: end + 2]
            if event.startswith(_DATA) and "\n" not in event:
                event = event[len(_DATA) :]
                yield "message", event
            elif event:
                yield from self._parse(event)
        self._keep(rest)


def _find_stray(event: str) -> str:
    """The lines of an event that violate the event stream format, up to a limit; ``""`` if there are none."""
    lines = event[:_MAX_STRAY].split("\n")
    return "\n".join(line for line in lines if not line.startswith(_FIELDS) and line not in _BARE_FIELDS)


def _drop_comments(data: bytearray) -> None:
    """Remove comments and empty lines from the beginning. Of an unfinished comment, only the colon is kept."""
    while data.startswith((b":", b"\n")):
        end = data.find(b"\n")
        if end < 0:
            data[:] = b":"
            return
        del data[: end + 1]


def _length_of_comments(data: bytearray, end: int) -> int:
    """The length of the comments and empty lines at the beginning of an event."""
    start = 0
    while start < end and data.startswith((b":", b"\n"), start):
        start = data.find(b"\n", start, end + 1) + 1
    return start


def _parse_many_lines(event: str) -> Iterator[tuple[str, str]]:
    """Parse an event as sseclient-py does, but in linear time."""
    kind = ""
    data: list[str] = []
    for line in event.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            kind = value
    if data:
        yield kind or "message", "\n".join(data)
