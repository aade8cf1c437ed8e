"""Random event streams, split at random, compared with a minimal parser of the standard."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from sse_reference import read_events

from hf_text.generation.sse import STRAY, EventTooLong, SSEDecoder

BOM = b"\xef\xbb\xbf"

NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\r"])
VALUES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=8) | st.sampled_from(
    ["", " ", "  a", "\u2028", "\x85", "\x0b", "\x00", "😀", "[DONE]", '{"choices": []}']
)
FIELDS = st.sampled_from(["data", "event", "id", "retry", "", "other", "Data", " data", "data "])
LINES = st.builds(
    lambda field, colon, value: f"{field}{colon}{value if colon else ''}".encode(),
    FIELDS,
    st.sampled_from([":", ": ", ""]),
    VALUES,
)
RAW = st.lists(
    st.sampled_from([b"data", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"event: a", b"a", b"\xf0\x9f\x98\x80", BOM])
    | st.binary(max_size=3),
    max_size=30,
).map(b"".join)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """A valid stream; each line has a random kind of newline, or all lines the same."""
    newlines = draw(st.sampled_from([NEWLINES, st.just(draw(NEWLINES))]))
    lines = draw(st.lists(LINES | st.just(b""), max_size=20))
    return draw(st.sampled_from([b"", BOM])) + b"".join(line + draw(newlines) for line in lines)


@st.composite
def pieces_of(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> list[bytes]:
    """A body, split at random."""
    body = draw(bodies)
    cuts = sorted(draw(st.sets(st.integers(0, len(body)), max_size=12)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def decode(pieces: list[bytes], limit: int = 1 << 26) -> list[tuple[str, str]]:
    decoder = SSEDecoder(limit)
    return [event for piece in pieces for event in decoder.decode(piece) if event[0] != STRAY]


def decode_until_too_long(pieces: list[bytes], limit: int) -> tuple[list[tuple[str, str]], bool]:
    """The events, and whether one exceeded the limit."""
    decoder = SSEDecoder(limit)
    events: list[tuple[str, str]] = []
    try:
        for piece in pieces:
            for event in decoder.decode(piece):
                if event[0] != STRAY:
                    events.append(event)
    except EventTooLong:
        return events, True
    return events, False


@given(pieces_of(streams()))
def test_any_valid_stream_gives_the_standard_events_however_it_is_split(pieces: list[bytes]) -> None:
    assert decode(pieces) == read_events(b"".join(pieces))


@given(streams(), NEWLINES)
def test_the_newlines_make_no_difference(body: bytes, newline: bytes) -> None:
    plain = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert decode([plain.replace(b"\n", newline)]) == decode([body])


@given(pieces_of(RAW | st.binary(max_size=60)))
@example([b"\xef\xbb", b"\r", b"\n"])
def test_any_bytes_give_the_standard_events(pieces: list[bytes]) -> None:
    assert decode(pieces) == read_events(b"".join(pieces))


@given(pieces_of(RAW | streams()), st.integers(1, 30))
def test_any_bytes_raise_only_event_too_long(pieces: list[bytes], limit: int) -> None:
    """Where the limit is hit does not depend on how the bytes are split."""
    body = b"".join(pieces)
    events, too_long = decode_until_too_long(pieces, limit)
    assert (events, too_long) == decode_until_too_long([body], limit)
    assert events == read_events(body)[: len(events)]
    assert too_long or events == read_events(body)
