"""As a proxy of a real server, the emulator records the traffic without secrets, and replays it byte for byte."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

import hf_text
from hf_text.emulator import Emulator, Gate, Response
from hf_text.emulator.recorder import Recorder
from hf_text.emulator.request import Headers, Request

KEY = "hf_MadeUpKeyForTests"


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator in the role of the real server."""
    with Emulator() as running:
        yield running


def talk(emulator: Emulator, head: bytes = b"", body: bytes = b"{}", target: str = "/v1/chat/completions") -> bytes:
    """Send a request and return all response bytes, or those before a reset followed by ``<reset>``."""
    received = b""
    with socket.create_connection(("127.0.0.1", urlsplit(emulator.url).port or 0), timeout=5) as sock:
        lines = b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%bContent-Length: %d\r\n\r\n" % (
            target.encode(),
            head,
            len(body),
        )
        sock.sendall(lines + body)
        try:
            while piece := sock.recv(1 << 16):
                received += piece
        except ConnectionResetError:
            received += b"<reset>"
    return received


def ask(emulator: Emulator, **options: Any) -> hf_text.Completion:
    with hf_text.Client(KEY, api_base=emulator.api_base, router_url="http://127.0.0.1:9", **options) as client:
        return client.generate("Hi", "a/b")


def records(folder: Path) -> list[Any]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(folder.iterdir())]


ANSWERS = {
    "a stream": Response.text("Ein", " Wörtchen", " 😀", usage=(1, 2), provider="groq"),
    "a stream with a length": Response.text("One", framing="length"),
    "a stream to the end of the connection": Response.text("One", framing="close"),
    "a JSON answer": Response.chat("One"),
    "bytes that are no text": Response(body=(b"\xff\xfe", b"\xf0\x9f", b"\x98\x80")),
    "a refusal": Response.error(429, "Slow down", headers={"Retry-After": "1"}),
    "a cut": Response.text("One", " two", end="cut", end_after=100),
    "something that is not HTTP": Response(raw=b"SSH-2.0-x\r\n", keep_alive=False),
    "nothing": Response(end="cut", end_at="start"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_record_replays_byte_for_byte(server: Emulator, tmp_path: Path, name: str) -> None:
    server.reply(ANSWERS[name])
    with Emulator(record=tmp_path / "tapes", upstream=server.url) as recorder:
        live = talk(recorder)
    with Emulator(replay=tmp_path / "tapes") as player:
        assert [talk(player), talk(player)] == [live, live]  # the last record is repeated
    assert b"<reset>" not in live


def test_a_reset_and_a_stall_are_replayed(server: Emulator, tmp_path: Path) -> None:
    server.reply("reset-mid-stream", "stall-mid-stream")
    options: Any = {"max_retries": 0, "timeout": 1}
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        live = talk(recorder)
        with pytest.raises(hf_text.RequestTimeoutError):
            ask(recorder, **options)
        server.wait_for_disconnect(1)
        recorder.wait_until_idle()
    assert [record["end"] for record in records(tmp_path)] == ["reset", "stall"]
    with Emulator(replay=tmp_path) as player:
        assert talk(player).partition(b"<reset>")[0] in live
        with pytest.raises(hf_text.RequestTimeoutError) as caught:
            ask(player, **options)
    assert caught.value.partial.text == "One two"


def test_records_play_in_order_and_only_for_their_request(server: Emulator, tmp_path: Path) -> None:
    server.reply(Response.text("first"), Response.text("second"))
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        assert [ask(recorder).text, ask(recorder).text] == ["first", "second"]
    player = Emulator(replay=tmp_path).start()
    try:
        assert [ask(player).text, ask(player).text] == ["first", "second"]
        with (
            hf_text.Client(KEY, api_base=player.api_base, router_url="http://127.0.0.1:9") as client,
            pytest.raises(
                hf_text.BadRequestError, match="no recording matches POST /v1/chat/completions: its body differs"
            ),
        ):
            client.generate("Something else", "a/b")
        assert b"recorded are POST /v1/chat/completions" in talk(player, target="/v1/other")
        assert len(player.failures) == 2
    finally:
        player.close()


def test_timing_is_recorded_and_played_on_request(server: Emulator, tmp_path: Path) -> None:
    server.reply(Response.text("One", " two", pace=0.2))
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        ask(recorder)
    (record,) = records(tmp_path)
    assert record["answer"][-1][0] >= 0.2
    with Emulator(replay=tmp_path, timing=True) as player:
        assert ask(player).timings.total >= 0.2


def test_the_client_receives_the_answer_as_it_arrives(server: Emulator, tmp_path: Path) -> None:
    gate = Gate()
    events = Response.text("One", " two").body
    server.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(*events[:2], gate, *events[2:])))  # type: ignore[index]
    with (
        Emulator(record=tmp_path, upstream=server.url) as recorder,
        hf_text.Client(KEY, api_base=recorder.api_base, router_url="http://127.0.0.1:9") as client,
    ):
        texts = iter(client.stream("Hi", "a/b"))
        assert next(texts) == "One"
        gate.open()
        assert list(texts) == [" two"]


SECRETS = {
    "key": b"hf_MadeUpKeyForTests",
    "other": b"made-up-key-4711",
    "cookie": b"made-up-cookie",
    "set": b"made-up-set-cookie",
    "password": b"made-up-password",
    "query": b"made-up-query-key",
    "payer": b"made-up-org",
    "field": b"made-up-field-key",
    "found": b"hf_" + b"AbCdEfGh" * 5,
    "own": b"customer-1",
}
HEAD = (
    b"Authorization: Bearer %(key)b\r\nX-Api-Key: %(other)b\r\nCookie: a=%(cookie)b; b=c\r\n"
    b"Proxy-Authorization: Basic bWU6bWFkZS11cC1wYXNzd29yZA==\r\nX-HF-Bill-To: %(payer)b\r\n"
    % {key.encode(): value for key, value in SECRETS.items()}
)


def test_keys_cookies_and_billing_names_never_reach_the_disk(server: Emulator, tmp_path: Path) -> None:
    spread = [value.decode()[:5] for value in SECRETS.values()], [value.decode()[5:] for value in SECRETS.values()]
    told = " ".join(value.decode() for value in SECRETS.values())
    said = told.replace("made-up-set-cookie", "")  # not known before the response
    chunks = [piece for pair in zip(*spread, strict=True) for piece in (*pair, " ")]  # secrets in two chunks
    cookie = f"session={SECRETS['set'].decode()}; HttpOnly"
    server.reply(
        Response(headers={"Set-Cookie": cookie, "X-Session-Token": "abc123"}, body=chunks),
        Response.json({"error": told, "quoted": told.replace("-", "%2D")}, 401, {"Set-Cookie": cookie}),
    )
    body = json.dumps({"model": "a/b", "api_key": SECRETS["field"].decode(), "said": said, "max_tokens": 5}).encode()
    target = f"/v1/chat/completions?key={SECRETS['query'].decode()}&n=1"
    with Emulator(record=tmp_path, upstream=server.url, secrets=["customer-1"]) as recorder:
        live = [talk(recorder, HEAD, body, target) for _ in range(2)]
    assert server.requests[0].key == KEY  # the server received all secrets
    assert server.requests[0].target == target
    for path in tmp_path.iterdir():
        written = path.read_bytes()
        for secret in (*SECRETS.values(), b"abc123", b"bWU6bWFkZS11cC1wYXNzd29yZA"):
            assert secret not in written
        assert b"max_tokens" in written
    assert "made-" not in "".join(data for record in records(tmp_path) for _, data in record["answer"]).replace(
        "\r\n", ""
    )
    with Emulator(replay=tmp_path, secrets=["customer-1"]) as player:
        again = [talk(player, HEAD, body, target) for _ in range(2)]
    assert [len(data) for data in again] == [len(data) for data in live]
    assert b"%2Dup" in again[1]  # other text is unchanged


def test_a_signed_redirect_target_is_redacted_and_followed(server: Emulator, tmp_path: Path) -> None:
    server.always(Response(status=307, headers={"Location": "/file?X-Amz-Signature=made%2fup&n=1"}))
    server.always(Response.text("One"), path="/file")
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        live = requests.post(f"{recorder.api_base}/chat/completions", json={}, timeout=5)
    for path in tmp_path.iterdir():
        assert not re.search(rb"made(%2f|/)up", path.read_bytes(), re.IGNORECASE)
    with Emulator(replay=tmp_path) as player:
        assert requests.post(f"{player.api_base}/chat/completions", json={}, timeout=5).content == live.content
    assert len(list(tmp_path.iterdir())) == 2


def test_data_that_only_resembles_a_secret_is_recorded_unchanged(server: Emulator, tmp_path: Path) -> None:
    server.reply(Response.text("Use", " hf_hub_download", " or sk-learn", logprobs=1))
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        live = talk(recorder)
    with Emulator(replay=tmp_path) as player:
        assert talk(player) == live
    assert b'"token":" hf_hub_download"' in live


def test_new_records_replace_only_those_of_an_earlier_run(server: Emulator, tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text("{}")
    for count in (2, 1):
        with Emulator(record=tmp_path, upstream=server.url) as recorder:
            for _ in range(count):
                talk(recorder)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["0001-POST-v1-chat-completions.json", "notes.json"]


def test_an_unreachable_server_is_reported_to_the_client_and_the_test(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(ConnectionRefusedError), Emulator(record=tmp_path, upstream=address) as recorder:
        assert talk(recorder).startswith(b"HTTP/1.1 502 ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("end_after", [None, 40])
def test_a_compressed_answer_is_recorded_unchanged(
    server: Emulator, tmp_path: Path, encoding: Any, end_after: int | None
) -> None:
    end: Any = {} if end_after is None else {"end": "cut", "end_after": end_after}
    server.reply(Response.text("One", " two", encoding=encoding, **end))
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        live = talk(recorder)
    with Emulator(replay=tmp_path) as player:
        assert talk(player) == live
        assert end_after or ask_for_nothing(player) == "One two"
    assert server.requests[0].headers["accept-encoding"] == "identity"


def ask_for_nothing(player: Emulator) -> str:
    """Return the text that a client with decompression reads."""
    answer = requests.post(f"{player.api_base}/chat/completions", json={}, timeout=5)
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])


@pytest.mark.parametrize(
    "reply",
    [
        Response.text("One", f" {KEY}", encoding="gzip"),
        Response(headers={"Content-Encoding": "br"}, body=b"\x0b\x02\x80One\x03"),
        Response(headers={"Content-Encoding": "gzip"}, body=b"not gzip"),
    ],
)
def test_a_compressed_answer_that_cannot_be_redacted_is_not_recorded(
    server: Emulator, tmp_path: Path, reply: Response
) -> None:
    server.reply(reply)
    with pytest.raises(ValueError, match="is not recorded"), Emulator(record=tmp_path, upstream=server.url) as recorder:
        assert talk(recorder, b"Authorization: Bearer %b\r\n" % KEY.encode())
    assert list(tmp_path.iterdir()) == []


def test_concurrent_requests_are_all_recorded(server: Emulator, tmp_path: Path) -> None:
    server.always(Response.text("One"))
    with Emulator(record=tmp_path, upstream=server.url) as recorder, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: talk(recorder, body=b"%d" % number), range(16)))
    assert sorted(int(record["request"]["body"]) for record in records(tmp_path)) == list(range(16))


def test_scripted_replies_precede_records(server: Emulator, tmp_path: Path) -> None:
    with Emulator(record=tmp_path, upstream=server.url) as recorder:
        recorder.reply(Response.error(500, "down"))
        assert talk(recorder).startswith(b"HTTP/1.1 500 ")
        assert server.requests == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"record": "a", "replay": "b"}, "not both"),
        ({"upstream": "http://x"}, "pass record= too"),
        ({"record": "a", "upstream": "x:1"}, "upstream must be the URL of a server"),
    ],
)
def test_unsupported_recordings_are_refused(options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Emulator(**options)


def test_an_empty_folder_answers_nothing_and_the_test_is_told(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="there are none in"), Emulator(replay=tmp_path / "nowhere") as player:
        assert talk(player).startswith(b"HTTP/1.1 400 ")


def test_a_foreign_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "0001-x.json").write_text("[]")
    with pytest.raises(ValueError, match=r"0001-x\.json is not a record"):
        Emulator(replay=tmp_path)


def test_without_upstream_hub_and_router_are_distinguished() -> None:
    hosts = [
        Recorder(Path("x"), None, (), []).url_for(Request("GET", path, {}, Headers(), b"", 1, path)).netloc
        for path in ("/api/models", "/v1/models", "/groq/v1/chat/completions")
    ]
    assert hosts == ["huggingface.co", "router.huggingface.co", "router.huggingface.co"]
