"""Retries: what is retried, after which pause, and how often."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from math import inf
from typing import Any

import pytest

from hf_text import (
    APIStatusError,
    Client,
    HFTextError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    Stream,
    StreamCancelledError,
    Timeouts,
    TransportError,
    TruncatedStreamError,
)
from hf_text.emulator import Emulator, Response, fault
from hf_text.transport.retries import Retries
from hf_text.tuning import Tuning

pytestmark = pytest.mark.every_client

MakeClient = Callable[..., Client]


def next_pause(error: HFTextError, retry: int, time_left: float) -> float:
    """The pause before this retry of a call, counted from 1."""
    retries = Retries(retry, Tuning())
    for _ in range(retry - 1):
        retries.next_pause(ServerError(status_code=500), inf)
    return retries.next_pause(error, time_left)


HELLO = Response.text("Hello")


@pytest.fixture
def server() -> Iterator[Emulator]:
    """A server without providers: retries go to the same server."""
    with Emulator() as running:
        yield running


@pytest.fixture
def make(server: Emulator, make_client: MakeClient) -> MakeClient:
    """Create clients of that server."""

    def make(**options: Any) -> Client:
        return make_client(None, server.api_base, **options)

    return make


def busy(status: int = 429, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response.error(status, "Too busy", headers=named)


def in_hours(hours: float) -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(hours=hours), usegmt=True)


# --- what is retried


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, *range(520, 531), 599])
def test_a_transient_status_is_retried(server: Emulator, make: MakeClient, status: int) -> None:
    server.reply(busy(status), HELLO)
    completion = make().generate("Hi", "m")
    assert completion.text == "Hello"
    assert [attempt.status for attempt in completion.attempts] == [status, 200]
    assert len(server.requests) == 2
    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 413, 418, 422, 501, 505])
def test_a_permanent_status_is_not_retried(server: Emulator, make: MakeClient, status: int) -> None:
    server.reply(busy(status), HELLO)
    with pytest.raises(APIStatusError) as caught:
        make().generate("Hi", "m")
    assert caught.value.status_code == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html><h1>Conflict</h1>", b"conflict"])
def test_a_409_of_a_gateway_is_retried(server: Emulator, make: MakeClient, body: bytes) -> None:
    server.reply(Response(409, body=body), HELLO)
    assert make().generate("Hi", "m").text == "Hello"


REFUSED = Response.error(
    500, "image input is not supported - hint: you may need to provide the mmproj", type="server_error"
)
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(1000)


@pytest.mark.parametrize("status", [500, 503, 529])
def test_a_picture_refused_by_the_server_is_uploaded_only_once(server: Emulator, make: MakeClient, status: int) -> None:
    server.reply(replace(REFUSED, status=status), HELLO)
    with pytest.raises(ServerError, match="image input is not supported"):
        make().generate("What is this?", "m", media=PICTURE)
    assert len(server.requests) == 1


def test_a_refusal_inside_a_stream_is_not_retried(server: Emulator, make: MakeClient) -> None:
    server.reply(Response.json({"error": "image input is not supported"}), HELLO)
    with pytest.raises(HFTextError, match="image input is not supported"):
        make().generate("What is this?", "m", media=PICTURE)
    assert len(server.requests) == 1


def test_the_model_name_does_not_affect_retries(server: Emulator, make: MakeClient) -> None:
    server.reply(busy(500), HELLO)
    assert make().generate("Hi", "acme/unsupported-jinja-7b").text == "Hello"


@pytest.mark.parametrize("name", ["closed-before-headers", "reset-before-headers"])
def test_a_connection_lost_before_the_answer_is_retried(server: Emulator, make: MakeClient, name: str) -> None:
    server.reply(name, HELLO)
    completion = make().generate("Hi", "m")
    assert completion.text == "Hello"
    assert [attempt.status for attempt in completion.attempts] == [None, 200]
    assert "closed before a response" in str(completion.attempts[0].error)


EMPTY: dict[str, Any] = {
    "cut in the headers": "cut-in-headers",
    "no body": "empty-body",
    "only [DONE]": "done-only",
    "an error first": "error-first",
    "broken JSON": Response.sse("{", done=False),
}


@pytest.mark.parametrize("reply", EMPTY.values(), ids=EMPTY)
def test_an_answer_without_text_is_retried(server: Emulator, make: MakeClient, reply: Any) -> None:
    server.reply(reply, HELLO)
    completion = make().generate("Hi", "m")
    assert completion.text == "Hello"
    assert [attempt.status for attempt in completion.attempts] == [200, 200]


def test_a_bare_finish_reason_is_retried(server: Emulator, make: MakeClient) -> None:
    server.reply("no-text", Response.text("Hello"))
    completion = make().generate("Hi", "m")
    assert (completion.text, len(completion.attempts)) == ("Hello", 2)
    assert "an empty answer" in (completion.attempts[0].error or "")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_empty_answer_with_an_explanation_is_complete(server: Emulator, make: MakeClient, reason: str) -> None:
    """Hidden reasoning used up the length, or the content was filtered out."""
    server.reply(Response.text(finish=reason))
    completion = make().generate("Hi", "m")
    assert (completion.text, completion.finish_reason, completion.truncated) == ("", reason, True)
    assert len(completion.attempts) == 1


def test_a_refused_connection_is_reported_at_the_first_try(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError, match="connection refused") as caught:
        make_client(None, f"http://127.0.0.1:{port}/v1").generate("Hi", "m")
    (attempt,) = caught.value.attempts
    assert (attempt.provider, attempt.status) == (None, None)


def test_a_first_token_timeout_is_not_retried(server: Emulator, make: MakeClient) -> None:
    server.always("stall-before-headers")
    with pytest.raises(RequestTimeoutError) as caught:
        make(timeout=Timeouts(first=0.1)).generate("Hi", "m")
    assert len(server.requests) == len(caught.value.attempts) == 1


def test_a_stale_connection_does_not_count_as_an_attempt(server: Emulator, make: MakeClient) -> None:
    client = make(max_retries=0)
    client.models()
    for thread in server.drop_connections():
        thread.join(5)
    server.reply(HELLO)
    completion = client.generate("Hi", "m")
    assert (completion.text, len(completion.attempts)) == ("Hello", 1)
    assert server.connections == 2


# --- number of retries


@pytest.mark.parametrize("max_retries", [0, 1, 3])
@pytest.mark.parametrize("name", ["server-error", "closed-before-headers", "done-only"])
def test_retries_are_limited(server: Emulator, make: MakeClient, max_retries: int, name: str) -> None:
    server.always(name)
    with pytest.raises(HFTextError) as caught:
        make(max_retries=max_retries).generate("Hi", "m")
    assert len(server.requests) == len(caught.value.attempts) == max_retries + 1


def test_attempts_are_listed_in_order(server: Emulator, make: MakeClient) -> None:
    server.reply(replace(fault("server-error"), keep_alive=False), "closed-before-headers", "bad-key")
    with pytest.raises(APIStatusError) as caught:
        make().generate("Hi", "m")
    assert [(attempt.provider, attempt.status) for attempt in caught.value.attempts] == [
        ("together", 500),
        (None, None),
        (None, 401),
    ]
    assert all(attempt.error and attempt.seconds > 0 for attempt in caught.value.attempts)


def test_a_get_is_retried(server: Emulator, make: MakeClient) -> None:
    server.reply("server-error", "closed-before-headers", path="/v1/models")
    assert make().models()
    assert len(server.requests) == 3


# --- the server's Retry-After

SHORT: dict[str, dict[str, str]] = {
    "no seconds": {"Retry_After": "0"},
    "a fraction": {"Retry_After": "0.01"},
    "less than nothing": {"Retry_After": "-5"},
    "a date in the past": {"Retry_After": "Wed, 21 Oct 2015 07:28:00 GMT"},
    "a date in the past without GMT": {"Retry_After": "Wed, 21 Oct 2015 07:28:00 -0000"},
    "milliseconds": {"retry_after_ms": "1"},
    "milliseconds before seconds": {"retry_after_ms": "1", "Retry_After": "3600"},
    "a word": {"Retry_After": "soon"},
    "no number": {"Retry_After": "nan"},
    "infinity": {"Retry_After": "inf"},
    "an exponent": {"Retry_After": "1e9"},
    "nothing": {"Retry_After": ""},
    "an impossible date": {"Retry_After": "Wed, 99 Oct 9999999 07:28:00 GMT"},
    "too many digits": {"Retry_After": "9" * 40},
    "a limit that is not used up": {"RateLimit": '"api";r=5;t=300'},
    "a broken limit": {"RateLimit": "unlimited"},
}


@pytest.mark.parametrize("headers", SHORT.values(), ids=SHORT)
@pytest.mark.parametrize("status", [429, 503])
def test_a_short_or_invalid_retry_after_is_retried(
    server: Emulator, make: MakeClient, headers: dict[str, str], status: int
) -> None:
    server.reply(busy(status, **headers), HELLO)
    assert str(make().generate("Hi", "m")) == "Hello"


@pytest.mark.parametrize("asked", ["-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_in_the_past_is_ignored(server: Emulator, make: MakeClient, asked: str) -> None:
    server.reply(busy(Retry_After=asked))
    with pytest.raises(RateLimitError) as caught:
        make(max_retries=0).generate("Hi", "m")
    assert caught.value.retry_after == 0


LONG: dict[str, tuple[dict[str, str], float]] = {
    "seconds": ({"Retry_After": "61"}, 61),
    "very many seconds": ({"Retry_After": "999999999999999"}, 999999999999999),
    "milliseconds": ({"retry_after_ms": "60001"}, 60.001),
    "a used-up limit": ({"RateLimit": '"api";r=0;t=60'}, 61),
    "seconds before a limit": ({"Retry_After": "90", "RateLimit": '"api";r=0;t=1'}, 90),
}


@pytest.mark.parametrize(("headers", "seconds"), LONG.values(), ids=LONG)
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_of_over_a_minute_is_reported_instead(
    server: Emulator, make: MakeClient, headers: dict[str, str], seconds: float, status: int
) -> None:
    server.reply(busy(status, **headers), HELLO)
    with pytest.raises(APIStatusError, match=r"Too busy .* Not retried: the server asks for a wait of") as caught:
        make().generate("Hi", "m")
    assert f"wait of {seconds:g} s" in str(caught.value)
    assert caught.value.retry_after == seconds
    assert len(server.requests) == len(caught.value.attempts) == 1


def test_a_retry_after_date_is_converted_to_seconds(server: Emulator, make: MakeClient) -> None:
    server.reply(busy(Retry_After=in_hours(1)), HELLO)
    with pytest.raises(RateLimitError, match=r"asks for a wait of 3[56]\d\d(\.\d+)? s") as caught:
        make().generate("Hi", "m")
    assert caught.value.retry_after == pytest.approx(3600, abs=60)


def test_a_pause_longer_than_the_total_timeout_is_not_started(server: Emulator, make: MakeClient) -> None:
    server.reply(busy(Retry_After="30"), HELLO)
    with pytest.raises(RateLimitError, match="asks for a wait of 30 s"):
        make(timeout=Timeouts(total=20)).generate("Hi", "m")
    assert len(server.requests) == 1


def test_a_get_does_not_wait_for_long(server: Emulator, make: MakeClient) -> None:
    server.reply(busy(Retry_After="61"), path="/v1/models")
    with pytest.raises(RateLimitError, match="asks for a wait of 61 s"):
        make().models()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "headers", [{"Retry-After": "3600"}, {"retry-after-ms": "3600000"}, {"RateLimit": '"a";r=0;t=99'}]
)
def test_retry_after_on_a_success_is_ignored(server: Emulator, make: MakeClient, headers: dict[str, str]) -> None:
    """Together sends Retry-After with status 200."""
    server.reply(Response.text("Hello", headers=headers))
    assert str(make().generate("Hi", "m")) == "Hello"
    error = {"error": {"message": "Overloaded", "code": 503}}
    empty, broken = Response.sse(headers=headers), Response.sse(error, done=False, headers=headers)
    for reply in (empty, broken, Response.json(error, headers=headers)):
        server.reply(reply, HELLO)
        assert str(make().generate("Hi", "m")) == "Hello"


# --- the pause


@pytest.mark.parametrize(("retry", "longest"), [(1, 0.25), (2, 0.5), (3, 1), (5, 4), (6, 8), (7, 8), (5000, 8)])
def test_a_pause_grows_with_jitter_between_half_and_full(retry: int, longest: float) -> None:
    pauses = [next_pause(ServerError(status_code=500), retry, inf) for _ in range(300)]
    assert longest / 2 <= min(pauses) < longest * 0.6
    assert longest * 0.9 < max(pauses) <= longest


@pytest.mark.parametrize(("time_left", "most"), [(0.01, 0.01), (0.0, 0.0), (-1.0, 0.0)])
def test_a_back_off_pause_ends_with_the_total_timeout(time_left: float, most: float) -> None:
    assert next_pause(ServerError(status_code=500), 5, time_left) == most


@pytest.mark.parametrize("asked", [0.0, 1.5, 60.0])
def test_a_pause_respects_retry_after(asked: float) -> None:
    assert next_pause(RateLimitError(status_code=429, retry_after=asked), 1, 60.0) == asked


@pytest.mark.parametrize(("asked", "time_left"), [(60.1, inf), (5.0, 4.9)])
def test_a_pause_that_is_too_long_raises_the_original_error(asked: float, time_left: float) -> None:
    error = RateLimitError("Slow down.", status_code=429, retry_after=asked)
    with pytest.raises(
        RateLimitError, match=rf"^Slow down\. Not retried: the server asks for a wait of {asked:g} s\.$"
    ) as caught:
        next_pause(error, 1, time_left)
    assert caught.value is error


def test_the_total_timeout_ends_a_pause(server: Emulator, make: MakeClient) -> None:
    server.always("server-error")
    with pytest.raises(RequestTimeoutError) as caught:
        make(timeout=Timeouts(total=0.1), tuning=Tuning(first_pause=10.0)).generate("Hi", "m")
    assert caught.value.clock == "total"
    assert [attempt.status for attempt in caught.value.attempts] == [500]


@pytest.mark.parametrize("stop", [Stream.cancel, Stream.close])
def test_a_pause_ends_at_once_when_the_stream_is_stopped(
    server: Emulator, make: MakeClient, stop: Callable[[Stream], None]
) -> None:
    server.reply(busy(Retry_After="50"))
    stream = make().stream("Hi", "m")
    ended: list[StreamCancelledError] = []

    def read() -> None:
        with pytest.raises(StreamCancelledError) as caught:
            list(stream)
        ended.append(caught.value)

    thread = threading.Thread(target=read)
    thread.start()
    while not stream.partial.attempts and thread.is_alive():  # the attempt is recorded right before the pause
        thread.join(0.001)
    stop(stream)
    thread.join(5)
    assert not thread.is_alive()
    assert [attempt.status for attempt in ended[0].attempts] == [429]
    assert len(server.requests) == 1


def test_the_last_stream_error_is_raised(server: Emulator, make: MakeClient) -> None:
    server.reply("server-error", "done-only", "no-finish-no-done")
    with pytest.raises(TruncatedStreamError) as caught:
        make().generate("Hi", "m")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"
    assert [attempt.status for attempt in caught.value.attempts] == [500, 200, 200]
