"""The named faults: each behaves as its name promises."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import pytest

from hf_text.emulator import FAULT_NOTES, FAULTS, Emulator, Response, fault

Ask = Callable[..., Any]
Dial = Callable[[], Any]
CHAT = "/v1/chat/completions"

CUT = {"closed-before-headers", "cut-in-headers", "cut-mid-stream", "cut-between-events", "truncated-json"}
CUT |= {"finish-on-every-chunk-cut"}
RESET = {"reset-before-headers", "reset-mid-stream", "reset-after-error"}
# The last bytes sent before the stall.
STALL = {
    "stall-before-headers": b"",
    "stall-in-headers": b"HTTP/1.1 200",
    "stall-after-headers": b"\r\n\r\n",
    "stall-mid-stream": b" two",
    "stall-after-done": b"[DONE]",
    "keep-alive-comments-only": b": ",
    "keep-alive-comments-mid-stream": b" two",
}
STATUS = {
    "bad-key": 401,
    "credits-used-up": 402,
    "provider-payment": 402,
    "no-permission": 403,
    "model-withdrawn": 410,
    "rate-limited": 429,
    "overloaded": 429,
    "server-error": 500,
    "server-error-novita": 500,
    "empty-500": 500,
    "bad-gateway-html": 502,
    "page-in-gbk": 502,
    "unavailable-html": 503,
    "gateway-timeout-html": 504,
}
WHOLE = FAULTS.keys() - CUT - RESET - STALL.keys() - STATUS.keys() - {"not-http"}


def body_of(name: str) -> str:
    body = FAULTS[name].body
    assert isinstance(body, tuple)
    return b"".join(bytes(piece) for piece in body).decode(errors="replace")


def test_every_fault_has_a_note() -> None:
    assert FAULT_NOTES.keys() == FAULTS.keys()
    assert len(FAULTS) >= 25
    assert fault("overloaded") is FAULTS["overloaded"]


def test_an_unknown_fault_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"no fault is named 'x'; there are .*rate-limited"):
        fault("x")


@pytest.mark.parametrize("name", sorted(CUT))
def test_a_cut_ends_the_connection_early(hf: Emulator, dial: Dial, name: str) -> None:
    hf.reply(name)
    client = dial()
    client.post()
    assert not client.read_to_end().endswith(b"0\r\n\r\n")
    assert hf.disconnects == 0


@pytest.mark.parametrize("name", sorted(RESET))
def test_a_reset_breaks_the_connection(hf: Emulator, dial: Dial, name: str) -> None:
    hf.reply(name)
    client = dial()
    client.post()
    with pytest.raises(ConnectionResetError):
        client.read_to_end()


@pytest.mark.parametrize(("name", "begun"), STALL.items())
def test_a_stall_lasts_until_the_client_leaves(hf: Emulator, dial: Dial, name: str, begun: bytes) -> None:
    hf.reply(name)
    client = dial()
    client.post()
    hf.wait_for_requests()
    if begun:
        client.read_until(begun)
    assert hf.open_connections == 1
    client.close()
    hf.wait_for_disconnect()


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_a_refusal_has_its_status(hf: Emulator, ask: Ask, name: str, status: int) -> None:
    hf.reply(name)
    assert ask(CHAT, {}).status == status


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_broken_answer_is_complete_with_status_200(hf: Emulator, ask: Ask, name: str) -> None:
    hf.reply(name)
    assert ask(CHAT, {}).status == 200


@pytest.mark.parametrize("name", ["cut-mid-stream", "reset-mid-stream", "stall-mid-stream", "cut-between-events"])
def test_two_words_arrive_before_the_stream_breaks(hf: Emulator, dial: Dial, name: str) -> None:
    hf.reply(name)
    client = dial()
    client.post()
    assert b'"content":"One"' in client.read_until(b'"content":" two"')


@pytest.mark.parametrize(
    ("name", "finish", "done"),
    [
        ("no-finish-no-done", False, False),
        ("finish-without-done", True, False),
        ("done-without-finish", False, True),
        ("done-only", False, True),
        ("no-text", True, True),
        ("error-in-stream", False, False),
        ("error-in-stream-tgi", False, False),
        ("error-in-stream-groq", False, False),
        ("error-first", False, False),
    ],
)
def test_finish_reason_and_done_are_sent_as_named(name: str, finish: bool, done: bool) -> None:
    assert ('"finish_reason":"stop"' in body_of(name)) == finish
    assert ("[DONE]" in body_of(name)) == done


@pytest.mark.parametrize("name", ["error-in-stream", "error-in-stream-tgi", "error-in-stream-groq", "error-first"])
def test_an_error_is_sent_in_the_stream(name: str) -> None:
    assert 'data: {"error":' in body_of(name)


def test_text_follows_done() -> None:
    assert '"content":"One"' in body_of("chunks-after-done").partition("[DONE]")[2]


def test_chunks_follow_stop() -> None:
    assert '"finish_reason":null' in body_of("chunks-after-stop").partition('"finish_reason":"stop"')[2]


def test_the_last_event_lacks_its_blank_line() -> None:
    body = FAULTS["unterminated-event"].body
    assert isinstance(body, bytes)
    assert body.endswith(b"data: [DONE]")


def test_truncated_compression_is_not_an_error() -> None:
    body = FAULTS["truncated-gzip"].body
    assert isinstance(body, bytes)
    unpacked = zlib.decompressobj(wbits=31)
    assert b"One" in unpacked.decompress(body)
    assert not unpacked.eof


def test_only_the_402_of_a_provider_names_a_provider() -> None:
    assert "x-inference-provider" not in dict(FAULTS["credits-used-up"].headers)
    assert dict(FAULTS["provider-payment"].headers)["x-inference-provider"] == "together"


def test_a_rate_limit_has_retry_after() -> None:
    assert dict(FAULTS["rate-limited"].headers)["Retry-After"] == "1"


def test_the_non_http_fault_is_not_http() -> None:
    assert FAULTS["not-http"] == Response(raw=b"SSH-2.0-emulator\r\n", keep_alive=False)
