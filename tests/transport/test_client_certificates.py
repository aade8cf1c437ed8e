"""Servers that require a client certificate: ``cert=``."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from hf_text import Client, InvalidRequestError, TransportError
from hf_text.aio import AsyncClient

RawServer = Callable[[Callable[[socket.socket], None]], int]


class Pair(NamedTuple):
    """The paths of a certificate and of its key."""

    certificate: str
    key: str


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_pair(folder: Path, name: str) -> Pair:
    pair = Pair(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", pair.key, "-out", pair.certificate, "-days", "2", "-subj", f"/CN={name}")
    return pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, certificate: tuple[str, str]) -> Path:
    """The folder of the client certificates; the fixture ``certificate`` checks that openssl is available."""
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def alice(folder: Path) -> Pair:
    """A client whose certificate the server accepts."""
    return make_pair(folder, "alice")


@pytest.fixture(scope="module")
def mallory(folder: Path) -> Pair:
    """A client whose certificate the server rejects."""
    return make_pair(folder, "mallory")


@pytest.fixture
def address(raw_server: RawServer, certificate: tuple[str, str], alice: Pair) -> str:
    """A server that accepts clients with a known certificate; it lists one model, named after the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(alice.certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    def answer(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            secured.recv(65536)
            (((_, name),),) = secured.getpeercert()["subject"]  # type: ignore[index, misc]
            body = json.dumps({"object": "list", "data": [{"id": name}]}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            secured.sendall(head.encode() + body)

    return f"https://127.0.0.1:{raw_server(answer)}/v1"


def ask(address: str, certificate: tuple[str, str], cert: Any) -> list[str]:
    with Client(api_base=address, verify=certificate[0], cert=cert, max_retries=0, timeout=5) as client:
        return [model.id for model in client.models()]


def test_a_certificate_and_its_key_are_presented_to_the_server(
    address: str, certificate: tuple[str, str], alice: Pair
) -> None:
    assert ask(address, certificate, tuple(alice)) == ["alice"]


def test_certificate_and_key_can_be_in_one_file(
    address: str, certificate: tuple[str, str], alice: Pair, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text(Path(alice.key).read_text() + Path(alice.certificate).read_text())
    assert ask(address, certificate, str(both)) == ["alice"]
    assert ask(address, certificate, both) == ["alice"]
    assert ask(address, certificate, [Path(alice.certificate), Path(alice.key)]) == ["alice"]


def test_the_async_client_presents_the_certificate(address: str, certificate: tuple[str, str], alice: Pair) -> None:
    async def ask() -> list[str]:
        async with AsyncClient(api_base=address, verify=certificate[0], cert=tuple(alice), timeout=5) as client:
            return [model.id for model in await client.models()]

    assert anyio.run(ask) == ["alice"]


@pytest.mark.parametrize("how", ["without a certificate", "with one that it does not know"])
def test_a_rejected_certificate_is_reported(
    address: str, certificate: tuple[str, str], mallory: Pair, how: str
) -> None:
    cert = None if how == "without a certificate" else tuple(mallory)
    with pytest.raises(TransportError) as caught:
        ask(address, certificate, cert)
    expected = "requires a client certificate" if cert is None else "does not accept the client's certificate"
    assert expected in str(caught.value)
    assert "cert=" in str(caught.value)


REFUSED = {
    "not there": ("{folder}/none.pem", "cert: file not found: '{folder}/none.pem'"),
    "key not there": (("{alice}", "{folder}/none.key"), "cert: file not found: '{folder}/none.key'"),
    "a folder": ("{folder}", "cert: file not found: '{folder}'"),
    "three": (("a", "b", "c"), "cert must be the path of a PEM file, or (certificate, key), not a tuple"),
    "none": ((), "cert must be the path of a PEM file, or (certificate, key), not a tuple"),
    "a number": (7, "cert must be the path of a PEM file, or (certificate, key), not an int"),
    "a number in it": (("{alice}", 7), "cert: a path must be a str or a path, not an int"),
    "bytes": ((b"a", b"b"), "cert: a path must be a str or a path, not a bytes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_certificate_is_refused_by_the_constructor(folder: Path, alice: Pair, name: str) -> None:
    def fill(value: Any) -> Any:
        return value.format(folder=folder, alice=alice.certificate) if isinstance(value, str) else value

    cert, message = REFUSED[name]
    given = tuple(map(fill, cert)) if isinstance(cert, tuple) else fill(cert)
    with pytest.raises(InvalidRequestError) as caught:
        Client(api_base="https://127.0.0.1:1/v1", cert=given)
    assert str(caught.value) == fill(message)


def test_a_key_given_instead_of_its_path_is_not_shown(alice: Pair) -> None:
    key = Path(alice.key).read_text()
    for cert in (key, (alice.certificate, key)):
        with pytest.raises(InvalidRequestError) as caught:
            Client(api_base="https://127.0.0.1:1/v1", cert=cert)
        assert str(caught.value) == "cert must be the path of a PEM file, not its contents"


def test_mismatched_files_are_named_before_anything_is_sent(
    address: str, certificate: tuple[str, str], alice: Pair, mallory: Pair, tmp_path: Path
) -> None:
    locked, text = str(tmp_path / "locked.key"), str(tmp_path / "text.pem")
    openssl("ec", "-in", alice.key, "-aes256", "-passout", "pass:secret", "-out", locked)
    Path(text).write_text("nothing")
    wrong: list[tuple[Any, str]] = [
        ((alice.certificate, mallory.key), f"the key in {mallory.key!r} does not belong to the certificate in"),
        ((alice.certificate, locked), f"the key in {locked!r} is encrypted: remove its password with openssl pkey"),
        ((alice.certificate, text), f"{alice.certificate!r} and {text!r} are not a certificate and its key in PEM"),
        (alice.certificate, f"{alice.certificate!r} must hold a certificate and its key, both in PEM"),
        (text, f"{text!r} must hold a certificate and its key, both in PEM"),
    ]
    for cert, message in wrong:
        with pytest.raises(InvalidRequestError) as caught:
            ask(address, certificate, cert)
        assert str(caught.value).startswith(f"cert: {message}"), cert


def test_a_file_deleted_meanwhile_is_named(certificate: tuple[str, str], alice: Pair, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pem"
    copy.write_bytes(Path(alice.certificate).read_bytes())
    client = Client(api_base="https://127.0.0.1:1/v1", verify=certificate[0], cert=(str(copy), alice.key))
    copy.unlink()
    with client, pytest.raises(InvalidRequestError, match=r"cert: .*copy.pem.* cannot be read \(No such file"):
        client.models()
