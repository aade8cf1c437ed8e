"""Event streams parsed as the standard requires (WHATWG HTML, section 9.2.6), however the bytes are split."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator

import pytest
from sse_reference import read_events

from hf_text.generation.sse import STRAY, EventTooLong, SSEDecoder

BOM = b"\xef\xbb\xbf"
LIMIT = 1 << 26

Events = list[tuple[str, str]]


def decode_all(*pieces: bytes, limit: int = LIMIT) -> Iterator[tuple[str, str]]:
    decoder = SSEDecoder(limit)
    return (event for piece in pieces for event in decoder.decode(piece))


def decode_lazily(*pieces: bytes, limit: int = LIMIT) -> Iterator[tuple[str, str]]:
    return (event for event in decode_all(*pieces, limit=limit) if event[0] != STRAY)


def decode(*pieces: bytes, limit: int = LIMIT) -> Events:
    """The events of these pieces, each as ``(type, data)``."""
    return list(decode_lazily(*pieces, limit=limit))


def messages(*data: str) -> Events:
    return [("message", each) for each in data]


def cuts(body: bytes) -> Iterable[tuple[bytes, ...]]:
    """The body whole, in two pieces split at every place, in single bytes, and with empty pieces between."""
    yield (body,)
    yield from ((body[:place], body[place:]) for place in range(1, len(body)))
    yield tuple(body[place : place + 1] for place in range(len(body)))
    yield tuple(piece for place in range(len(body)) for piece in (b"", body[place : place + 1], b""))


STREAMS: dict[str, tuple[bytes, Events]] = {
    "nothing": (b"", []),
    "one event": (b"data: a\n\n", messages("a")),
    "two events": (b"data: a\n\ndata: b\n\n", messages("a", "b")),
    "CR LF": (b"data: a\r\n\r\ndata: b\r\n\r\n", messages("a", "b")),
    "CR": (b"data: a\r\rdata: b\r\r", messages("a", "b")),
    "all newlines mixed": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\rdata: e\r\n\r", messages(*"abcde")),
    "CR LF CR LF is two newlines, not four": (b"data: a\r\ndata: b\r\n\r\n", messages("a\nb")),
    "LF CR is two": (b"data: a\n\rdata: b\n\n", messages("a", "b")),
    "CR CR LF is two": (b"data: a\r\r\ndata: b\n\n", messages("a", "b")),
    "empty lines between": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", messages("a", "b")),
    "empty lines of CR LF between": (b"\r\n\r\n\r\ndata: a\r\n\r\n\r\n\r\n\r\ndata: b\r\n\r\n", messages("a", "b")),
    "a byte order mark": (BOM + b"data: a\n\n", messages("a")),
    "a byte order mark before nothing": (BOM, []),
    "a byte order mark before a comment": (BOM + b": a\n\ndata: b\n\n", messages("b")),
    "two byte order marks: the second is part of a name": (BOM + BOM + b"data: a\n\ndata: b\n\n", messages("b")),
    "a byte order mark in the middle: part of a name": (b"data: a\n\n" + BOM + b"data: b\n\n", messages("a")),
    "a byte order mark in the data": (b"data: a" + BOM + b"b\n\n", messages("a\ufeffb")),
    "half a byte order mark": (BOM[:2] + b"data: a\n\ndata: b\n\n", messages("b")),
    "a comment": (b": a\ndata: b\n\n", messages("b")),
    "an empty comment": (b":\n\ndata: a\n:\n\n", messages("a")),
    "a comment within an event": (b"data: a\n:data: b\ndata: c\n\n", messages("a\nc")),
    "comments only": (b": a\n\n: b\n: c\n\n\n:", []),
    "no space after the colon": (b"data:a\n\n", messages("a")),
    "two spaces after the colon": (b"data:  a\n\n", messages(" a")),
    "a tab after the colon": (b"data:\ta\n\n", messages("\ta")),
    "a space after the data": (b"data: a \n\n", messages("a ")),
    "a colon in the data": (b"data: a:b: c\n\n", messages("a:b: c")),
    "several lines of data": (b"data: a\ndata:\ndata: b\n\n", messages("a\n\nb")),
    "data without a colon": (b"data\n\n", messages("")),
    "data without a colon, twice": (b"data\ndata\n\n", messages("\n")),
    "empty data": (b"data:\n\ndata: \n\n", messages("", "")),
    "an event without data": (b"event: a\n\ndata: b\n\n", messages("b")),
    "fields of other names": (b"datas: a\ndat: b\nDATA: c\n data: d\ndata : e\nx\n:\n\ndata: f\n\n", messages("f")),
    "fields of other names within an event": (b"x: y\ndata: a\nz\n\n", messages("a")),
    "id and retry": (b"id: 7\nretry: 3000\ndata: a\n\nid\nretry: soon\ndata: b\n\n", messages("a", "b")),
    "an id with NUL": (b"id: 7\x00\ndata: a\n\n", messages("a")),
    "id and retry alone": (b"id: 7\nretry: 3000\n\n", []),
    "event: error": (b"event: error\ndata: a\n\ndata: b\n\n", [("error", "a"), ("message", "b")]),
    "an event of a type, after the data": (b"data: a\nevent: ping\n\n", [("ping", "a")]),
    "two types: the last one counts": (b"event: a\nevent: b\ndata: c\n\n", [("b", "c")]),
    "an empty type": (b"event:\ndata: a\n\nevent\ndata: b\n\n", messages("a", "b")),
    "the type of an event without data is dropped": (b"event: a\n\ndata: b\n\n", messages("b")),
    "NUL": (b"data: a\x00b\n\n", messages("a\x00b")),
    "letters of all lengths": ("data: aé天😀\n\n".encode(), messages("aé天😀")),
    "what str.splitlines takes for a newline": (
        "data: \u2028a\u2029b\x85c\x0bd\x0ce\x1cf\x1dg\x1eh\n\n".encode(),
        messages("\u2028a\u2029b\x85c\x0bd\x0ce\x1cf\x1dg\x1eh"),
    ),
    "bytes that are no UTF-8": (b"data: a\xffb\n\ndata: c\xe2\x82\n\n", messages("a\ufffdb", "c\ufffd")),
    "half a letter before a newline": (b"data: a\xf0\x9f\ndata: b\n\n", messages("a\ufffd\nb")),
    "bad bytes in a name and a comment": (b"\xff: a\n:\xff\nevent: \xff\ndata: b\n\n", [("\ufffd", "b")]),
    "a surrogate in UTF-8": (b"data: \xed\xa0\xbd\n\n", messages("\ufffd\ufffd\ufffd")),
    "the last event not ended": (b"data: a\n\ndata: b", messages("a")),
    "the last event ended by one newline": (b"data: a\n\ndata: b\n", messages("a")),
    "the last event ended by one CR LF": (b"data: a\r\n\r\ndata: b\r\n", messages("a")),
    "white space only": (b" \n\n \t\n\n", []),
    "JSON with its braces": (b'data:{"a": [1, "b\\n"]}\n\ndata: [DONE]\n\n', messages('{"a": [1, "b\\n"]}', "[DONE]")),
}


@pytest.mark.parametrize("name", STREAMS)
def test_events_follow_the_standard_wherever_the_stream_is_split(name: str) -> None:
    body, events = STREAMS[name]
    assert read_events(body) == events
    for pieces in cuts(body):
        assert decode(*pieces) == events, pieces


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
@pytest.mark.parametrize("name", [name for name, (body, _) in STREAMS.items() if b"\r" not in body])
def test_events_are_the_same_for_every_newline(name: str, newline: bytes) -> None:
    body, events = STREAMS[name]
    for pieces in cuts(body.replace(b"\n", newline)):
        assert decode(*pieces) == events, pieces


@pytest.mark.parametrize("name", STREAMS)
def test_events_with_very_many_lines_follow_the_standard(name: str) -> None:
    body, _ = STREAMS[name]
    for newline in (b"\n\n", b"\r\n\r\n", b"\r\r"):
        long = newline.join(
            newline[: len(newline) // 2].join([b"x: y"] * 600 + [event]) for event in body.split(newline)
        )
        assert decode(long) == decode(long[:4000], long[4000:]) == read_events(long)


def test_stray_lines_are_returned_in_position() -> None:
    body = b"data: a\n\nBad\n gateway\n\ndata: b\nerror: c\n\n: d\n\nid: e\n\n"
    assert list(decode_all(body)) == [
        *(("message", "a"), (STRAY, "Bad\n gateway"), (STRAY, "error: c"), ("message", "b")),
    ]


class TestTheTime:
    """When an event is returned: a stream pauses between tokens, and an event must not wait for the next one."""

    @pytest.mark.parametrize("end", [b"\n\n", b"\r\r", b"\n\r", b"\r\n\n", b"\r\n\r"])
    def test_an_event_is_returned_as_soon_as_its_empty_line_begins(self, end: bytes) -> None:
        decoder = SSEDecoder(LIMIT)
        body = b"data: a" + end
        assert [data for _, data in decoder.decode(body[:-1])] == []
        assert [data for _, data in decoder.decode(body[-1:])] == ["a"]

    def test_crlf_split_across_pieces_is_one_newline(self) -> None:
        assert decode(b"data: a\r", b"\ndata: b\r", b"\n", b"\r", b"\ndata: c\n\n") == messages("a\nb", "c")

    def test_complete_events_do_not_wait_for_incomplete_ones(self) -> None:
        decoder = SSEDecoder(LIMIT)
        assert [data for _, data in decoder.decode(b"data: a\n\ndata: b\n\ndata: c")] == ["a", "b"]
        assert [data for _, data in decoder.decode(b"c\n\n")] == ["cc"]

    def test_a_partial_byte_order_mark_is_buffered(self) -> None:
        assert decode(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == messages("a")
        assert decode(b"\xef", b"data: a\n\ndata: b\n\n") == messages("b")


class TestSize:
    @pytest.mark.timeout(10)  # linear time takes a twentieth of this; quadratic time could still pass the default limit
    @pytest.mark.parametrize(("size", "length"), [(1, 1 << 19), (127, 1 << 24), (128, 1 << 24), (65536, 1 << 24)])
    def test_an_event_of_16_mib_takes_no_quadratic_time(self, size: int, length: int) -> None:
        data = b"x" * length
        body = b"data: " + data + b"\n\n"
        ((_, got),) = decode(*(body[start : start + size] for start in range(0, len(body), size)))
        assert got == data.decode()

    @pytest.mark.timeout(10)
    @pytest.mark.parametrize("size", [128, 1 << 30])
    def test_an_event_of_500_000_lines_takes_no_quadratic_time(self, size: int) -> None:
        body = b"event: a\n" + b"".join(b"data: %d\n" % number for number in range(500_000)) + b": end\nid: 7\n\n"
        ((kind, data),) = decode(*(body[start : start + size] for start in range(0, len(body), size)))
        assert (kind, data) == ("a", "\n".join(map(str, range(500_000))))

    def test_an_event_of_very_many_lines_without_data_is_no_event(self) -> None:
        assert decode(b"event: a\n" * 5000 + b"\ndata: b\n\n") == messages("b")

    def test_very_many_events_in_one_piece_are_all_returned(self) -> None:
        assert decode(b"".join(b"data: %d\n\n" % number for number in range(50_000))) == messages(
            *map(str, range(50_000))
        )

    @pytest.mark.parametrize(
        ("line", "size"), [(b": keep-alive\n\n", 15), (b": keep-alive\n", 14), (b"\n", 1), (b":\r\n", 1), (b": ", 2)]
    )
    def test_a_flood_of_comments_is_not_buffered(self, line: bytes, size: int) -> None:
        """Keep-alives may continue for hours, each followed by an empty line or not."""
        decoder = SSEDecoder(LIMIT)
        flood = line * 1000
        for start in range(0, len(flood), size):
            assert list(decoder.decode(flood[start : start + size])) == []
        held = [value for value in vars(decoder).values() if isinstance(value, (bytes, list))]
        assert sum(sys.getsizeof(value) + sum(map(sys.getsizeof, value)) for value in held if value) < 1000
        assert [data for _, data in decoder.decode(b"\n\ndata: a\n\n")] == ["a"]

    def test_a_flood_of_comments_does_not_count_as_a_long_event(self) -> None:
        for flood in (b": keep-alive\n" * 1000, b": " + b"x" * 10_000 + b"\n"):
            for pieces in ((flood, b"data: a\n\n"), (flood + b"data: a\n\n",), (*flood.split(b"p"), b"data: a\n\n")):
                assert decode(*pieces, limit=100)[-1:] == messages("a")


EVENTS_OF_20_BYTES = {
    "one line": b"data: 12345678901234\n\n",
    "CR LF": b"data: 12345678901234\r\n\r\n",
    "two lines, with a newline of one byte": b"data: 1234\r\ndata: 567\r\n\r\n",
    "a comment within": b"data: 1234\n: comment\n\n",
    "a comment before": b": comment\ndata: 12345678901234\n\n",
    "letters of several bytes": "data: 12天天天天\n\n".encode(),
    "bad bytes, which are replaced by longer ones": b"data: " + b"\xff" * 14 + b"\n\n",
    "no data": b"event: 1234567890123\n\n",
}


class TestTheLimit:
    @pytest.mark.parametrize("name", EVENTS_OF_20_BYTES)
    def test_an_event_of_exactly_the_limit_passes_however_it_is_split(self, name: str) -> None:
        event = EVENTS_OF_20_BYTES[name]
        for body in (
            event,
            event * 3,
            b"\n" + event,
            b"\n\n" + event,
            b"data: a\n\n" + event + b"data: b\n\n",
            event + b"data: c\n",
        ):
            for pieces in cuts(body):
                assert decode(*pieces, limit=20) == read_events(body), pieces

    @pytest.mark.parametrize("name", EVENTS_OF_20_BYTES)
    def test_an_event_one_byte_over_the_limit_fails_however_it_is_split(self, name: str) -> None:
        event = EVENTS_OF_20_BYTES[name]
        for body in (event, event * 3, b"\n" + event, b"\n\n" + event, b"data: a\n\n" + event + b"data: b\n\n"):
            for pieces in cuts(body):
                with pytest.raises(EventTooLong):
                    decode(*pieces, limit=19)

    def test_an_unfinished_event_over_the_limit_fails(self) -> None:
        for body in (b"data: 12345678901234", b"data: 12345678901234\n", b"data: a\n\ndata: 12345678901234"):
            for pieces in cuts(body):
                with pytest.raises(EventTooLong):
                    decode(*pieces, limit=19)
                decode(*pieces, limit=20)

    def test_events_before_an_oversized_one_are_returned_however_split(self) -> None:
        for end in (b"", b"\n", b"\n\n", b"\n\ndata: c\n\n"):
            for pieces in cuts(b"data: a\n\ndata: b\n\ndata: 1234567890" + end):
                events = decode_lazily(*pieces, limit=12)
                assert [next(events), next(events)] == messages("a", "b"), pieces
                with pytest.raises(EventTooLong):
                    next(events)

    def test_many_short_events_do_not_count_as_one(self) -> None:
        body = b"data: 1234\n\n" * 50
        for pieces in cuts(body):
            assert decode(*pieces, limit=10) == messages(*["1234"] * 50)

    def test_very_many_short_lines_count_as_one_event(self) -> None:
        with pytest.raises(EventTooLong):
            decode(b"data: 1234\n" * 5000 + b"\n", limit=50_000)

    def test_the_error_names_the_limit_and_its_argument(self) -> None:
        with pytest.raises(EventTooLong, match=r"longer than 19 bytes \(max_event_bytes\)") as caught:
            decode(b"data: 12345678901234\n\n", limit=19)
        assert isinstance(caught.value, ValueError)

    def test_an_endless_line_is_not_buffered(self) -> None:
        """A body that is not an event stream has no empty lines."""
        with pytest.raises(EventTooLong):
            decode(*itertools.repeat(b"x" * 1000, 11), limit=10_000)
