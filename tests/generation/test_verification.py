"""Whether an answer is complete: every way a stream can end, and everything else that has status 200."""

from __future__ import annotations

import gzip
import json
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from hf_text import (
    Client,
    FinishReason,
    HFTextError,
    MalformedStreamError,
    ProviderInfo,
    ProviderStreamError,
    RateLimitError,
    ServerError,
    StreamError,
    TransportError,
    TruncatedStreamError,
    Usage,
)
from hf_text.emulator import Emulator, Gate, Response

pytestmark = pytest.mark.every_client

EVENT_STREAM = {"Content-Type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"


def chunk(text: str = "", finish: str | None = None) -> bytes:
    """A minimal event of the stream."""
    choice: dict[str, Any] = {"delta": {"content": text}} if text else {"delta": {}}
    if finish:
        choice["finish_reason"] = finish
    return b"data: " + json.dumps({"choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"


# The beginning of a possible tag is buffered until it proves not to be one: it must not get lost either.
SHORT = (chunk("<thi"), b": ok\n\n", chunk("ng> sä"), chunk("t"), chunk(finish="stop"), DONE)
BODY = b"".join(SHORT)
PRESSED = gzip.compress(BODY, mtime=0)


def expected_of(body: bytes) -> tuple[str, bool]:
    """The text of the chunks that are complete in these bytes, and whether the finish reason is among them. The last
    event may lack the empty line after it.
    """
    text, whole = "", False
    for event in body.split(b"\n\n"):
        if event.startswith(b"data: {") and event.rstrip().endswith(b"}]}"):
            choice = json.loads(event[6:])["choices"][0]
            text += choice["delta"].get("content", "")
            whole = whole or "finish_reason" in choice
    return text, whole


def yielded_of(body: bytes) -> str:
    """The text yielded once these bytes have arrived. Buffered text, or an event without its empty line, does not begin
    the answer by itself.
    """
    text, whole = expected_of(body)
    begun = expected_of(body[: body.rfind(b"\n\n") + 2])[0] not in ("", "<thi")
    return text if whole or begun else ""


def check_cut(result: Any, received: bytes) -> None:
    text, whole = expected_of(received)
    assert result.text == yielded_of(received)
    if whole:
        assert result.error is None
        assert result.events[-1] == FinishReason("stop")
        return
    assert type(result.error) is TruncatedStreamError, received
    assert result.partial.text == text
    assert result.partial.finish_reason is None
    assert len(result.error.attempts) == len(result.partial.attempts) == 1
    assert f"{len(text)} characters" in str(result.error) or not text


# --- Truncation


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_stream_cut_after_any_byte_is_truncated_or_has_its_finish_reason(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], framing: Any
) -> None:
    for end in range(len(BODY)):
        emulator.reply(Response(headers=EVENT_STREAM, body=SHORT, framing=framing, end="cut", end_after=end))
        check_cut(outcome(once.stream("Hi")), BODY[:end])


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_compressed_stream_cut_after_any_byte_is_truncated_or_has_its_finish_reason(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], framing: Any
) -> None:
    headers = {**EVENT_STREAM, "Content-Encoding": "gzip"}
    for end in range(len(PRESSED)):
        emulator.reply(Response(headers=headers, body=PRESSED, framing=framing, end="cut", end_after=end))
        check_cut(outcome(once.stream("Hi")), zlib.decompressobj(31).decompress(PRESSED[:end]))


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_finish_reason_completes_a_body_without_its_end(once: Client, emulator: Emulator, framing: Any) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=SHORT, framing=framing, end="cut"))
    assert once.generate("Hi").finish_reason == "stop"


def test_done_without_finish_reason_and_body_end_is_truncated(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk("One"), DONE), end="cut"))
    with pytest.raises(TruncatedStreamError) as caught:
        once.generate("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One"


def test_a_stream_reset_after_any_byte_raises_with_the_partial_text(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    """A reset may discard data in transit, so that less arrives than was sent."""
    for end in range(0, len(BODY), 5):
        emulator.reply(Response(headers=EVENT_STREAM, body=SHORT, end="reset", end_after=end))
        result = outcome(once.stream("Hi"))
        assert "<thing> sät".startswith(result.text)
        if result.error is None:
            assert result.events[-1] == FinishReason("stop")
        elif isinstance(result.error, StreamError):
            assert type(result.error) is TruncatedStreamError
            assert result.partial is not None
            assert result.text in ("", result.partial.text)  # empty if the answer had not begun
        else:
            assert type(result.error) is TransportError
            assert not result.events


def test_an_answer_cut_inside_its_head_is_a_library_error(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    for end in range(len(head)):
        emulator.reply(Response(raw=head, end="cut", end_after=end))
        result = outcome(once.stream("Hi"))
        assert not result.events
        assert type(result.error) in (TransportError, TruncatedStreamError), head[:end]


@pytest.mark.parametrize(
    "fault",
    ["closed-before-headers", "reset-before-headers", "cut-in-headers", "empty-body", "done-only", "not-gzip"],
)
def test_a_failure_before_any_text_is_retried(
    client: Client, emulator: Emulator, outcome: Callable[..., Any], fault: str
) -> None:
    emulator.reply(fault, Response.text("Hello"))
    result = outcome(client.stream("Hi"))
    assert result.text == "Hello"
    assert [type(event) for event in result.events] == [ProviderInfo, str, FinishReason]


def test_a_cut_before_any_text_is_retried_and_both_attempts_listed(client: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=SHORT, end="cut", end_after=12), Response.text("Hello"))
    completion = client.generate("Hi")
    assert completion.text == "Hello"
    first, second = completion.attempts
    assert "cut the answer off" in (first.error or "")
    assert second.error is None


def test_a_cut_after_the_first_text_is_not_retried(client: Client, emulator: Emulator) -> None:
    emulator.reply("cut-mid-stream")
    with pytest.raises(TruncatedStreamError) as caught:
        client.generate("Hi")
    assert len(caught.value.attempts) == len(emulator.requests) == 1


def test_without_retries_a_cut_before_any_text_is_raised(once: Client, emulator: Emulator) -> None:
    emulator.reply("closed-before-headers")
    with pytest.raises(TransportError, match="closed before a response arrived"):
        once.generate("Hi")
    assert len(emulator.requests) == 1


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_raise_only_library_errors(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], seed: int
) -> None:
    source = random.Random(seed)
    frames = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in SHORT) + b"0\r\n\r\n"
    encoding = b"Content-Encoding: gzip\r\n" if seed == 3 else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + encoding
    answer = head + b"Transfer-Encoding: chunked\r\n\r\n" + frames
    if seed == 3:
        answer = head + b"Content-Length: %d\r\n\r\n" % len(PRESSED) + PRESSED
    for _ in range(60):
        mangled = bytearray(answer)
        for _ in range(source.randint(1, 3)):
            where = source.randrange(len(mangled))
            mangled[where : where + source.randint(0, 3)] = source.choice(
                [b"", b"\0", b"-", b"9" * 30, b"\r\n", b"\xff", b"\n\n", b"x" * 5, b'"', b"["]
            )
        emulator.reply(Response(raw=bytes(mangled), keep_alive=False))
        result = outcome(once.stream("Hi"))
        if isinstance(result.error, StreamError):
            assert result.partial is not None
            assert result.partial.text == result.text or not result.events


# --- What makes an answer complete


def test_a_finish_reason_without_done_is_complete(once: Client, emulator: Emulator) -> None:
    emulator.reply("finish-without-done")
    assert once.generate("Hi").finish_reason == "stop"


def test_done_without_finish_reason_is_complete_after_a_proper_end(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply("done-without-finish")
    result = outcome(once.stream("Hi"))
    assert result.error is None
    assert result.text == "One two three four"
    assert not any(isinstance(event, FinishReason) for event in result.events)


def test_a_proper_end_without_finish_reason_and_done_is_truncated(once: Client, emulator: Emulator) -> None:
    emulator.reply("no-finish-no-done")
    with pytest.raises(TruncatedStreamError, match=r"without a finish reason and without \[DONE\] after 7 characters"):
        once.generate("Hi")


@pytest.mark.parametrize("rest", [chunk(finish="stop")[:-1], chunk(finish="stop")[:-2], DONE[:-2]])
def test_a_last_event_without_its_empty_line_counts(once: Client, emulator: Emulator, rest: bytes) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk("One"), rest)))
    assert once.generate("Hi").text == "One"


def test_an_incomplete_last_event_does_not_count(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk("One"), chunk(finish="stop")[:-4])))
    with pytest.raises(TruncatedStreamError):
        once.generate("Hi")


def test_data_after_done_is_ignored(once: Client, emulator: Emulator) -> None:
    emulator.reply("chunks-after-done")
    assert once.generate("Hi").text == "One two three four"


def test_chunks_after_the_finish_reason_are_kept(once: Client, emulator: Emulator) -> None:
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
    late = (chunk("One"), chunk(finish="stop"), chunk(" two"), usage, DONE)
    emulator.reply(Response(headers=EVENT_STREAM, body=late))
    completion = once.generate("Hi")
    assert (completion.text, completion.finish_reason, completion.usage) == ("One two", "stop", Usage(1, 2, 3))


def test_a_body_that_does_not_end_after_a_complete_answer_is_waited_for_briefly(
    make_client: Callable[..., Client], emulator: Emulator, in_thread: Callable[..., Future[Any]]
) -> None:
    """Without waiting for a timeout: the client's timeouts exceed the test's own."""
    emulator.reply("stall-after-done")
    answer = in_thread(make_client(max_retries=0, timeout=30).generate, "Hi").result(5)
    assert answer.finish_reason == "stop"
    emulator.wait_for_disconnect()


@pytest.mark.parametrize(
    ("fault", "what"), [("empty-body", "an empty body"), ("done-only", r"nothing but \[DONE\]")], ids=str
)
def test_an_empty_stream_is_truncated_and_describes_what_arrived(
    once: Client, emulator: Emulator, fault: str, what: str
) -> None:
    emulator.reply(fault)
    with pytest.raises(TruncatedStreamError, match=f"sent an empty answer: {what}$") as caught:
        once.generate("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == ""


def test_a_bare_finish_reason_is_an_empty_answer(once: Client, emulator: Emulator) -> None:
    emulator.reply("no-text")
    with pytest.raises(TruncatedStreamError, match="sent an empty answer: no text, with the finish reason 'stop'"):
        once.generate("Hi")


def test_chunks_without_text_and_finish_reason_are_an_empty_answer(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk(), DONE)))
    with pytest.raises(TruncatedStreamError, match="sent an empty answer: no text"):
        once.generate("Hi")


# --- Not a stream


def test_a_json_completion_is_read(once: Client, emulator: Emulator, outcome: Callable[..., Any]) -> None:
    emulator.reply("json-200")
    result = outcome(once.stream("Hi"))
    assert result.error is None
    assert [type(event) for event in result.events] == [ProviderInfo, str, Usage, FinishReason]
    assert result.text == "One two three four"


def test_incomplete_json_is_truncated(once: Client, emulator: Emulator) -> None:
    emulator.reply("truncated-json")
    with pytest.raises(TruncatedStreamError, match="cut the answer off"):
        once.generate("Hi")


def test_a_json_error_with_status_200_is_raised_as_its_class(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response.json({"error": {"message": "Too many requests", "code": 429}}))
    with pytest.raises(RateLimitError, match="Too many requests") as caught:
        once.generate("Hi")
    assert caught.value.status_code == 429


@pytest.mark.parametrize("body", ['{"choices": [', "[1, 2", '{"choices": [7]}', "[]", "{}", '{"choices": {"a": 1}}'])
def test_json_that_is_not_a_completion_is_a_library_error(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], body: str
) -> None:
    emulator.reply(Response(headers={"Content-Type": "application/json"}, body=body))
    assert isinstance(outcome(once.stream("Hi")).error, HFTextError)


def test_an_html_page_with_status_200_is_malformed_and_its_heading_quoted(once: Client, emulator: Emulator) -> None:
    emulator.reply("html-200")
    with pytest.raises(MalformedStreamError, match=r"HTML page .*Sign in to the network"):
        once.generate("Hi")


def test_plain_text_with_status_200_is_malformed_and_quoted(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers={"Content-Type": "text/plain"}, body="no such host here"))
    with pytest.raises(MalformedStreamError, match="no such host here"):
        once.generate("Hi")


# --- Contents of the stream


def test_invalid_json_is_malformed_and_quoted_after_the_earlier_text(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply("broken-json")
    result = outcome(once.stream("Hi"))
    assert type(result.error) is MalformedStreamError
    assert "chatcmpl-emulator" in str(result.error)
    assert result.partial.text == result.text == "One two"


def test_json_that_is_not_a_chunk_is_malformed(once: Client, emulator: Emulator, outcome: Callable[..., Any]) -> None:
    emulator.reply("wrong-json")
    result = outcome(once.stream("Hi"))
    assert type(result.error) is MalformedStreamError
    assert result.partial.text == result.text == "One two"


def test_deeply_nested_json_is_malformed(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk("One"), b'data: {"a":' + b"[" * 200_000 + b"\n\n")))
    with pytest.raises(MalformedStreamError):
        once.generate("Hi")


def test_an_oversized_event_is_malformed_and_keeps_the_earlier_text(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    client = make_client(max_retries=0, max_event_bytes=100_000)
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk("One"), chunk("x" * 300_000), DONE)))
    result = outcome(client.stream("Hi"))
    assert type(result.error) is MalformedStreamError
    assert "longer than 100000 bytes (max_event_bytes)" in str(result.error)
    assert result.partial.text == result.text == "One"


def test_an_error_in_the_stream_is_raised_with_the_earlier_text(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply("error-in-stream")
    result = outcome(once.stream("Hi"))
    assert type(result.error) is ProviderStreamError
    assert "Internal server error" in str(result.error)
    assert result.error.status_code == 500
    assert result.partial.text == result.text == "One two"


@pytest.mark.parametrize("fault", ["error-in-stream-tgi", "error-in-stream-groq"])
def test_stream_errors_of_other_servers_are_recognised(once: Client, emulator: Emulator, fault: str) -> None:
    emulator.reply(fault)
    with pytest.raises(ProviderStreamError):
        once.generate("Hi")


def test_an_error_after_the_finish_reason_is_raised(once: Client, emulator: Emulator) -> None:
    late = b'data: {"error":{"message":"late","code":500}}\n\n'
    emulator.reply(Response(headers=EVENT_STREAM, body=(chunk("One"), chunk(finish="stop"), late)))
    with pytest.raises(ProviderStreamError, match="late"):
        once.generate("Hi")


@pytest.mark.parametrize(
    "event",
    [
        ":\n\n",
        ": ping\n\n",
        ":\r\n\r\n",
        ":\r\r",
        "\n\n\n\n",
        "event: ping\n\n",
        "event: ping\ndata:\n\n",
        "event: ping\ndata: now\n\n",
        'event: ping\ndata: {"type": "ping"}\n\n',
        "data:\n\n",
        "data\n\n",
        "data:  \n\n",
        "data: {}\n\n",
        "id: 7\nretry: 3000\n\n",
        "unknown: field\n\n",
        'data: {"choices": []}\n\n',
        'data: {"choices": null}\n\n',
        'data: {"object": "chat.completion.chunk"}\n\n',
        'data: {"choices": [{"index": 0, "delta": null}]}\n\n',
        'data: {"choices": [{"index": 0, "delta": {"content": null, "role": null}}]}\n\n',
        'data: {"choices": [{"delta": {"content": ""}, "finish_reason": null}], "error": null}\n\n',
    ],
    ids=repr,
)
def test_keep_alives_of_any_shape_are_ignored(once: Client, emulator: Emulator, event: str) -> None:
    odd = event.encode()
    emulator.reply(
        Response(headers=EVENT_STREAM, body=(odd, chunk("One"), odd, chunk(" two"), chunk(finish="stop"), odd))
    )
    assert once.generate("Hi").text == "One two"


# --- Compression


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_stream_is_read_as_it_arrives(once: Client, emulator: Emulator, encoding: Any) -> None:
    gate = Gate()
    emulator.reply(
        Response(
            headers=EVENT_STREAM, body=(chunk("One"), gate, chunk(" two"), chunk(finish="stop")), encoding=encoding
        )
    )
    texts = iter(once.stream("Hi"))
    assert next(texts) == "One"
    gate.open()
    assert list(texts) == [" two"]


def test_a_raw_deflate_stream_is_read(once: Client, emulator: Emulator) -> None:
    pressed = zlib.compressobj(wbits=-15)
    body = pressed.compress(BODY) + pressed.flush()
    emulator.reply(Response(headers={**EVENT_STREAM, "Content-Encoding": "deflate"}, body=body))
    assert once.generate("Hi").text == "<thing> sät"


def test_a_stream_not_compressed_as_declared_is_a_library_error(once: Client, emulator: Emulator) -> None:
    emulator.reply("not-gzip")
    with pytest.raises(TruncatedStreamError, match="decompressing"):
        once.generate("Hi")


def press(piece: bytes, times: int) -> bytes:
    pressed = zlib.compressobj(level=1, wbits=31)
    return b"".join([*(pressed.compress(piece) for _ in range(times)), pressed.flush()])


@pytest.fixture
def little_memory() -> Iterator[None]:
    """The test may allocate 12 MB at most."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


BOMB = press(b"0" * 1_000_000, 100)
COMMENTS = press(b":" + b" keep-alive" * 90 + b"\n\n", 50_000)


@pytest.mark.parametrize("start", [b"data: ", b'{"choices": "', b"<html>"], ids=["stream", "json", "page"])
@pytest.mark.usefixtures("little_memory")
def test_a_decompression_bomb_is_refused_in_little_memory(
    make_client: Callable[..., Client], emulator: Emulator, start: bytes
) -> None:
    client = make_client(max_retries=0, max_event_bytes=500_000)
    body = gzip.compress(start) + BOMB
    emulator.reply(Response(headers={**EVENT_STREAM, "Content-Encoding": "gzip"}, body=body))
    with pytest.raises(MalformedStreamError, match=r"500000 bytes|HTML page"):
        client.generate("Hi")


@pytest.mark.usefixtures("little_memory")
def test_a_decompression_bomb_of_comments_is_read_in_little_memory(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers={**EVENT_STREAM, "Content-Encoding": "gzip"}, body=COMMENTS))
    with pytest.raises(TruncatedStreamError, match="no text"):
        once.generate("Hi")


@pytest.mark.usefixtures("little_memory")
def test_a_decompression_bomb_as_an_error_is_read_in_little_memory(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(400, headers={"Content-Encoding": "gzip"}, body=BOMB))
    with pytest.raises(HFTextError):
        once.generate("Hi")


def test_invalid_utf8_does_not_end_the_stream(once: Client, emulator: Emulator) -> None:
    emulator.reply(replace(Response.text("x"), body=(chunk("One"), chunk("?").replace(b"?", b"\xff"), DONE)))
    assert once.generate("Hi").text == "One\ufffd"


def test_only_the_start_of_a_very_long_error_is_read(make_client: Callable[..., Client], emulator: Emulator) -> None:
    emulator.reply(Response(500, {"Content-Type": "text/plain"}, b"It broke. " * 2**20))
    with pytest.raises(ServerError, match="It broke") as caught:
        make_client(max_retries=0).generate("Hi")
    emulator.wait_for_disconnect()
    assert len(str(caught.value)) < 3000
    assert 1000 < len(caught.value.body) <= 2**16
