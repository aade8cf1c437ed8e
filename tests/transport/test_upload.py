"""If a server answers before the whole body was sent, the answer is read and the rest of the body is not sent."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hf_text import BadRequestError, Client, HFTextError, ServerError, Timeouts, TransportError

MakeClient = Callable[..., Client]

BODY = "x" * 50_000_000
REFUSAL = (
    b'HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n{"error":"50 MB at most"}'
)
ANSWER = b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}'
FOUND = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)


def read_head(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    return data


def read_rest(sock: socket.socket, data: bytes) -> int:
    """Read the request to its end; returns the length of its body."""
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))[15:])
    size = len(body)
    while size < length and (piece := sock.recv(1 << 20)):
        size += len(piece)
    return size


@pytest.fixture
def hold() -> Iterator[Callable[[], object]]:
    """Let a server keep its connection open, without reading, until the test ends."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


@pytest.fixture(params=["http", "https"])
def serve(
    request: pytest.FixtureRequest,
    raw_server: Callable[..., int],
    certificate: tuple[str, str],
    make_client: MakeClient,
) -> Callable[..., Client]:
    """Create a client of a server that handles each connection with this function."""

    def make(handler: Callable[[Any], None], **options: Any) -> Client:
        def handle(sock: socket.socket) -> None:
            if request.param == "http":
                handler(sock)
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            with context.wrap_socket(sock, server_side=True) as wrapped:
                handler(wrapped)

        base = f"{request.param}://localhost:{raw_server(handle)}/v1"
        settings = {"max_retries": 0, "timeout": Timeouts(first=20), "verify": certificate[0], **options}
        return make_client("key-of-the-server", api_base=base, **settings)

    return make


def test_a_refusal_is_read_after_the_server_stops_reading(serve: Callable[..., Client], hold: Any) -> None:
    """Nginx answers at once and leaves the rest in its buffers."""

    def handle(sock: Any) -> None:
        read_head(sock)
        sock.sendall(REFUSAL)
        hold()

    with pytest.raises(BadRequestError, match="50 MB at most") as caught:
        serve(handle).generate(BODY, "m")
    assert caught.value.status_code == 413
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize("serve", ["http"], indirect=True)  # with TLS, the answer may be lost
def test_a_refusal_is_read_even_if_the_server_closes(serve: Callable[..., Client]) -> None:
    """The server resets the connection, because unread data remains."""

    def handle(sock: Any) -> None:
        read_head(sock)
        sock.sendall(REFUSAL)

    with pytest.raises(BadRequestError, match="50 MB at most"):
        serve(handle).generate(BODY, "m")


def test_interim_responses_and_session_tickets_do_not_stop_the_upload(serve: Callable[..., Client]) -> None:
    sizes = []

    def handle(sock: Any) -> None:
        data = read_head(sock)
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        sizes.append(read_rest(sock, data))
        sock.sendall(FOUND)

    assert serve(handle).generate(BODY, "m").text == "Hello"
    assert sizes[0] > len(BODY)


def test_an_early_answer_does_not_stop_the_upload(serve: Callable[..., Client]) -> None:
    sizes = []

    def handle(sock: Any) -> None:
        data = read_head(sock)
        sock.sendall(FOUND[:30])
        sizes.append(read_rest(sock, data))
        sock.sendall(FOUND[30:])

    assert serve(handle).generate(BODY, "m").text == "Hello"
    assert sizes[0] > len(BODY)


def test_a_connection_is_not_reused_after_a_refusal(serve: Callable[..., Client]) -> None:
    """The server would treat the next request as the rest of the first."""
    heads = []

    def handle(sock: Any) -> None:
        while True:
            data = read_head(sock)
            heads.append(data)
            if len(heads) > 1:
                read_rest(sock, data)
                sock.sendall(FOUND)
                return
            sock.sendall(REFUSAL)
            sock.settimeout(20)
            while sock.recv(1 << 20):
                pass
            return

    client = serve(handle)
    with pytest.raises(BadRequestError):
        client.generate(BODY, "m")
    assert client.generate("Hi", "m").text == "Hello"
    assert len(heads) == 2


def test_a_server_that_closes_silently_is_an_error_at_once(serve: Callable[..., Client]) -> None:
    def handle(sock: Any) -> None:
        read_head(sock)

    with pytest.raises(TransportError, match="closed before a response"):
        serve(handle).generate(BODY, "m")


def test_a_server_that_reads_nothing_is_waited_for_until_the_timeout(serve: Callable[..., Client], hold: Any) -> None:
    def handle(sock: Any) -> None:
        read_head(sock)
        hold()

    with pytest.raises(HFTextError, match="timeout: first"):
        serve(handle, timeout=Timeouts(first=0.2)).generate(BODY, "m")


def test_an_upload_can_be_cancelled(
    serve: Callable[..., Client], hold: Any, in_thread: Any, wait_until_inside: Any
) -> None:
    def handle(sock: Any) -> None:
        read_head(sock)
        hold()

    stream = serve(handle).stream(BODY, "m")
    reading = in_thread(lambda: list(stream))
    wait_until_inside(reading.ident, "upload")
    stream.cancel()
    with pytest.raises(HFTextError, match="cancelled"):
        reading.result(10)


def test_a_server_error_is_read(serve: Callable[..., Client], hold: Any) -> None:
    def handle(sock: Any) -> None:
        read_head(sock)
        sock.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
        hold()

    with pytest.raises(ServerError, match="busy"):
        serve(handle).generate(BODY, "m")
