"""What a server's answer means: its status, headers and body to the right exception.

One function decides, for answers and for errors reported inside a stream. Every server words its errors in its own
way; the shapes read here are those of the Hugging Face Hub and router, TGI, FastAPI, and the inference providers.
"""

from __future__ import annotations

import json
import re
from calendar import timegm
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from ..errors import (
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
from .surrogates import join_surrogates

__all__ = [
    "ErrorReport",
    "describe_page",
    "is_stream_error",
    "next_link",
    "parse_error",
    "parse_reply_error",
    "parse_retry_after",
    "request_id",
]

_CLASSES: dict[int, type[APIStatusError]] = {
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    410: NotFoundError,
    429: RateLimitError,
}

# What servers name instead of a status, in errors inside a stream: TGI's error_type, OpenAI's type.
_STATUS_OF_TYPE = {
    "validation": 422,
    "template_error": 422,
    "overloaded": 429,
    "rate_limit_exceeded": 429,
    "generation": 424,
    "incomplete_generation": 500,
    "server_error": 500,
    "internal_server_error": 500,
    "invalid_request_error": 400,
}

# What may not be crossed is named, so that a page of nothing but opening tags does not take time by its square.
_HEADING = re.compile(r"<h1[^<>]*>((?:(?!<h1).)*?)</h1>\s*(?:<p[^<>]*>(.*?)</p>)?", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>((?:(?!<title).)*?)</title>", re.DOTALL | re.IGNORECASE)

_ACCOUNT_CREDITS = re.compile(r"included credits|pre-?paid credits", re.IGNORECASE)
_MAX_MESSAGE = 2000
_MAX_BODY = 20_000
_DEEPEST_ERROR = 10

_TOKEN_PAGE = (
    "https://huggingface.co/settings/tokens/new?ownUserPermissions=inference.serverless.write&tokenType=fineGrained"
)


class ErrorReport(NamedTuple):
    """What a body says went wrong.

    ``status`` is a number of the HTTP range that the body itself names, ``code`` the server's own name for the error.
    """

    message: str
    code: str | None = None
    status: int | None = None


def parse_reply_error(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes | Any,
    *,
    now: float,
    reason: str = "",
    host: str = "",
    provider: str | None = None,
    model: str | None = None,
    hugging_face: bool = False,
) -> APIStatusError | ModelNotSupportedError:
    """The exception for an answer that is an error.

    Args:
        status: the HTTP status; None for an error inside a stream, where the body may name one.
        headers: the headers, to be looked up in any case.
        body: the bytes of the body, or the JSON value in it.
        now: the time, in seconds since the epoch, to reckon a ``Retry-After`` date from.
        reason: the reason phrase of the status line.
        host: who answered, for the message.
        provider: the inference provider, where something else than the header tells it.
        model: the model that was asked for.
        hugging_face: whether Hugging Face answered, so that its pages can be named as advice.
    """
    value, text = _decode(body, headers) if isinstance(body, bytes) else (body, "")
    report = parse_error(value) if value is not None else ErrorReport(text)
    header_message = headers.get("x-error-message", "")
    message = report.message or reason or "no message"
    if header_message and header_message not in message:
        message = header_message if not report.message else f"{header_message} ({report.message})"
    asked = parse_retry_after(headers, now)
    if status in (None, 200):  # an error inside a stream: the headers speak of the answer, not of the error
        status, asked = report.status or status, None
    served_by = headers.get("x-inference-provider") or provider
    cls = _choose_class(status, report.code, served_by)
    data: dict[str, Any] = {
        "status_code": status,
        "code": headers.get("x-error-code") or report.code,
        "provider": served_by,
        "model": model,
        "request_id": request_id(headers),
        "body": value if value is not None else text[:_MAX_BODY],
        "retry_after": asked,
    }
    if cls is PaymentRequiredError:
        data["scope"] = "provider" if served_by and not _ACCOUNT_CREDITS.search(message) else "account"
    if cls is ModelNotSupportedError:
        del data["retry_after"]
    told = _tell(join_surrogates(message[:_MAX_MESSAGE]), status, served_by or host, model, data["request_id"])
    if hugging_face:
        told += _advise(status, data.get("scope"), report.code)
    return cls(told, **data)


def parse_error(value: Any, depth: int = _DEEPEST_ERROR) -> ErrorReport:
    """The report in the JSON of an error, of whatever shape; what is nested deeper than ``depth`` is not read."""
    if isinstance(value, str):
        return ErrorReport(value)
    if isinstance(value, list) and depth:
        return ErrorReport("; ".join(filter(None, (parse_error(item, depth - 1).message for item in value))))
    if not isinstance(value, dict) or not depth:
        return ErrorReport("")
    code, status = _read_code(value)
    for key in ("error", "errors", "detail", "message", "msg"):
        report = parse_error(value.get(key), depth - 1)
        code, status = report.code or code, report.status or status
        if report.message:
            return ErrorReport(_with_details(report.message, key, value), code, status)
    return ErrorReport("", code, status)


def is_stream_error(chunk: Any) -> bool:
    """Whether a chunk of a stream is the report of an error."""
    if not isinstance(chunk, dict):
        return False
    if chunk.get("error"):
        return True
    return not chunk.get("choices") and (chunk.get("object") == "error" or bool(chunk.get("detail")))


def next_link(header: str) -> str | None:
    """The next page of a listing, from its ``Link`` header."""
    for address, parameters in re.findall(r"<([^<>]*)>([^<]*)", header):  # in linear time, whatever comes
        if re.match(r'\s*;[^,]*\brel=(?:"next"|next(?![\w-]))', parameters):
            return str(address)
    return None


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id of the request, in the order in which huggingface_hub looks for it."""
    for name in ("x-request-id", "x-amzn-trace-id", "x-amz-cf-id", "inference-id"):
        if headers.get(name):
            return headers[name]
    return None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait: ``retry-after-ms``, ``Retry-After`` (seconds or a date) or ``RateLimit``.

    None where it does not say, or says nothing that can be read. Never below zero.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    asked = headers.get("retry-after")
    if asked:
        seconds = _number(asked)
        if seconds is None:
            seconds = _seconds_until(asked, now)
        if seconds is not None:
            return max(0.0, seconds)
    used_up = re.search(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return float(used_up[1]) + 1 if used_up else None  # huggingface_hub waits that second more, too


def _decode(body: bytes, headers: Mapping[str, str]) -> tuple[Any, str]:
    """A body as ``(JSON value, "")``, or ``(None, text)``; of an HTML page only its heading."""
    text = body.decode("utf-8-sig", "replace").strip()
    if text.startswith(("{", "[", '"')):
        try:
            return json.loads(text), ""
        except (ValueError, RecursionError):
            pass
    if text.startswith("<") or "html" in headers.get("content-type", ""):
        return None, describe_page(text)
    return None, text


def describe_page(text: str) -> str:
    """The headings of an error page: ``<h1>502</h1><p>Bad Gateway</p>``, else its title."""
    found = _HEADING.search(text) or _TITLE.search(text)
    if not found:
        return "an HTML page"
    from html import unescape  # here, because it is rarely needed and reads a large table

    words = " ".join(part for part in found.groups() if part)
    return " ".join(unescape(re.sub(r"<[^<>]*>", " ", words)).split())


def _with_details(message: str, key: str, value: dict[str, Any]) -> str:
    """A message together with what stands beside it: OAuth's description, FastAPI's place."""
    if key == "error" and isinstance(value.get("error_description"), str):
        return f"{message}: {value['error_description']}"
    if key == "msg" and isinstance(value.get("loc"), list):
        return f"{'.'.join(map(str, value['loc']))}: {message}"
    return message


def _read_code(value: dict[str, Any]) -> tuple[str | None, int | None]:
    """``(name, status)`` of an error: codes are names, numbers, or numbers as text. Not every number is a status."""
    name: str | None = None
    status: int | None = None
    for key in ("http_status_code", "status_code", "code", "status", "error_type", "type", "reason"):
        code = value.get(key)
        text = str(code) if code and code is not True and isinstance(code, (str, int)) else ""
        if re.fullmatch(r"[45][0-9][0-9]", text):
            status = status or int(text)
        elif text:
            name = name or text
            status = status or _STATUS_OF_TYPE.get(text)
    return name, status


def _choose_class(
    status: int | None, code: str | None, provider: str | None
) -> type[APIStatusError] | type[ModelNotSupportedError]:
    if status == 400 and code in ("model_not_found", "model_not_supported") and not provider:
        return ModelNotSupportedError
    if status is None or status < 400:
        return APIStatusError
    return _CLASSES.get(status) or (ServerError if status >= 500 else BadRequestError)


def _tell(message: str, status: int | None, who: str, model: str | None, id: str | None) -> str:
    facts = [f"HTTP {status}" if status else "", f"from {who}" if who else ""]
    facts += [f"model {model}" if model else "", f"request {id}" if id else ""]
    told = ", ".join(fact for fact in facts if fact)
    return f"{message} ({told})" if told else message


def _advise(status: int | None, scope: str | None, code: str | None) -> str:
    if status == 401:
        return " Check the key: https://huggingface.co/settings/tokens"
    if status == 402 and scope == "account":
        return " See https://huggingface.co/settings/billing, or let an organisation pay with bill_to='its-name'."
    if status == 403:
        return f" A token with the permission to call Inference Providers is made at {_TOKEN_PAGE}"
    if code == "model_not_supported":
        return " Providers are switched on at https://huggingface.co/settings/inference-providers"
    return ""


def _number(text: str | None) -> float | None:
    """A finite decimal number; None for anything else."""
    return float(text) if text and re.fullmatch(r"[ \t]*[+-]?[0-9]{1,15}(\.[0-9]{1,9})?[ \t]*", text) else None


def _seconds_until(date: str, now: float) -> float | None:
    try:
        # A date without a zone counts as UTC here, as HTTP means it.
        return timegm(parsedate_to_datetime(date).utctimetuple()) - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
