"""The connection from a recorder to a real server: TLS, proxies, redirects."""

from __future__ import annotations

import base64
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from hf_text.emulator import Emulator, Response

FOLDER = Path(__file__).parent
CERTIFICATE = str(FOLDER / "certificate.pem")
KEY = "hf_MadeUpKeyForTests"


class Proxy:
    """A forward proxy that relays all bytes."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.refuse = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with client:
                self._hand_on(client)

    def _hand_on(self, client: socket.socket) -> None:
        head = client.recv(1 << 16)
        self.heads.append(head.partition(b"\r\n\r\n")[0])
        if self.refuse:
            client.sendall(self.refuse)
            return
        method, target, _ = head.split(b" ", 2)
        host, _, port = target.removeprefix(b"http://").partition(b"/")[0].partition(b":")
        with socket.create_connection((host.decode(), int(port))) as server:
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(head)
            while True:
                for source in select.select([client, server], [], [])[0]:
                    piece = source.recv(1 << 16)
                    if not piece:
                        return
                    (server if source is client else client).sendall(piece)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    running = Proxy()
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", f"http://anna:Secret%20123@{running.address}")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    yield running
    running.close()


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator in the role of the real server."""
    tls = (CERTIFICATE, str(FOLDER / "key.pem")) if request.param == "https" else None
    with Emulator(tls=tls) as running:
        yield running


def ask(emulator: Emulator, path: str = "/v1/chat/completions") -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # only the recorder uses the proxy
        headers = {"Authorization": f"Bearer {KEY}"}
        return session.post(
            emulator.url + path,
            json={"stream": True},
            headers=headers,
            timeout=20,
        )


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_server_with_a_private_certificate_is_recorded(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    server.reply(Response.text("One", " two"))
    if by == "environment":
        monkeypatch.setenv("SSL_CERT_FILE", CERTIFICATE)
    with Emulator(record=tmp_path, upstream=server.url, verify=CERTIFICATE if by == "argument" else None) as recorder:
        live = ask(recorder).content
    assert server.requests[0].key == KEY
    with Emulator(replay=tmp_path) as player:
        assert ask(player).content == live
    assert b"two" in live


def test_an_untrusted_server_gets_no_request(tmp_path: Path) -> None:
    with Emulator(tls=(CERTIFICATE, str(FOLDER / "key.pem"))) as server:
        with (
            pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"),
            Emulator(record=tmp_path, upstream=server.url) as recorder,
        ):
            assert ask(recorder).status_code == 502
        assert server.requests == []
        server.failures.clear()  # the failed handshake


def test_the_proxy_of_the_environment_is_used_for_recording(server: Emulator, proxy: Proxy, tmp_path: Path) -> None:
    server.reply(Response.text("One", " two"))
    with Emulator(record=tmp_path, upstream=server.url, verify=CERTIFICATE) as recorder:
        live = ask(recorder).content
    (head,) = proxy.heads
    address = server.url.partition("//")[2].encode()
    https = server.url.startswith("https")
    expected = b"CONNECT %b HTTP/1." % address if https else b"POST http://%b/v1/chat/completions HTTP/1.1" % address
    assert head.startswith(expected)
    assert base64.b64encode(b"anna:Secret 123") in head
    assert (KEY.encode() in head) is not https
    assert "proxy-authorization" not in server.requests[0].headers or not https
    (tape,) = tmp_path.iterdir()
    for secret in (KEY, "Secret", base64.b64encode(b"anna:Secret 123").decode()):
        assert secret not in tape.read_text("utf-8")
    with Emulator(replay=tmp_path) as player:
        assert ask(player).content == live


def test_no_proxy_hosts_are_reached_directly(
    server: Emulator, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.reply(Response.text("One"))
    with Emulator(record=tmp_path, upstream=server.url, verify=CERTIFICATE) as recorder:
        assert ask(recorder).ok
    assert proxy.heads == []


@pytest.mark.parametrize("said", [b"HTTP/1.1 407 Who are you?\r\n\r\n", b"SSH-2.0\r\n\r\n"])
def test_a_broken_proxy_is_reported(proxy: Proxy, tmp_path: Path, said: bytes) -> None:
    proxy.refuse = said
    with (
        pytest.raises(OSError, match=r"proxy|Tunnel"),
        Emulator(record=tmp_path, upstream="https://example.invalid") as recorder,
    ):
        answer = ask(recorder)
    assert answer.status_code == 502
    assert "Secret" not in answer.text


def test_an_unsupported_proxy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://anna:Secret123@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with (
        pytest.raises(OSError, match="socks5:// is not supported"),
        Emulator(record=tmp_path, upstream="http://example.invalid") as recorder,
    ):
        assert ask(recorder).status_code == 502


@pytest.mark.parametrize("base", ["", "/base"])
def test_a_redirect_within_the_server_stays_with_the_recorder(server: Emulator, tmp_path: Path, base: str) -> None:
    address = server.url.partition("//")[2]
    old, new = f"{base}/v1/chat/completions", f"{base}/v2?n=1"
    for target in (f"{server.url}{new}", new, f"//{address}{new}"):
        server.reply(Response(status=307, headers={"Location": target}), path=old)
    server.always(Response.text("One"), path=f"{base}/v2")
    with Emulator(record=tmp_path, upstream=server.url + base, verify=CERTIFICATE) as recorder:
        answers = [ask(recorder) for _ in range(3)]
        assert {answer.url for answer in answers} == {f"{recorder.url}/v2?n=1"}
    with Emulator(replay=tmp_path) as player:
        assert [ask(player).content for _ in range(3)] == [answer.content for answer in answers]


def test_a_redirect_to_another_server_is_passed_on_unchanged(server: Emulator, tmp_path: Path) -> None:
    with Emulator() as other, Emulator(record=tmp_path, upstream=server.url, verify=CERTIFICATE) as recorder:
        server.reply(Response(status=307, headers={"Location": f"{other.api_base}/chat/completions"}))
        assert ask(recorder).url.startswith(other.url)
