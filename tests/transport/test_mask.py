"""Secrets do not come out in any of the ways in which JSON can write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hf_text import Client, HFTextError
from hf_text.emulator import Emulator, Response
from hf_text.transport.mask import Mask

KEY = "hf_Zw9Kq3Vt7Rb5Xn1Jm8"
TOKEN = 'Gy4/Tz8+Wf2"Sv6\\Hk0=='


def as_it_is(secret: str) -> str:
    return json.dumps(secret, ensure_ascii=False)


def in_lower_case(secret: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in secret) + '"'


def in_upper_case(secret: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04X}" for letter in secret) + '"'


def every_third(secret: str) -> str:
    letters = (f"\\u{ord(c):04x}" if at % 3 == 0 else json.dumps(c)[1:-1] for at, c in enumerate(secret))
    return '"' + "".join(letters) + '"'


def with_slashes(secret: str) -> str:
    """As PHP writes it."""
    return json.dumps(secret).replace("/", "\\/")


def with_slashes_among_escapes(secret: str) -> str:
    return every_third(secret).replace("/", "\\/")


WAYS = [as_it_is, json.dumps, in_lower_case, in_upper_case, every_third, with_slashes, with_slashes_among_escapes]
ways = pytest.mark.parametrize("write", WAYS)


def replies(write: Callable[[str], str], secret: str) -> dict[str, Response]:
    """Answers that repeat a secret."""
    message, code = write(f"{secret} is no key"), write(secret)
    error = f'{{"error":{{"message":{message},"code":{code}}}}}'
    within = json.dumps({"error": {"message": error}})
    stream = {"Content-Type": "text/event-stream"}
    return {
        "status": Response(401, body=error),
        "within": Response(500, body=within),
        "200": Response(200, body=error),
        "event": Response(headers=stream, body=f"data: {error}\n\n"),
        "within an event": Response(headers=stream, body=f"data: {within}\n\n"),
        "broken": Response(headers=stream, body=f"data: {error[:-1]}\n\n"),
        "text": Response(500, body=f"I know your key, {write(secret)}"),
        "page": Response.html(502, write(secret)),
    }


KINDS = replies(json.dumps, "")


@ways
@pytest.mark.parametrize(
    ("kind", "secret"), [*((kind, KEY) for kind in KINDS), *((kind, TOKEN) for kind in KINDS if "within" not in kind)]
)
def test_a_secret_that_comes_back_in_json_is_masked_however_it_is_written(
    make_client: Callable[..., Client], emulator: Emulator, secret: str, kind: str, write: Callable[[str], str]
) -> None:
    client = make_client(KEY, headers={"X-Token": TOKEN}, max_retries=0)
    emulator.reply(replies(write, secret)[kind])
    with pytest.raises(HFTextError) as caught:
        client.generate("Hi")
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)!r}"
    assert "***" in shown
    for form in (secret, repr(secret)[1:-1], write(secret)[1:-1], repr(write(secret))[2:-2]):
        assert form not in shown


@ways
@pytest.mark.parametrize("secret", [KEY, TOKEN])
def test_what_is_masked_in_json_is_still_json(secret: str, write: Callable[[str], str]) -> None:
    mask = Mask(KEY, {"X-Token": TOKEN}, [])
    one, two = write(secret), write(f"<{secret}>")
    text = f'{{"a":{one},"b":[{two},' + r'"\n\"\\\u0022\u005c\u000a\u00e9\u4f60\/"]}'
    assert json.loads(mask(text)) == {"a": "***", "b": ["<***>", '\n"\\"\\\né你/']}
    assert json.loads(mask(text.encode())) == json.loads(mask(text))


@pytest.mark.parametrize("backslashes", range(1, 25, 2))
def test_backslashes_before_what_is_masked_stay(backslashes: int) -> None:
    secret = "\\" * backslashes + in_lower_case(KEY)[2:]
    text = f'["{secret[:-1]}", "{KEY}", "{secret[:-1]}"]'
    shown = json.loads(Mask(KEY, {}, [])(text))
    assert shown[1] == "***"
    assert shown[0] == shown[2]
    assert shown[0].startswith("\\" * (backslashes // 2))


@ways
def test_a_password_beyond_ascii_is_masked_too(write: Callable[[str], str]) -> None:
    mask = Mask(None, {"X-Password": "größer/als"}, [])
    assert mask(write("größer/als")) == '"***"'
    assert mask(write("größer/als").encode()) == b'"***"'


@pytest.mark.parametrize("text", ['{"a":"\\u0041\\/"}', "C:\\\\users", "\\" * 100_000, "", '"\\u00"'])
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    mask: Any = Mask(KEY, {}, [])
    assert mask(text) == text
    assert mask(text.encode()) == text.encode()


def test_only_what_is_no_secret_is_left_of_a_masked_text() -> None:
    assert Mask(KEY, {}, [])(f"\\u0041 {in_lower_case(KEY)} \\u4f60") == '\\u0041 "***" \\u4f60'
