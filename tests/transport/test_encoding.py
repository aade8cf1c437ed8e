"""The requested content encoding: none for a stream, since a compressing proxy would buffer it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hf_text import Client
from hf_text.emulator import Emulator, Gate, Request, Response

MakeClient = Callable[..., Client]


def test_streams_request_identity_and_listings_gzip(emulator: Emulator, client: Client) -> None:
    client.generate("Hi")
    client.models()
    asked = {request.method: request.headers["accept-encoding"] for request in emulator.requests}
    assert asked["POST"] == "identity"
    assert "gzip" in asked["GET"]


@pytest.mark.parametrize("name", ["Accept-Encoding", "accept-encoding"])
def test_a_custom_accept_encoding_is_kept(emulator: Emulator, make_client: MakeClient, name: str) -> None:
    client = make_client(headers={name: "br, gzip"})
    client.generate("Hi")
    client.models()
    assert {request.headers["accept-encoding"] for request in emulator.requests} == {"br, gzip"}


def test_a_custom_accept_encoding_of_one_request_is_kept(emulator: Emulator, client: Client) -> None:
    client.generate("Hi", extra_headers={"accept-encoding": "br"})
    client.generate("Hi")
    assert [request.headers["accept-encoding"] for request in emulator.requests] == ["br", "identity"]


def test_a_compressing_proxy_passes_each_piece_on_at_once(emulator: Emulator, client: Client) -> None:
    gate = Gate()

    def answer(request: Request) -> Response:
        whole = Response.text("Once", " upon")
        assert isinstance(whole.body, tuple)
        held_from = 0 if "gzip" in request.headers["accept-encoding"] else 2
        body = (*whole.body[:held_from], gate, *whole.body[held_from:])
        return Response(headers=whole.headers, body=body)

    emulator.always(answer)
    with client.stream("Hi") as stream:
        texts = iter(stream)
        assert next(texts) == "Once"  # while the rest waits at the gate
        gate.open()
        assert list(texts) == [" upon"]
