"""The HTTP/1.1 server: connections, requests and counters."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from hf_text.emulator import Emulator, Gate, Request, Response, assert_nothing_leaked

HERE = Path(__file__).parent
TLS = (str(HERE / "certificate.pem"), str(HERE / "key.pem"))
Dial = Callable[[], Any]


class TestLife:
    def test_it_listens_on_loopback(self, hf: Emulator) -> None:
        assert urlsplit(hf.url).hostname == "127.0.0.1"
        assert hf.api_base == f"{hf.url}/v1"

    def test_two_servers_have_different_ports(self, hf: Emulator) -> None:
        with Emulator() as other:
            assert other.url != hf.url

    def test_the_port_can_be_chosen(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with Emulator(port=port) as hf:
            assert urlsplit(hf.url).port == port

    def test_an_unstarted_server_has_no_url(self) -> None:
        with pytest.raises(RuntimeError, match="not started"):
            _ = Emulator().url

    def test_a_second_start_is_refused(self, hf: Emulator) -> None:
        with pytest.raises(RuntimeError, match="started before"):
            hf.start()

    def test_close_can_be_called_twice_or_without_start(self) -> None:
        hf = Emulator()
        hf.close()
        hf.start()
        hf.close()
        hf.close()

    def test_connections_are_refused_after_close(self) -> None:
        hf = Emulator().start()
        hf.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(hf.url).port or 0), timeout=5)

    def test_starting_and_closing_leaves_nothing_behind(self) -> None:
        with assert_nothing_leaked():
            for _ in range(50):
                Emulator().start().close()

    @pytest.mark.parametrize(
        "reply",
        [
            Response(end="stall", end_at="start"),
            Response(end="stall", end_at="headers"),
            Response(body=("a",), end="stall"),
            Response(delay=3600.0),
            Response(delay=Gate()),
            Response(body=("a", 3600.0, "b")),
            Response(body=("a", Gate(), "b")),
            Response(body=("a", "b"), pace=3600.0),
            Response(header_pace=3600.0),
            Response(body=b"x" * (1 << 26)),
        ],
        ids=["start", "headers", "body", "delay", "gate", "pause", "held", "pace", "header-pace", "not-read"],
    )
    def test_close_ends_a_stalled_reply(self, reply: Response) -> None:
        with assert_nothing_leaked():
            hf = Emulator().start()
            hf.reply(reply)
            with socket.create_connection(("127.0.0.1", urlsplit(hf.url).port or 0), timeout=5) as client:
                client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
                hf.wait_for_requests()
                hf.close()
                assert hf.disconnects == hf.open_connections == 0

    def test_close_ends_an_idle_and_a_half_sent_connection(self, hf: Emulator, dial: Dial) -> None:
        idle, half_sent = dial(), dial()
        idle.get()
        idle.read_until(b"completions).\n")
        half_sent.get()
        half_sent.read_until(b"completions).\n")  # the connection was accepted
        half_sent.send(b"GET / HT")
        hf.close()
        assert idle.read_to_end() == half_sent.read_to_end() == b""

    def test_a_reply_can_close_its_own_server(self, hf: Emulator, dial: Dial) -> None:
        def fall_over(request: Request) -> Response:
            hf.close()
            return Response()

        hf.reply(fall_over)
        client = dial()
        client.post()
        assert client.read_to_end() == b""


class TestRequests:
    def test_everything_about_a_request_is_recorded(self, hf: Emulator, dial: Dial) -> None:
        client = dial()
        client.post(b'{"a": 1}', "/some%20where?x=1&x=2&y=", b"Authorization: Bearer hf_x\r\nX-Two: a\r\nx-two: b\r\n")
        client.read_until(b"Not Found")
        (request,) = hf.requests
        assert (request.method, request.path, request.query) == ("POST", "/some where", {"x": ["1", "2"], "y": [""]})
        assert request.headers["x-TWO"] == "a, b"
        assert request.json == {"a": 1}
        assert (request.authorization, request.key, request.connection) == ("Bearer hf_x", "hf_x", 1)

    def test_a_repr_shows_no_key(self, hf: Emulator, dial: Dial) -> None:
        dial().get("/", b"Authorization: Bearer hf_secret\r\n")
        (request,) = hf.wait_for_requests()
        assert "hf_secret" not in repr(request) + repr(request.headers)

    def test_a_request_without_a_key_has_none(self, hf: Emulator, dial: Dial) -> None:
        dial().get("/", b"Authorization: Basic abc\r\n")
        (request,) = hf.wait_for_requests()
        assert request.key is None
        assert "authorization" in request.headers

    def test_a_connection_is_kept_for_the_next_request(self, hf: Emulator, dial: Dial) -> None:
        client = dial()
        for _ in range(3):
            client.get()
            assert b"Connection: keep-alive" in client.read_until(b"completions).\n")
        assert [request.connection for request in hf.requests] == [1, 1, 1]
        assert (hf.connections, hf.open_connections) == (1, 1)

    def test_connection_close_is_honoured(self, dial: Dial) -> None:
        client = dial()
        client.get("/", b"Connection: close\r\n")
        assert b"Connection: close" in client.read_to_end()

    def test_http_1_0_ends_with_its_reply(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body=("one", "two")))
        client = dial()
        client.send(b"POST /v1/chat/completions HTTP/1.0\r\n\r\n")
        data = client.read_to_end()
        assert b"chunked" not in data
        assert data.endswith(b"\r\n\r\nonetwo")

    def test_http_1_0_can_ask_for_more(self, dial: Dial) -> None:
        client = dial()
        for _ in range(2):
            client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            client.read_until(b"completions).\n")

    def test_expect_100_is_answered_before_the_body_arrives(self, hf: Emulator, dial: Dial) -> None:
        client = dial()
        client.send(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"{}")
        assert hf.wait_for_requests()[0].body == b"{}"

    def test_a_chunked_body_is_joined(self, hf: Emulator, dial: Dial) -> None:
        head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = dial()
        client.send(head, b"3;name=value\r\nabc\r\n", b"A\r\n0123456789\r\n", b"0\r\nTrailer: x\r\n\r\n")
        client.get("/next")
        first, second = hf.wait_for_requests(2)
        assert (first.body, second.path) == (b"abc0123456789", "/next")

    def test_pipelined_requests_are_answered_in_order(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body="first"), Response(body="second"))
        client = dial()
        request = b"POST /v1/chat/completions HTTP/1.1\r\n\r\n"
        client.send(request + request)
        data = client.read_until(b"second")
        assert data.index(b"first") < data.index(b"second")

    def test_a_request_during_a_reply_waits_its_turn(self, hf: Emulator, dial: Dial) -> None:
        gate = Gate()
        hf.reply(Response(body=("first", gate)), Response(body="second"))
        client = dial()
        client.post()
        client.read_until(b"first")
        assert gate.reached.wait(5)
        client.post()
        gate.open()
        assert b"second" in client.read_until(b"second")
        assert hf.disconnects == 0

    def test_a_request_can_arrive_byte_by_byte(self, hf: Emulator, dial: Dial) -> None:
        raw = b"\r\nPOST /x?y=1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
        dial().send(*(raw[i : i + 1] for i in range(len(raw))))
        (request,) = hf.wait_for_requests()
        assert (request.path, request.body) == ("/x", b"body")

    @pytest.mark.parametrize(
        ("raw", "status"),
        [
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
            (b"GET /\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", 400),
            (b"GET http://[x HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n", 413),
            (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
            (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFF\r\n", 413),
            (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
            (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * 20_000, 431),
        ],
        ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
    )
    def test_an_invalid_request_is_refused_and_not_recorded(
        self, hf: Emulator, dial: Dial, raw: bytes, status: int
    ) -> None:
        client = dial()
        client.send(raw)
        assert client.read_until(b"\r\n").startswith(b"HTTP/1.1 %d " % status)
        assert hf.requests == []


class TestCounting:
    def test_waiting_for_requests_returns_them_all(self, hf: Emulator, dial: Dial) -> None:
        def send() -> None:
            for _ in range(3):
                dial().get()

        thread = threading.Thread(target=send)
        thread.start()
        assert len(hf.wait_for_requests(3)) == 3
        thread.join()

    def test_a_wait_that_times_out_reports_what_was_seen(self, hf: Emulator, dial: Dial) -> None:
        dial().get()
        hf.wait_for_requests()
        with pytest.raises(TimeoutError, match="1 of 2 requests"):
            hf.wait_for_requests(2, timeout=0.01)
        with pytest.raises(TimeoutError, match="0 of 1 clients"):
            hf.wait_for_disconnect(timeout=0.01)
        with pytest.raises(TimeoutError, match="1 connections"):
            hf.wait_until_idle(timeout=0.01)

    def test_the_server_is_idle_when_all_clients_have_left(self, hf: Emulator, dial: Dial) -> None:
        clients = [dial() for _ in range(3)]
        for client in clients:
            client.get()
        hf.wait_for_requests(3)
        assert hf.open_connections == 3
        for client in clients:
            client.close()
        hf.wait_until_idle()
        assert (hf.connections, hf.open_connections, hf.disconnects) == (3, 0, 0)

    @pytest.mark.parametrize(
        "reply",
        [
            Response(end="stall", end_at="start"),
            Response(body=("a",), end="stall"),
            Response(delay=3600.0),
            Response(delay=Gate()),
            Response(body=("a", 3600.0, "b")),
            Response(body=("a", Gate(), "b")),
            Response(body=b"x" * (1 << 26)),
        ],
        ids=["start", "body", "delay", "gate", "pause", "held", "not-read"],
    )
    def test_a_client_that_disconnects_early_is_counted(self, hf: Emulator, dial: Dial, reply: Response) -> None:
        hf.reply(reply)
        client = dial()
        client.post()
        hf.wait_for_requests()
        client.close()
        hf.wait_for_disconnect()
        hf.wait_until_idle()
        assert hf.disconnects == 1

    def test_a_client_that_disconnects_mid_request_is_not_counted(self, hf: Emulator, dial: Dial) -> None:
        for part in (b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab", b""):
            client = dial()
            client.send(part)
            client.close()
        chunked = dial()
        chunked.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        chunked.close()
        hf.wait_until_idle()
        assert (hf.requests, hf.disconnects, hf.failures) == ([], 0, [])

    def test_dropping_connections_ends_idle_and_busy_ones(self, hf: Emulator, dial: Dial) -> None:
        hf.reply(Response(body=("begun",), end="stall"))
        idle, busy = dial(), dial()
        idle.get()
        idle.read_until(b"completions).\n")
        busy.post()
        busy.read_until(b"begun")
        hf.drop_connections()
        assert idle.read_to_end() == busy.read_to_end() == b""
        hf.wait_until_idle()
        assert hf.disconnects == 0

    def test_the_server_keeps_serving_after_dropping_connections(self, hf: Emulator, dial: Dial) -> None:
        hf.drop_connections()
        client = dial()
        client.get()
        client.read_until(b"emulator")

    def test_concurrent_clients_are_all_answered(self, hf: Emulator, dial: Dial) -> None:
        clients = [dial() for _ in range(100)]
        for client in clients:
            client.get()
        for client in clients:
            client.read_until(b"completions).\n")
        assert {request.connection for request in hf.requests} == set(range(1, 101))


class TestFailures:
    def test_an_error_in_a_reply_function_is_raised_at_the_end(self, capfd: pytest.CaptureFixture[str]) -> None:
        def fail(request: Request) -> Response:
            raise KeyError("a slip in the test")

        def use() -> None:
            with Emulator() as hf:
                hf.reply(fail)
                with socket.create_connection(("127.0.0.1", urlsplit(hf.url).port or 0), timeout=5) as client:
                    client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
                    assert client.recv(1) == b""

        with pytest.raises(KeyError, match="a slip"):
            use()
        assert capfd.readouterr() == ("", "")

    def test_it_does_not_hide_the_error_of_the_test(self) -> None:
        def use() -> None:
            with Emulator() as hf:
                hf.failures.append(KeyError())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            use()

    def test_clients_that_vanish_print_nothing(
        self, hf: Emulator, dial: Dial, capfd: pytest.CaptureFixture[str]
    ) -> None:
        hf.always(Response.text(*"abcdefgh", pace=0.001))
        for _ in range(20):
            client = dial()
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.post()
            client.close()
        hf.wait_until_idle()
        assert hf.failures == []
        assert capfd.readouterr() == ("", "")


class TestTLS:
    @pytest.fixture
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=TLS[0])

    def exchange(self, hf: Emulator, context: ssl.SSLContext) -> bytes:
        """Return all received bytes. A connection that ends without close_notify raises SSLEOFError."""
        address = ("127.0.0.1", urlsplit(hf.url).port or 0)
        with (
            socket.create_connection(address, timeout=5) as sock,
            context.wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as client,
        ):
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nConnection: close\r\n\r\n")
            data = b""
            while piece := client.recv(1 << 16):
                data += piece
            return data

    def test_tls_is_served_and_closed_with_close_notify(self, context: ssl.SSLContext) -> None:
        with assert_nothing_leaked(), Emulator(tls=TLS) as hf:
            assert hf.url.startswith("https://")
            hf.reply(Response(body=("one", 0.001, "two")))
            assert self.exchange(hf, context).endswith(b"3\r\ntwo\r\n0\r\n\r\n")

    def test_a_cut_sends_no_close_notify(self, context: ssl.SSLContext) -> None:
        with assert_nothing_leaked(), Emulator(tls=TLS) as hf:
            hf.reply(Response(body=("one",), end="cut"))
            with pytest.raises(ssl.SSLEOFError):
                self.exchange(hf, context)

    def test_a_disconnect_is_noticed_during_a_stall(self, context: ssl.SSLContext) -> None:
        with assert_nothing_leaked(), Emulator(tls=TLS) as hf:
            hf.reply(Response(body=("one",), end="stall"))
            address = ("127.0.0.1", urlsplit(hf.url).port or 0)
            with (
                socket.create_connection(address, timeout=5) as sock,
                context.wrap_socket(sock, server_hostname="127.0.0.1") as client,
            ):
                client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n")
                assert client.recv(10)
            hf.wait_for_disconnect()

    def test_close_does_not_wait_for_a_handshake(self) -> None:
        with assert_nothing_leaked(), Emulator(tls=TLS) as hf:
            address = ("127.0.0.1", urlsplit(hf.url).port or 0)
            with socket.create_connection(address, timeout=5) as sock:
                sock.sendall(b"\x16\x03\x01")
                while not hf.open_connections:  # close() ignores connections that are not accepted yet
                    pass
                hf.close()
            assert hf.open_connections == 0

    def test_a_client_without_tls_is_rejected(self, capfd: pytest.CaptureFixture[str]) -> None:
        with assert_nothing_leaked(), Emulator(tls=TLS) as hf:
            with socket.create_connection(("127.0.0.1", urlsplit(hf.url).port or 0), timeout=5) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
                while sock.recv(100):
                    pass
            hf.wait_until_idle()
            assert hf.requests == []
        assert capfd.readouterr() == ("", "")
