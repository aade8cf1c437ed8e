"""The stream from the caller's view, and its connection: reuse, abandonment, redirects, refusals."""

from __future__ import annotations

import gzip
import pickle
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hf_text import (
    Client,
    FinishReason,
    InvalidRequestError,
    NotFoundError,
    ProviderInfo,
    ServerError,
    TransportError,
    Usage,
)
from hf_text.emulator import Emulator, Gate, Request, Response
from hf_text.transport.call import Call, Interrupted, Timeouts
from hf_text.transport.session import Http

pytestmark = pytest.mark.every_client

KEY = "hf_MadeUpKeyForTests"

Outcome = Callable[..., Any]

# --- Stream


def test_a_stream_yields_only_text_as_it_arrives(client: Client, emulator: Emulator) -> None:
    gate = Gate()
    first, one, *rest = Response.text("One", " two", reasoning=(), usage=(1, 2)).body  # type: ignore[misc]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(first, one, gate, *rest)))
    texts = iter(client.stream("Hi", include_usage=True))
    assert next(texts) == "One"
    assert not gate.is_open
    gate.open()
    assert list(texts) == [" two"]


def test_events_start_with_the_provider_and_join_to_the_answer(client: Client, emulator: Emulator) -> None:
    emulator.reply(Response.text("One", " two", reasoning=("hm",), usage=(1, 2), provider="novita"))
    stream = client.stream("Hi", "openai/gpt-oss-120b")
    events = list(stream.events())
    url = f"{emulator.url}/v1/chat/completions"
    assert events[0] == ProviderInfo("novita", "openai/gpt-oss-120b", url, events[0].label)  # type: ignore[union-attr]
    assert sum(isinstance(event, ProviderInfo) for event in events) == 1
    assert events[-2:] == [Usage(1, 2, 3), FinishReason("stop")]
    assert "".join(map(str, events)) == stream.completion.text == "One two"


def test_read_returns_everything_that_arrived_and_finally_an_empty_list(client: Client, emulator: Emulator) -> None:
    at_once: Any = Response.text("One", " two", " three").body
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=b"".join(at_once)))
    stream = client.stream("Hi")
    events = stream.read()
    assert events[1:4] == ["One", " two", " three"]
    while batch := stream.read():
        events += batch
    assert stream.read() == stream.read() == []
    assert "".join(map(str, events)) == stream.completion.text


def test_the_completion_grows_with_the_stream_until_complete(client: Client, emulator: Emulator) -> None:
    stream = client.stream("Hi")
    assert stream.partial.text == ""
    assert stream.partial.attempts == ()
    so_far = ""
    for text in stream:
        so_far += text
        assert stream.partial.text.startswith(so_far)
    completion = stream.completion
    assert (completion.text, completion.finish_reason) == (so_far, "stop")
    assert completion.timings.first_token is not None
    assert completion.timings.first_token <= completion.timings.total == stream.completion.timings.total
    assert [attempt.status for attempt in completion.attempts] == [200]


def test_a_request_is_sent_only_when_the_stream_is_read(client: Client, emulator: Emulator) -> None:
    texts = iter(client.stream("Hi"))
    assert emulator.connections == 0
    next(texts)
    assert emulator.connections == 1


@pytest.mark.parametrize("again", [list, lambda stream: next(stream.events())])
def test_a_stream_can_be_read_only_once(client: Client, emulator: Emulator, again: Callable[..., Any]) -> None:
    stream = client.stream("Hi")
    list(stream)
    with pytest.raises(InvalidRequestError, match="only once"):
        again(stream)


def test_a_stream_has_ended_after_an_error(client: Client, emulator: Emulator, outcome: Outcome) -> None:
    emulator.reply("bad-key")
    stream = client.stream("Hi")
    assert outcome(stream).error is not None
    assert stream.read() == []
    assert "ended" in repr(stream)


def test_the_repr_shows_model_and_state(client: Client, emulator: Emulator) -> None:
    stream = client.stream("Hi", "openai/gpt-oss-120b")
    assert repr(stream) == "<Stream of 'openai/gpt-oss-120b', open>"
    stream.close()
    assert repr(stream) == "<Stream of 'openai/gpt-oss-120b', closed>"


def test_a_completion_can_be_pickled_but_not_a_stream(client: Client, emulator: Emulator) -> None:
    stream = client.stream("Hi")
    with pytest.raises(TypeError, match="its completion can"):
        pickle.dumps(stream)
    list(stream)
    assert pickle.loads(pickle.dumps(stream.completion)) == stream.completion


# --- Reused connections


@pytest.mark.parametrize("framing", ["chunked", "length"])
def test_a_connection_is_reused_after_a_complete_answer(client: Client, emulator: Emulator, framing: Any) -> None:
    emulator.always(Response.text("One", framing=framing))
    for _ in range(3):
        client.generate("Hi")
    assert [request.connection for request in emulator.requests] == [1, 1, 1]


def test_a_connection_is_reused_after_a_compressed_answer(client: Client, emulator: Emulator) -> None:
    emulator.always(Response.text("One", encoding="gzip"))
    for _ in range(3):
        client.generate("Hi")
    assert [request.connection for request in emulator.requests] == [1, 1, 1]


def test_a_connection_is_reused_after_an_error(client: Client, emulator: Emulator) -> None:
    emulator.reply("bad-key")
    with pytest.raises(Exception, match="Invalid credentials"):
        client.generate("Hi")
    client.generate("Hi")
    assert [request.connection for request in emulator.requests] == [1, 1]


def test_a_connection_is_reused_after_data_behind_done(client: Client, emulator: Emulator) -> None:
    emulator.reply("chunks-after-done")
    client.generate("Hi")
    client.generate("Hi")
    assert [request.connection for request in emulator.requests] == [1, 1]


@pytest.mark.parametrize(
    "reply",
    [
        Response.text("One", keep_alive=False),
        Response.text("One", framing="close"),
        Response.text("One", http_version="1.0"),
        Response(
            raw=b"HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n"
            + b'{"choices":[{"message":{"content":"One"},"finish_reason":"stop"}]}junk'
        ),
    ],
    ids=["Connection: close", "close-delimited", "HTTP/1.0", "bytes behind the end"],
)
def test_an_unusable_connection_is_not_reused(client: Client, emulator: Emulator, reply: Response) -> None:
    emulator.reply(reply)
    assert client.generate("Hi").text == "One"
    assert client.generate("Hi").text
    assert [request.connection for request in emulator.requests] == [1, 2]


def body_of(*pieces: str) -> bytes:
    """A complete answer with this text, as a body."""
    return b"".join(Response.text(*pieces).body)  # type: ignore[arg-type]


def head_of(status: str, *headers: str) -> bytes:
    """Status line and headers."""
    return "\r\n".join((f"HTTP/1.1 {status}", "Content-Type: text/event-stream", *headers, "", "")).encode()


def with_length(body: bytes, *headers: str) -> bytes:
    """A response with a Content-Length."""
    return head_of("200 OK", f"Content-Length: {len(body)}", *headers) + body


def in_one_chunk(body: bytes, *headers: str) -> bytes:
    """A response of one chunk."""
    return head_of("200 OK", "Transfer-Encoding: chunked", *headers) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


PRESSED = gzip.compress(body_of("One"), mtime=0)
ENDED = {
    "nothing": head_of("200 OK", "Content-Length: 0"),
    "no chunk": head_of("200 OK", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "204": head_of("204 No Content"),
    "an error of nothing": head_of("404 Not Found", "Content-Length: 0"),
    "a redirect": head_of("307 Temporary Redirect", "Location: /v1/elsewhere", "Content-Length: 0"),
    "a length": with_length(body_of("One")),
    "a chunk": in_one_chunk(body_of("One")),
    "a trailer": in_one_chunk(body_of("One"))[:-2] + b"A: b\r\n\r\n",
    "a compressed length": with_length(PRESSED, "Content-Encoding: gzip"),
    "a compressed chunk": in_one_chunk(PRESSED, "Content-Encoding: gzip"),
}
LEFT = {"an answer": with_length(body_of("Wrong")), "junk": b"junk", "a line end": b"\r\n"}


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
@pytest.mark.parametrize("ended", ENDED.values(), ids=ENDED)
def test_a_connection_with_excess_data_is_not_reused(
    make_client: Callable[..., Client],
    certificate: tuple[str, str],
    outcome: Outcome,
    ended: bytes,
    left: bytes,
    tls: bool,
) -> None:
    with Emulator(tls=certificate if tls else None) as server:
        client = make_client(None, server.api_base, verify=certificate[0], max_retries=0)
        server.reply(Response(raw=ended + left))
        server.always(Response.text("Two"))
        first = outcome(client.stream("Hi", "m"))
        assert client.generate("Hi", "m").text == "Two"
        assert first.text in ("One", "Two", "")  # "Two" from the target of the redirect
        assert [request.connection for request in server.requests] == [1, 2, 2][: len(server.requests)]


@pytest.mark.parametrize("name", [name for name in ENDED if name != "a redirect"])
def test_late_data_is_not_mistaken_for_the_next_answer(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Outcome, raw_server: Callable[..., int], name: str
) -> None:
    connections = []
    come, sent = threading.Event(), threading.Event()

    def answer(sock: socket.socket) -> None:
        connections.append(sock)
        sock.recv(65536)
        if len(connections) > 1:
            sock.sendall(with_length(body_of("Two")))
            sock.recv(65536)
            return
        sock.sendall(ENDED[name])
        come.wait(5)
        sock.sendall(with_length(body_of("Wrong")))
        sent.set()
        sock.recv(65536)

    client = make_client(None, f"http://127.0.0.1:{raw_server(answer)}/v1", max_retries=0)
    outcome(client.stream("Hi", "m"))
    come.set()
    assert sent.wait(5)
    assert client.generate("Hi", "m").text == "Two"
    assert len(connections) == 2


def test_a_connection_closed_while_idle_is_replaced_silently(once: Client, emulator: Emulator) -> None:
    once.generate("Hi")
    emulator.drop_connections()
    emulator.wait_until_idle()
    completion = once.generate("Hi")
    assert len(completion.attempts) == 1
    assert [request.connection for request in emulator.requests] == [1, 2]


@pytest.mark.parametrize("fault", ["reset-before-headers", "closed-before-headers"])
def test_a_kept_connection_that_breaks_on_reuse_is_replaced_silently(
    once: Client, emulator: Emulator, fault: str
) -> None:
    once.generate("Hi")
    emulator.reply(fault)
    completion = once.generate("Hi")
    assert len(completion.attempts) == 1
    assert [request.connection for request in emulator.requests] == [1, 1, 2]


@pytest.mark.parametrize("fault", ["reset-before-headers", "closed-before-headers"])
def test_a_new_connection_that_breaks_is_an_error(once: Client, emulator: Emulator, fault: str) -> None:
    emulator.reply(fault)
    with pytest.raises(TransportError, match="the connection was closed before a response arrived") as caught:
        once.generate("Hi")
    assert caught.value.retryable
    assert len(emulator.requests) == 1


def test_a_stopped_call_gives_up_its_connection(emulator: Emulator) -> None:
    """Otherwise the garbage collector warns about the socket."""
    http = Http("hf_x", {}, {}, True)
    with http.get(Call(Timeouts()), emulator.url) as reply:
        data = bytearray()
        reply.read_into(data, 1000)
        assert data
        assert reply.read() == b""
    late = Call(Timeouts())
    late.cancel()
    with pytest.raises(Interrupted):
        http.get(late, emulator.url)
    emulator.wait_until_idle()
    http.close()


# --- Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["absolute", "relative", "beside"])
def test_a_redirect_to_the_same_host_keeps_method_body_and_key(
    once: Client, emulator: Emulator, status: int, where: str
) -> None:
    target = {
        "absolute": f"{emulator.url}/new/chat/completions",
        "relative": "/new/chat/completions",
        "beside": "../new/chat/completions",
    }
    emulator.reply(Response.redirect(target[where], status))
    emulator.reply(
        Response.text("Hello"), path="/v1/new/chat/completions" if where == "beside" else "/new/chat/completions"
    )
    assert once.generate("Hi").text == "Hello"
    first, second = emulator.requests
    assert second.path.endswith("/new/chat/completions")
    assert (second.method, second.body, second.key) == (first.method, first.body, first.key)
    assert first.method == "POST"


@pytest.fixture
def elsewhere() -> Any:
    """Another server."""
    with Emulator() as other:
        yield other


def test_a_redirect_to_another_port_is_refused_and_nothing_is_sent_there(
    once: Client, emulator: Emulator, elsewhere: Emulator
) -> None:
    emulator.reply(Response.redirect(f"{elsewhere.url}/v1/chat/completions"))
    with pytest.raises(TransportError, match=f"redirects to {elsewhere.url}, another host: not followed"):
        once.generate("Hi")
    assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/v1/chat/completions",
        "//localhost:{port}/v1/chat/completions",
        "http://127.0.0.1.:{port}/",
        "http://127.0.0.1:{port}@localhost/",
        "http://user:password@127.0.0.1:{port}/v1/chat/completions",
        "ftp://127.0.0.1:{port}/",
        "javascript:alert(1)",
    ],
)
def test_a_redirect_to_another_host_is_refused(once: Client, emulator: Emulator, location: str) -> None:
    emulator.reply(Response.redirect(location.format(port=emulator.url.rpartition(":")[2])))
    with pytest.raises(TransportError, match="another host: not followed"):
        once.generate("Hi")
    assert len(emulator.requests) == 1


def test_a_redirect_away_from_tls_is_refused_and_nothing_is_sent_there(
    make_client: Callable[..., Client], elsewhere: Emulator, certificate: tuple[str, str]
) -> None:
    with Emulator(tls=certificate) as secured:
        secured.reply(Response.redirect(f"{elsewhere.url}/v1/chat/completions"))
        client = make_client(hub_url=secured.url, router_url=secured.url, verify=certificate[0], max_retries=0)
        with pytest.raises(TransportError, match=f"redirects to {elsewhere.url}"):
            client.generate("Hi")
        client.close()
    assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:port/", "http://\x7f/"])
def test_a_redirect_to_an_invalid_url_is_a_library_error(once: Client, emulator: Emulator, location: str) -> None:
    emulator.reply(Response.redirect(location))
    with pytest.raises(TransportError):
        once.generate("Hi")


@pytest.mark.parametrize("location", ["/v1/chat/completions", "?again", ""])
def test_redirect_loops_end_with_an_error(once: Client, emulator: Emulator, location: str) -> None:
    emulator.always(Response.redirect(location))
    with pytest.raises(TransportError, match="redirects too often"):
        once.generate("Hi")
    assert len(emulator.requests) == 6


def test_a_redirect_without_location_is_an_error_with_its_status(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(307))
    with pytest.raises(Exception, match="307"):
        once.generate("Hi")


# --- No response


def test_a_refused_connection_is_reported_as_such(outcome: Outcome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Client(api_base=f"http://127.0.0.1:{port}/v1", max_retries=0) as client:
        error = outcome(client.stream("Hi", "m")).error
    assert type(error) is TransportError
    assert str(error) == (
        f"cannot reach 127.0.0.1:{port}: connection refused. Is the server running, and is the port right?"
    )
    assert not error.retryable
    assert len(error.attempts) == 1


def test_a_non_http_answer_is_reported_and_quoted(once: Client, emulator: Emulator) -> None:
    emulator.reply("not-http")
    with pytest.raises(TransportError, match=r"does not speak HTTP.*SSH-2.0-emulator"):
        once.generate("Hi")


def test_an_answer_sent_before_the_request_is_complete_is_read(
    raw_server: Callable[..., int], outcome: Outcome
) -> None:
    """As a server does that finds the request too large."""
    body = b'{"error": {"message": "too large", "code": 413}}'

    def refuse(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        while sock.recv(1_000_000):
            pass

    with Client(api_base=f"http://127.0.0.1:{raw_server(refuse)}/v1", max_retries=0) as client:
        error = outcome(client.stream("x" * 5_000_000, "m")).error
    assert (error.status_code, error.body["error"]["message"]) == (413, "too large")


def test_informational_responses_are_skipped(once: Client, emulator: Emulator) -> None:
    body = b"".join(Response.text("One").body)  # type: ignore[arg-type]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body)
    emulator.reply(Response(raw=b"HTTP/1.1 100 Continue\r\n\r\n" + head + body))
    assert once.generate("Hi").text == "One"


def test_a_truncated_error_body_still_gives_the_error_of_its_status(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(500, body=b"x" * 100, end="cut", end_after=10))
    with pytest.raises(ServerError):
        once.generate("Hi")


def test_a_status_without_body_is_an_error_with_that_status(once: Client, emulator: Emulator) -> None:
    emulator.reply(Response(404))
    with pytest.raises(NotFoundError):
        once.generate("Hi")


def test_a_204_is_an_empty_answer(once: Client, emulator: Emulator, outcome: Outcome) -> None:
    emulator.reply(Response(204))
    error = outcome(once.stream("Hi")).error
    assert "an empty body" in str(error)


# --- Request bodies


def test_a_request_has_user_agent_key_and_accept_headers(once: Client, emulator: Emulator) -> None:
    once.generate("Hi")
    request: Request = emulator.requests[0]
    assert request.key == KEY
    assert request.headers["user-agent"].startswith("hf_text/")
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["content-type"] == "application/json"
    assert request.json["stream"] is True


def test_no_error_contains_the_key(once: Client, emulator: Emulator, outcome: Outcome) -> None:
    echo = {"error": {"message": f"the key {KEY} is unknown", "code": 401}}
    emulator.reply(Response.json(echo, 401), Response.json(echo), Response.sse(echo), Response.html(200, f"key {KEY}"))
    for _ in range(4):
        error = outcome(once.stream("Hi")).error
        assert error is not None
        seen: list[BaseException | None] = [error]
        while seen[-1] is not None:
            assert KEY not in f"{seen[-1]!r} {vars(seen[-1])!r}"
            seen.append(seen[-1].__cause__ or seen[-1].__context__)


@pytest.mark.parametrize(
    ("head", "said"),
    [(f"HTTP/{KEY} 200 OK", "HTTP/***"), (f"SSH-2.0-{KEY}", "SSH-2.0-***")],
    ids=["an unknown version of HTTP", "another protocol"],
)
def test_a_quoted_non_http_answer_hides_the_key(once: Client, emulator: Emulator, head: str, said: str) -> None:
    emulator.reply(Response(raw=f"{head}\r\n\r\n".encode()))
    with pytest.raises(TransportError, match=f"cannot reach .*{re.escape(said)}") as caught:
        once.generate("Hi")
    assert KEY not in f"{caught.value!r} {vars(caught.value)!r}"
