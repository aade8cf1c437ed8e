"""Failures reported inside an answer with status 200, in every form; and answers that only look complete."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from hf_text import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Client,
    MalformedStreamError,
    ProviderStreamError,
    RateLimitError,
    ServerError,
    TruncatedStreamError,
)
from hf_text.emulator import Emulator, Response

pytestmark = pytest.mark.every_client

EVENT_STREAM = {"Content-Type": "text/event-stream"}
DONE = b"data: [DONE]\n\n"
SECRET = "hf_MadeUpKeyForTests"


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(content: str = "", finish: str | None = None, **choice: Any) -> bytes:
    delta = {"content": content} if content else {}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **choice}]})


def stream(*pieces: bytes, **fields: Any) -> Response:
    return Response(headers=EVENT_STREAM, body=pieces, **fields)


BEGUN = (chunk("One"), chunk(" two"))
BUSY = {"code": 1302, "msg": "it is busy", "success": False}

# What a server sends instead of the rest of an answer; all mean "busy".
TOLD: dict[str, tuple[bytes, ...]] = {
    "error": (event({"error": "it is busy"}),),
    "an object": (event({"error": {"message": "it is busy"}}), DONE),
    "in a list": (event([{"error": {"message": "it is busy"}}]),),
    "error_type and error_message": (event({"choices": None, "error_type": "X", "error_message": "it is busy"}), DONE),
    "code and msg": (event(BUSY), DONE),
    "type error": (event({"type": "error", "message": "it is busy"}), DONE),
    "in the metadata of a response": (event({"ResponseMetadata": {"Error": {"Code": "X", "Message": "it is busy"}}}),),
    "in a finish reason": (chunk(finish={"type": "abort", "message": "it is busy"}), DONE),  # type: ignore[arg-type]
    "errors": (event({"errors": [{"code": 7, "message": "it is busy"}]}), DONE),
    "base_resp": (event({"choices": [], "base_resp": {"status_code": 1002, "status_msg": "it is busy"}}), DONE),
    "a message alone": (event({"message": "it is busy"}), DONE),
    "in the choice": (chunk(error={"message": "it is busy"}), DONE),
    "in the choice, with a finish reason": (chunk(finish="error", error="it is busy"), DONE),
    "beside a choice": (event({"error": "it is busy", "choices": [{"delta": {}, "finish_reason": "error"}]}), DONE),
    "after a finish reason": (chunk(finish="error"), event({"error": "it is busy"}), DONE),
    "after a good finish reason": (chunk(finish="stop"), event({"error": "it is busy"}), DONE),
    "an event of that type": (b"event: error\ndata: it is busy\n\n",),
    "an event of a type of its own": (b'event: internalServerException\ndata: {"message": "it is busy"}\n\n',),
    "a field of that name": (b"error: it is busy\n\n", DONE),
    "a field of that name with JSON": (b'error: {"message": "it is busy"}\n\n',),
    "a field of that name in capitals": (b"ERROR: it is busy\n\n", DONE),
    "a field of that name without its empty line": (b"error: it is busy\n",),
    "a field of that name without an end": (b"error: it is busy",),
    "JSON that is no event": (b'{"error": {"message": "it is busy"}}\n\n', DONE),
    "JSON that is no event, on several lines": (b'{\n  "error": {\n    "message": "it is busy"\n  }\n}\n\n',),
    "JSON that is no event, without an end": (b'{"error": {"message": "it is busy"}}',),
    "an event without an end": (b'data: {"error": {"message": "it is busy"}}\n',),
    "text as data": (b"data: [ERROR] it is busy\n\n", DONE),
    "text as data with a colon": (b"data: Error: it is busy\n\n",),
    "with other events in one": (b"data: {}\ndata: " + event({"error": "it is busy"})[6:],),
    "an event of an object of several lines": (b'event: error\ndata: {\ndata: "error": "it is busy"\ndata: }\n\n',),
    "an exception": (event({"throttlingException": {"message": "it is busy"}}), DONE),
    "in the delta": (event({"choices": [{"index": 0, "delta": {"error": {"message": "it is busy"}}}]}), DONE),
    "in the message": (chunk(finish="error", message={"error": "it is busy"}), DONE),
    "beside the finish reason": (chunk(finish="error", error_message="it is busy"), DONE),
    "beside a choice, as a status": (event({"status": "failed", "message": "it is busy", "choices": [{}]}), DONE),
    "in x_groq": (event({"choices": [], "x_groq": {"id": "r", "error": "it is busy"}}), DONE),
    "wrapped": (event({"type": "response.failed", "response": {"error": {"message": "it is busy"}}}), DONE),
    "of a provider behind a gateway": (
        event({"error": {"message": "Provider returned error", "metadata": {"raw": '{"error":"it is busy"}'}}}),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_failure_after_text_has_the_server_message_and_the_partial_text(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], name: str
) -> None:
    emulator.reply(stream(*BEGUN, *TOLD[name]))
    result = outcome(once.stream("Hi"))
    assert type(result.error) is ProviderStreamError
    assert "it is busy" in str(result.error)
    assert isinstance(result.error.error, APIStatusError)
    assert result.partial.text == result.text == "One two"
    assert pickle.loads(pickle.dumps(result.error)).partial == result.partial == copy.deepcopy(result.partial)


@pytest.mark.parametrize("name", TOLD)
def test_a_failure_before_text_is_retried(client: Client, emulator: Emulator, name: str) -> None:
    emulator.reply(stream(event({"choices": [{"delta": {"role": "assistant"}}]}), *TOLD[name]), Response.text("Hello"))
    completion = client.generate("Hi")
    assert completion.text == "Hello"
    assert "it is busy" in (completion.attempts[0].error or "")


@pytest.mark.parametrize("body", [event(BUSY), b": ok\n\n" + event(BUSY), json.dumps(BUSY).encode()], ids=str)
def test_a_stream_of_nothing_but_a_failure_is_retried(client: Client, emulator: Emulator, body: bytes) -> None:
    emulator.reply(stream(body), Response.text("Hello"))
    assert client.generate("Hi").text == "Hello"


@pytest.mark.parametrize(
    ("report", "error", "requests"),
    [
        ({"error": {"message": "m", "code": 401}}, AuthenticationError, 1),
        ({"error": {"message": "m", "type": "invalid_request_error"}}, BadRequestError, 1),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, RateLimitError, 2),
        ({"code": 529, "message": "m"}, ServerError, 2),
        ({"error_type": "overloaded_error", "error_message": "m"}, ServerError, 2),
        ({"code": 1302, "message": "m"}, ProviderStreamError, 2),
        ({"error": "m"}, ProviderStreamError, 2),
    ],
    ids=str,
)
@pytest.mark.parametrize("whole", [False, True], ids=["event", "json"])
def test_before_text_the_error_class_follows_its_code(
    make_client: Callable[..., Client],
    emulator: Emulator,
    report: Any,
    error: type[Exception],
    requests: int,
    whole: bool,
) -> None:
    emulator.always(Response.json(report) if whole else stream(event(report), DONE))
    client = make_client(max_retries=1)
    with pytest.raises(error, match="m") as caught:
        client.generate("Hi", "m")
    assert type(caught.value) is error
    assert len([request for request in emulator.requests if request.method == "POST"]) == requests


@pytest.mark.parametrize("word", ["error", "abort", "network_error", "insufficient_system_resource"])
@pytest.mark.parametrize("more", [(), (DONE,), (event({"choices": [], "usage": {"total_tokens": 5}}), DONE)], ids=len)
@pytest.mark.parametrize("end", ["complete", "cut"])
def test_a_finish_reason_that_means_failure_is_raised(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], word: str, more: tuple[bytes, ...], end: Any
) -> None:
    emulator.reply(stream(*BEGUN, chunk(finish=word), *more, end=end))
    result = outcome(once.stream("Hi"))
    assert type(result.error) is ProviderStreamError
    assert f"'{word}'" in str(result.error)
    assert result.partial.text == result.text == "One two"


def test_a_failing_finish_reason_before_text_is_retried(client: Client, emulator: Emulator) -> None:
    emulator.reply(stream(chunk(finish="error"), DONE), Response.text("Hello"))
    assert client.generate("Hi").text == "Hello"


def test_a_failing_finish_reason_in_a_json_answer_is_raised(once: Client, emulator: Emulator) -> None:
    choice = {"index": 0, "message": {"content": "One"}, "finish_reason": "error", "native_finish_reason": "BROKEN"}
    emulator.reply(Response.json({"choices": [choice]}))
    with pytest.raises(ProviderStreamError, match="'error: BROKEN'") as caught:
        once.generate("Hi")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One"


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"index": 0, "message": {"content": ""}, "error": {"message": "it is busy", "code": 502}}]},
        {"choices": None, "error": {"message": "it is busy", "code": 502}},
        {"code": 502, "msg": "it is busy"},
        {"data": {"error": {"code": 502, "message": "it is busy"}}},
    ],
    ids=str,
)
def test_a_json_failure_with_status_200_is_raised_as_its_class(once: Client, emulator: Emulator, body: Any) -> None:
    emulator.reply(Response.json(body))
    with pytest.raises(ServerError, match="it is busy") as caught:
        once.generate("Hi")
    assert caught.value.status_code == 502


@pytest.mark.parametrize("rest", ["\n\ndata: [DONE]\n\n", "\n", '{"a": 1}', "\n\nInternal Server Error"])
def test_a_json_failure_is_read_despite_trailing_data(once: Client, emulator: Emulator, rest: str) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body='{"error": {"message": "it is busy", "code": 502}}' + rest))
    with pytest.raises(ServerError, match="it is busy"):
        once.generate("Hi")


def test_a_json_failure_after_a_byte_order_mark_is_read(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(b"\xef", b"\xbb\xbf", b'{"error": "it is busy", "code": 502}')))
    with pytest.raises(ServerError, match="it is busy"):
        once.generate("Hi")


def test_a_key_echoed_by_the_server_is_hidden(once: Client, emulator: Emulator, outcome: Callable[..., Any]) -> None:
    escaped = json.dumps({"message": f"bad {SECRET}"}).replace("hf_", "\\u0068f_").encode()
    for told in (
        event({"code": 1302, "message": f"bad {SECRET}"}),
        b"error: " + escaped + b"\n\n",
        chunk(finish=f"error {SECRET}"),
        chunk(error={"message": f"bad {SECRET}"}),
        f"no {SECRET}\n\n".encode() + DONE,
        json.dumps({"error": f"bad {SECRET}"}).encode(),
    ):
        emulator.reply(stream(*BEGUN, told))
        error = outcome(once.stream("Hi")).error
        assert "***" in str(error)
        assert SECRET not in f"{error!r}{error.partial}{vars(getattr(error, 'error', error))}{error.partial.extra}"


# --- Answers that only look complete


@pytest.mark.parametrize(
    "strange",
    [
        event({"id": "x", "verdict": "moved away"}),
        event({"choices": None, "verdict": "moved away"}),
        b"moved away\n\n",
        b"<html><h1>moved away</h1></html>\n\n",
        b"upstream connect error: moved away\n\n",
    ],
    ids=str,
)
def test_an_unknown_chunk_then_done_without_finish_reason_is_incomplete(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], strange: bytes
) -> None:
    emulator.reply(stream(*BEGUN, strange, DONE))
    result = outcome(once.stream("Hi"))
    assert type(result.error) is TruncatedStreamError
    assert "moved away" in str(result.error)
    assert result.partial.text == "One two"


@pytest.mark.parametrize(
    "harmless",
    [
        event({"type": "ping"}),
        event({"choices": [], "prompt_filter_results": [{"index": 0}]}),
        event({"id": "x", "object": "chat.completion.chunk", "model": "m", "service_tier": "default"}),
        event({"choices": None, "usage": {"total_tokens": 5}}),
        event({"choices": [{"index": 0, "delta": {"something_new": 5}}]}),
        b"trace: 5\n\n",
        b"event: ping\ndata: 5\n\n",
    ],
    ids=str,
)
def test_known_meaningless_chunks_leave_an_answer_complete(once: Client, emulator: Emulator, harmless: bytes) -> None:
    emulator.reply(stream(*BEGUN, harmless, DONE))
    assert once.generate("Hi").text == "One two"


@pytest.mark.parametrize("strange", [event({"verdict": "moved away"}), b"moved away\n\n"], ids=str)
def test_a_finish_reason_completes_an_answer_despite_unknown_chunks(
    once: Client, emulator: Emulator, strange: bytes
) -> None:
    emulator.reply(stream(*BEGUN, strange, chunk(finish="stop"), strange))
    assert once.generate("Hi").text == "One two"


def test_unexpected_text_in_place_of_the_rest_is_quoted(
    once: Client, emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply(stream(*BEGUN, b"Internal Server Error"))
    assert "'Internal Server Error'" in str(outcome(once.stream("Hi")).error)


# --- Unreadable bodies


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br"])
def test_an_unsupported_content_encoding_is_named(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], encoding: str
) -> None:
    garbled = bytes(range(128, 256)) * 3
    emulator.reply(Response(headers={**EVENT_STREAM, "Content-Encoding": encoding}, body=garbled))
    assert encoding in str(outcome(once.stream("Hi")).error)
    emulator.reply(Response(502, {"Content-Encoding": encoding}, garbled))
    error = outcome(once.stream("Hi")).error
    assert type(error) is ServerError
    assert encoding.split(", ")[-1] in str(error)


@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.parametrize("encoding", [SECRET, f"gzip, {SECRET}"])
def test_a_key_in_place_of_a_content_encoding_is_hidden(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], encoding: str, status: int
) -> None:
    headers = {**EVENT_STREAM, "Content-Encoding": encoding}
    emulator.reply(Response(status, headers, bytes(range(128, 256))))
    assert SECRET not in repr(outcome(once.stream("Hi")).error)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "none", "identity", "aws-chunked"])
def test_a_charset_in_place_of_a_content_encoding_is_harmless(once: Client, emulator: Emulator, encoding: str) -> None:
    headers = {**EVENT_STREAM, "Content-Encoding": encoding}
    emulator.reply(Response(headers=headers, body=(chunk("Zürich"), chunk(finish="stop"))))
    assert once.generate("Hi").text == "Zürich"
    emulator.reply(Response(502, {"Content-Encoding": encoding}, '{"error": "it is busy"}'))
    with pytest.raises(ServerError, match="it is busy"):
        once.generate("Hi")


@pytest.mark.parametrize("end", ["reset", "cut"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_partial_error_before_a_broken_connection_is_used(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], end: Any, framing: Any
) -> None:
    page = "<html><h1>Access denied</h1><p>by policy</p></html>"
    emulator.reply(Response(503, {"Content-Type": "text/html"}, (page,), framing=framing, end=end))
    error = outcome(once.stream("Hi")).error
    assert type(error) is ServerError
    assert "Access denied by policy" in str(error)


def test_an_html_page_with_status_200_is_decoded_by_its_charset(once: Client, emulator: Emulator) -> None:
    page = "<html><title>登录</title></html>".encode("gbk")
    emulator.reply(Response(headers={"Content-Type": "text/html; charset=gbk"}, body=page))
    with pytest.raises(MalformedStreamError, match="登录"):
        once.generate("Hi")


@pytest.mark.parametrize("status", [200, 403, 503])
def test_an_html_page_from_a_proxy_is_attributed_to_it(
    make_client: Callable[..., Client], emulator: Emulator, status: int
) -> None:
    emulator.reply(Response.html(status, "Blocked by policy"))
    client = make_client(max_retries=0, api_base="http://model.test/v1", proxies={"http": emulator.url})
    with pytest.raises((APIStatusError, MalformedStreamError), match=r"Blocked by policy.*|.*the proxy") as caught:
        client.generate("Hi", "m")
    assert f"the proxy {emulator.url.removeprefix('http://')}" in str(caught.value)


@pytest.mark.parametrize("levels", [100, 900])
@pytest.mark.parametrize("status", [200, 400])
def test_a_deeply_nested_error_is_a_library_error(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], status: int, levels: int
) -> None:
    deep = '{"error": [' * levels + '"m"' + "]}" * levels
    emulator.reply(Response(status, {"Content-Type": "application/json"}, deep))
    error = outcome(once.stream("Hi")).error
    twin = pickle.loads(pickle.dumps(error))
    assert str(twin) == str(copy.deepcopy(error)) == str(error)


@pytest.mark.parametrize("digits", [4000, 4300, 4301, 20_000])
def test_huge_token_counts_end_in_an_answer_or_a_library_error(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], digits: int
) -> None:
    number = "9" * digits
    usage = f'data: {{"choices": [], "usage": {{"prompt_tokens": {number}, "completion_tokens": -{number}}}}}\n\n'
    emulator.reply(stream(*BEGUN, chunk(finish="stop"), usage.encode(), DONE))
    answer = once.stream("Hi")
    error = outcome(answer).error
    assert error is None or type(error) is MalformedStreamError
    completion = answer.partial
    assert (completion.text, completion.usage) == ("One two", None)
    assert repr(pickle.loads(pickle.dumps(completion))) == repr(completion)


@pytest.mark.parametrize("status", [500, 429])
def test_the_words_of_an_error_that_is_not_compressed_as_it_says_are_told(
    once: Client, emulator: Emulator, status: int
) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    emulator.reply(Response(status, headers, '{"error": {"message": "it is busy"}}'))
    with pytest.raises(APIStatusError, match="it is busy"):
        once.generate("Hi")


def test_an_error_in_utf_16_is_read_and_shows_no_key(make_client: Callable[..., Client], emulator: Emulator) -> None:
    body = json.dumps({"error": {"message": f"no such key: {SECRET}"}}).encode("utf-16")
    emulator.reply(Response(500, {"Content-Type": "application/json; charset=utf-16"}, body))
    with pytest.raises(ServerError, match=r"no such key: \*\*\*") as caught:
        make_client(api_key=SECRET, max_retries=0).generate("Hi")
    assert SECRET not in repr(caught.value.body)


@pytest.mark.parametrize(
    ("charset", "codec", "words"), [("windows-949", "cp949", "오류"), ("x-sjis", "shift_jis", "混雑")]
)
def test_a_charset_by_a_name_that_only_browsers_know(
    once: Client, emulator: Emulator, charset: str, codec: str, words: str
) -> None:
    page = f"<html><title>{words}</title></html>".encode(codec)
    emulator.reply(Response(502, {"Content-Type": f"text/html; charset={charset}"}, page))
    with pytest.raises(ServerError, match=words):
        once.generate("Hi")


def test_a_key_in_a_finish_reason_is_shown_nowhere(make_client: Callable[..., Client], emulator: Emulator) -> None:
    emulator.reply(stream(*BEGUN, chunk(finish=f"error: bad key {SECRET}"), DONE))
    with pytest.raises(ProviderStreamError, match=r"bad key \*\*\*") as caught:
        make_client(api_key=SECRET, max_retries=0).generate("Hi")
    assert SECRET not in repr(caught.value.partial)
    assert SECRET.encode() not in pickle.dumps(caught.value)
