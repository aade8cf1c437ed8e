"""TLS and proxies: trust, failures in between, and that key protection and timeouts apply there too."""

from __future__ import annotations

import base64
import os
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import anyio
import pytest
from urllib3.util.ssl_ import create_urllib3_context

from hf_text import (
    BadRequestError,
    Client,
    InvalidRequestError,
    RequestTimeoutError,
    StreamCancelledError,
    Timeouts,
    TransportError,
    TruncatedStreamError,
)
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Gate, Response
from hf_text.transport import tls

KEY = "hf_MadeUpKeyForTests"
FOLDER = Path(__file__).parents[1] / "emulator"
OTHER_CERTIFICATE = (str(FOLDER / "certificate.pem"), str(FOLDER / "key.pem"))

Outcome = Callable[..., Any]
MakeClient = Callable[..., Client]


@pytest.fixture
def secured(certificate: tuple[str, str]) -> Iterator[Emulator]:
    """An emulator that serves https."""
    with Emulator(tls=certificate) as running:
        yield running


@pytest.fixture
def trusting(make_client: MakeClient, secured: Emulator, certificate: tuple[str, str]) -> Client:
    """A client that trusts it."""
    return make_client(hub_url=secured.url, router_url=secured.url, verify=certificate[0], max_retries=0)


# --- TLS


def test_a_bundle_with_the_certificate_makes_it_trusted(trusting: Client, secured: Emulator) -> None:
    assert trusting.generate("Hi").text
    assert trusting.generate("Hi").text
    assert [request.connection for request in secured.requests] == [1, 1]


def test_a_folder_of_certificates_is_a_bundle(
    make_client: MakeClient, secured: Emulator, certificate: tuple[str, str], tmp_path: Path
) -> None:
    command = ["openssl", "x509", "-noout", "-hash", "-in", certificate[0]]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(Path(certificate[0]).read_bytes())
    client = make_client(hub_url=secured.url, router_url=secured.url, verify=tmp_path, max_retries=0)
    assert client.generate("Hi").text


def test_a_bundle_named_by_the_environment_is_used(
    make_client: MakeClient, secured: Emulator, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate[0])
    assert make_client(hub_url=secured.url, router_url=secured.url).generate("Hi").text


def test_a_self_signed_certificate_is_refused_with_advice(
    make_client: MakeClient, secured: Emulator, outcome: Outcome
) -> None:
    error = outcome(make_client(hub_url=secured.url, router_url=secured.url).stream("Hi")).error
    assert type(error) is TransportError
    assert "its TLS certificate is not trusted (self" in str(error)
    assert "pass verify='/path/to/ca.pem'" in str(error)
    assert len(error.attempts) == 1
    assert secured.requests == []


def test_a_certificate_for_another_name_is_refused(
    secured: Emulator, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(secured.url.rpartition(":")[2])))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [here])
    client = Client(api_base="https://another.invalid/v1", verify=certificate[0], max_retries=0)
    with pytest.raises(TransportError, match=r"is not trusted \(Hostname mismatch.*another\.invalid"):
        client.generate("Hi", "m")


def test_without_verification_any_certificate_is_accepted_silently(make_client: MakeClient, secured: Emulator) -> None:
    """urllib3 would warn at each request; here warnings are errors."""
    client = make_client(hub_url=secured.url, router_url=secured.url, verify=False)
    assert client.generate("Hi").text


def test_a_bundle_without_a_certificate_is_reported_as_such(
    make_client: MakeClient, secured: Emulator, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("nothing")
    client = make_client(hub_url=secured.url, router_url=secured.url, verify=str(bundle), max_retries=0)
    with pytest.raises(InvalidRequestError, match=r"verify: the CA bundle .*bundle.pem"):
        client.generate("Hi")


def test_http_to_a_tls_port_says_what_may_be_wrong(secured: Emulator) -> None:
    client = Client(api_base=secured.url.replace("https", "http") + "/v1", max_retries=0)
    with pytest.raises(TransportError, match=secured.url.partition("//")[2]):
        client.generate("Hi", "m")


def speaks_tls(certificate: tuple[str, str]) -> Callable[[socket.socket], None]:
    """A server that uses Python's ssl module."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def handshake(sock: socket.socket) -> None:
        with suppress(OSError):
            context.wrap_socket(sock, server_side=True).close()

    return handshake


def sends_an_alert(sock: socket.socket) -> None:
    while not sock.recv(65536).endswith(b"}"):  # otherwise the system resets the connection
        pass
    sock.sendall(b"\x15\x03\x01\x00\x02\x02\x46")


def test_plain_http_to_a_tls_server_is_distinguished_from_a_dead_host(
    raw_server: Callable[..., int], certificate: tuple[str, str]
) -> None:
    for serve, words in (
        (speaks_tls(certificate), "If the server speaks TLS, its address begins with https://"),
        (sends_an_alert, "it speaks TLS; should the address begin with https:// ?"),
    ):
        client = Client(api_base=f"http://127.0.0.1:{raw_server(serve)}/v1", max_retries=0)
        with pytest.raises(TransportError) as caught:
            client.generate("Hi", "m")
        assert str(caught.value).endswith(words)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(TransportError, match=r"connection refused\. Is the server running") as caught:
        Client(api_base=f"http://127.0.0.1:{port}/v1", max_retries=0).generate("Hi", "m")
    assert "TLS" not in str(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        "<html><h1>400 Bad Request</h1><center>The plain HTTP request was sent to HTTPS port</center></html>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "<h1>Bad Request</h1><p>Reason: You're speaking plain HTTP to an SSL-enabled server port.</p>",
    ],
    ids=["nginx", "Go", "Apache"],
)
def test_an_html_page_about_plain_http_on_a_tls_port_is_recognised(emulator: Emulator, page: str) -> None:
    advice = "This port speaks TLS: the address begins with https://"
    emulator.reply(Response(400, body=page.encode()), Response(400, body=b"another page"))
    client = Client(api_base=f"{emulator.url}/v1", router_url="http://localhost:9", max_retries=0)
    with pytest.raises(BadRequestError) as caught:
        client.generate("Hi", "m")
    assert str(caught.value).endswith(advice)
    with pytest.raises(BadRequestError) as caught:
        client.generate("Hi", "m")
    assert advice not in str(caught.value)


def closes(sock: socket.socket) -> None:
    sock.recv(65536)


def test_https_to_a_server_without_tls_is_distinguished_from_a_dead_host(
    raw_server: Callable[..., int], emulator: Emulator
) -> None:
    advice = "If the server does not speak TLS, its address begins with http://"
    client = Client(api_base=f"https://127.0.0.1:{raw_server(closes)}/v1", max_retries=0)
    with pytest.raises(TransportError) as caught:
        client.generate("Hi", "m")
    assert str(caught.value).endswith(f"the connection was closed during the TLS handshake. {advice}")
    # This server waits for the end of what it parses as a request head.
    client = Client(
        api_base=f"{emulator.url}/v1".replace("http:", "https:"), max_retries=0, timeout=Timeouts(connect=0.2)
    )
    with pytest.raises(RequestTimeoutError) as timed_out:
        client.generate("Hi", "m")
    assert str(timed_out.value).endswith(
        f"but did not complete the TLS handshake within 0.2 s (timeout: connect). {advice}"
    )
    assert timed_out.value.clock == "connect"


def test_https_to_a_plain_http_port_says_so(raw_server: Callable[..., int]) -> None:
    def answer(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")

    client = Client(api_base=f"https://127.0.0.1:{raw_server(answer)}/v1", max_retries=0)
    with pytest.raises(TransportError, match=r"does not speak TLS; should the address begin with http:// \?"):
        client.generate("Hi", "m")


def test_a_connection_closed_in_the_handshake_is_reported_as_such(raw_server: Callable[..., int]) -> None:
    port = raw_server(lambda sock: sock.recv(100))
    client = Client(api_base=f"https://127.0.0.1:{port}/v1", max_retries=0)
    with pytest.raises(TransportError, match=f"cannot reach 127.0.0.1:{port}: "):
        client.generate("Hi", "m")


@pytest.mark.parametrize("fault", ["cut-mid-stream", "cut-between-events", "reset-mid-stream"])
def test_a_cut_below_tls_is_truncated(trusting: Client, secured: Emulator, outcome: Outcome, fault: str) -> None:
    """No close_notify was sent, so the end is not authenticated."""
    secured.reply(fault)
    result = outcome(trusting.stream("Hi"))
    assert type(result.error) is TruncatedStreamError
    assert result.partial.text == result.text


def test_a_large_answer_over_many_records_is_complete(trusting: Client, secured: Emulator) -> None:
    """The TLS layer may buffer bytes that are no longer in the socket."""
    words = [f"{number} " * 50 for number in range(500)]
    at_once: Any = Response.text(*words).body
    secured.reply(
        Response.text(*words), Response(headers={"Content-Type": "text/event-stream"}, body=b"".join(at_once))
    )
    assert trusting.generate("Hi").text == "".join(words)
    assert trusting.generate("Hi").text == "".join(words)


def test_all_connections_of_a_client_share_one_context(
    trusting: Client, secured: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []

    def make() -> ssl.SSLContext:
        made.append(create_urllib3_context())
        return made[-1]

    monkeypatch.setattr(tls, "create_urllib3_context", make)
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait(5)
        assert trusting.generate("Hi").text

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(secured.requests) == 8
    assert len(made) == 1


# --- Proxies


class Proxy:
    """A proxy that forwards what it receives, or runs ``instead`` in place of that.

    Args:
        certificate: with one, the proxy itself speaks TLS.

    Attributes:
        heads: the requests to the proxy, each with all headers.
        go: while this is not set, nothing is forwarded from the server.
    """

    def __init__(self, raw_server: Callable[..., int], certificate: tuple[str, str] | None = None) -> None:
        self.heads: list[bytes] = []
        self.instead: Callable[[socket.socket], None] | None = None
        self.asked = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self._secured: list[ssl.SSLSocket] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._context and certificate:
            self._context.load_cert_chain(*certificate)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{raw_server(self._accept)}"

    def _accept(self, client: socket.socket) -> None:
        if self._context is None:
            self._serve(client)
            return
        with self._context.wrap_socket(client, server_side=True) as secured:
            self._secured.append(secured)
            self._serve(secured)

    def close(self) -> None:
        """End the remaining TLS connections."""
        for sock in self._secured:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65536)
            if not piece:
                return
            head += piece
        self.heads.append(head.partition(b"\r\n\r\n")[0])
        self.asked.set()
        if self.instead is not None:
            self.instead(client)
            return
        method, target, _ = head.split(b" ", 2)
        host, _, port = target.removeprefix(b"http://").partition(b"/")[0].partition(b":")
        with socket.create_connection((host.decode(), int(port))) as server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        """In one thread: OpenSSL cannot read and write concurrently on one connection."""
        while True:
            waiting = isinstance(client, ssl.SSLSocket) and client.pending()
            for source in [client] if waiting else select.select([client, server], [], [])[0]:
                if source is server:
                    self.go.wait(5)
                piece = _receive(source)
                if not piece:
                    return
                (server if source is client else client).sendall(piece)

    @property
    def first_lines(self) -> list[bytes]:
        return [head.split(b"\r\n")[0] for head in self.heads]


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except OSError:
        return b""


def say_nothing(sock: socket.socket) -> None:
    """Stay silent until the client disconnects."""
    _receive(sock)


@pytest.fixture
def proxy(raw_server: Callable[..., int]) -> Proxy:
    return Proxy(raw_server)


@pytest.fixture
def through(make_client: MakeClient, secured: Emulator, certificate: tuple[str, str], proxy: Proxy) -> Client:
    """A client of the emulator that serves https, through the proxy."""
    return make_client(
        hub_url=secured.url,
        router_url=secured.url,
        verify=certificate[0],
        proxies={"https": proxy.url},
        max_retries=0,
    )


def test_http_uses_a_given_proxy(make_client: MakeClient, emulator: Emulator, proxy: Proxy) -> None:
    client = make_client(proxies={"http": proxy.url})
    emulator.always(Response.text("One", " two"))
    assert [client.generate("Hi").text for _ in range(2)] == ["One two"] * 2
    assert proxy.first_lines == [f"POST {emulator.url}/v1/chat/completions HTTP/1.1".encode()]
    assert [request.connection for request in emulator.requests] == [1, 1]


def test_https_uses_a_tunnel_and_the_proxy_sees_no_key(through: Client, secured: Emulator, proxy: Proxy) -> None:
    assert through.generate("Hi").text
    assert through.generate("Hi").text
    asked = [line.rpartition(b" ")[0].decode() for line in proxy.first_lines]
    assert asked == [f"CONNECT {secured.url.partition('//')[2]}"]
    assert KEY.encode() not in proxy.heads[0]
    assert [request.key for request in secured.requests] == [KEY, KEY]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_used(
    client: Client, emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    assert client.generate("Hi").text
    assert len(proxy.heads) == 1


@pytest.mark.parametrize("hosts", ["127.0.0.1", "*", "127.0.0.0/8", "example.org,127.0.0.1"])
def test_no_proxy_hosts_are_reached_directly(
    client: Client, emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, hosts: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", hosts)
    assert client.generate("Hi").text
    assert proxy.heads == []


def test_a_given_proxy_overrides_the_environment(
    make_client: MakeClient, emulator: Emulator, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert make_client(proxies={"http": proxy.url}).generate("Hi").text
    assert len(proxy.heads) == 1


def test_proxy_credentials_are_sent_to_the_proxy_and_appear_in_no_message(
    make_client: MakeClient, emulator: Emulator, proxy: Proxy, outcome: Outcome
) -> None:
    url = proxy.url.replace("://", "://anna:Secret123@")
    client = make_client(proxies={"http": url}, max_retries=0)
    proxy.instead = lambda sock: sock.sendall(
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    )
    error = outcome(client.stream("Hi")).error
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"anna:Secret123") in proxy.heads[0]
    assert "407" in str(error)
    assert "Secret123" not in f"{error!r} {vars(error)!r} {client!r}"


def test_a_refused_tunnel_is_reported_as_such(
    through: Client, secured: Emulator, proxy: Proxy, outcome: Outcome
) -> None:
    proxy.instead = lambda sock: sock.sendall(b"HTTP/1.1 403 Forbidden by policy\r\nContent-Length: 0\r\n\r\n")
    error = outcome(through.stream("Hi")).error
    assert type(error) is TransportError
    assert f"cannot reach {secured.url.partition('//')[2]} through its proxy: " in str(error)
    assert "403 Forbidden by policy" in str(error)
    assert secured.connections == 0


def test_a_password_echoed_by_a_refusing_proxy_is_not_leaked(
    make_client: MakeClient, secured: Emulator, certificate: tuple[str, str], proxy: Proxy, outcome: Outcome
) -> None:
    proxies = {"https": proxy.url.replace("://", "://anna:Secret123@")}
    client = make_client(hub_url=secured.url, router_url=secured.url, proxies=proxies, max_retries=0)
    proxy.instead = lambda sock: sock.sendall(b"HTTP/1.1 403 Secret123 is wrong\r\nContent-Length: 0\r\n\r\n")
    error = outcome(client.stream("Hi")).error
    assert "403 *** is wrong" in str(error)
    assert "Secret123" not in f"{error!r} {vars(error)!r}"


def test_an_unreachable_proxy_is_reported_as_such(make_client: MakeClient, emulator: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = make_client(proxies={"http": f"http://127.0.0.1:{port}"}, max_retries=0)
    with pytest.raises(TransportError, match="through its proxy: connection refused"):
        client.generate("Hi")
    assert emulator.connections == 0


def test_a_proxy_that_closes_before_an_answer_is_reported_as_such(
    make_client: MakeClient, emulator: Emulator, proxy: Proxy
) -> None:
    client = make_client(proxies={"http": proxy.url}, max_retries=0)
    proxy.instead = lambda sock: sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(TransportError, match="through its proxy: the connection was closed before a response arrived"):
        client.generate("Hi")
    assert emulator.connections == 0


def test_a_silent_proxy_hits_the_connect_timeout(through: Client, proxy: Proxy, outcome: Outcome) -> None:
    proxy.instead = say_nothing
    error = outcome(through.stream("Hi", timeout=Timeouts(connect=0.15, first=20))).error
    assert type(error) is RequestTimeoutError
    assert error.clock == "connect"


def test_stopping_releases_a_reader_that_waits_for_the_proxy(
    through: Client,
    proxy: Proxy,
    outcome: Outcome,
    in_thread: Callable[..., Future[Any]],
    wait_until_inside: Callable[[int, str], None],
) -> None:
    proxy.instead = say_nothing
    stream = through.stream("Hi", timeout=30)
    reading = in_thread(outcome, stream)
    assert proxy.asked.wait(5)
    wait_until_inside(reading.ident, "receive")  # type: ignore[attr-defined]
    stream.cancel()
    assert type(reading.result(5).error) is StreamCancelledError


def test_stopping_releases_a_reader_mid_answer_in_a_tunnel(
    through: Client,
    secured: Emulator,
    outcome: Outcome,
    in_thread: Callable[..., Future[Any]],
    wait_until: Callable[[Callable[[], Any]], None],
) -> None:
    secured.reply("stall-mid-stream")
    stream = through.stream("Hi", timeout=30)
    reading = in_thread(outcome, stream)
    wait_until(lambda: stream.partial.text == "One two")
    stream.cancel()
    result = reading.result(5)
    assert type(result.error) is StreamCancelledError
    assert result.text == result.partial.text == "One two"
    secured.wait_for_disconnect()


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "http://", "ftp://127.0.0.1:1", "http://127.0.0.1:port"])
def test_an_unusable_proxy_is_a_library_error(make_client: MakeClient, emulator: Emulator, url: str) -> None:
    with pytest.raises((InvalidRequestError, TransportError)):
        make_client(proxies={"http": url}, max_retries=0).generate("Hi")
    assert emulator.connections == 0


# --- Proxies that speak TLS themselves

tls_targets = pytest.mark.parametrize("server", ["http", "https"], indirect=True)


@pytest.fixture
def server(request: pytest.FixtureRequest, emulator: Emulator) -> Emulator:
    """The emulator, without or with TLS."""
    return emulator if request.param == "http" else request.getfixturevalue("secured")


@pytest.fixture
def tls_proxy(raw_server: Callable[..., int], certificate: tuple[str, str]) -> Iterator[Proxy]:
    proxy = Proxy(raw_server, certificate)
    yield proxy
    proxy.close()


@pytest.fixture
def make_through(
    make_client: MakeClient, server: Emulator, certificate: tuple[str, str], tls_proxy: Proxy
) -> MakeClient:
    """Create clients of the server through that proxy, with a name and a password for it if given."""

    def make(user: str = "", **options: Any) -> Client:
        address = tls_proxy.url.replace("://", f"://{user}")
        proxies = {"http": address, "https": address}
        urls = {"hub_url": server.url, "router_url": server.url}
        return make_client(**{**urls, "verify": certificate[0], "proxies": proxies, "max_retries": 0, **options})

    return make


@tls_targets
def test_an_answer_arrives_through_a_tls_proxy(make_through: MakeClient, server: Emulator, tls_proxy: Proxy) -> None:
    server.always(Response.text("One", " two"))
    client = make_through("anna:Secret123@")
    assert [client.generate("Hi").text for _ in range(2)] == ["One two"] * 2
    assert [request.connection for request in server.requests] == [1, 1]
    assert [request.key for request in server.requests] == [KEY, KEY]
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"anna:Secret123") in tls_proxy.heads[0]
    if server.url.startswith("https"):
        assert [head.split(b" ")[:2] for head in tls_proxy.heads] == [[b"CONNECT", server.url[8:].encode()]]
        assert KEY.encode() not in tls_proxy.heads[0]
    else:
        assert tls_proxy.first_lines == [f"POST {server.url}/v1/chat/completions HTTP/1.1".encode()]


@tls_targets
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_large_answer_is_complete_through_a_tls_proxy(
    make_through: MakeClient, server: Emulator, framing: Any
) -> None:
    words = [f"{number} " * 50 for number in range(1000)]
    server.always(Response.text(*words, framing=framing))
    client = make_through()
    assert [client.generate("Hi").text for _ in range(2)] == ["".join(words)] * 2


@tls_targets
def test_the_async_client_reads_everything_that_arrived_through_a_tls_proxy(
    make_through: MakeClient, server: Emulator, tls_proxy: Proxy
) -> None:
    """Many small records within one large record: the socket signals only the large one."""
    begun, gate = Gate(), Gate()
    pieces: Any = Response.text(*["word " * 60] * 200).body
    sent = list(accumulate(map(len, pieces)))
    last = next(number for number, size in enumerate(sent) if size > 72_000)  # slightly more than one read returns
    body = (*pieces[:2], begun, *pieces[2:last], gate, *pieces[-2:])
    server.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body))
    expected = "word " * 60 * (last - 1)

    async def read() -> str:
        async with AsyncClient.of(make_through().operations) as client, client.stream("Hi", timeout=5) as stream:
            text = ""
            async for piece in stream:
                if not text:
                    tls_proxy.go.clear()
                    begun.open()
                    assert await anyio.to_thread.run_sync(gate.reached.wait, 5)
                    tls_proxy.go.set()
                text += piece
                if text == expected:
                    gate.open()
            return text

    assert anyio.run(read) == expected


@tls_targets
@pytest.mark.parametrize("fault", ["cut-mid-stream", "reset-mid-stream", "closed-before-headers"])
def test_a_cut_behind_a_tls_proxy_is_a_library_error(
    make_through: MakeClient, server: Emulator, outcome: Outcome, fault: str
) -> None:
    server.reply(fault)
    error = outcome(make_through().stream("Hi")).error
    assert type(error) is (TransportError if fault == "closed-before-headers" else TruncatedStreamError)


@tls_targets
def test_a_connection_closed_while_idle_behind_a_tls_proxy_is_replaced_silently(
    make_through: MakeClient, server: Emulator
) -> None:
    client = make_through()
    client.generate("Hi")
    server.reply("closed-before-headers")
    assert len(client.generate("Hi").attempts) == 1
    assert [request.connection for request in server.requests] == [1, 1, 2]


@tls_targets
def test_late_data_through_a_tls_proxy_is_not_mistaken_for_the_next_answer(
    make_through: MakeClient, server: Emulator, tls_proxy: Proxy, in_thread: Callable[..., Future[Any]]
) -> None:
    """Also if it is a separate record within the same large one."""
    answer: Any = Response.text("One").body
    begun, sent = Gate(), Gate()
    body = (begun, *answer, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", sent)
    headers = {"Content-Type": "text/event-stream", "Content-Length": str(sum(map(len, answer)))}
    server.reply(Response(headers=headers, body=body, framing="length"))
    server.always(Response.text("Two"))
    client = make_through()
    first = in_thread(lambda: client.generate("Hi").text)
    assert begun.reached.wait(5)
    tls_proxy.go.clear()
    begun.open()
    assert sent.reached.wait(5)
    tls_proxy.go.set()
    assert first.result(5) == "One"
    sent.open()
    assert client.generate("Hi").text == "Two"
    assert [request.connection for request in server.requests] == [1, 2]


@tls_targets
@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream"])
def test_stopping_releases_a_reader_behind_a_tls_proxy(
    make_through: MakeClient,
    server: Emulator,
    outcome: Outcome,
    in_thread: Callable[..., Future[Any]],
    wait_until: Callable[[Callable[[], Any]], None],
    fault: str,
) -> None:
    server.reply(fault)
    stream = make_through(timeout=20).stream("Hi")
    reading = in_thread(outcome, stream)
    server.wait_for_requests(1)
    text = "One two" if fault == "stall-mid-stream" else ""
    wait_until(lambda: stream.partial.text == text)
    stream.cancel()
    result = reading.result(5)
    assert type(result.error) is StreamCancelledError
    assert result.text == result.partial.text == text
    server.wait_for_disconnect()


@tls_targets
@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream"])
def test_timeouts_apply_behind_a_tls_proxy(
    make_through: MakeClient, server: Emulator, outcome: Outcome, fault: str
) -> None:
    server.reply(fault)
    error = outcome(make_through(timeout=Timeouts(first=0.2, gap=0.1)).stream("Hi")).error
    assert type(error) is RequestTimeoutError
    assert error.clock == ("gap" if fault == "stall-mid-stream" else "first")


@tls_targets
def test_stopping_releases_a_reader_that_waits_for_a_tls_proxy(
    make_through: MakeClient,
    server: Emulator,
    tls_proxy: Proxy,
    outcome: Outcome,
    in_thread: Callable[..., Future[Any]],
    wait_until_inside: Callable[[int, str], None],
) -> None:
    tls_proxy.instead = say_nothing
    stream = make_through(timeout=20).stream("Hi")
    reading = in_thread(outcome, stream)
    assert tls_proxy.asked.wait(5)
    wait_until_inside(reading.ident, "receive")  # type: ignore[attr-defined]
    stream.cancel()
    assert type(reading.result(5).error) is StreamCancelledError
    assert server.connections == 0


@tls_targets
def test_stopping_releases_a_reader_in_the_handshake_with_its_proxy(
    make_through: MakeClient,
    server: Emulator,
    deaf_server: socket.socket,
    outcome: Outcome,
    in_thread: Callable[..., Future[Any]],
) -> None:
    address = f"https://127.0.0.1:{deaf_server.getsockname()[1]}"
    stream = make_through(proxies={"http": address, "https": address}, timeout=20).stream("Hi")
    reading = in_thread(outcome, stream)
    sock, _ = deaf_server.accept()
    with sock:
        assert sock.recv(1)
        stream.cancel()
        assert type(reading.result(5).error) is StreamCancelledError


@tls_targets
def test_a_proxy_whose_certificate_is_not_trusted_is_refused_with_advice(
    make_through: MakeClient, server: Emulator, tls_proxy: Proxy, outcome: Outcome
) -> None:
    error = outcome(make_through(verify=True).stream("Hi")).error
    assert type(error) is TransportError
    host = server.url.partition("//")[2]
    assert f"cannot reach {host} through its proxy: the proxy's TLS certificate is not trusted (self" in str(error)
    assert "pass verify='/path/to/ca.pem'" in str(error)
    assert tls_proxy.heads == []
    assert server.connections == 0


@pytest.mark.parametrize("server", ["https"], indirect=True)
def test_a_server_whose_certificate_is_not_trusted_is_not_mistaken_for_its_proxy(
    make_through: MakeClient, server: Emulator, outcome: Outcome
) -> None:
    with Emulator(tls=OTHER_CERTIFICATE) as other:
        error = outcome(make_through(hub_url=other.url, router_url=other.url).stream("Hi")).error
    assert type(error) is TransportError
    assert f"cannot reach {other.url[8:]}: its TLS certificate is not trusted (self" in str(error)
    assert other.requests == []


@tls_targets
def test_without_verification_any_proxy_certificate_is_accepted_silently(
    make_through: MakeClient, server: Emulator
) -> None:
    assert make_through(verify=False).generate("Hi").text


@pytest.mark.parametrize("server", ["http"], indirect=True)
def test_an_https_proxy_without_tls_is_reported_as_such(
    make_through: MakeClient, proxy: Proxy, server: Emulator, outcome: Outcome
) -> None:
    proxies = {"http": proxy.url.replace("http:", "https:")}
    proxy.instead = lambda sock: None
    error = outcome(make_through(proxies=proxies, timeout=Timeouts(connect=0.3)).stream("Hi")).error
    assert isinstance(error, TransportError)
    assert server.connections == 0


def test_a_netrc_entry_does_not_replace_the_key(client: Client, emulator: Emulator) -> None:
    Path(os.environ["HOME"], ".netrc").write_text("machine 127.0.0.1 login anna password other\n")
    client.generate("Hi")
    assert emulator.requests[0].authorization == f"Bearer {KEY}"
