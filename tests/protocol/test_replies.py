from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from hf_text.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ModelNotSupportedError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from hf_text.protocol.error_reports import parse_error
from hf_text.protocol.headers import request_id
from hf_text.protocol.pages import describe_page
from hf_text.protocol.replies import next_link, parse_reply_error, parse_retry_after
from hf_text.protocol.stream_errors import is_stream_error

NOW = 1_795_000_000.0
NOVITA = {"X-Inference-Provider": "novita"}


def reply_error(
    status: int | None, body: Any = b"", headers: Mapping[str, str] | None = None, **facts: Any
) -> APIStatusError:
    """The exception for a response; a body that is neither bytes nor text is sent as JSON."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return parse_reply_error(status, CaseInsensitiveDict(headers or {}), body, now=NOW, **facts)


@dataclass
class Row:
    """An error response and its expected exception."""

    status: int
    body: Any
    cls: type[APIStatusError]
    says: str
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    scope: str | None = None


PAGE = """<!DOCTYPE html>
<html><head><title>Acme &middot; cloud</title><style>h1 { color: red }</style></head>
<body><main><img alt=""><div>
        <h1>502</h1>
        <p>Bad Gateway</p>
</div></main></body></html>"""
NGINX = """<html>
<head><title>504 Gateway Time-out</title></head>
<body><center><h1>504 Gateway Time-out</h1></center></body>
</html>"""
CREDITS = "You have depleted your monthly included credits. Purchase pre-paid credits to go on."

# Error responses of the Hub, the router and the providers.
ROWS = {
    "an unknown model (router)": Row(
        400,
        {
            "error": {
                "message": "The requested model 'acme/none' does not exist.",
                "type": "invalid_request_error",
                "param": "model",
                "code": "model_not_found",
            }
        },
        ModelNotSupportedError,
        "The requested model 'acme/none' does not exist.",
        "model_not_found",
    ),
    "a model that no enabled provider serves (router)": Row(
        400,
        {"error": {"message": "The requested model 'acme/x' is not supported.", "code": "model_not_supported"}},
        ModelNotSupportedError,
        "The requested model 'acme/x' is not supported.",
        "model_not_supported",
    ),
    "an unknown model (a provider)": Row(
        400,
        {"error": {"message": "No such model here", "code": "model_not_found"}},
        ModelNotSupportedError,
        "No such model here",
        "model_not_found",
        NOVITA,
    ),
    "a model that the provider of the route does not serve": Row(
        400,
        {"error": "Model not supported by provider acme"},
        ModelNotSupportedError,
        "Model not supported by provider acme",
    ),
    "a capability (Novita)": Row(
        400,
        {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "model features vision not support", "metadata": {}},
        BadRequestError,
        "model features vision not support",
        "INVALID_REQUEST_BODY",
        NOVITA,
    ),
    "a capability (Nebius)": Row(
        400,
        {"detail": "Invalid request. acme/Scribe is not a multimodal model"},
        BadRequestError,
        "Invalid request. acme/Scribe is not a multimodal model",
    ),
    "a field too many (Fireworks)": Row(
        400,
        {
            "error": {
                "object": "error",
                "type": "invalid_request_error",
                "code": "invalid_request_error",
                "message": "Extra inputs are not permitted, field: 'store'",
            }
        },
        BadRequestError,
        "Extra inputs are not permitted, field: 'store'",
        "invalid_request_error",
    ),
    "a code that is a number as text (Z.ai)": Row(
        400,
        {"error": {"code": "1211", "message": "Unknown Model, check it."}},
        ModelNotSupportedError,
        "Unknown Model",
        "1211",
    ),
    "a wrong key (router and Hub)": Row(
        401,
        {"error": "Invalid credentials in Authorization header"},
        AuthenticationError,
        "Invalid credentials in Authorization header",
        headers={"X-Error-Message": "Invalid credentials in Authorization header"},
    ),
    "a wrong key with 400 (LiteLLM without its database)": Row(
        400,
        {"error": {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}},
        AuthenticationError,
        "No connected db.",
        "no_db_connection",
    ),
    "a wrong key with 400 (xAI)": Row(
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xx. See the console."},
        AuthenticationError,
        "Incorrect API key provided",
        "Client specified an invalid argument",
    ),
    "a wrong key with 400 (Gemini)": Row(
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "API key not valid. Please pass a valid API key.",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ],
        AuthenticationError,
        "API key not valid",
    ),
    "no key (Hub)": Row(
        401, {"error": "Invalid username or password."}, AuthenticationError, "Invalid username or password."
    ),
    "no key (router), as a page": Row(
        401, "<html><body><h1>401 Unauthorized</h1></body></html>", AuthenticationError, "401 Unauthorized"
    ),
    "no credits (router in 2026)": Row(
        402, {"error": CREDITS}, PaymentRequiredError, CREDITS, headers={"X-Error-Message": CREDITS}, scope="account"
    ),
    "no credits (router in 2025)": Row(
        402,
        {"error": "You have exceeded your monthly included credits for Inference Providers."},
        PaymentRequiredError,
        "You have exceeded your monthly included credits",
        scope="account",
    ),
    "no credits at the provider": Row(
        402,
        {"code": 402, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"},
        PaymentRequiredError,
        "not enough balance",
        "NOT_ENOUGH_BALANCE",
        NOVITA,
        scope="provider",
    ),
    "no permission (router)": Row(
        403,
        {"error": "This authentication method does not have sufficient permissions for org acme"},
        PermissionDeniedError,
        "sufficient permissions for org acme",
    ),
    "a gated model (Hub)": Row(
        403,
        {"error": "Access to model acme/Seer is restricted."},
        PermissionDeniedError,
        "Access to model acme/Seer is restricted.",
        "GatedRepo",
        {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model acme/Seer is restricted."},
    ),
    "a wrong route, as text": Row(404, "Not Found", NotFoundError, "Not Found"),
    "a wrong route, as a page": Row(
        404, "<!DOCTYPE html><title>Error</title><pre>Cannot POST /v2</pre>", NotFoundError, "Error"
    ),
    "no such model (TGI)": Row(
        404, {"error": "Model acme/none does not exist"}, ModelNotSupportedError, "Model acme/none"
    ),
    "no such model (Ollama)": Row(
        404,
        {"error": {"message": 'model "acme" not found, try pulling it first', "type": "api_error"}},
        ModelNotSupportedError,
        "try pulling it first",
        "api_error",
    ),
    "no such model (vLLM)": Row(
        404,
        {"object": "error", "message": "The model `acme/none` does not exist.", "type": "NotFoundError", "code": 404},
        ModelNotSupportedError,
        "does not exist",
        "NotFoundError",
    ),
    "a model that was withdrawn (Groq)": Row(
        400,
        {"error": {"message": "The model `acme` has been decommissioned", "code": "model_decommissioned"}},
        ModelNotSupportedError,
        "decommissioned",
        "model_decommissioned",
    ),
    "no such model, as a code in capitals (Novita)": Row(
        422, {"code": 422, "reason": "MODEL_NOT_FOUND", "message": "m"}, ModelNotSupportedError, "m", "MODEL_NOT_FOUND"
    ),
    "a model that may not be used": Row(
        403, {"error": {"message": "no", "code": "model_not_found"}}, PermissionDeniedError, "no", "model_not_found"
    ),
    "a tool that is not found": Row(
        400, {"error": "tool x of the model's last turn was not found"}, BadRequestError, "tool x"
    ),
    "no such repository (Hub)": Row(
        404,
        {"error": "Repository not found"},
        NotFoundError,
        "Repository",
        "RepoNotFound",
        {"X-Error-Code": "RepoNotFound"},
    ),
    "withdrawn": Row(
        410,
        {"error": "The requested model is deprecated and no longer supported by provider acme"},
        ModelNotSupportedError,
        "no longer supported by provider acme",
    ),
    "a conflict": Row(409, {"error": "conflict"}, BadRequestError, "conflict"),
    "too large": Row(413, {"error": "too large"}, BadRequestError, "too large"),
    "not valid (TGI)": Row(
        422,
        {"error": "Input validation error: inputs too long", "error_type": "validation"},
        BadRequestError,
        "Input validation error: inputs too long",
        "validation",
    ),
    "not valid (axum), as text": Row(
        422,
        "Failed to deserialize the JSON body into the target type: messages: missing field",
        BadRequestError,
        "Failed to deserialize the JSON body into the target type: messages: missing field",
    ),
    "not valid (FastAPI)": Row(
        422,
        {
            "detail": [
                {"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required", "input": {}},
                {"type": "int_type", "loc": ["body", "seed"], "msg": "Input should be a valid integer"},
            ]
        },
        BadRequestError,
        "body.messages.0.role: Field required; body.seed: Input should be a valid integer",
    ),
    "generation failed (TGI)": Row(
        424,
        {"error": "Request failed during generation", "error_type": "generation"},
        BadRequestError,
        "Request failed",
        "generation",
    ),
    "overloaded (TGI)": Row(
        429,
        {"error": "Model is overloaded", "error_type": "overloaded"},
        RateLimitError,
        "Model is overloaded",
        "overloaded",
    ),
    "too many requests (Hub)": Row(
        429, {"error": "We had to rate limit your IP (192.0.2.1)."}, RateLimitError, "We had to rate limit your IP"
    ),
    "too many tokens (Groq)": Row(
        429,
        {
            "error": {
                "message": "Rate limit reached. Try again in 1.98s.",
                "type": "tokens",
                "code": "rate_limit_exceeded",
            }
        },
        RateLimitError,
        "Rate limit reached. Try again in 1.98s.",
        "rate_limit_exceeded",
    ),
    "failed (Together)": Row(
        500,
        {
            "id": "o-1",
            "error": {"message": "Internal server error", "type": "server_error", "param": None, "code": None},
        },
        ServerError,
        "Internal server error",
        "server_error",
    ),
    "failed (Novita)": Row(
        500,
        {"message": "unknown error trace_id: 5", "type": "server_error"},
        ServerError,
        "unknown error",
        "server_error",
    ),
    "failed (Nebius)": Row(500, {"detail": "Unable to process request."}, ServerError, "Unable to process request."),
    "incomplete (TGI)": Row(
        500,
        {"error": "Incomplete generation", "error_type": "incomplete_generation"},
        ServerError,
        "Incomplete generation",
        "incomplete_generation",
    ),
    "a bad gateway, as a page of the Hub": Row(502, PAGE, ServerError, "502 Bad Gateway"),
    "unavailable, as a page": Row(
        503, "<html><h1>503</h1>\n<p>Service <b>Unavailable</b></p>", ServerError, "503 Service Unavailable"
    ),
    "loading": Row(
        503, {"error": "Model acme/x is currently loading", "estimated_time": 20.0}, ServerError, "is currently loading"
    ),
    "too slow, as a page of nginx": Row(504, NGINX, ServerError, "504 Gateway Time-out"),
    "OAuth": Row(
        400,
        {"error": "invalid_grant", "error_description": "The token has expired"},
        BadRequestError,
        "invalid_grant: The token has expired",
    ),
    "a list of errors": Row(
        400, {"errors": [{"message": "first"}, {"message": "second"}, "third"]}, BadRequestError, "first; second; third"
    ),
    "error as a list (old TGI)": Row(400, {"error": ["first", "second"]}, BadRequestError, "first; second"),
    "a text as JSON": Row(400, '"no"', BadRequestError, "no"),
    "a flag beside the message": Row(
        400, {"error": True, "message": "the seed is odd"}, BadRequestError, "the seed is odd"
    ),
    "an error without message beside one": Row(
        400, {"error": {"code": "odd"}, "message": "the seed is odd"}, BadRequestError, "the seed is odd", "odd"
    ),
    "problem details": Row(
        400,
        {"type": "about:blank", "title": "Bad", "status": 400, "detail": "the seed is odd"},
        BadRequestError,
        "the seed is odd",
        "about:blank",
        {"Content-Type": "application/problem+json"},
    ),
    "a teapot": Row(418, {"error": "teapot"}, BadRequestError, "teapot"),
    "a status that nobody knows": Row(599, {"error": "odd"}, ServerError, "odd"),
    "a redirect that was not followed": Row(302, "Found", APIStatusError, "Found"),
}


@pytest.mark.parametrize("name", ROWS)
def test_every_response_becomes_the_right_error(name: str) -> None:
    row = ROWS[name]
    error = reply_error(row.status, row.body, row.headers, host="example.com", model="acme/x")
    assert type(error) is row.cls
    assert row.says in str(error)
    assert (error.status_code, error.code, error.model) == (row.status, row.code, "acme/x")
    assert error.provider == row.headers.get("X-Inference-Provider")
    assert getattr(error, "scope", None) == row.scope
    assert f"HTTP {row.status}" in str(error)


@pytest.mark.parametrize("name", ROWS)
def test_the_body_of_every_response_is_kept(name: str) -> None:
    row = ROWS[name]
    error = reply_error(row.status, row.body, row.headers)
    if not isinstance(row.body, str):
        assert error.body == row.body
    elif row.body.startswith('"'):
        assert error.body == json.loads(row.body)
    else:
        assert error.body == (describe_page(row.body) if row.body.startswith("<") else row.body)


@pytest.mark.parametrize("name", ROWS)
def test_every_error_can_be_pickled(name: str) -> None:
    row = ROWS[name]
    error = reply_error(row.status, row.body, row.headers, model="acme/x")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))


class TestTheMessage:
    def test_the_message_has_status_server_model_and_request_id(self) -> None:
        error = reply_error(
            400, {"error": "no"}, {"x-request-id": "Root=1-5"}, host="example.com", model="acme/x", reason="Bad Request"
        )
        assert str(error) == "no (HTTP 400, from example.com, model acme/x, request Root=1-5)"

    def test_the_message_names_the_provider_rather_than_the_host(self) -> None:
        assert str(reply_error(400, {"error": "no"}, NOVITA, host="example.com")) == "no (HTTP 400, from novita)"

    def test_without_details_there_are_no_brackets(self) -> None:
        assert str(reply_error(None, {"error": "no"})) == "no"

    @pytest.mark.parametrize("body", [b"", b"  \n", {}, [], {"error": None}, {"error": {}}, {"detail": []}])
    def test_an_empty_body_uses_the_reason_phrase(self, body: Any) -> None:
        assert str(reply_error(503, body, reason="Service Unavailable")) == "Service Unavailable (HTTP 503)"
        assert str(reply_error(503, body)) == "no message (HTTP 503)"

    def test_an_error_header_is_used_where_the_body_is_empty(self) -> None:
        assert str(reply_error(401, b"", {"X-Error-Message": "odd"}, reason="Unauthorized")) == "odd (HTTP 401)"

    def test_a_differing_error_header_precedes_the_body(self) -> None:
        error = reply_error(401, {"error": "b"}, {"X-ERROR-MESSAGE": "odd"}, reason="Unauthorized")
        assert str(error) == "odd (b) (HTTP 401)"

    def test_an_error_header_that_repeats_the_body_is_shown_once(self) -> None:
        assert (
            str(reply_error(401, {"error": "It is odd."}, {"x-error-message": "It is odd."})) == "It is odd. (HTTP 401)"
        )

    def test_the_code_of_the_header_takes_precedence(self) -> None:
        error = reply_error(404, {"error": {"message": "no", "code": "odd"}}, {"X-Error-Code": "RepoNotFound"})
        assert error.code == "RepoNotFound"

    def test_a_long_message_is_shortened(self) -> None:
        error = reply_error(400, {"error": "x" * 50_000}, host="example.com")
        assert str(error) == f"{'x' * 2000} (HTTP 400, from example.com)"

    def test_a_long_text_is_shortened_in_the_body(self) -> None:
        error = reply_error(400, "x" * 50_000)
        assert error.body == "x" * 20_000
        assert len(str(error)) < 2100

    def test_a_partial_character_is_replaced(self) -> None:
        error = reply_error(400, b'{"error": "a\\ud83d"}')
        assert str(error) == "a\ufffd (HTTP 400)"

    def test_invalid_utf8_is_replaced(self) -> None:
        assert str(reply_error(400, b"caf\xe9")) == "caf\ufffd (HTTP 400)"

    def test_a_byte_order_mark_is_not_part_of_the_message(self) -> None:
        assert str(reply_error(400, b'\xef\xbb\xbf{"error": "no"}')) == "no (HTTP 400)"

    @pytest.mark.parametrize("body", ['{"error": "cut', "[1, 2", "{not json}", '"open'])
    def test_invalid_json_is_quoted_as_text(self, body: str) -> None:
        error = reply_error(400, body)
        assert str(error) == f"{body} (HTTP 400)"
        assert error.body == body

    @pytest.mark.parametrize("body", ["[" * 60_000, '{"error":' * 7_000])
    def test_too_deeply_nested_json_is_quoted_as_text(self, body: str) -> None:
        error = reply_error(400, body)
        assert type(error) is BadRequestError
        assert len(str(error)) < 2100

    def test_a_too_deeply_nested_error_has_no_message(self) -> None:
        body: Any = "deep"
        for _ in range(200):
            body = {"error": [body]}
        assert str(reply_error(400, body, reason="Bad Request")) == "Bad Request (HTTP 400)"

    def test_a_declared_html_page_is_read_as_html(self) -> None:
        error = reply_error(502, "Oops <h1>Bad Gateway</h1>", {"Content-Type": "text/html; charset=utf-8"})
        assert str(error) == "Bad Gateway (HTTP 502)"

    def test_json_declared_as_html_is_read_as_json(self) -> None:
        assert str(reply_error(502, {"error": "no"}, {"Content-Type": "text/html"})) == "no (HTTP 502)"


class TestPages:
    @pytest.mark.parametrize(
        ("page", "says"),
        [
            (PAGE, "502 Bad Gateway"),
            (NGINX, "504 Gateway Time-out"),
            ("<h1 class='x'>A &amp; B</h1><p>ignored", "A & B"),
            ("<H1>A</H1>\n  <P id=x>B\n  <i>C</i></P>", "A B C"),
            ("<h1>A</h1><div><p>B</p></div>", "A: B"),
            ("<title>Just\n a moment…</title>", "Just a moment…"),
            ("<html></html>", "an HTML page"),
            ("<h1>open", "open"),
            ("", "an HTML page"),
        ],
    )
    def test_headings_are_quoted(self, page: str, says: str) -> None:
        assert describe_page(page) == says

    def test_importing_the_module_does_not_read_the_table_of_entities(self) -> None:
        code = "import sys, requests; before = 'html' in sys.modules; import hf_text.protocol.pages; "
        code += "assert before or 'html' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


class TestCodes:
    @pytest.mark.parametrize(
        ("body", "code", "status"),
        [
            ({"error": {"message": "m", "http_status_code": 422}}, None, 422),
            ({"error": "m", "http_status_code": 429}, None, 429),
            ({"error": "m", "status_code": 503}, None, 503),
            ({"error": "m", "status": "503"}, None, 503),
            ({"error": "m", "code": 404}, None, 404),
            ({"error": "m", "code": "404"}, None, 404),
            ({"error": "m", "code": 404, "type": "gone"}, "gone", 404),
            ({"error": "m", "code": "gone", "status": 410}, "gone", 410),
            ({"error": "m", "code": 1211}, "1211", None),
            ({"error": "m", "code": "0404"}, "0404", None),
            ({"error": "m", "code": 200}, "200", None),
            ({"error": "m", "code": "6" * 5000}, "6" * 5000, None),
            ({"error": "m", "code": "²"}, "²", None),
            ({"error": "m", "code": 0}, None, None),
            ({"error": "m", "code": True}, None, None),
            ({"error": "m", "code": 404.5}, None, None),
            ({"error": "m", "code": None, "type": None}, None, None),
            ({"error": "m", "code": ["x"], "type": {"y": 1}}, None, None),
            ({"error": {"message": "m", "code": "inner"}, "code": "outer"}, "inner", None),
            ({"error": {"message": "m"}, "code": 500}, None, 500),
            ({"error": {"message": "m", "code": 400}, "code": 500}, None, 400),
            ({"error": "m", "error_type": "validation"}, "validation", 422),
            ({"error": "m", "error_type": "template_error"}, "template_error", 422),
            ({"error": "m", "error_type": "overloaded"}, "overloaded", 429),
            ({"error": "m", "error_type": "generation"}, "generation", 424),
            ({"error": "m", "error_type": "incomplete_generation"}, "incomplete_generation", 500),
            ({"error": {"message": "m", "type": "server_error"}}, "server_error", 500),
            ({"error": {"message": "m", "type": "internal_server_error"}}, "internal_server_error", 500),
            ({"error": {"message": "m", "type": "invalid_request_error"}}, "invalid_request_error", 400),
            ({"error": {"message": "m", "type": "tokens", "code": "rate_limit_exceeded"}}, "rate_limit_exceeded", 429),
            ({"object": "error", "message": "m", "type": "x", "code": 400}, "x", 400),
            ({"code": 503}, None, 503),
        ],
    )
    def test_a_code_is_a_name_or_a_status(self, body: Any, code: str | None, status: int | None) -> None:
        report = parse_error(body)
        assert (report.message, report.code, report.status) == ("m" if "m" in str(body) else "", code, status)

    def test_the_http_status_takes_precedence_over_the_body(self) -> None:
        error = reply_error(503, {"error": {"message": "m", "code": 400}})
        assert (type(error), error.status_code) == (ServerError, 503)

    @pytest.mark.parametrize("status", [None, 200])
    def test_without_an_http_status_the_body_status_is_used(self, status: int | None) -> None:
        error = reply_error(status, {"error": {"message": "m", "http_status_code": 429}})
        assert (type(error), error.status_code) == (RateLimitError, 429)
        nameless = reply_error(status, {"error": "m"})
        assert (type(nameless), nameless.status_code) == (APIStatusError, status)

    @pytest.mark.parametrize(
        "value",
        [
            {"msg": "m", "loc": "body"},
            {"msg": "m", "loc": None},
            {"message": "m", "loc": ["body", 0]},
            {"detail": "m", "error_description": "more"},
            {"error": "m", "error_description": ["more"]},
        ],
    )
    def test_only_relevant_fields_are_added_to_the_message(self, value: Any) -> None:
        assert parse_error(value).message == "m"

    @pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"error": inner}])
    def test_excessive_nesting_is_not_followed(self, wrap: Callable[[Any], Any]) -> None:
        value: Any = "m"
        for _ in range(10):
            value = wrap(value)
        assert parse_error(value).message == "m"
        for _ in range(5000):
            value = wrap(value)
        assert parse_error(value).message == ""

    @pytest.mark.parametrize("value", [None, 5, 1.5, True, False])
    def test_other_json_types_have_no_message(self, value: Any) -> None:
        assert parse_error(value) == ("", None, None)


class TestErrorsInsideAStream:
    """The body is parsed JSON, and the headers are those of the answer that began with success."""

    def report(self, value: Any, headers: Mapping[str, str] | None = None) -> APIStatusError:
        return parse_reply_error(None, CaseInsensitiveDict(headers or {}), value, now=NOW, host="example.com")

    @pytest.mark.parametrize(
        ("value", "cls", "status"),
        [
            ({"error": "Input validation error", "error_type": "validation"}, BadRequestError, 422),
            ({"error": {"message": "m", "http_status_code": 422}}, BadRequestError, 422),
            (
                {"error": {"message": "m", "type": "invalid_request_error", "code": "tool_use_failed"}},
                BadRequestError,
                400,
            ),
            ({"error": "Model is overloaded", "error_type": "overloaded"}, RateLimitError, 429),
            ({"error": {"message": "m", "type": "server_error"}}, ServerError, 500),
            ({"error": {"message": "m", "code": 402}}, PaymentRequiredError, 402),
            ({"error": "m"}, APIStatusError, None),
            ("m", APIStatusError, None),
        ],
    )
    def test_stream_errors_have_their_status(self, value: Any, cls: type, status: int | None) -> None:
        error = self.report(value)
        assert (type(error), error.status_code, error.body) == (cls, status, value)

    def test_an_unknown_model_is_recognised_by_its_code(self) -> None:
        error = self.report({"error": {"message": "m", "code": "model_not_found", "http_status_code": 400}})
        assert type(error) is ModelNotSupportedError

    @pytest.mark.parametrize(
        "headers", [{"Retry-After": "30"}, {"retry-after-ms": "5"}, {"RateLimit": '"api";r=0;t=9'}]
    )
    def test_retry_after_of_a_successful_response_is_ignored(self, headers: dict[str, str]) -> None:
        """Together sends Retry-After with status 200."""
        assert self.report({"error": {"message": "m", "http_status_code": 429}}, headers).retry_after is None
        assert reply_error(200, {"error": {"message": "m", "code": 429}}, headers).retry_after is None
        assert reply_error(429, {"error": "m"}, headers).retry_after is not None

    @pytest.mark.parametrize(
        "chunk",
        [
            {"error": "m"},
            {"error": {"message": "m"}},
            {"error": ["m"]},
            {"error": "m", "error_type": "validation"},
            {"error": "m", "choices": [{"delta": {}}]},
            {"object": "error", "message": "m", "code": 400},
            {"object": "error", "message": "m", "choices": []},
            {"detail": "m"},
            {"detail": [{"msg": "m"}]},
        ],
    )
    def test_error_reports_are_recognised(self, chunk: Any) -> None:
        assert is_stream_error(chunk) is True

    @pytest.mark.parametrize(
        "chunk",
        [
            {},
            {"choices": []},
            {"choices": [{"delta": {"content": "error"}}]},
            {"choices": [{"delta": {}}], "error": None},
            {"choices": [], "error": {}},
            {"error": ""},
            {"error": False},
            {"object": "error", "choices": [{"delta": {}}]},
            {"detail": "m", "choices": [{"delta": {}}]},
            {"detail": None},
            {"object": "chat.completion.chunk"},
            {"usage": {"total_tokens": 5}},
            [],
            ["error"],
            "error",
            5,
            None,
        ],
    )
    def test_other_objects_are_not_error_reports(self, chunk: Any) -> None:
        assert is_stream_error(chunk) is False


class TestPayment:
    def scope(self, message: str, headers: Mapping[str, str] | None = None, **facts: Any) -> str:
        error = reply_error(402, {"error": message}, headers, **facts)
        assert isinstance(error, PaymentRequiredError)
        return error.scope

    @pytest.mark.parametrize("message", [CREDITS, "Purchase prepaid credits", "monthly INCLUDED CREDITS", "odd"])
    def test_a_402_without_provider_is_about_the_account(self, message: str) -> None:
        assert self.scope(message) == "account"

    @pytest.mark.parametrize("message", ["not enough balance", "odd", "your credits are used up"])
    def test_a_402_from_a_provider_is_about_that_provider(self, message: str) -> None:
        assert self.scope(message, NOVITA) == "provider"
        assert self.scope(message, provider="novita") == "provider"

    @pytest.mark.parametrize("message", [CREDITS, "Purchase prepaid credits", "monthly INCLUDED CREDITS"])
    def test_a_402_about_the_account_is_recognised_on_a_provider_route(self, message: str) -> None:
        assert self.scope(message, provider="novita") == "account"


class TestModelRefused:
    BODY = {"error": {"message": "The model does not exist.", "code": "model_not_found"}}  # noqa: RUF012

    def test_it_quotes_the_router(self) -> None:
        error = reply_error(400, self.BODY, model="acme/none")
        assert isinstance(error, ModelNotSupportedError)
        assert (error.status_code, error.code) == (400, "model_not_found")
        assert (error.model, error.providers, error.suggestions, error.body) == ("acme/none", (), (), self.BODY)

    def test_it_names_the_refusing_provider(self) -> None:
        for error in (reply_error(400, self.BODY, NOVITA), reply_error(404, self.BODY, provider="novita")):
            assert isinstance(error, ModelNotSupportedError)
            assert error.provider == "novita"

    @pytest.mark.parametrize("status", [400, 404, 410, 422])
    def test_the_status_does_not_matter(self, status: int) -> None:
        error = reply_error(status, self.BODY)
        assert (type(error), error.status_code) == (ModelNotSupportedError, status)

    @pytest.mark.parametrize(
        ("status", "cls"), [(401, AuthenticationError), (402, PaymentRequiredError), (429, RateLimitError)]
    )
    def test_key_billing_and_limit_errors_take_precedence(self, status: int, cls: type[APIStatusError]) -> None:
        assert type(reply_error(status, self.BODY)) is cls

    def test_words_about_models_in_general_do_not_count(self) -> None:
        assert type(reply_error(404, {"error": "model not found"})) is NotFoundError
        assert type(reply_error(404, {"error": "model not found"}, model="acme/x")) is ModelNotSupportedError


class TestAdvice:
    @pytest.mark.parametrize(
        ("status", "body", "headers", "advice"),
        [
            (401, {"error": "m"}, {}, "https://huggingface.co/settings/tokens"),
            (402, {"error": CREDITS}, {}, "https://huggingface.co/settings/billing"),
            (402, {"error": CREDITS}, {}, "bill_to="),
            (403, {"error": "m"}, {}, "inference.serverless.write"),
            (400, {"error": {"message": "m", "code": "model_not_supported"}}, {}, "settings/inference-providers"),
        ],
    )
    def test_advice_is_given_only_for_hugging_face(
        self, status: int, body: Any, headers: dict[str, str], advice: str
    ) -> None:
        assert advice in str(reply_error(status, body, headers, hugging_face=True))
        assert advice not in str(reply_error(status, body, headers))

    @pytest.mark.parametrize(
        ("status", "body", "headers"),
        [
            (400, {"error": "m"}, {}),
            (400, {"error": {"message": "m", "code": "model_not_found"}}, {}),
            (402, {"error": "m"}, NOVITA),
            (404, {"error": "m"}, {}),
            (429, {"error": "m"}, {}),
            (500, {"error": "m"}, {}),
        ],
    )
    def test_other_errors_have_no_advice(self, status: int, body: Any, headers: dict[str, str]) -> None:
        error = reply_error(status, body, headers, hugging_face=True)
        assert "huggingface.co" not in str(error)
        assert str(error) == str(reply_error(status, body, headers))

    def test_advice_is_kept_after_a_long_message(self) -> None:
        error = reply_error(401, {"error": "x" * 50_000}, hugging_face=True)
        assert str(error).endswith("https://huggingface.co/settings/tokens")


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's time zone is nine hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


class TestRetryAfter:
    def wait(self, now: float = NOW, **headers: str) -> float | None:
        return parse_retry_after(CaseInsensitiveDict({k.replace("_", "-"): v for k, v in headers.items()}), now)

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("2", 2.0),
            ("0", 0.0),
            (" 30 ", 30.0),
            ("1.5", 1.5),
            ("+3", 3.0),
            ("-5", 0.0),
            ("100000000000000", 1e14),
            ("", None),
            ("soon", None),
            ("2s", 2.0),
            ("120ms", 0.12),
            ("1m2.5s", 62.5),
            ("7.", 7.0),
            (".5", 0.5),
            ("7, 8", 7.0),  # two headers, joined by a proxy
            ("2 s 3", None),
            ("1m" * 9, None),
            ("1e3", None),
            ("nan", None),
            ("inf", None),
            ("0x10", None),
            ("1,5", None),
            ("--5", None),
            ("9" * 400, None),
            ("Fri, 99 Nov 2026 99:99:99 GMT", None),
            ("Fri, 13 Smarch 2026 00:00:00 GMT", None),
            ("Fri, 13 Nov 99999999999999999999 00:00:00 GMT", None),
        ],
    )
    def test_seconds_are_read(self, value: str, seconds: float | None) -> None:
        assert self.wait(Retry_After=value) == seconds

    @pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set here")
    @pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000", ""])
    def test_a_date_defaults_to_gmt(self, zone: str, in_tokyo: None) -> None:
        assert self.wait(Retry_After=f"Wed, 18 Nov 2026 12:00:00 {zone}", now=1_795_003_170.0) == 30.0

    @pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set here")
    def test_an_asctime_date_is_read(self, in_tokyo: None) -> None:
        assert self.wait(Retry_After="Wed Nov 18 12:00:00 2026", now=1_795_003_170.0) == 30.0

    def test_a_date_in_another_time_zone_is_read(self) -> None:
        assert self.wait(Retry_After="Wed, 18 Nov 2026 13:00:00 +0100", now=1_795_003_170.0) == 30.0

    def test_a_past_date_means_no_wait(self) -> None:
        assert self.wait(Retry_After=formatdate(NOW - 100, usegmt=True)) == 0.0

    @pytest.mark.parametrize(("value", "seconds"), [("1500", 1.5), ("0", 0.0), ("-5", 0.0), ("250.5", 0.2505)])
    def test_milliseconds_are_read(self, value: str, seconds: float) -> None:
        assert self.wait(retry_after_ms=value) == seconds

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ('"api";r=0;t=55', 56.0),
            ('"api"; r = 0 ; t = 55', 56.0),
            ('"pages";r=9;t=3, "api";r=0;t=55', 56.0),
            ('"api";r=10;t=55', None),
            ('"api";r=0', None),
            ("garbage", None),
        ],
    )
    def test_an_exhausted_rate_limit_is_read(self, value: str, seconds: float | None) -> None:
        assert self.wait(RateLimit=value) == seconds

    def test_precedence_is_milliseconds_seconds_rate_limit(self) -> None:
        headers = {"retry_after_ms": "1500", "Retry_After": "7", "RateLimit": '"api";r=0;t=55'}
        assert self.wait(**headers) == 1.5
        del headers["retry_after_ms"]
        assert self.wait(**headers) == 7.0
        del headers["Retry_After"]
        assert self.wait(**headers) == 56.0

    def test_unreadable_values_are_skipped(self) -> None:
        assert self.wait(retry_after_ms="soon", Retry_After="7") == 7.0
        assert self.wait(Retry_After="soon", RateLimit='"api";r=0;t=55') == 56.0

    def test_without_headers_there_is_no_wait(self) -> None:
        assert self.wait() is None

    def test_the_wait_is_an_attribute_of_the_error(self) -> None:
        assert reply_error(429, {"error": "m"}, {"Retry-After": "7"}).retry_after == 7.0
        assert reply_error(503, {"error": "m"}, {"retry-after": "7"}).retry_after == 7.0
        assert reply_error(429, {"error": "m"}).retry_after is None

    @given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=30))
    def test_any_header_value_is_handled(self, after: str, milliseconds: str, rate: str) -> None:
        seconds = self.wait(Retry_After=after, retry_after_ms=milliseconds, RateLimit=rate)
        assert seconds is None or seconds >= 0


class TestRequestId:
    HEADERS = {  # noqa: RUF012
        "x-request-id": "first",
        "x-litellm-call-id": "LiteLLM's",
        "X-Amzn-Trace-Id": "second",
        "x-amz-cf-id": "third",
        "inference-id": "fourth",
    }

    def test_request_id_headers_have_the_order_of_huggingface_hub(self) -> None:
        left = dict(self.HEADERS)
        for name, value in self.HEADERS.items():
            assert request_id(CaseInsensitiveDict(left)) == value
            assert reply_error(500, b"", left).request_id == value
            del left[name]
        assert request_id(CaseInsensitiveDict(left)) is None

    def test_an_empty_header_is_skipped(self) -> None:
        assert request_id(CaseInsensitiveDict({"x-request-id": "", "x-amz-cf-id": "third"})) == "third"


class TestNextLink:
    @pytest.mark.parametrize(
        ("header", "url"),
        [
            (
                '<https://example.com/api/models?cursor=eyI%3D>; rel="next"',
                "https://example.com/api/models?cursor=eyI%3D",
            ),
            ("</api?page=2>; rel=next", "/api?page=2"),
            ('</1>; rel="prev", </3>; rel="next"', "/3"),
            ('</3>; rel="next", </1>; rel="prev"', "/3"),
            ('</3>;rel="next";title="more"', "/3"),
            ('</3> ; title="more"; rel="next"', "/3"),
            ('</a,b>; rel="next"', "/a,b"),
            ("", None),
            ('</1>; rel="prev"', None),
            ('</1>; rel="nextish"', None),
            ("</1>; rel=next-archive", None),
            ('</1>; norel="next"', None),
            ("</1>", None),
            ('rel="next"', None),
            ('</1>, </2>; rel="prev", rel="next"', None),
        ],
    )
    def test_only_the_next_link_is_returned(self, header: str, url: str | None) -> None:
        assert next_link(header) == url


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "detail", "message", "msg", "loc", "code", "type", "status", "reason"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 200, 302, 400, 401, 402, 404, 429, 500, 999]))
def test_any_json_becomes_an_error(value: Any, status: int | None) -> None:
    error = parse_reply_error(status, {}, value, now=NOW)
    assert isinstance(error, APIStatusError)
    str(error).encode()
    assert error.code is None or isinstance(error.code, str)
    is_stream_error(value)


@given(st.binary(max_size=60) | st.text("<>h1p/title ", max_size=60).map(str.encode))
def test_any_bytes_become_an_error(body: bytes) -> None:
    error = reply_error(500, body)
    assert type(error) is ServerError
    str(error).encode()
