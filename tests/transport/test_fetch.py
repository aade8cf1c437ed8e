"""JSON from a server, requested with GET or POST."""

from __future__ import annotations

from hf_text import Timeouts
from hf_text.emulator import Emulator, Response
from hf_text.transport.call import Call
from hf_text.transport.fetch import fetch_json
from hf_text.transport.retries import Retries
from hf_text.transport.session import Http
from hf_text.tuning import Tuning

EMBEDDINGS = "/v1/embeddings"


def test_a_body_is_posted_again_after_a_failure(emulator: Emulator) -> None:
    emulator.reply("server-error", Response.json({"data": []}), path=EMBEDDINGS)
    http, retries = Http(None, {}, {}, True), Retries(1, Tuning(first_pause=0.0))
    value, _ = fetch_json(http, Call(Timeouts()), f"{emulator.url}{EMBEDDINGS}", retries, body=b'{"input":["Hi"]}')
    http.close()
    assert value == {"data": []}
    assert [(request.method, request.json) for request in emulator.requests] == [("POST", {"input": ["Hi"]})] * 2
