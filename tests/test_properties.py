"""Guarantees for every answer, tested with random answers: complete ones and corrupted ones.

A complete answer yields the same events however the server frames, splits, compresses and delimits it. A corrupted one
ends in a result or in a library error, and that error holds all text that was yielded before it.
"""

from __future__ import annotations

import itertools
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_text import (
    Client,
    Completion,
    Event,
    FinishReason,
    HFTextError,
    InvalidRequestError,
    MissingAuthError,
    ProviderInfo,
    Reasoning,
    RequestTimeoutError,
    StreamError,
    Timeouts,
    Timings,
    ToolCall,
    ToolCalls,
    TruncatedStreamError,
    Usage,
)
from hf_text.emulator import Emulator, Response
from hf_text.protocol.replies import describe_page, next_link
from hf_text.transport.framing import BadFraming, ChunkedFraming, CloseFraming, Framing, LengthFraming

some = settings(
    max_examples=50,
    deadline=None,  # the client's timeouts and pytest-timeout detect hangs
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],  # the client keeps no answers
)
many = settings(some, max_examples=150)


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def client(server: Emulator) -> Iterator[Client]:
    """A client without retries."""
    with Client(api_base=server.api_base, max_retries=0, timeout=10) as made:
        yield made


@pytest.fixture
def hasty(server: Emulator) -> Iterator[Client]:
    """A client with short timeouts."""
    with Client(api_base=server.api_base, max_retries=0, timeout=Timeouts(10, 0.05, 0.05)) as made:
        yield made


_numbers = itertools.count()


class Outcome:
    """The outcome of a call: the yielded events, the completion, and the error."""

    def __init__(self, client: Client) -> None:
        self.events: list[Event] = []
        self.error: HFTextError | None = None
        stream = client.stream("Hi", f"m{next(_numbers)}")  # the client learns per model
        try:
            for event in stream.events():
                self.events.append(replace(event, model="m") if isinstance(event, ProviderInfo) else event)
        except HFTextError as error:
            self.error = error
        self.completion = stream.partial

    @property
    def text(self) -> str:
        return "".join(map(str, self.events))

    @property
    def reasoning(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Reasoning))


# --- Random answers

# Text that may look like something else: tags, all kinds of newlines, end-of-stream markers, non-BMP characters.
ODD = ["<think>", "</think>", "<th", "ink>", "<", "\u2028", "\x85", "\r\n", "\n\n", "[DONE]", "\x00", "😀", '"', "\\"]
TEXT = st.text(max_size=8) | st.sampled_from(ODD)
ARGUMENTS = st.sampled_from(['{"city": "Köln", "days": [1, 2]}', "{}", "", '{"a": "}\\"{"}']) | st.text(max_size=12)
FINISH = st.sampled_from([None, "stop", "length", "tool_calls", "content_filter"])
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
USAGE = st.builds(lambda *counts: dict(zip(COUNTS, counts, strict=True)), *[st.integers(0, 1 << 40)] * 3)

Chunk = dict[str, Any]


@dataclass
class Transcript:
    """The chunks of an answer and the expected completion."""

    chunks: list[Chunk]
    completion: Completion


def cut(draw: Callable[[Any], Any], value: Any, most: int = 6) -> list[Any]:
    """Split a str or bytes at random places."""
    places = sorted(draw(st.lists(st.integers(0, len(value)), max_size=most)))
    return [value[start:end] for start, end in zip([0, *places], [*places, len(value)], strict=True)]


def chunk_of(finish: str | None = None, **delta: Any) -> Chunk:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def halves(text: str) -> list[str]:
    """Split the text by UTF-16 units, as a server does that splits a character in two."""
    units = text.encode("utf-16-le")
    return [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]


@st.composite
def answers(draw: st.DrawFn) -> Transcript:
    """Reasoning, text, tool calls, usage and a finish reason, each optional."""
    thoughts, texts = draw(st.lists(TEXT, max_size=4)), draw(st.lists(TEXT, max_size=6))
    if draw(st.booleans()):
        texts = halves("".join(texts))
    calls = [
        ToolCall(f"call-{number}", draw(st.sampled_from(["look", "größe"])), draw(ARGUMENTS))
        for number in range(draw(st.sampled_from([0, 0, 1, 3])))
    ]
    finish, usages = draw(FINISH), draw(st.lists(USAGE, max_size=2))
    chunks = [chunk_of(role="assistant", content="")]
    key = draw(st.sampled_from(["reasoning", "reasoning_content"]))
    chunks += [chunk_of(**{key: thought}) for thought in thoughts]
    chunks += [chunk_of(content=text) for text in texts]
    chunks += [chunk_of(tool_calls=[fragment]) for fragment in draw(fragments(calls))]
    chunks += [chunk_of(finish)] * (finish is not None)
    chunks += [{"choices": [], "usage": usage} for usage in usages]
    inner, text = split_thought("".join(texts).encode("utf-16-le", "surrogatepass").decode("utf-16-le"))
    usage = Usage(*(usages[-1][count] for count in COUNTS)) if usages else None
    named = key if "".join(thoughts) else "<think>" if inner else ""
    completion = Completion(text, "".join(thoughts) + inner, tuple(calls), finish, usage, "m", reasoning_key=named)
    return Transcript(chunks, completion)


@st.composite
def fragments(draw: st.DrawFn, calls: list[ToolCall]) -> list[Chunk]:
    """The calls in fragments, sequential or interleaved."""
    rows = []
    for index, call in enumerate(calls):
        first, *rest = cut(draw, call.arguments)
        begin = {"index": index, "id": call.id, "function": {"name": call.name, "arguments": first}}
        rows.append([begin, *({"index": index, "function": {"arguments": part}} for part in rest)])
    if draw(st.booleans()):
        return [fragment for row in rows for fragment in row]
    longest = max(map(len, rows), default=0)
    return [row[at] for at in range(longest) for row in rows if at < len(row)]


def split_thought(text: str) -> tuple[str, str]:
    """The reasoning and answer of a text that may begin with ``<think>``."""
    start = text.lstrip()
    if start.startswith("</think>"):
        return "", text.replace("</think>", "", 1)
    if not start.startswith("<think>"):
        return "", text
    thought, _, rest = start.removeprefix("<think>").partition("</think>")
    return thought, text[: len(text) - len(start)] + rest


# --- Ways to serialize an answer

KEEP_ALIVES = st.sampled_from(["", ": ping\n", ":\n\n", "event: ping\ndata:\n\n", "id: 7\n", "retry: 9\n\n", "\n"])


@st.composite
def written(draw: st.DrawFn, answer: Transcript) -> bytes:
    """The answer as an event stream: any newlines, keep-alives, one data line or many, with or without escapes."""
    space, ascii_only = draw(st.sampled_from(["", " "])), draw(st.booleans())
    indent = draw(st.sampled_from([None, None, 0, 2]))
    newline = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    body = draw(st.sampled_from(["", "\ufeff"]))
    for chunk in answer.chunks:
        # A lone surrogate can only be written as an escape.
        escaped = ascii_only or "\\ud" in json.dumps(chunk)
        lines = json.dumps(chunk, ensure_ascii=escaped, indent=indent).split("\n")
        body += draw(KEEP_ALIVES) + "".join(f"data:{space}{line}\n" for line in lines) + "\n"
    needed = answer.completion.finish_reason is None
    body += f"data:{space}[DONE]\n\n" if needed or draw(st.booleans()) else ""
    return body.replace("\n", newline).encode()


@st.composite
def delivered(draw: st.DrawFn, body: bytes) -> Response:
    """The body as sent: split, framed and compressed at random."""
    pieces = [body[at : at + 1] for at in range(len(body))] if draw(st.sampled_from([0, 0, 1])) else cut(draw, body, 12)
    return Response(
        headers={"Content-Type": "text/event-stream"},
        body=pieces,
        framing=draw(st.sampled_from(["chunked", "length", "close"])),
        encoding=draw(st.sampled_from([None, None, "gzip", "deflate"])),
        write_size=draw(st.sampled_from([None, None, 1, 7, 1000])),
        http_version=draw(st.sampled_from(["1.1", "1.1", "1.0"])),
    )


def is_answer(completion: Completion) -> bool:
    """Whether the completion has content; an empty answer is an error."""
    reasons = ("length", "content_filter")
    return bool(completion.text or completion.reasoning or completion.tool_calls or completion.finish_reason in reasons)


def plain(completion: Completion) -> Completion:
    """The completion without the fields that differ between calls."""
    return replace(completion, model="m", timings=Timings(), attempts=())


@some
@given(data=st.data(), answer=answers().filter(lambda answer: is_answer(answer.completion)))
def test_a_complete_answer_gives_the_same_events_however_delivered(
    client: Client, server: Emulator, data: st.DataObject, answer: Transcript
) -> None:
    body = data.draw(written(answer))
    server.always(Response(headers={"Content-Type": "text/event-stream"}, body=body))
    whole = Outcome(client)
    server.always(data.draw(delivered(body)))
    other = Outcome(client)
    assert (whole.error, other.error) == (None, None)
    assert plain(whole.completion) == answer.completion
    assert other.events == whole.events
    assert plain(other.completion) == answer.completion
    check_events(whole)


@some
@given(data=st.data(), answer=answers().filter(lambda answer: is_answer(answer.completion)))
def test_the_json_style_of_an_answer_makes_no_difference(
    client: Client, server: Emulator, data: st.DataObject, answer: Transcript
) -> None:
    outcomes = []
    for _ in range(2):
        server.always(data.draw(delivered(data.draw(written(answer)))))
        outcomes.append(Outcome(client))
    one, other = outcomes
    assert (one.error, other.error) == (None, None)
    assert one.events == other.events
    assert plain(one.completion) == plain(other.completion) == answer.completion


def check_events(outcome: Outcome) -> None:
    """The events have the documented kinds and order, and match the completion."""
    kinds = [type(event) for event in outcome.events]
    completion = outcome.completion
    ends = [event for event in (completion.tool_calls, completion.usage, completion.finish_reason) if event]
    body, end = outcome.events[1 : len(kinds) - len(ends)], outcome.events[len(kinds) - len(ends) :]
    assert kinds[:1] == [ProviderInfo]
    assert all(isinstance(event, (str, Reasoning)) for event in body)
    assert end == [
        *([ToolCalls(completion.tool_calls)] if completion.tool_calls else []),
        *([completion.usage] if completion.usage else []),
        *([FinishReason(completion.finish_reason)] if completion.finish_reason else []),
    ]
    assert (outcome.text, outcome.reasoning) == (completion.text, completion.reasoning)


# --- Corrupted answers

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nx-inference-provider: novita\r\n"
SPLICES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n\n",
            b"\0",
            b"-",
            b"\xff",
            b"0\r\n\r\n",
            b"ffffffffffffffff",
            b"<html>",
            b'{"error":',
            b"[",
            b'"',
        ),
        *(b"data: ", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"Content-Length: 5\r\n", b"Content-Encoding: gzip\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Location: https://127.0.0.1:99999/\r\n", b"\\ud83d", b"-5\r\n"),
    ]
)


def framed(framing: str, body: bytes, pieces: list[bytes]) -> bytes:
    """A complete HTTP response with this body; ``pieces`` become its chunks."""
    if framing == "chunked":
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
        return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(body) if framing == "length" else b""
    return HEAD + length + b"\r\n" + body


@st.composite
def http_answers(draw: st.DrawFn) -> bytes:
    """A complete response, from its status line to the end of its body."""
    body = draw(written(draw(answers())))
    framing = draw(st.sampled_from(["chunked", "length", "close"]))
    if draw(st.sampled_from([0, 0, 1])):
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
        answer = framed(framing, body, cut(draw, body))
        return answer.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)
    return framed(framing, body, cut(draw, body))


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A response with some bytes changed, dropped, repeated, inserted, or cut off."""
    answer = draw(http_answers())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(answer)))
        end = min(len(answer), start + draw(st.integers(0, 40)))
        damage = draw(st.sampled_from(["flip", "delete", "double", "splice", "truncate"]))
        if damage == "flip" and start < len(answer):
            flipped = bytes([answer[start] ^ 1 << draw(st.integers(0, 7))])
            answer = answer[:start] + flipped + answer[start + 1 :]
        elif damage == "delete":
            answer = answer[:start] + answer[end:]
        elif damage == "double":
            answer = answer[:end] + answer[start:]
        elif damage == "splice":
            answer = answer[:start] + draw(SPLICES) + answer[end:]
        elif damage == "truncate":
            answer = answer[:start]
    return answer


@many
@given(raw=mangled(), end=st.sampled_from(["complete", "cut", "reset"]), size=st.sampled_from([None, 1, 50]))
def test_a_mangled_answer_ends_in_a_result_or_a_library_error_with_the_partial_text(
    client: Client, server: Emulator, caplog: pytest.LogCaptureFixture, raw: bytes, end: Any, size: int | None
) -> None:
    server.always(Response(raw=raw, keep_alive=False, end=end, write_size=size))
    check(Outcome(client))
    assert caplog.records == []


WORDS = [f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}]}}\n\n'.encode() for word in ("One", " two")]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("bad", [b"zz\r\n", b"\r\n", b"-5\r\n", b"x" * 70_000], ids=lambda bad: repr(bad[:5]))
def test_text_before_a_framing_error_is_yielded_without_waiting(
    client: Client, server: Emulator, bad: bytes, size: int | None
) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(word), word) for word in WORDS)
    raw = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + bad
    server.always(Response(raw=raw, end="stall", write_size=size if len(bad) < 100 else None))
    outcome = Outcome(client)
    assert type(outcome.error) is TruncatedStreamError
    assert outcome.text == outcome.completion.text == "One two"


@pytest.mark.parametrize(
    "line", [b"no header at all", b" folded", b": no name", b"a b: c", b"\xff\x00: \xff"], ids=repr
)
def test_an_invalid_header_line_is_skipped_without_logging(
    client: Client, server: Emulator, caplog: pytest.LogCaptureFixture, line: bytes
) -> None:
    body = b"".join(WORDS) + b"data: [DONE]\n\n"
    server.always(Response(raw=HEAD + line + b"\r\n\r\n" + body, keep_alive=False))
    assert Outcome(client).text == "One two"
    assert caplog.records == []


@some
@given(data=st.data(), answer=answers().filter(lambda answer: is_answer(answer.completion)))
def test_interim_responses_make_no_difference(
    client: Client, server: Emulator, data: st.DataObject, answer: Transcript
) -> None:
    body = data.draw(written(answer))
    raw = framed(data.draw(st.sampled_from(["chunked", "length", "close"])), body, cut(data.draw, body))
    outcomes = []
    for interim in (b"", b"".join(data.draw(st.lists(st.sampled_from(INTERIM), min_size=1, max_size=3)))):
        server.always(Response(raw=interim + raw, keep_alive=False))
        outcomes.append(Outcome(client))
    one, other = outcomes
    assert (one.error, other.error) == (None, None)
    assert one.events == other.events


INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\n",
]


@settings(some, max_examples=15)
@given(raw=mangled())
def test_a_mangled_answer_that_does_not_end_times_out(hasty: Client, server: Emulator, raw: bytes) -> None:
    server.always(Response(raw=raw, end="stall"))
    check(Outcome(hasty))


def check(outcome: Outcome) -> None:
    """The outcome is a result or a library error that does not blame the caller, with all text that was yielded."""
    error = outcome.error
    partial: Any = getattr(error, "partial", None)
    for text in texts_of(outcome.completion):
        text.encode()  # no lone surrogates, so that it can be printed
    if error is None:
        assert is_answer(outcome.completion)
        check_events(outcome)
        return
    str(error).encode()
    assert not isinstance(error, (InvalidRequestError, MissingAuthError))
    assert len(error.attempts) == 1
    assert partial is not None or not isinstance(error, StreamError)
    if outcome.events:
        assert isinstance(error, (StreamError, RequestTimeoutError))
        assert [type(event) for event in outcome.events].count(ProviderInfo) == 1
        assert (outcome.text, outcome.reasoning) == (partial.text, partial.reasoning)


def texts_of(completion: Completion) -> list[str]:
    calls = [text for call in completion.tool_calls for text in (call.id, call.name, call.arguments)]
    return [completion.text, completion.reasoning, completion.finish_reason or "", *calls]


# --- Framing

BODIES = st.lists(st.binary(min_size=1, max_size=20), max_size=6)
SIZES = st.sampled_from(["%x", "%X", "0%x", " %x", "%x ", "%x;name=value", '%x;a="b"'])
RAGGED = st.lists(
    st.sampled_from([b"0", b"1", b"5", b"a", b"\r\n", b"\n", b"\r", b";", b"-1", b"+1", b"1_0", b"0x1", b"f" * 20, b""])
    | st.binary(max_size=4),
    max_size=24,
).map(b"".join)


@st.composite
def chunked(draw: st.DrawFn, bodies: list[bytes]) -> bytes:
    """A chunked body in any form that HTTP allows, optionally with trailers."""
    newline = draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"]))
    wire = b"".join((draw(SIZES) % len(body)).encode() + newline + body + b"\r\n" for body in bodies)
    trailers = draw(st.sampled_from([b"", b"X-Trailer: 1" + newline, b"A: b" + newline + b"C: d" + newline]))
    return wire + draw(st.sampled_from([b"0", b"000", b"0;last"])) + newline + trailers + newline


def decode(framing: Framing, pieces: list[bytes]) -> tuple[bytes, str, bool]:
    """The body, how it ended, and whether the connection can be reused."""
    body = b""
    for number, piece in enumerate(pieces):
        try:
            body += framing.feed(piece)
        except BadFraming:
            return body, "bad", False
        if framing.failure is not None:
            return body, "bad", False
        if framing.ended:
            return body, "ended", framing.clean and not any(pieces[number + 1 :])
    try:
        return body + framing.close(), "ended", framing.clean
    except BadFraming:
        return body, "bad", False


@many
@given(data=st.data(), bodies=BODIES)
def test_a_chunked_body_is_the_same_however_it_is_split(data: st.DataObject, bodies: list[bytes]) -> None:
    wire = data.draw(chunked(bodies))
    assert decode(ChunkedFraming(), cut(data.draw, wire)) == (b"".join(bodies), "ended", True)
    assert decode(ChunkedFraming(), [wire[at : at + 1] for at in range(len(wire))])[0] == b"".join(bodies)
    extra = data.draw(st.binary(min_size=1, max_size=5))
    assert decode(ChunkedFraming(), [wire + extra]) == (b"".join(bodies), "ended", False)


@many
@given(data=st.data(), bodies=BODIES)
def test_a_truncated_chunked_body_is_bad_framing_after_its_data(data: st.DataObject, bodies: list[bytes]) -> None:
    wire = data.draw(chunked(bodies))
    end = data.draw(st.integers(0, len(wire) - 1))
    body, verdict, _ = decode(ChunkedFraming(), cut(data.draw, wire[:end]))
    assert b"".join(bodies).startswith(body)
    assert verdict == "bad" or body == b"".join(bodies)


@many
@given(data=st.data(), wire=RAGGED)
def test_any_bytes_in_place_of_chunks_raise_only_bad_framing(data: st.DataObject, wire: bytes) -> None:
    """The data before the fault, and the fault itself, do not depend on how the bytes are split."""
    wire = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in data.draw(BODIES)) + wire
    assert decode(ChunkedFraming(), cut(data.draw, wire))[:2] == decode(ChunkedFraming(), [wire])[:2]


@pytest.mark.parametrize(
    "length", [b"-5", b"+5", b"1_0", b"0x5", b"", b" ", b"5 5", b"g", b"\xb2", b"5,", b"\x005", b"{", b"1.0"], ids=repr
)
def test_an_invalid_chunk_size_is_bad_framing_after_the_earlier_data(length: bytes) -> None:
    """Two readers of one stream must not see different chunks."""
    wire = b"3\r\nabc\r\n" + length + b"\r\nhello world hello world\r\n0\r\n\r\n"
    assert decode(ChunkedFraming(), [wire]) == (b"abc", "bad", False)
    assert decode(ChunkedFraming(), [wire[at : at + 1] for at in range(len(wire))]) == (b"abc", "bad", False)


@many
@given(data=st.data(), wire=st.binary(max_size=40), length=st.integers(0, 50))
def test_a_body_of_known_length_is_complete_or_bad_framing(data: st.DataObject, wire: bytes, length: int) -> None:
    body, verdict, clean = decode(LengthFraming(length), cut(data.draw, wire))
    assert body == wire[:length]
    assert verdict == ("ended" if len(wire) >= length else "bad")
    assert not clean or len(wire) == length or length == 0


@some
@given(data=st.data(), wire=st.binary(max_size=40))
def test_a_body_that_ends_with_its_connection_is_everything_received(data: st.DataObject, wire: bytes) -> None:
    assert decode(CloseFraming(), cut(data.draw, wire)) == (wire, "ended", False)


# --- Time: long server input must not take quadratic time (pytest-timeout sets the limit)


@pytest.mark.parametrize("piece", ["<h1>", "<h1", "<title>", "<p>", "<", "</h1>", "<h1></h1", " "])
def test_a_page_of_tags_is_described_in_linear_time(piece: str) -> None:
    for page in (piece * 200_000, f"<h1>{piece * 200_000}</h1>", f"<title>{piece * 200_000}</title>"):
        assert len(describe_page(page)) <= len(page) + 20


@pytest.mark.parametrize("piece", ["<", "<>;", "<a>; rel", '<a>; rel="next', "r", " "])
def test_a_link_header_of_many_links_is_read_in_linear_time(piece: str) -> None:
    assert next_link(piece * 200_000) is None


WHITE_SPACE = [b"\n", b" ", b"\r", b": comment\n", b"\n\n", b"event: ping\n\n"]


@pytest.mark.parametrize("piece", WHITE_SPACE, ids=repr)
@pytest.mark.parametrize("clock", ["first", "gap"])
def test_a_bomb_of_empty_data_is_ended_by_a_limit_or_a_timeout(
    hasty: Client, server: Emulator, piece: bytes, clock: str
) -> None:
    packer = zlib.compressobj(wbits=31)
    begun = b'data: {"choices":[{"delta":{"content":"One"}}]}\n\n' if clock == "gap" else b""
    mebibyte = piece * ((1 << 20) // len(piece))
    bomb = packer.compress(begun) + b"".join(packer.compress(mebibyte) for _ in range(64)) + packer.flush()
    server.always(Response(headers={"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}, body=bomb))
    outcome = Outcome(hasty)
    check(outcome)
    assert isinstance(outcome.error, (RequestTimeoutError, StreamError))
