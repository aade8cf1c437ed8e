"""What follows the first response on a kept-alive connection, plain and over TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from hf_text import Client, StreamCancelledError
from hf_text.emulator import Emulator, Response

pytestmark = pytest.mark.every_client

InThread = Callable[..., Future[Any]]

HELLO = Response.text("Hello")


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
    return make_client(hub_url=server.url, router_url=server.url, verify=certificate[0], provider="novita", timeout=30)


def test_a_kept_connection_serves_every_answer(client: Client, server: Emulator) -> None:
    server.always(HELLO)
    assert [client.generate(prompt).text for prompt in ("Hi", "Oh", "x" * 20_000, "Hi")] == ["Hello"] * 4
    assert server.connections == 1


def test_a_stale_connection_does_not_count_as_an_attempt(client: Client, server: Emulator) -> None:
    server.always(HELLO)
    client.generate("Hi")
    for thread in server.drop_connections():
        thread.join(5)
    completion = client.generate("Hi")
    assert (completion.text, len(completion.attempts)) == ("Hello", 1)
    assert server.connections == 2


def test_a_connection_closed_as_the_request_arrives_does_not_count_as_an_attempt(
    client: Client, server: Emulator
) -> None:
    server.reply(HELLO, "closed-before-headers", HELLO)
    client.generate("Hi")
    completion = client.generate("Hi")
    assert (completion.text, len(completion.attempts), len(server.requests)) == ("Hello", 1, 3)


def test_cancelling_a_resent_request_closes_the_connection(
    client: Client, server: Emulator, in_thread: InThread
) -> None:
    server.reply(HELLO, "stall-before-headers", HELLO)
    client.generate("Hi")
    stream = client.stream("Hi")
    reading = in_thread(list, stream)
    server.wait_for_requests(2)
    stream.cancel()
    with pytest.raises(StreamCancelledError):
        reading.result(5)
    server.wait_for_disconnect()
    assert client.generate("Hi").text == "Hello"
    assert server.connections == 2


def test_headers_of_one_request_are_not_sent_with_the_next(client: Client, server: Emulator) -> None:
    server.always(HELLO)
    for headers in ({"X-Note": "a"}, {}, {"X-Note": "b"}, {"X-Note": "a"}):
        client.generate("Hi", extra_headers=headers)
    assert [request.headers.get("X-Note") for request in server.requests] == ["a", None, "b", "a"]
    assert server.connections == 1
