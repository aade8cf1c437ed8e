"""Error messages in the formats of gateways and providers; and which JSON inside an answer reports an error."""

from __future__ import annotations

import copy
import json
import pickle
import time
from collections.abc import Mapping
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from hf_text.errors import APIStatusError
from hf_text.protocol.error_reports import parse_error
from hf_text.protocol.pages import decode_text, describe_page
from hf_text.protocol.replies import parse_reply_error
from hf_text.protocol.stream_errors import find_report, is_stream_error

NOW = 1_795_000_000.0


def reply_error(
    status: int | None, body: Any, headers: Mapping[str, str] | None = None, **facts: Any
) -> APIStatusError:
    if not isinstance(body, bytes):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return parse_reply_error(status, CaseInsensitiveDict(headers or {}), body, now=NOW, **facts)


SAID = {
    "OpenRouter, its provider's JSON": (
        {"error": {"message": "Provider returned error", "code": 429}}
        | {"error": {"message": "Provider returned error", "metadata": {"raw": '{"error":{"message":"it is busy"}}'}}},
        "Provider returned error: it is busy",
    ),
    "OpenRouter, its provider's words": (
        {"error": {"message": "Provider returned error", "metadata": {"raw": "it is busy", "provider_name": "X"}}},
        "Provider returned error (X): it is busy",
    ),
    "OpenRouter, its provider's object": (
        {"error": {"message": "Provider returned error", "metadata": {"raw": {"detail": "it is busy"}}}},
        "Provider returned error: it is busy",
    ),
    "a gateway's words on its provider": (
        {"error": {"message": "refused", "metadata": {"provider_name": "X", "provider_error": "it is busy"}}},
        "refused (X): it is busy",
    ),
    "Azure": ({"error": {"message": "refused", "innererror": {"message": "it is busy"}}}, "refused: it is busy"),
    "OpenRouter, flat": (
        {"message": "Provider returned error", "metadata": {"raw": '{"message":"it is busy"}'}},
        "Provider returned error: it is busy",
    ),
    "a raw text that says the same": (
        {"error": {"message": "it is busy", "metadata": {"raw": "is busy"}}},
        "it is busy",
    ),
    "metadata without words": ({"error": {"message": "it is busy", "metadata": {"raw": None}}}, "it is busy"),
    "AWS": ({"Message": "The token is expired"}, "The token is expired"),
    "AWS with a type": ({"__type": "AccessDenied", "Message": "no"}, "no"),
    "API Gateway": ({"message": "Endpoint request timed out"}, "Endpoint request timed out"),
    "Apigee": ({"fault": {"faultstring": "Rate limit", "detail": {"errorcode": "x.Quota"}}}, "Rate limit"),
    "Spring": (
        {"timestamp": "t", "status": 400, "error": "Bad Request", "message": "the seed is odd", "path": "/v1"},
        "Bad Request: the seed is odd",
    ),
    "message beside detail": ({"message": "refused", "detail": "the seed is odd"}, "refused: the seed is odd"),
    "error beside message": ({"error": "refused", "message": "the seed is odd"}, "refused: the seed is odd"),
    "the same twice": ({"error": "the seed is odd", "message": "the seed is odd"}, "the seed is odd"),
    "one within the other": ({"error": "odd", "message": "the seed is odd"}, "the seed is odd"),
    "Cloudflare": ({"success": False, "errors": [{"code": 7003, "message": "no route"}], "result": None}, "no route"),
    "ASP.NET": ({"title": "Not valid", "errors": {"seed": ["is odd"], "top_p": ["is 5"]}}, "seed: is odd; top_p: is 5"),
    "problem details without detail": ({"type": "about:blank", "title": "It is busy", "status": 503}, "It is busy"),
    "MiniMax": ({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, "insufficient balance"),
    "Z.ai": ({"code": 1302, "msg": "High concurrency", "success": False}, "High concurrency"),
    "Baidu": ({"error_code": 17, "error_msg": "Open api daily request limit reached"}, "Open api daily request limit"),
    "vLLM": ({"error_type": "BadRequestError", "error_message": "engine died"}, "engine died"),
    "WeChat": ({"errcode": 40001, "errmsg": "invalid credential"}, "invalid credential"),
    "Groq": ({"x_groq": {"id": "r", "error": "over capacity"}}, "over capacity"),
    "the Responses API": ({"type": "response.failed", "response": {"error": {"message": "it broke"}}}, "it broke"),
    "capitals": ({"Response": {"Error": {"Code": "AuthFailure", "Message": "no such key"}}}, "no such key"),
    "other capitals": ({"ErrorMsg": {"Msg": "no such key", "Code": 4001}}, "no such key"),
    "HTML as a value": ({"html-message": "<p>The <b>seed</b> &amp; so on</p>"}, "The seed & so on"),
    "a description": ({"code": "X", "description": "it is busy"}, "it is busy"),
    "Bedrock": ({"modelStreamErrorException": {"message": "it broke", "originalStatusCode": 424}}, "it broke"),
    "err": ({"err": "it broke"}, "it broke"),
    "a cause": ({"error": "refused", "cause": "the seed is odd"}, "refused: the seed is odd"),
    "a reason alone": ({"success": False, "reason": "no credits"}, "no credits"),
    "words within the message": ({"error": {"message": {"text": "it broke"}}}, "it broke"),
    "the reasons of a gateway": (
        {"error": {"message": "flagged", "metadata": {"reasons": ["violence"]}}},
        "flagged: violence",
    ),
    "details of their own": ({"error": "refused", "error_details": "the seed is odd"}, "refused: the seed is odd"),
    "JSON within JSON": ({"error": {"message": '{"error": {"message": "it broke", "code": 500}}'}}, "it broke"),
    "a failure": ({"failure": {"reason": "it broke"}}, "it broke"),
    "failed": ({"failed": True, "reason": "it broke"}, "it broke"),
    "a code and a reason": ({"resultCode": "E1", "resultMsg": "it broke"}, "it broke"),
    "in the output": ({"output": {"error": "it broke"}}, "it broke"),
    "Google, in a list": ([{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}], "quota"),
}


@pytest.mark.parametrize("name", SAID)
def test_error_messages_are_found(name: str) -> None:
    body, says = SAID[name]
    assert parse_error(body).message.startswith(says)
    assert str(reply_error(500, body)).startswith(says)


@pytest.mark.parametrize("name", SAID)
def test_an_error_in_place_of_an_answer_is_a_failure(name: str) -> None:
    body, says = SAID[name]
    if "title" not in body and "description" not in body and "html-message" not in body:
        assert is_stream_error(body)
    assert says in str(reply_error(None, body))


@pytest.mark.parametrize(
    ("body", "beginning"),
    [
        ({"foo": {"bar": "the seed is odd"}}, '{"foo": {"bar": "the seed is odd"}}'),
        ([["odd"]] * 2 + [5], "odd; odd"),
        ({"reply": "x" * 1000}, '{"reply": "' + "x" * 289 + "…"),
        ({"reply": "天"}, '{"reply": "天"}'),
        ({"error": {"message": None, "code": 7}}, '{"error": {"message": null, "code": 7}}'),
    ],
    ids=lambda value: str(value)[:40],
)
def test_unknown_json_is_quoted_from_its_start(body: Any, beginning: str) -> None:
    assert beginning in str(reply_error(500, body))
    assert str(reply_error(500, body, reason="Server Error")).endswith("(HTTP 500)")


def test_the_reason_phrase_is_included() -> None:
    assert str(reply_error(500, {"foo": 1}, reason="Server Error")) == 'Server Error: {"foo": 1} (HTTP 500)'


def test_an_unreadable_body_says_why() -> None:
    error = reply_error(502, b"", reason="Bad Gateway", note="the body is encoded as 'br'")
    assert str(error) == "Bad Gateway: the body is encoded as 'br' (HTTP 502)"


CODES = {
    "BadRequestError": 400,
    "context_length_exceeded": 400,
    "INVALID_ARGUMENT": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_balance_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "RESOURCE_EXHAUSTED": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "InternalServerError": 500,
    "overloaded_error": 503,
    "ServiceUnavailableError": 503,
    "timeout_error": 504,
}


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("key", ["code", "type", "error_type", "status"])
def test_the_status_of_a_stream_error_is_read_under_many_names(key: str, name: str) -> None:
    assert reply_error(None, {"error": {"message": "m", key: name}}).status_code == CODES[name]


@pytest.mark.parametrize("key", ["http_code", "statusCode", "error_code", "errorCode", "errcode"])
def test_the_status_of_a_stream_error_is_read_in_many_forms(key: str) -> None:
    assert parse_error({"error": "m", key: 503}).status == parse_error({"error": "m", key: "503"}).status == 503


@pytest.mark.parametrize("word", ["error", "failed", "Exception"])
def test_a_generic_word_is_not_an_error_code(word: str) -> None:
    assert parse_error({"status": word, "type": word, "message": "m"}).code is None


class TestInsideAStream:
    @pytest.mark.parametrize(
        "chunk",
        [
            {"choices": None, "error_type": "BadRequestError", "error_message": "engine died"},
            {"code": 1302, "message": "High concurrency"},
            {"code": "1302", "msg": "High concurrency", "success": False},
            {"code": 500, "msg": ""},
            {"errors": ["m"]},
            {"type": "error", "message": "m"},
            {"type": "error"},
            {"status": "failed", "reason": "m"},
            {"status": 500, "message": "m"},
            {"message": "Too many requests"},
            {"Message": "m"},
            {"success": False, "message": "m"},
            {"choices": [], "code": 1, "message": "m"},
            {"choices": [{"delta": {}}], "base_resp": {"status_code": 1008, "status_msg": "m"}},
            {"choices": [{"index": 0, "delta": {"content": "a"}, "error": {"message": "m"}}]},
            {"choices": [{"error": "m", "finish_reason": "error"}]},
            {"choices": {"index": 0, "error": "m"}},
            {"x_groq": {"error": "m"}, "choices": [{"delta": {}}]},
            {"response": {"error": {"message": "m"}}, "type": "response.failed"},
            [{"error": {"message": "m"}}],
            {"error": {"code": 500}},
            {"error": True},
            {"ok": False},
            {"event": "error", "data": {"message": "m"}},
            {"choices": [{"delta": {"error": {"message": "m"}}}]},
            {"choices": [{"message": {"error": "m"}}]},
            {"choices": [{"delta": {}}], "success": False},
            {"choices": [{"delta": {}}], "status": "failed"},
            {"choices": [{"delta": {}}], "error_message": "m"},
        ],
        ids=str,
    )
    def test_a_chunk_that_reports_an_error_is_recognised(self, chunk: Any) -> None:
        assert is_stream_error(chunk)

    @pytest.mark.parametrize(
        "chunk",
        [
            {"code": 0, "message": "Success", "choices": [{"delta": {}}]},
            {"code": 0, "message": "Success", "sid": "x"},
            {"code": 200, "msg": "ok"},
            {"code": "success", "message": "done"},
            {"choices": [{"delta": {}}], "base_resp": {"status_code": 0, "status_msg": ""}},
            {"base_resp": {"status_code": 0, "status_msg": "success"}, "message": None},
            {"type": "ping", "message": "still there"},
            {"status": "queued", "message": "3 before you"},
            {"type": "info", "message": "routed to X"},
            {"object": "chat.completion.chunk", "message": "m"},
            {"message": {"role": "assistant", "content": "a"}},
            {"error": {"code": 0, "message": ""}},
            {"error": {}, "choices": []},
            {"choices": [{"delta": {}, "error": None}]},
            {"choices": [{"index": 1, "delta": {}, "error": "m"}]},
            {"choices": [{"delta": {}}], "message": "m", "code": 5},
            {"success": True, "message": "m"},
            {"code": 5},
            {"choices": [5, None]},
            {"choices": [{"delta": {"error": None}}], "success": True, "status": "ok", "error_message": None},
            {"error": {"code": "0", "message": "success"}},
            {"type": "warning", "message": "m"},
            {"type": 5, "status": [], "code": {}},
            [[], 5],
        ],
        ids=str,
    )
    def test_a_chunk_that_reports_no_error_is_not(self, chunk: Any) -> None:
        assert not is_stream_error(chunk)

    def test_only_the_error_of_a_choice_is_the_report(self) -> None:
        chunk = {"id": "x", "choices": [{"delta": {}, "error": {"code": 502, "message": "m"}}]}
        assert find_report(chunk) == {"error": {"code": 502, "message": "m"}}

    def test_deep_json_is_harmless(self) -> None:
        deep: Any = "m"
        for _ in range(900):
            deep = {"error": deep}
        assert is_stream_error(deep)
        assert is_stream_error([deep])


class TestPages:
    GBK = "<html><title>余额不足</title></html>".encode("gbk")

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (GBK, "text/html; charset=gbk"),
            (GBK, 'text/html; charset="GB2312"'),
            (b'<meta charset="gbk">' + GBK, "text/html"),
            (b'<meta http-equiv="Content-Type" content="text/html; charset=gbk">' + GBK, ""),
            (b"\xef\xbb\xbf<title>" + "余额不足</title>".encode(), "text/html"),
            ("<title>余额不足</title>".encode(), "text/html; charset=iso-8859-1"),
            ("<title>余额不足</title>".encode(), "text/html; charset=nonsense"),
        ],
    )
    def test_a_page_is_read_in_its_own_charset(self, body: bytes, content_type: str) -> None:
        error = reply_error(502, body, {"Content-Type": content_type})
        assert str(error) == "余额不足 (HTTP 502)"

    def test_declared_latin_1_is_decoded(self) -> None:
        assert str(reply_error(502, b"caf\xe9", {"Content-Type": "text/plain; charset=latin-1"})) == "café (HTTP 502)"

    @pytest.mark.parametrize("charset", ["utf-16", "utf-7", "cp037", "rot13", "unicode_escape", "hz", "idna", "base64"])
    def test_a_charset_that_hides_ascii_is_not_used(self, charset: str) -> None:
        """A secret was masked in the bytes: decoding must not restore it."""
        hidden = "secret".encode("utf-16-le") if charset == "utf-16" else b"+AHMAZQBjAHIAZQB0- ~{" + b"\\u0073ecret"
        assert "secret" not in decode_text(
            hidden.replace(b"ecret", b"3cret"), {"content-type": f"x; charset={charset}"}
        )

    def test_json_after_a_byte_order_mark_is_json(self) -> None:
        assert str(reply_error(400, b'\xef\xbb\xbf{"error": "no"}')) == "no (HTTP 400)"

    @pytest.mark.parametrize(
        ("page", "says"),
        [
            (
                "<title>ERROR: The URL could not be retrieved</title><h1>ERROR</h1>",
                "ERROR: The URL could not be retrieved",
            ),
            ("<title>Sorry</title><h1>503</h1>", "503: Sorry"),
            ("<title>Error</title><pre>Cannot POST /v2</pre>", "Error: Cannot POST /v2"),
            ("<h1>Blocked</h1><p>By <i>policy</i> 5</p>", "Blocked By policy 5"),
            ("<h1></h1><title>Busy now</title>", "Busy now"),
            ("<h1> </h1>", "an HTML page"),
            ("<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>", "AccessDenied no"),
            ("<html><style>p { color: red }</style><!-- x --><div>Go <b>away</b></div>", "Go away"),
        ],
    )
    def test_a_one_word_heading_is_extended_by_title_or_paragraph(self, page: str, says: str) -> None:
        assert describe_page(page) == says

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize(
        "part",
        [
            "<h1>",
            "<h1",
            "<title>",
            "<p>",
            "<h1></h1><p>",
            "<",
            "<pre>",
            "<h1> </h1>",
            "charset=",
            "<h2><h3>",
            "<script>",
            "<!--",
        ],
    )
    def test_a_hostile_page_takes_linear_time(self, part: str) -> None:
        def seconds(size: int) -> float:
            page = part * (size // len(part))
            started = time.process_time()
            describe_page(page)
            decode_text(page.encode() + b"\xff", {})
            return time.process_time() - started

        seconds(1000)
        assert seconds(2_000_000) < 40 * max(seconds(100_000), 0.002)


@pytest.mark.parametrize(
    "body",
    [
        'data: {"error": {"message": "it is busy"}}\n\ndata: [DONE]\n\n',
        'event: error\ndata: {"message": "it is busy"}\n\n',
        'error: {"message": "it is busy"}\n\n',
        ': ping\nid: 5\ndata:{"error": "it is busy"}',
    ],
    ids=repr,
)
def test_an_error_sent_as_an_event_is_read(body: str) -> None:
    assert str(reply_error(503, body, {"Content-Type": "text/event-stream"})) == "it is busy (HTTP 503)"


class TestProxies:
    PAGE = "<h1>502</h1><p>Bad Gateway</p>"

    def test_an_html_page_may_come_from_the_proxy(self) -> None:
        error = reply_error(502, self.PAGE, host="example.com", proxy="10.0.0.1:3128")
        assert "from example.com, or the proxy 10.0.0.1:3128 on the way to it" in str(error)

    @pytest.mark.parametrize(
        "headers", [{"X-Squid-Error": "ERR_CONNECT_FAIL 111"}, {"Server": "tinyproxy/1.11.0"}, {"Server": "squid/5.7"}]
    )
    def test_a_page_that_names_the_proxy_comes_from_it(self, headers: dict[str, str]) -> None:
        error = reply_error(502, self.PAGE, headers, host="example.com", proxy="10.0.0.1:3128")
        assert "from the proxy 10.0.0.1:3128 on the way to example.com" in str(error)

    def test_a_407_of_any_form_comes_from_the_proxy(self) -> None:
        error = reply_error(407, "", {"Proxy-Authenticate": "Basic"}, host="example.com", proxy="10.0.0.1:3128")
        assert "from the proxy 10.0.0.1:3128" in str(error)

    @pytest.mark.parametrize("body", [{"error": "no"}, "no"])
    def test_json_and_text_come_from_the_server(self, body: Any) -> None:
        assert "proxy" not in str(reply_error(502, body, host="example.com", proxy="10.0.0.1:3128"))

    def test_without_a_proxy_a_page_comes_from_the_server(self) -> None:
        error = reply_error(502, self.PAGE, {"X-Inference-Provider": "novita"}, host="example.com")
        assert "from novita" in str(error)


class TestHostileJSON:
    def deep(self, levels: int) -> Any:
        value: Any = "m"
        for number in range(levels):
            value = {"error": value} if number % 2 else [value]
        return value

    @pytest.mark.parametrize("levels", [60, 500, 900])
    def test_an_error_with_a_deep_body_can_be_shown_copied_and_pickled(self, levels: int) -> None:
        error = reply_error(400, json.dumps(self.deep(levels)))
        twin = pickle.loads(pickle.dumps(error))
        assert (str(twin), twin.body) == (str(error), error.body)
        assert copy.deepcopy(error.body) == error.body
        assert len(repr(error)) + len(repr(error.body)) < 5000

    @pytest.mark.parametrize("digits", [4299, 4300, 4301, 50_000])
    def test_huge_numbers_are_harmless(self, digits: int) -> None:
        body = '{"error": {"message": "m", "code": ' + "9" * digits + "}}"
        error = reply_error(400, body)
        assert "m" in str(error)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
        repr(error.body)

    @pytest.mark.timeout(20)
    @pytest.mark.parametrize("width", [10, 100_000])
    def test_very_many_entries_are_harmless(self, width: int) -> None:
        wide = {"errors": [{"message": f"m{number}"} for number in range(width)]}
        assert "m0; m1" in str(reply_error(400, wide))
