"""Stopping a stream: from another thread at every stage, from a signal handler, inside the loop, by leaving it."""

from __future__ import annotations

import gc
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from hf_text import Client, FinishReason, InvalidRequestError, Stream, StreamCancelledError
from hf_text.emulator import Emulator, Gate, Response

pytestmark = pytest.mark.every_client

Outcome = Callable[[Stream], Any]
InThread = Callable[..., Future[Any]]
WaitUntilInside = Callable[[int, str], None]

stops = pytest.mark.parametrize("stop", [Stream.cancel, Stream.close], ids=["cancel", "close"])
signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals for threads")


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Emulator]:
    """The emulator, without and with TLS."""
    if request.param == "http":
        yield emulator
        return
    with Emulator(tls=request.getfixturevalue("certificate")) as secured:
        yield secured


@pytest.fixture
def client(server: Emulator, make_client: Callable[..., Client], certificate: tuple[str, str]) -> Client:
    # Its timeouts exceed any test: if only a timeout ends the stream, the stop failed.
    return make_client(hub_url=server.url, router_url=server.url, verify=certificate[0], provider="novita", timeout=30)


@pytest.fixture
def interrupting(in_thread: InThread, wait_until_inside: WaitUntilInside) -> Callable[..., Any]:
    """Run an action from a signal handler of this thread, once the thread is inside a function."""

    @contextmanager
    def interrupting(action: Callable[[], Any], function: str = "receive") -> Iterator[None]:
        main, handled = threading.get_ident(), threading.Event()

        def send() -> None:
            wait_until_inside(main, function)
            while not handled.wait(0.01):  # a signal right before a system call does not wake it
                signal.pthread_kill(main, signal.SIGUSR1)

        def handle(*_: Any) -> None:
            if not handled.is_set():
                handled.set()
                action()

        old = signal.signal(signal.SIGUSR1, handle)
        try:
            sending = in_thread(send)
            yield
        finally:
            sending.result(5)
            signal.signal(signal.SIGUSR1, old)

    return interrupting


def interrupt() -> None:
    raise KeyboardInterrupt


def check_cancelled(result: Any, text: str = "") -> None:
    """The yielded text is all that arrived, and the error holds it too."""
    assert type(result.error) is StreamCancelledError
    assert result.text == result.partial.text == text
    assert result.partial.finish_reason is None


# --- From another thread, at every stage


@stops
def test_stopping_releases_a_reader_that_resolves_a_name(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, in_thread: InThread, stop: Callable[[Stream], None]
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def look_up(*_: Any, **__: Any) -> Any:
        asked.set()
        answered.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Client(api_base="http://slow.invalid/v1") as client:
        stream = client.stream("Hi", "m")
        reading = in_thread(outcome, stream)
        assert asked.wait(5)
        stop(stream)
        result = reading.result(5)
    answered.set()
    check_cancelled(result)
    assert result.error.attempts


@stops
def test_stopping_releases_a_reader_that_connects(
    full_server: socket.socket,
    outcome: Outcome,
    in_thread: InThread,
    wait_until_inside: WaitUntilInside,
    stop: Callable[[Stream], None],
) -> None:
    with Client(api_base=f"http://127.0.0.1:{full_server.getsockname()[1]}/v1") as client:
        stream = client.stream("Hi", "m")
        reading = in_thread(outcome, stream)
        wait_until_inside(reading.ident, "wait_for_write")  # type: ignore[attr-defined]
        stop(stream)
        check_cancelled(reading.result(5))


@stops
def test_stopping_releases_a_reader_in_the_tls_handshake(
    deaf_server: socket.socket, outcome: Outcome, in_thread: InThread, stop: Callable[[Stream], None]
) -> None:
    with Client(api_base=f"https://127.0.0.1:{deaf_server.getsockname()[1]}/v1") as client:
        stream = client.stream("Hi", "m")
        reading = in_thread(outcome, stream)
        sock, _ = deaf_server.accept()
        with sock:
            assert sock.recv(1)  # the handshake has begun
            stop(stream)
            check_cancelled(reading.result(5))


@stops
def test_stopping_releases_a_reader_that_uploads(
    deaf_server: socket.socket, outcome: Outcome, in_thread: InThread, stop: Callable[[Stream], None]
) -> None:
    with Client(api_base=f"http://127.0.0.1:{deaf_server.getsockname()[1]}/v1") as client:
        stream = client.stream("x" * 20_000_000, "m")
        reading = in_thread(outcome, stream)
        sock, _ = deaf_server.accept()
        with sock:
            while b"x" * 100 not in sock.recv(65536):  # afterwards the upload has begun
                pass
            stop(stream)
            check_cancelled(reading.result(5))


@stops
@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-in-headers", "stall-after-headers"])
def test_stopping_releases_a_reader_that_waits_for_the_answer(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    in_thread: InThread,
    wait_until_inside: WaitUntilInside,
    fault: str,
    stop: Callable[[Stream], None],
) -> None:
    server.reply(fault)
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    server.wait_for_requests(1)
    wait_until_inside(reading.ident, "receive")  # type: ignore[attr-defined]
    stop(stream)
    check_cancelled(reading.result(5))
    server.wait_for_disconnect()
    assert len(server.requests) == 1


@pytest.mark.blocking_client
@stops
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_stopping_releases_a_reader_mid_answer(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    in_thread: InThread,
    wait_until: Callable[[Callable[[], Any]], None],
    encoding: Any,
    stop: Callable[[Stream], None],
) -> None:
    server.reply(Response.text("One", " two", finish=None, done=False, end="stall", encoding=encoding))
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    wait_until(lambda: stream.partial.text == "One two")
    stop(stream)
    check_cancelled(reading.result(5), "One two")
    server.wait_for_disconnect()


@stops
def test_stopping_releases_a_reader_in_a_retry_pause(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    in_thread: InThread,
    wait_until_inside: WaitUntilInside,
    stop: Callable[[Stream], None],
) -> None:
    server.reply(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    wait_until_inside(reading.ident, "pause")  # type: ignore[attr-defined]
    stop(stream)
    result = reading.result(5)
    check_cancelled(result)
    assert [attempt.status for attempt in result.error.attempts] == [429]


def test_stopping_releases_the_reader_before_more_data_arrives(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    in_thread: InThread,
    wait_until: Callable[[Callable[[], Any]], None],
    wait_until_inside: WaitUntilInside,
) -> None:
    gate = Gate()
    one = b'data: {"choices":[{"delta":{"content":"One"}}]}\n\n'
    server.reply(Response.sse('{"choices":[{"delta":{"content":"One"}}]}', done=False))
    server.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(one, gate, b"data: [DONE]\n\n")))
    outcome(client.stream("Hi"))
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    assert gate.reached.wait(5)
    wait_until(lambda: stream.partial.text == "One")
    wait_until_inside(reading.ident, "receive")  # type: ignore[attr-defined]
    stream.cancel()
    check_cancelled(reading.result(5), "One")
    assert not gate.is_open


# --- More than once, too early, too late


def test_a_second_stop_does_nothing(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    in_thread: InThread,
    wait_until: Callable[[Callable[[], Any]], None],
    wait_until_inside: WaitUntilInside,
) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    wait_until(lambda: stream.partial.text == "One two")
    wait_until_inside(reading.ident, "receive")  # type: ignore[attr-defined]
    for _ in range(3):
        stream.cancel()
        stream.close()
    assert type(reading.result(5).error) is StreamCancelledError
    stream.cancel()
    server.wait_for_disconnect()


def test_a_second_stop_in_a_pause_does_nothing(
    client: Client, server: Emulator, outcome: Outcome, in_thread: InThread, wait_until_inside: WaitUntilInside
) -> None:
    server.reply(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    wait_until_inside(reading.ident, "pause")  # type: ignore[attr-defined]
    stopping = [in_thread(stream.cancel) for _ in range(2)]
    for stopped in stopping:
        stopped.result(5)
    stream.cancel()
    check_cancelled(reading.result(5))
    assert len(server.requests) == 1


def test_many_threads_can_stop_concurrently(
    client: Client, server: Emulator, outcome: Outcome, in_thread: InThread
) -> None:
    server.always("stall-mid-stream")
    for number in range(1, 11):
        stream = client.stream("Hi")
        reading = in_thread(outcome, stream)
        server.wait_for_requests(number)
        barrier = threading.Barrier(4)
        stoppers = [in_thread(lambda b=barrier, s=stream: (b.wait(5), s.cancel())) for _ in range(4)]
        for stopper in stoppers:
            stopper.result(5)
        assert type(reading.result(5).error) is StreamCancelledError


@stops
def test_a_stop_after_the_end_does_nothing(
    client: Client, server: Emulator, outcome: Outcome, stop: Callable[[Stream], None]
) -> None:
    stream = client.stream("Hi")
    whole = outcome(stream)
    stop(stream)
    assert whole.error is None
    assert stream.completion.text == whole.text
    assert stream.completion.finish_reason == "stop"
    assert stream.read() == []
    assert client.generate("Hi").text
    assert [request.connection for request in server.requests] == [1, 1]


def test_a_stream_cancelled_before_the_first_read_sends_nothing_and_raises(
    client: Client, server: Emulator, outcome: Outcome
) -> None:
    stream = client.stream("Hi")
    stream.cancel()
    check_cancelled(outcome(stream))
    assert server.connections == 0


def test_a_stream_closed_before_the_first_read_sends_nothing_and_is_empty(client: Client, server: Emulator) -> None:
    stream = client.stream("Hi")
    stream.close()
    assert list(stream) == []
    assert server.connections == 0


def test_a_stream_that_is_never_read_sends_nothing(client: Client, server: Emulator) -> None:
    with client.stream("Hi"):
        pass
    client.stream("Hi")
    assert server.connections == 0


def test_a_stop_between_two_reads_reaches_the_reader(client: Client, server: Emulator, in_thread: InThread) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    first = stream.read()
    in_thread(stream.close).result(5)
    server.wait_for_disconnect()
    with pytest.raises(StreamCancelledError) as caught:
        stream.read()
    assert caught.value.partial is not None
    assert caught.value.partial.text.startswith("".join(map(str, first)))


def test_a_stop_inside_a_list_of_events_ends_the_loop_at_once(
    client: Client, server: Emulator, in_thread: InThread
) -> None:
    """Text that has arrived but was not yielded yet is dropped."""
    server.reply(Response(headers={"Content-Type": "text/event-stream"}, body=b"".join(Response.text(*"abcdef").body)))  # type: ignore[arg-type]
    stream = client.stream("Hi")
    texts = iter(stream)
    assert next(texts) == "a"
    in_thread(stream.cancel).result(5)
    with pytest.raises(StreamCancelledError):
        next(texts)


# --- Inside the loop


def test_cancel_inside_the_loop_raises(client: Client, server: Emulator) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    texts = iter(stream)
    next(texts)
    stream.cancel()
    with pytest.raises(StreamCancelledError) as caught:
        next(texts)
    assert caught.value.partial is not None
    server.wait_for_disconnect()


def test_close_inside_the_loop_ends_it_quietly(client: Client, server: Emulator) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    seen = []
    for text in stream:
        seen.append(text)
        stream.close()
    assert seen == ["One"]
    server.wait_for_disconnect()


def leave_by_break(stream: Stream) -> None:
    for _ in stream:
        break


def leave_by_break_from_events(stream: Stream) -> None:
    for _ in stream.events():
        break


def leave_by_with(stream: Stream) -> None:
    with stream:
        stream.read()


def leave_by_an_exception(stream: Stream) -> None:
    def fail() -> None:
        for _ in stream:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def leave_by_return(stream: Stream) -> None:
    def first() -> str:
        for text in stream:
            return text
        return ""

    assert first() == "One"


def leave_by_forgetting_the_iterator(stream: Stream) -> None:
    iterator = iter(stream)
    next(iterator)
    del iterator


@pytest.mark.parametrize(
    "leave",
    [
        leave_by_break,
        leave_by_break_from_events,
        leave_by_with,
        leave_by_an_exception,
        leave_by_return,
        leave_by_forgetting_the_iterator,
    ],
)
def test_leaving_the_loop_closes_the_connection(
    client: Client, server: Emulator, leave: Callable[[Stream], None]
) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    leave(stream)
    server.wait_for_disconnect()
    assert stream.partial.text.startswith("One")
    assert "the reader stopped" in (stream.partial.attempts[0].error or "")


def test_a_garbage_collected_stream_closes_its_connection(client: Client, server: Emulator) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    stream.read()
    del stream
    server.wait_for_disconnect()


# The collector finalizes a cycle in any order, possibly the socket first, which then warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stream_in_a_reference_cycle_closes_its_connection_when_collected(client: Client, server: Emulator) -> None:
    server.reply("stall-mid-stream")
    stream = client.stream("Hi")
    stream.read()
    circle = [stream]
    circle.append(circle)  # type: ignore[arg-type]
    del stream, circle
    gc.collect()
    server.wait_for_disconnect()


def test_closing_the_client_does_not_end_an_open_stream(client: Client, server: Emulator) -> None:
    gate = Gate()
    first, *rest = Response.text("One", " two").body  # type: ignore[misc]
    server.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(first, rest[0], gate, *rest[1:])))
    stream = client.stream("Hi")
    texts = iter(stream)
    assert next(texts) == "One"
    client.close()
    gate.open()
    assert list(texts) == [" two"]
    assert client.generate("Hi").text


# --- Two readers


def test_a_concurrent_reader_is_refused_and_the_first_continues(
    client: Client, server: Emulator, outcome: Outcome, in_thread: InThread
) -> None:
    gate = Gate()
    server.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(gate, *Response.text("One").body)))  # type: ignore[misc]
    stream = client.stream("Hi")
    reading = in_thread(outcome, stream)
    assert gate.reached.wait(5)
    with pytest.raises(InvalidRequestError, match="already being read"):
        stream.read()
    with pytest.raises(InvalidRequestError, match="only once"):
        list(stream)
    gate.open()
    result = reading.result(5)
    assert (result.text, result.error) == ("One", None)


# --- Signals


@signals
@stops
@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream", "keep-alive-comments-mid-stream"])
def test_a_signal_handler_can_stop_the_interrupted_stream(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    interrupting: Callable[..., Any],
    fault: str,
    stop: Callable[[Stream], None],
) -> None:
    server.reply(fault)
    stream = client.stream("Hi")
    with interrupting(lambda: stop(stream)):
        result = outcome(stream)
    assert type(result.error) is StreamCancelledError
    assert result.partial.text == result.text
    server.wait_for_disconnect()


@signals
@stops
def test_a_signal_handler_can_stop_the_interrupted_pause(
    client: Client,
    server: Emulator,
    outcome: Outcome,
    interrupting: Callable[..., Any],
    stop: Callable[[Stream], None],
) -> None:
    server.reply(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    stream = client.stream("Hi")
    with interrupting(lambda: stop(stream), "pause"):
        check_cancelled(outcome(stream))


@signals
def test_a_signal_handler_can_stop_an_interrupted_pause_repeatedly(
    client: Client, server: Emulator, outcome: Outcome, interrupting: Callable[..., Any], in_thread: InThread
) -> None:
    server.reply(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    stream = client.stream("Hi")

    def stop() -> None:
        stream.cancel()
        in_thread(stream.cancel).result(5)
        stream.cancel()

    with interrupting(stop, "pause"):
        check_cancelled(outcome(stream))
    assert len(server.requests) == 1


@signals
def test_a_signal_handler_can_stop_during_a_stop(
    client: Client, server: Emulator, outcome: Outcome, in_thread: InThread, wait_until_inside: WaitUntilInside
) -> None:
    """The handler runs before each line of the first stop, including lines that hold a lock."""
    server.always(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    stream = client.stream("Hi")
    old = signal.signal(signal.SIGUSR1, lambda *_: stream.cancel())
    lines = passed = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal passed
        if frame.f_globals["__name__"].startswith("hf_text.") and event == "line":
            passed += 1
            if passed == lines:
                signal.raise_signal(signal.SIGUSR1)
        return trace

    try:
        while passed >= lines:  # until the stop has no such line
            lines, passed = lines + 1, 0
            stream = client.stream("Hi")
            reading = in_thread(outcome, stream)
            wait_until_inside(reading.ident, "pause")  # type: ignore[attr-defined]
            sys.settrace(trace)
            try:
                stream.cancel()
            finally:
                sys.settrace(None)
            check_cancelled(reading.result(5))
    finally:
        signal.signal(signal.SIGUSR1, old)
    assert lines > 5


@signals
@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream"])
def test_ctrl_c_propagates_and_closes_the_connection(
    client: Client, server: Emulator, interrupting: Callable[..., Any], fault: str
) -> None:
    server.reply(fault)
    stream = client.stream("Hi")
    with interrupting(interrupt), pytest.raises(KeyboardInterrupt):
        list(stream)
    server.wait_for_disconnect()
    assert stream.read() == []
    assert client.generate("Hi").text


@signals
def test_ctrl_c_in_generate_closes_the_connection(
    client: Client, server: Emulator, interrupting: Callable[..., Any]
) -> None:
    server.reply("stall-mid-stream")
    with interrupting(interrupt), pytest.raises(KeyboardInterrupt):
        client.generate("Hi")
    server.wait_for_disconnect()


@signals
def test_ctrl_c_in_a_pause_ends_the_call(client: Client, server: Emulator, interrupting: Callable[..., Any]) -> None:
    server.reply(Response.error(429, "slow down", headers={"Retry-After": "30"}))
    with interrupting(interrupt, "pause"), pytest.raises(KeyboardInterrupt):
        client.generate("Hi")
    assert len(server.requests) == 1


# CPython's SSLSocket._create() leaves a socket to the collector if it is shut down before the handshake.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
@signals
def test_a_signal_handler_can_stop_a_stream_at_any_moment(client: Client, server: Emulator, outcome: Outcome) -> None:
    """The handler runs between any two steps of the interrupted code, including steps that hold a lock."""
    source = random.Random(7)
    server.always(Response.text("One", " two"))
    stream = client.stream("Hi")
    old = signal.signal(signal.SIGALRM, lambda *_: stream.cancel())
    try:
        for _ in range(100):
            stream = client.stream("Hi")
            signal.setitimer(signal.ITIMER_REAL, source.uniform(0.00005, 0.004))
            result = outcome(stream)
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert result.error is None or type(result.error) is StreamCancelledError
            assert result.text == stream.partial.text[: len(result.text)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert client.generate("Hi").text == "One two"


# --- The connection afterwards


def test_a_stop_near_the_end_of_an_answer_never_affects_the_next_on_its_connection(
    client: Client, server: Emulator, outcome: Outcome, in_thread: InThread
) -> None:
    source = random.Random(3)
    server.always(Response.text("One", " two"))
    turns: list[tuple[Stream, threading.Event] | None] = []
    handed = threading.Semaphore(0)

    def cancel_each() -> None:
        while True:
            handed.acquire()
            turn = turns.pop()
            if turn is None:
                return
            turn[1].wait(5)
            for _ in range(source.randrange(400)):
                pass
            turn[0].cancel()

    cancelling = in_thread(cancel_each)
    for number in range(300):
        before = number % 2 == 0  # stopped after the last text; otherwise after the end, during the next call
        stream, near_the_end = client.stream("Hi"), threading.Event()
        turns.append((stream, near_the_end))
        handed.release()
        whole = False
        try:
            for text in stream:
                if before and text == " two":
                    near_the_end.set()
            whole = True
        except StreamCancelledError:
            assert before
        near_the_end.set()
        answer = outcome(client.stream("Hi"))
        assert (answer.text, answer.error) == ("One two", None)
        first, second = (request.connection for request in server.requests[-2:])
        assert first == second or not whole  # a closed connection would be replaced silently
    turns.append(None)
    handed.release()
    cancelling.result(5)


def test_a_stop_after_the_last_event_never_affects_the_next_on_its_connection(
    client: Client, server: Emulator, outcome: Outcome, in_thread: InThread
) -> None:
    gate = Gate()
    server.reply(Response.text("One"), Response.text("Two", delay=gate))
    stream = client.stream("Hi")
    while not any(isinstance(event, FinishReason) for event in stream.read()):
        pass
    reading = in_thread(outcome, client.stream("Hi"))
    assert gate.reached.wait(5)
    stream.cancel()
    gate.open()
    assert reading.result(5).text == "Two"
    assert [request.connection for request in server.requests] == [1, 1]


def test_an_abandoned_stream_takes_no_connection_from_others(client: Client, server: Emulator) -> None:
    server.reply(Response.text("One"), "stall-mid-stream", Response.text("One"), Response.text("One"))
    assert client.generate("Hi").text
    for _ in client.stream("Hi"):
        break
    assert client.generate("Hi").text
    assert client.generate("Hi").text
    assert [request.connection for request in server.requests] == [1, 1, 2, 2]
