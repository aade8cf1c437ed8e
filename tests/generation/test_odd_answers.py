"""Answers of real servers that deviate from the protocol: how they are parsed, and when they are complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from hf_text import Client, Reasoning, RequestTimeoutError, TruncatedStreamError, Usage
from hf_text.emulator import Emulator, Gate, Response

pytestmark = pytest.mark.every_client

EVENT_STREAM = {"Content-Type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"
NUMBERS = "One two three four"


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(content: str | None = None, finish: str | None = None, **choice: Any) -> bytes:
    delta = {} if content is None else {"content": content}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]})


def stream(*pieces: Any, **fields: Any) -> Response:
    return Response(headers=EVENT_STREAM, body=pieces, **fields)


@pytest.mark.parametrize(
    "fault", ["finish-first", "finish-on-every-chunk", "message-beside-delta", "two-choices", "unknown-deltas"]
)
def test_a_complete_answer_in_an_odd_shape_is_read(once: Client, emulator: Emulator, fault: str) -> None:
    emulator.reply(fault)
    completion = once.generate("Hi")
    assert (completion.text, completion.finish_reason) == (NUMBERS, "stop")


ANSWER = {"choices": [{"index": 0, "message": {"content": "One two"}, "finish_reason": "stop"}]}
CHUNKS = [json.loads(piece[6:]) for piece in (chunk("One"), chunk(" two"), chunk(finish="stop"))]


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"data: {json.dumps(each)}\n" for each in CHUNKS) + "data: [DONE]\n\n",
        "".join(f"{json.dumps(each)}\n" for each in CHUNKS),
        "\ufeff" + json.dumps(CHUNKS),
        json.dumps([{"choices": [{"message": {"content": "One two"}, "finish_reason": "stop"}]}]),
        "".join(map(json.dumps, CHUNKS)),
        "".join(f"{json.dumps(each, indent=1)}\n" for each in CHUNKS),
        ",\r\n".join(map(json.dumps, CHUNKS)) + "\0",
        f"{json.dumps(ANSWER, indent=1)}\n\ndata: [DONE]\n\n",
        f"{json.dumps(ANSWER)}data: [DONE]\n\n",
        f"data: {''.join(map(json.dumps, CHUNKS))}\n\n",
        f"data: {json.dumps(CHUNKS)}\n\n",
        "".join(f"data: data: {json.dumps(each)}\n\n" for each in CHUNKS),
        "\n".join(f"data: {json.dumps(each)}" for each in CHUNKS),
        "".join(f" Data: {json.dumps(each)}\n\n" for each in CHUNKS),
        ": ok\n\n" + "".join(f"{json.dumps(each)}\n" for each in CHUNKS),
        "\ufeff".join(f"data: {json.dumps(each)}\n\n" for each in CHUNKS),
        "\n\n".join([f"data: {json.dumps(CHUNKS[0])}", *map(json.dumps, CHUNKS[1:]), "[DONE]"]),
        "\0\0" + "\0".join(f"data: {json.dumps(each)}\n\n" for each in CHUNKS),
        "".join(f"data: {json.dumps({'choices': {'0': each['choices'][0]}})}\n\n" for each in CHUNKS),
        "".join(f"data: {json.dumps(each, indent=1)}\n\n" for each in CHUNKS),
        "".join(f"data: {json.dumps(json.dumps(each))}\n\n" for each in CHUNKS),
        "".join(f"data : {json.dumps(each)}\n\n" for each in CHUNKS),
        json.dumps(json.dumps(ANSWER)),
        f"{json.dumps(ANSWER)}\n<!-- served by a gateway -->",
        "".join(f"data: {json.dumps({'body': each})}\n\n" for each in CHUNKS) + "data: '[DONE]'\n\n",
    ],
    ids=[
        *("events without empty lines", "a chunk a line", "a list of chunks", "a list of one answer"),
        *(
            "without anything between",
            "each on several lines",
            "with commas and a NUL",
            "an answer and [DONE]",
        ),
        *("both on one line", "in one event", "in a list in an event", "a prefix twice", "events without an end"),
        *(
            "a field in other letters",
            "a chunk a line after a comment",
            "a byte order mark each",
            "some without a field",
            "NULs to keep it alive",
            "an object of choices",
            "each on several lines of which one has a field",
            "each as a text of JSON",
            "a blank before the colon",
            "an answer as a text of JSON",
            "an answer and a comment",
            "in an object each",
        ),
    ],
)
def test_chunks_in_another_dialect_are_read(once: Client, emulator: Emulator, body: str) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=body))
    completion = once.generate("Hi")
    assert (completion.text, completion.finish_reason) == ("One two", "stop")


@pytest.mark.parametrize(
    "nothing",
    [
        *("data: null\n\n", 'data: ""\n\n', "data: []\n\n", "data: {}\n\n", "data:\n\n", "data: PING\n\n"),
        'event: tool.progress\ndata: {"tool": "search", "status": "failed", "message": "no net"}\n\n',
        'data: {"object": "queue", "position": 3, "message": "You are number 3"}\n\n',
        'event: status\ndata: {"tool": "search", "status": "failed", "error": {"message": "no net"}}\n\n',
        'event: tool_status\ndata: {"error": {"message": "no net", "code": 500}}\n\n',
        'event: status\ndata: {"message": "Reading", "detail": "page 3", "code": 1, "error": null}\n\n',
        'event: warning\ndata: {"error": "the context is nearly full"}\n\n',
        'data: {"type": "tool_result", "isError": true, "content": "no net"}\n\n',
        *("data: [PING]\n\n", "data: .\n\n", 'data: "ping"\n\n', "data: true\n\n", "data: OK\n\n", "data: 1\n\n"),
        *("data: : PROCESSING\n\n", 'event: heartbeat\ndata: {"message": "still there"}\n\n', "data: null\n"),
    ],
)
def test_keep_alive_chunks_are_ignored(once: Client, emulator: Emulator, nothing: str) -> None:
    emulator.reply(stream(chunk("One"), nothing, chunk(" two"), chunk(finish="stop"), DONE))
    assert once.generate("Hi").text == "One two"


@pytest.mark.parametrize(
    "told",
    [
        'status\ndata: {"error": {"message": "The worker died"}}',
        'status\ndata: {"error": "The worker died"}',
        'status\ndata: {"code": 503, "message": "The worker died"}',
        'status\ndata: {"status": "failed", "message": "The worker died"}',
        'response.status\ndata: {"status": 500, "detail": "The worker died"}',
        'progress\ndata: {"error": {"message": "The worker died"}, "tool": null}',
        *("failure\ndata: The worker died", "abort\ndata: The worker died", "stream.failed\ndata: The worker died"),
    ],
)
def test_a_failure_reported_only_by_a_side_event_is_raised(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], told: str
) -> None:
    emulator.reply(stream(chunk("One"), f"event: {told}\n\n", chunk(" two"), chunk(finish="stop"), DONE))
    failure = outcome(once.stream("Hi"))
    assert "The worker died" in str(failure)
    assert failure.partial.text == "One"


@pytest.mark.parametrize(
    "done",
    [
        'data: "[DONE]"\n\n',
        "data: DONE\n\n",
        "data: [END]\n\n",
        "data: <|DONE|>\n\n",
        "data: [done]\n\n",
        "[DONE]\n\n",
        "data: [DONE]",
        "data: data: [DONE]\n\n",
    ],
)
def test_many_end_of_stream_markers_are_recognised(once: Client, emulator: Emulator, done: str) -> None:
    emulator.reply(stream(chunk("One"), done))
    assert once.generate("Hi").text == "One"


def test_raw_line_feeds_inside_json_strings_are_accepted(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(body=json.dumps(ANSWER).replace("One two", "One\n\ttwo")))
    assert once.generate("Hi").text == "One\n\ttwo"


def test_fields_without_choices_are_kept_with_the_complete_answer(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    late = event({"citations": ["https://example.com"]})
    emulator.reply(stream(chunk("One"), late, chunk(finish="stop")), stream(chunk("One"), late))
    assert once.generate("Hi").extra == {"citations": ["https://example.com"]}
    assert outcome(once.stream("Hi")).partial.extra == {}


def test_usage_inside_a_choice_is_read(once: Client, emulator: Emulator) -> None:
    emulator.reply("usage-in-choice")
    assert once.generate("Hi").usage == Usage(1, 2, 3)


def test_reasoning_details_and_a_stray_tag_are_read(once: Client, emulator: Emulator) -> None:
    emulator.reply("reasoning-in-details")
    completion = once.generate("Hi")
    assert (completion.reasoning, completion.text) == ("Let me count.", NUMBERS)
    assert completion.extra["reasoning_details"][0]["text"] == "Let me count."


def test_a_repeated_tool_call_is_one_call(once: Client, emulator: Emulator) -> None:
    emulator.reply("tool-call-repeated")
    (call,) = once.generate("Hi").tool_calls
    assert (call.id, call.name, call.parse()) == ("call_1", "now", {"zone": "UTC"})


# --- Finish reasons


def test_a_finish_reason_on_the_first_chunk_does_not_end_the_answer(once: Client, emulator: Emulator) -> None:
    """Regardless of the pause after it."""
    gate = Gate()
    emulator.reply(stream(chunk("", "stop"), gate, chunk("One"), gate, chunk(" two"), chunk(finish="length"), DONE))
    texts = iter(once.stream("Hi"))
    gate.open()
    assert "".join(texts) == "One two"


def test_late_usage_is_waited_for(once: Client, emulator: Emulator) -> None:
    late = Gate()
    usage = event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}})
    emulator.reply(stream(chunk("One"), chunk(finish="stop"), late, usage, DONE))
    stream_ = once.stream("Hi")
    events = iter(stream_.events())
    assert str(next(events)) == ""
    assert next(events) == "One"
    late.open()
    assert next(events) == Usage(1, 2, 3)
    assert len(list(events)) == 1


@pytest.mark.parametrize("end", ["cut", "stall"])
def test_a_premature_finish_reason_does_not_complete_an_answer(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any], end: Any
) -> None:
    emulator.reply(stream(chunk("One", "stop"), chunk(" two", "stop"), end=end))
    result = outcome(make_client(max_retries=0, timeout=0.3).stream("Hi"))
    assert isinstance(result.error, (TruncatedStreamError, RequestTimeoutError))
    assert result.partial.text == "One two"


@pytest.mark.parametrize("rest", [(), (DONE,)], ids=["end of the body", "[DONE]"])
def test_a_proper_end_completes_an_answer_after_a_premature_finish_reason(
    once: Client, emulator: Emulator, rest: tuple[bytes, ...]
) -> None:
    emulator.reply(stream(chunk("One", "stop"), chunk(" two", "stop"), *rest))
    completion = once.generate("Hi")
    assert (completion.text, completion.finish_reason) == ("One two", "stop")


def test_a_withdrawn_finish_reason_and_a_cut_is_truncated(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply(stream(chunk("", "stop"), chunk("One"), end="cut"))
    result = outcome(once.stream("Hi"))
    assert type(result.error) is TruncatedStreamError
    assert (result.partial.text, result.partial.finish_reason) == ("One", None)


@pytest.mark.parametrize(
    "empty",
    [
        (chunk("", "stop"), DONE),
        (chunk(finish="stop"), chunk(finish="stop"), DONE),
        (chunk(finish="tool_calls"), DONE),
        (chunk(finish="stop", message={"content": ""}),),
        (event({"choices": [{"delta": {"tool_calls": [{"function": {"name": ""}}]}, "finish_reason": "stop"}]}), DONE),
    ],
    ids=range(5),
)
def test_an_empty_stream_is_never_complete(client: Client, emulator: Emulator, empty: tuple[bytes, ...]) -> None:
    emulator.reply(stream(*empty), Response.text("Hello"))
    completion = client.generate("Hi")
    assert completion.text == "Hello"
    assert "an empty answer" in (completion.attempts[0].error or "")


def test_an_empty_json_answer_is_not_complete(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response.chat(""))
    with pytest.raises(TruncatedStreamError, match="an empty answer"):
        once.generate("Hi")


def test_the_connection_is_reused_right_after_the_end(
    make_client: Callable[..., Client], emulator: Emulator, in_thread: Callable[..., Future[Any]]
) -> None:
    """The timeouts exceed the test's own: the server's data ends the answer."""
    client = make_client(max_retries=0, timeout=60)
    for reply in (Response.text("One"), Response.text("One", done=False), Response.text("One", finish=None)):
        emulator.reply(reply)
        assert in_thread(client.generate, "Hi").result(5).text == "One"
    assert emulator.connections == 1


def test_an_endless_body_is_abandoned_after_done(
    make_client: Callable[..., Client], emulator: Emulator, in_thread: Callable[..., Future[Any]]
) -> None:
    emulator.reply(stream(chunk("", "stop"), chunk("One"), chunk(finish="stop"), DONE, end="stall"))
    assert in_thread(make_client(max_retries=0, timeout=60).generate, "Hi").result(5).text == "One"
    emulator.wait_for_disconnect()


# --- Keep-alives


@pytest.fixture
def slow() -> Callable[..., Response]:
    """An answer that begins with three chunks, each half a timeout after the previous one."""

    def make(piece: bytes) -> Response:
        return stream(*[piece, 0.3] * 3, chunk("One"), chunk(finish="stop"))

    return make


@pytest.mark.parametrize(
    "alive",
    [
        event({"choices": [{"index": 0, "delta": {"something_new": "a"}}]}),
        event({"choices": [{"index": 0, "delta": {"content": "", "token_id": 5}}]}),
        event({"choices": [{"index": 1, "delta": {"content": "a"}}]}),
        event(
            {"choices": [{"index": 0, "delta": {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}}]}
        ),
        chunk("", "stop"),
    ],
    ids=str,
)
def test_unknown_events_reset_the_gap_timeout(
    make_client: Callable[..., Client], emulator: Emulator, slow: Callable[..., Response], alive: bytes
) -> None:
    emulator.reply(slow(alive))
    assert make_client(max_retries=0, timeout=0.6).generate("Hi").text == "One"


@pytest.mark.parametrize(
    "silent",
    [b": ping\n\n", event({"choices": []}), event({"type": "ping"}), event({"status": "queued"}), chunk(), chunk("")],
    ids=str,
)
def test_empty_events_do_not_reset_the_gap_timeout(
    make_client: Callable[..., Client], emulator: Emulator, slow: Callable[..., Response], silent: bytes
) -> None:
    emulator.reply(slow(silent))
    with pytest.raises(RequestTimeoutError):
        make_client(max_retries=0, timeout=0.6).generate("Hi")


# --- Models that only close the tag


def test_a_model_that_only_closes_think_tags_is_learned_after_its_first_answer(
    client: Client, emulator: Emulator
) -> None:
    for _ in range(3):
        emulator.reply("think-closed-only")
    first = client.generate("Hi", "acme/thinker")
    assert (first.reasoning, first.text) == ("", f"Let me count.</think>{NUMBERS}")
    stream_ = client.stream("Hi", "acme/thinker")
    events = [each for each in stream_.events() if isinstance(each, (str, Reasoning))]
    assert (events[0], "".join(map(str, events))) == (Reasoning("Let me count."), NUMBERS)
    other = client.generate("Hi", "acme/other")
    assert other.reasoning == ""


def test_a_learned_model_that_does_not_think_still_gives_its_answer(client: Client, emulator: Emulator) -> None:
    emulator.reply("think-closed-only", Response.text("One", " two"), "think-closed-only")
    client.generate("Hi", "acme/thinker")
    completion = client.generate("Hi", "acme/thinker")
    assert (completion.reasoning, completion.text) == ("", "One two")
    assert client.generate("Hi", "acme/thinker").text == f"Let me count.</think>{NUMBERS}"


def test_a_json_answer_that_only_closes_the_tag_is_split_at_once(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response.chat(f"Let me count.</think>{NUMBERS}"))
    completion = once.generate("Hi")
    assert (completion.reasoning, completion.text) == ("Let me count.", NUMBERS)


def test_clients_do_not_share_learned_tags(make_client: Callable[..., Client], emulator: Emulator) -> None:
    emulator.reply("think-closed-only", "think-closed-only")
    for _ in range(2):
        assert make_client().generate("Hi", "acme/thinker").reasoning == ""


# --- Contents of the completion


def test_unknown_fields_are_kept_in_the_completion(once: Client, emulator: Emulator) -> None:
    logprobs = {"content": [{"token": "One", "logprob": -0.5, "top_logprobs": []}]}
    head = {"system_fingerprint": "fp_1", "citations": ["https://example.com"]}
    choice = {"index": 0, "delta": {"content": "One"}, "logprobs": logprobs}
    emulator.reply(stream(event({**head, "choices": [choice]}), chunk(finish="eos_token"), DONE))
    completion = once.generate("Hi")
    assert completion.system_fingerprint == "fp_1"
    assert [tuple(each) for each in completion.logprobs] == [("One", -0.5, ())]
    assert completion.extra == {"citations": ["https://example.com"], "finish_reason": "eos_token"}
    assert (completion.finish_reason, completion.truncated) == ("stop", False)


def test_words_of_an_event_beside_the_answer_are_told_if_it_has_no_finish_reason(
    once: Client, emulator: Emulator
) -> None:
    emulator.reply(stream(chunk("One"), "event: close\ndata: The worker was stopped\n\n", DONE))
    with pytest.raises(TruncatedStreamError, match="close: The worker was stopped"):
        once.generate("Hi")


def test_choices_that_end_while_the_answer_does_not_are_told(once: Client, emulator: Emulator) -> None:
    """If each piece is a separate choice, most of the answer would be missing."""
    others = (event({"choices": [{"index": n, "delta": {"content": " two"}}]}) for n in (1, 2))
    end = event({"choices": [{"index": 3, "delta": {}, "finish_reason": "stop"}]})
    emulator.reply(stream(chunk("One"), *others, end, DONE))
    with pytest.raises(TruncatedStreamError, match="'index': 3"):
        once.generate("Hi")


@pytest.mark.parametrize("end", ["cut", "complete"])
def test_an_answer_in_one_piece_counts_if_it_is_whole_although_its_length_is_not(
    once: Client, emulator: Emulator, end: Any
) -> None:
    length = str(len(json.dumps(ANSWER)) + 5)
    emulator.reply(Response(headers={"Content-Length": length}, body=json.dumps(ANSWER), end=end))
    assert once.generate("Hi").text == "One two"


def test_chunks_without_events_that_break_off_are_the_partial_answer(once: Client, emulator: Emulator) -> None:
    body = "".join(f"{json.dumps(each)}\n" for each in CHUNKS[:2]) + '{"choices": [{"ind'
    emulator.reply(Response(headers={"Content-Length": "5000"}, body=body, end="cut"))
    with pytest.raises(TruncatedStreamError, match="bytes of the body are missing") as caught:
        once.generate("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"


def test_one_chunk_that_is_no_event_is_not_a_whole_answer(once: Client, emulator: Emulator) -> None:
    """A connection closed after the chunk looks the same as the end of the answer."""
    emulator.reply(Response(headers={"Content-Type": "application/json"}, body=json.dumps(CHUNKS[0]), framing="close"))
    with pytest.raises(TruncatedStreamError, match="without a finish reason") as caught:
        once.generate("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One"
