"""Timeouts: whatever a server does to delay a caller, a timeout ends it and reports what had arrived."""

from __future__ import annotations

import itertools
import math
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from hf_text import Client, InvalidRequestError, RateLimitError, RequestTimeoutError, Timeouts, TransportError
from hf_text.emulator import Emulator, Gate, Response
from hf_text.emulator.replies import Piece
from hf_text.transport.call import DEFAULT

pytestmark = pytest.mark.every_client

EVENT_STREAM = {"Content-Type": "text/event-stream"}
LONG = 20.0  # long enough to fail the test
SHORT = 0.12
TICK = 0.02

WORD = b'data: {"choices":[{"delta":{"content":"One"}}]}\n\n'
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n'
EMPTY = b'data: {"choices":[{"delta":{}}]}\n\n'
COMMENT = b": keep-alive\n\n"


def clocks(**short: float) -> Timeouts:
    """Timeouts that never expire, except these."""
    return Timeouts(**{"connect": LONG, "first": LONG, "gap": LONG, **short})


def ticking(*first: bytes, then: bytes) -> Callable[[], Iterator[Piece]]:
    """A body of some events, then one piece repeated forever, a tick apart."""

    def pieces() -> Iterator[Piece]:
        yield from first
        for _ in itertools.count():
            yield TICK
            yield then

    return pieces


def byte_by_byte(*first: bytes, then: bytes) -> Callable[[], Iterator[Piece]]:
    """A body of some events, then one event, one byte per tick."""

    def pieces() -> Iterator[Piece]:
        yield from first
        for byte in then * 100:
            yield TICK
            yield bytes([byte])

    return pieces


def stream_of(body: Any) -> Response:
    return Response(headers=EVENT_STREAM, body=body)


def server_at(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/v1"


def check(error: Any, clock: str, seconds: float = SHORT) -> None:
    assert type(error) is RequestTimeoutError
    assert isinstance(error, TimeoutError)
    assert (error.clock, error.seconds) == (clock, seconds)
    assert f"{seconds:g} s" in str(error)
    assert f"timeout: {clock}" in str(error)
    assert error.attempts


# --- connect


def test_an_unanswered_connection_hits_the_connect_timeout(
    full_server: socket.socket, outcome: Callable[..., Any]
) -> None:
    with Client(api_base=server_at(full_server), timeout=clocks(connect=SHORT), max_retries=0) as client:
        error = outcome(client.stream("Hi", "m")).error
    check(error, "connect")
    assert error.partial is None
    assert str(full_server.getsockname()[1]) in str(error)


def test_a_stalled_tls_handshake_hits_the_connect_timeout(
    deaf_server: socket.socket, outcome: Callable[..., Any]
) -> None:
    with Client(api_base=server_at(deaf_server, "https"), timeout=clocks(connect=SHORT), max_retries=0) as client:
        check(outcome(client.stream("Hi", "m")).error, "connect")


def test_a_trickling_tls_handshake_hits_the_connect_timeout(
    raw_server: Callable[..., int], outcome: Callable[..., Any]
) -> None:
    def trickle(sock: socket.socket) -> None:
        for byte in b"\x16\x03\x03\x40\x00" + bytes(1000):  # the beginning of a long handshake record
            sock.sendall(bytes([byte]))
            threading.Event().wait(TICK)

    base = f"https://127.0.0.1:{raw_server(trickle)}/v1"
    with Client(api_base=base, timeout=clocks(connect=SHORT), max_retries=0) as client:
        check(outcome(client.stream("Hi", "m")).error, "connect")


def test_a_slow_name_resolution_hits_the_connect_timeout(
    monkeypatch: pytest.MonkeyPatch, outcome: Callable[..., Any]
) -> None:
    answered = threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        answered.wait(LONG)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Client(api_base="http://slow.invalid/v1", timeout=clocks(connect=SHORT), max_retries=0) as client:
        error = outcome(client.stream("Hi", "m")).error
    answered.set()
    check(error, "connect")


def test_an_unknown_host_is_reported_as_such(monkeypatch: pytest.MonkeyPatch, outcome: Callable[..., Any]) -> None:
    def look_up(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Client(api_base="http://nowhere.invalid/v1", timeout=clocks(), max_retries=0) as client:
        error = outcome(client.stream("Hi", "m")).error
    assert type(error) is TransportError
    assert "the name nowhere.invalid could not be resolved (DNS)" in str(error)


def addresses(*ports: int) -> Callable[..., Any]:
    """A resolver that returns loopback with these ports, in order."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
    return lambda *_, **__: found


def test_a_refusing_address_is_skipped_for_the_next(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()[1]
    alive = int(emulator.url.rpartition(":")[2])
    monkeypatch.setattr(socket, "getaddrinfo", addresses(refusing, alive))
    with Client(api_base="http://two.invalid/v1", timeout=clocks(), max_retries=0) as client:
        assert client.generate("Hi", "openai/gpt-oss-120b").text


def test_a_silent_address_takes_only_its_share_of_the_timeout(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator, full_server: socket.socket
) -> None:
    alive = int(emulator.url.rpartition(":")[2])
    monkeypatch.setattr(socket, "getaddrinfo", addresses(full_server.getsockname()[1], alive))
    with Client(api_base="http://two.invalid/v1", timeout=clocks(connect=1), max_retries=0) as client:
        assert client.generate("Hi", "openai/gpt-oss-120b").text


# --- first

NEVER_FIRST: dict[str, Response | str] = {
    "no head": "stall-before-headers",
    "half a head": "stall-in-headers",
    "a head that trickles": Response(headers=[("X-Filler", str(number)) for number in range(200)], header_pace=TICK),
    "a head and no body": "stall-after-headers",
    "comments": stream_of(ticking(then=COMMENT)),
    "empty lines": stream_of(ticking(then=b"\n")),
    "empty deltas": stream_of(ticking(then=EMPTY)),
    "the role": stream_of(ticking(ROLE, then=COMMENT)),
    "single bytes": stream_of(byte_by_byte(ROLE, then=b": a very long comment, " * 10)),
    "single bytes of white space": stream_of(byte_by_byte(then=b"  \n")),
    "single bytes of JSON": stream_of(byte_by_byte(then=b'{"choices": [{"message": {"content": "One"}}]}')),
    "single bytes of a page": stream_of(byte_by_byte(then=b"<html><head><title>Sorry</title></head>")),
    "compressed comments": Response(headers=EVENT_STREAM, body=ticking(then=COMMENT), encoding="gzip"),
}


@pytest.mark.parametrize("what", NEVER_FIRST)
def test_an_answer_that_does_not_start_hits_the_first_timeout(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any], what: str
) -> None:
    emulator.reply(NEVER_FIRST[what])
    result = outcome(make_client(max_retries=0, timeout=clocks(first=SHORT)).stream("Hi"))
    check(result.error, "first")
    assert not result.events
    assert result.partial is None
    emulator.wait_for_disconnect()


def test_an_endless_error_body_hits_the_first_timeout(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply(Response(500, body=ticking(then=b"x")))
    check(outcome(make_client(max_retries=0, timeout=clocks(first=SHORT)).stream("Hi")).error, "first")


def test_an_unread_upload_hits_the_first_timeout(deaf_server: socket.socket, outcome: Callable[..., Any]) -> None:
    with Client(api_base=server_at(deaf_server), timeout=clocks(first=SHORT), max_retries=0) as client:
        check(outcome(client.stream("x" * 20_000_000, "m")).error, "first")


def test_the_first_timeout_restarts_on_a_reused_connection(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    client = make_client(max_retries=0, timeout=clocks(first=SHORT))
    assert client.generate("Hi").text
    emulator.reply("stall-before-headers")
    check(outcome(client.stream("Hi")).error, "first")
    assert [request.connection for request in emulator.requests] == [1, 1]


def test_the_first_timeout_restarts_after_a_pause(make_client: Callable[..., Client], emulator: Emulator) -> None:
    """The pause between attempts may be longer than the timeout."""
    emulator.reply("empty-500", Response.text("Hello"))
    assert make_client(provider="novita", timeout=clocks(first=SHORT)).generate("Hi").text == "Hello"
    assert [request.connection for request in emulator.requests] == [1, 1]


# --- gap

NO_PROGRESS: dict[str, Response | str] = {
    "nothing": "stall-mid-stream",
    "comments": "keep-alive-comments-mid-stream",
    "empty lines": stream_of(ticking(WORD, then=b"\n")),
    "empty deltas": stream_of(ticking(WORD, then=EMPTY)),
    "usage": stream_of(ticking(WORD, then=b'data: {"choices":[],"usage":{"total_tokens":3}}\n\n')),
    "pings": stream_of(ticking(WORD, then=b"event: ping\ndata: now\n\n")),
    "single bytes": stream_of(byte_by_byte(WORD, then=b"data: " + b" " * 1000)),
    "compressed comments": Response(headers=EVENT_STREAM, body=ticking(WORD, then=COMMENT), encoding="gzip"),
}


@pytest.mark.parametrize("what", NO_PROGRESS)
def test_a_stalled_answer_hits_the_gap_timeout(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any], what: str
) -> None:
    emulator.reply(NO_PROGRESS[what])
    result = outcome(make_client(timeout=clocks(gap=SHORT)).stream("Hi"))
    check(result.error, "gap")
    assert result.text == result.partial.text
    assert result.text.startswith("One")
    assert f"after {len(result.text)} characters of text had arrived" in str(result.error)
    assert len(emulator.requests) == 1
    emulator.wait_for_disconnect()


def test_an_endless_body_after_done_without_finish_reason_hits_the_gap_timeout(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply(Response(headers=EVENT_STREAM, body=(WORD, b"data: [DONE]\n\n"), end="stall"))
    check(outcome(make_client(timeout=clocks(gap=SHORT)).stream("Hi")).error, "gap")


def test_a_stall_after_the_finish_reason_is_not_an_error(
    make_client: Callable[..., Client], emulator: Emulator
) -> None:
    emulator.reply(Response.text("One", done=False, end="stall"))
    assert make_client(timeout=clocks(gap=SHORT)).generate("Hi").finish_reason == "stop"


@pytest.mark.parametrize("clock", ["first", "gap"])
def test_a_slow_reader_does_not_hit_server_timeouts(
    make_client: Callable[..., Client], emulator: Emulator, clock: str
) -> None:
    gate = Gate()
    emulator.reply(
        Response.text("One", " two", " three"),
        stream_of([WORD, gate, WORD.replace(b"}}]", b'},"finish_reason":"stop"}]')]),
    )
    client = make_client(max_retries=0, timeout=clocks(**{clock: SHORT}))
    assert [threading.Event().wait(SHORT * 1.2) or text for text in client.stream("Hi")] == ["One", " two", " three"]
    seen = []
    for text in client.stream("Hi"):
        threading.Event().wait(SHORT * 1.2)
        gate.open()
        seen.append(text)
    assert seen == ["One", "One"]


# --- total


def test_an_endless_stream_hits_the_total_timeout(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply(stream_of(ticking(WORD, then=WORD)))
    result = outcome(make_client(timeout=clocks(total=SHORT)).stream("Hi"))
    check(result.error, "total")
    assert result.text == (result.partial.text if result.partial else "")  # a busy machine may get no text
    assert set(result.text.split("One")) == {""}
    emulator.wait_for_disconnect()


@pytest.mark.parametrize("what", ["no head", "comments", "a head that trickles"])
def test_the_total_timeout_overrides_longer_timeouts(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any], what: str
) -> None:
    emulator.reply(NEVER_FIRST[what])
    check(outcome(make_client(timeout=clocks(total=SHORT)).stream("Hi")).error, "total")


def test_the_total_timeout_covers_connecting(full_server: socket.socket, outcome: Callable[..., Any]) -> None:
    with Client(api_base=server_at(full_server), timeout=clocks(total=SHORT), max_retries=2) as client:
        check(outcome(client.stream("Hi", "m")).error, "total")


def test_the_total_timeout_covers_all_attempts_and_pauses(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.always("empty-500")
    client = make_client(provider="novita", max_retries=1000, timeout=clocks(total=0.5))
    error = outcome(client.stream("Hi")).error
    check(error, "total", 0.5)
    assert len(error.attempts) == len(emulator.requests) >= 2
    assert all(attempt.status == 500 for attempt in error.attempts)


def test_the_total_timeout_applies_in_the_second_attempt(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply("closed-before-headers", "stall-before-headers")
    client = make_client(provider="novita", timeout=clocks(total=0.6))
    error = outcome(client.stream("Hi")).error
    check(error, "total", 0.6)
    assert len(error.attempts) == 2


def test_a_retry_after_beyond_the_total_timeout_is_refused_at_once(
    make_client: Callable[..., Client], emulator: Emulator
) -> None:
    emulator.reply(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    with pytest.raises(RateLimitError, match="Not retried: the server asks for a wait of 30 s"):
        make_client(provider="novita", timeout=clocks(total=10)).generate("Hi")
    assert len(emulator.requests) == 1


def test_reader_time_counts_towards_the_total_timeout(
    make_client: Callable[..., Client], emulator: Emulator, outcome: Callable[..., Any]
) -> None:
    emulator.reply(stream_of(ticking(WORD, then=COMMENT)))
    stream = make_client(timeout=clocks(total=SHORT)).stream("Hi")
    events = stream.events()
    next(events)
    threading.Event().wait(SHORT)
    with pytest.raises(RequestTimeoutError) as caught:
        list(events)
    check(caught.value, "total")


def test_timeouts_start_with_the_first_read(make_client: Callable[..., Client], emulator: Emulator) -> None:
    stream = make_client(timeout=Timeouts(0.4, 0.4, 0.4, 0.4)).stream("Hi")
    threading.Event().wait(0.45)
    assert "".join(stream)


@pytest.mark.blocking_client
def test_concurrent_timeouts_need_no_thread_each(
    make_client: Callable[..., Client],
    emulator: Emulator,
    outcome: Callable[..., Any],
    in_thread: Callable[..., Future[Any]],
) -> None:
    emulator.always("stall-mid-stream")
    client = make_client(timeout=clocks(gap=0.5))
    before = set(threading.enumerate())
    futures = [in_thread(outcome, client.stream("Hi")) for _ in range(8)]
    emulator.wait_for_requests(8)
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert sum("emulator" not in name for name in names) <= len(futures)
    for future in futures:
        check(future.result(5).error, "gap", 0.5)


# --- Timeouts


@pytest.mark.parametrize("clock", ["connect", "first", "gap", "total"])
@pytest.mark.parametrize(
    "value", [0, -1, 0.0, -0.5, True, False, math.nan, math.inf, -math.inf, "5", [5], object], ids=str
)
def test_a_timeout_that_is_not_positive_is_refused_with_name_and_value(clock: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=f"timeout: {clock} must be a number") as caught:
        Timeouts(**{clock: value})
    assert repr(value)[:20] in str(caught.value)


@pytest.mark.parametrize("clock", ["connect", "first", "gap"])
def test_only_the_total_timeout_can_be_none(clock: str) -> None:
    assert Timeouts(total=None).total is None
    with pytest.raises(InvalidRequestError, match=f"timeout: {clock} .* not None"):
        Timeouts(**{clock: None})  # type: ignore[arg-type]


def test_a_single_number_sets_all_timeouts_but_total() -> None:
    assert Timeouts.of(7) == Timeouts(7, 7, 7, None)
    assert Timeouts(10, 120, 60, None) == DEFAULT
    with pytest.raises(InvalidRequestError, match=r"timeout must not be None; .* Timeouts\(total=None\)"):
        Timeouts.of(None)


@pytest.mark.parametrize("value", [0, True, "5", math.nan])
def test_an_invalid_single_timeout_is_refused_by_client_and_call(client: Client, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="timeout must be a number of seconds above 0"):
        Client("hf_x", timeout=value)
    with pytest.raises(InvalidRequestError, match="timeout must be a number of seconds above 0"):
        client.stream("Hi", timeout=value)


@pytest.mark.parametrize("value", [1e7, 1e12, 1e300, 10**30])
def test_a_timeout_can_be_practically_infinite(
    make_client: Callable[..., Client], emulator: Emulator, value: float
) -> None:
    client = make_client(timeout=Timeouts(value, value, value, value))
    emulator.reply("empty-500", Response.text("Hello", pace=0.01))
    assert client.generate("Hi").text == "Hello"
    assert client.generate("Hi").text
