"""Secrets are masked in every form in which JSON can encode them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

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
    """As PHP encodes it."""
    return json.dumps(secret).replace("/", "\\/")


def with_slashes_among_escapes(secret: str) -> str:
    return every_third(secret).replace("/", "\\/")


def in_html(secret: str) -> str:
    return json.dumps(html.escape(secret))


def in_html_twice(secret: str) -> str:
    return json.dumps(html.escape(html.escape(secret)))


def in_html_as_go_writes_it(secret: str) -> str:
    """Go's templates also escape "+", and its JSON "&"."""
    return json.dumps(html.escape(secret).replace("+", "&#43;")).replace("&", r"\u0026")


def in_html_by_numbers(secret: str) -> str:
    return '"' + "".join(f"&#{ord(c)};" if at % 2 else f"&#x{ord(c):04X};" for at, c in enumerate(secret)) + '"'


def in_an_address(secret: str) -> str:
    return json.dumps(quote(secret, safe=""))


def in_an_address_twice(secret: str) -> str:
    return json.dumps(quote(quote(secret, safe=""), safe=""))


def in_html_of_json(secret: str) -> str:
    return json.dumps(html.escape(json.dumps(secret)[1:-1]))


WAYS = [as_it_is, json.dumps, in_lower_case, in_upper_case, every_third, with_slashes, with_slashes_among_escapes]
WAYS += [in_html, in_html_twice, in_html_as_go_writes_it, in_html_by_numbers, in_an_address, in_an_address_twice]
WAYS += [in_html_of_json]
ways = pytest.mark.parametrize("write", WAYS)


def replies(write: Callable[[str], str], secret: str) -> dict[str, Response]:
    """Answers that echo a secret."""
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
def test_a_secret_echoed_in_json_is_masked_however_it_is_escaped(
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
def test_masked_json_is_still_json(secret: str, write: Callable[[str], str]) -> None:
    mask = Mask(KEY, {"X-Token": TOKEN}, [])
    one, two = write(secret), write(f"<{secret}>")
    text = f'{{"a":{one},"b":[{two},' + r'"\n\"\\\u0022\u005c\u000a\u00e9\u4f60\/"]}'
    shown = json.loads(mask(text))
    assert (shown["a"], shown["b"][1]) == ("***", '\n"\\"\\\né你/')
    assert shown["b"][0] == json.loads(write("<")) + "***" + json.loads(write(">"))
    assert json.loads(mask(text.encode())) == json.loads(mask(text))


@pytest.mark.parametrize("backslashes", range(1, 25, 2))
def test_backslashes_before_a_masked_secret_are_kept(backslashes: int) -> None:
    secret = "\\" * backslashes + in_lower_case(KEY)[2:]
    text = f'["{secret[:-1]}", "{KEY}", "{secret[:-1]}"]'
    shown = json.loads(Mask(KEY, {}, [])(text))
    assert shown[1] == "***"
    assert shown[0] == shown[2]
    assert shown[0].startswith("\\" * (backslashes // 2))


@ways
def test_a_non_ascii_password_is_masked(write: Callable[[str], str]) -> None:
    mask = Mask(None, {"X-Password": "größer/als"}, [])
    assert mask(write("größer/als")) == '"***"'
    assert mask(write("größer/als").encode()) == b'"***"'


@pytest.mark.parametrize("text", ['{"a":"\\u0041\\/"}', "C:\\\\users", "\\" * 100_000, "", '"\\u00"'])
def test_text_without_a_secret_is_unchanged(text: str) -> None:
    mask: Any = Mask(KEY, {}, [])
    assert mask(text) == text
    assert mask(text.encode()) == text.encode()


def test_masked_text_contains_nothing_of_the_secret() -> None:
    assert Mask(KEY, {}, [])(f"\\u0041 {in_lower_case(KEY)} \\u4f60") == '\\u0041 "***" \\u4f60'


class TestBeginning:
    """The displayed beginning of a long text."""

    @pytest.mark.parametrize("write", [as_it_is, in_lower_case, in_html_by_numbers, in_an_address])
    def test_no_part_of_a_secret_is_left_at_the_end(self, write: Callable[[str], str]) -> None:
        mask, written = Mask(KEY, {}, []), write(KEY)[1:-1]
        for limit in range(300, 300 + len(written) + 10):
            text = "x" * 300 + written + "y" * 100_000
            shown = mask.beginning(text, limit)
            assert shown == ("x" * 300 + "***" if limit > 300 else "x" * 300) + "y" * max(limit - 300 - len(written), 0)

    def test_a_short_text_is_shown_in_full(self) -> None:
        assert Mask(KEY, {}, []).beginning(f"<{KEY}>", 1000) == "<***>"
        assert Mask(None, {}, []).beginning("x" * 1000, 10) == "x" * 10


HEADERS = {
    "Authorization": "Bearer Gy4Tz8Wf2Sv6",
    "Proxy-Authorization": "Basic " + base64.b64encode(b"me:Gy4Tz8Wf2Sv6").decode(),
    "Cookie": "theme=dark; session=Gy4Tz8Wf2Sv6; lang=de",
    "X-Amz-Security-Token": "Gy4Tz8Wf2Sv6",
    "X-Amz-Credential": "Gy4Tz8Wf2Sv6",
    "X-Signature": "Gy4Tz8Wf2Sv6",
    "x-goog-api-key": "Gy4Tz8Wf2Sv6",
    "X-ApiKey": "Gy4Tz8Wf2Sv6",
    "PRIVATE-TOKEN": "Gy4Tz8Wf2Sv6",
    "Ocp-Apim-Subscription-Key": "Gy4Tz8Wf2Sv6",
    "db_password": "Gy4Tz8Wf2Sv6",
    "X-Auth": 'Digest username="me", response="Gy4Tz8Wf2Sv6"',
    "Authentication": "AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=Gy4Tz8Wf2Sv6",
    "X-Session-Id": "Gy4Tz8Wf2Sv6",
}


@pytest.mark.parametrize("name", HEADERS)
def test_the_secret_part_of_a_header_is_masked(name: str) -> None:
    mask = Mask(None, {name: HEADERS[name]}, [])
    assert mask("no Gy4Tz8Wf2Sv6 here") == "no *** here"
    assert "Gy4Tz8" not in mask(HEADERS[name])


@pytest.mark.parametrize(
    "name",
    ["X-Portkey-Provider", "X-Keyboard", "Authority", "X-Tokenizer", "Cookies-Consent", "X-Max-Tokens", "Monkey"],
)
def test_a_header_whose_name_only_resembles_a_secret_is_not_masked(name: str) -> None:
    assert Mask(None, {name: "together-ai"}, [])("together-ai") == "together-ai"


def test_public_values_are_not_secrets() -> None:
    """Scheme names and parts of headers are common words in messages."""
    mask = Mask(None, HEADERS, [])
    assert mask("AWS4-HMAC-SHA256 Credential SignedHeaders username session") == (
        "AWS4-HMAC-SHA256 Credential SignedHeaders username session"
    )
