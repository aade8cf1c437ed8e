"""What a server's answer means: its status, headers and body to the right exception.

One function decides, for answers and for errors reported inside a stream. What the body says is read in
``error_reports``.
"""

from __future__ import annotations

import json
import re
from calendar import timegm
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

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
from ..patterns import pattern
from .error_reports import ErrorReport, parse_error
from .headers import request_id
from .pages import decode_text, describe_page
from .surrogates import join_surrogates
from .values import as_bounded

__all__ = [
    "name_sender",
    "next_link",
    "parse_reply_error",
    "parse_retry_after",
]

_CLASSES: dict[int, type[APIStatusError]] = {
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    410: NotFoundError,
    429: RateLimitError,
}

_OF_PROXIES = ("x-squid-error", "proxy-authenticate", "proxy-status", "proxy-connection")
_PROXY_NAMES = r"(?i)squid|proxy|zscaler|bluecoat|forcepoint|websense|charles"

# What says that it is the model: the router's codes, those of groq and novita, and the words of Ollama, vLLM, TGI,
# fireworks, z.ai, LM Studio and the router's routes of providers.
_UNKNOWN_MODEL_CODES = ("model_not_found", "model_not_supported", "model_decommissioned")
_UNKNOWN_MODEL = pattern(
    r"(?:unknown|no such) model|invalid model name"
    r"|model[: ]{0,2}[`'\"]?[\w./:@+-]{0,200}[`'\"]? (?:is |was |has been )?"
    r"(?:not found|does not exist|deprecated|decommissioned|not supported by|no longer supported)",
    re.IGNORECASE,
)

# What says in a 400 that it is the key: the words of xAI and Gemini, and of LiteLLM, which looks an unknown key up in a
# database that it may not have.
_WRONG_KEY = re.compile(
    r"(?:incorrect|invalid|wrong|expired) api[ _-]?key|api[ _-]?key[ _](?:is )?(?:not valid|invalid|incorrect|expired)"
    r"|no connected db",
    re.IGNORECASE,
)

# Hugging Face's form, and the one of an earlier draft of RateLimit Fields.
_USED_UP = r"(?:r\s*=\s*0\s*;\s*t|remaining\s*=\s*0\s*[,;]\s*reset)\s*=\s*(\d{1,15})"
_SPAN = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)[ ]?(ms|s|m|h)"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_ACCOUNT_CREDITS = r"(?i)included credits|pre-?paid credits"
_MAX_MESSAGE = 2000
_MAX_BODY = 20_000
_SHOWN_JSON = 300

_TOKEN_PAGE = (
    "https://huggingface.co/settings/tokens/new?ownUserPermissions=inference.serverless.write&tokenType=fineGrained"
)


def parse_reply_error(
    status: int | None,
    headers: Mapping[str, str],
    body: bytes | Any,
    *,
    now: float,
    reason: str = "",
    host: str = "",
    proxy: str = "",
    note: str = "",
    provider: str | None = None,
    model: str | None = None,
    hugging_face: bool = False,
) -> APIStatusError | ModelNotSupportedError:
    """The exception for an answer that is an error.

    Args:
        status: the HTTP status; None for an error inside a stream, where the body may name one.
        headers: the headers; lookup is case-insensitive.
        body: the bytes of the body, or the JSON value in it.
        now: the time, in seconds since the epoch, to reckon a ``Retry-After`` date from.
        reason: the reason phrase of the status line.
        host: the server, for the message.
        proxy: the address of the proxy that may have answered in its place.
        note: why the body cannot be read, if it cannot.
        provider: the inference provider, where it is known from something else than the header.
        model: the model that was asked for.
        hugging_face: whether Hugging Face answered, so that its pages can be named as advice.
    """
    value, text, page = _decode(body, headers) if isinstance(body, bytes) else (body, "", False)
    report = parse_error(value) if value is not None else ErrorReport(text)
    message = _choose_message(report.message, headers.get("x-error-message", ""), reason, note, value)
    asked = parse_retry_after(headers, now)
    if status in (None, 200):  # an error inside a stream: the headers speak of the answer, not of the error
        status, asked = report.status or status, None
    served_by = headers.get("x-inference-provider") or provider
    cls = _choose_class(status)
    if status == 400 and _WRONG_KEY.search(f"{message} {report.code}"):
        cls = AuthenticationError
    if _is_about_model(status, report, model):
        cls = ModelNotSupportedError
    data: dict[str, Any] = {
        "status_code": status,
        "code": headers.get("x-error-code") or report.code,
        "provider": served_by,
        "model": model,
        "request_id": request_id(headers),
        "body": as_bounded(value) if value is not None else text[:_MAX_BODY],
        "retry_after": asked,
    }
    if cls is PaymentRequiredError:
        data["scope"] = "provider" if served_by and not re.search(_ACCOUNT_CREDITS, message) else "account"
    if cls is ModelNotSupportedError:
        del data["retry_after"]
    of_proxy = proxy and (page or status == 407)
    who = name_sender(host, proxy, headers) if of_proxy else served_by or host
    told = _tell(join_surrogates(message[:_MAX_MESSAGE]), status, who, model, data["request_id"])
    error = cls(told, **data)
    if hugging_face and (advice := _advise(status, data.get("scope"), report.code)):
        error.add_advice(advice)
    return error


def _choose_message(said: str, header: str, reason: str, note: str, value: Any) -> str:
    """What the body says; else what its JSON begins with, the header, or the reason phrase."""
    if header and header not in said:
        return f"{header} ({said})" if said else header
    if said:
        return said
    beginning = _show_json(value)
    return ": ".join(filter(None, (reason or ("" if beginning or note else "no message"), note or beginning)))


def _show_json(value: Any) -> str:
    """The beginning of JSON whose words were not found; ``""`` where it says nothing."""
    told = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    bare = isinstance(value, dict) and not value.keys() - {"code", "status", "error"}
    if not any(map(bool, told)) or (bare and not isinstance(value.get("error"), dict)):
        return ""
    text = json.dumps(as_bounded(value, 10), ensure_ascii=False)
    return text if len(text) <= _SHOWN_JSON else f"{text[:_SHOWN_JSON]}…"


def name_sender(host: str, proxy: str, headers: Mapping[str, str]) -> str:
    """Who sent a page: where there is a proxy it may be that, and some name themselves."""
    if not proxy:
        return host
    marked = any(name in headers for name in _OF_PROXIES) or re.search(_PROXY_NAMES, headers.get("server", ""))
    return f"the proxy {proxy} on the way to {host}" if marked else f"{host}, or the proxy {proxy} on the way to it"


def next_link(header: str) -> str | None:
    """The next page of a listing, from its ``Link`` header."""
    for address, parameters in re.findall(r"<([^<>]*)>([^<]*)", header):  # in linear time, whatever comes
        if re.match(r'\s*;[^,]*\brel=(?:"next"|next(?![\w-]))', parameters):
            return str(address)
    return None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that the server asks to wait: ``retry-after-ms``, ``Retry-After`` (seconds or a date) or ``RateLimit``.

    None where it does not say, or says nothing that can be read. Never below zero.
    """
    milliseconds = _number(headers.get("retry-after-ms") or headers.get("x-ms-retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    asked = headers.get("retry-after")
    if asked:
        seconds = _number(asked.partition(", ")[0])  # of several, which proxies join, the first
        if seconds is None:
            seconds = _seconds_until(asked, now)
        if seconds is None:
            seconds = _seconds_in(asked)
        if seconds is not None:
            return max(0.0, seconds)
    used_up = re.search(_USED_UP, headers.get("ratelimit", ""))
    return float(used_up[1]) + 1 if used_up else None  # huggingface_hub waits that second more, too


def _decode(body: bytes, headers: Mapping[str, str]) -> tuple[Any, str, bool]:
    """A body as ``(JSON value, "", False)``, or as ``(None, text, whether it is a page)``; of a page only its words."""
    text = decode_text(body, headers).strip()
    json_text = text if text.startswith(("{", "[", '"')) else _find_data(text)
    if json_text:
        try:
            return json.loads(json_text), "", False
        except (ValueError, RecursionError):
            pass
    if text.startswith("<") or (text and "html" in headers.get("content-type", "")):
        return None, describe_page(text), True
    return None, text, False


def _find_data(text: str) -> str:
    """The JSON in an error that was sent as an event of a stream; ``""`` where there is none."""
    found = re.match(r"(?:(?:event|id|retry)?:[^\n]*\n)*(?:data|error):\s*([{\[][^\n]*)", text)
    return found[1] if found else ""


def _choose_class(status: int | None) -> type[APIStatusError] | type[ModelNotSupportedError]:
    if status is None or status < 400:
        return APIStatusError
    return _CLASSES.get(status) or (ServerError if status >= 500 else BadRequestError)


def _is_about_model(status: int | None, report: ErrorReport, model: str | None) -> bool:
    """Whether the report says that the model is unknown, or not served. A key, a bill or a limit come first."""
    if status is None or not 400 <= status < 500 or status in (401, 402, 403, 429):
        return False
    if (report.code or "").lower() in _UNKNOWN_MODEL_CODES:
        return True
    return model is not None and bool(_UNKNOWN_MODEL.search(report.message[:_MAX_MESSAGE]))


def _tell(message: str, status: int | None, who: str, model: str | None, id: str | None) -> str:
    facts = [f"HTTP {status}" if status else "", f"from {who}" if who else ""]
    facts += [f"model {model}" if model else "", f"request {id}" if id else ""]
    told = ", ".join(fact for fact in facts if fact)
    return f"{message} ({told})" if told else message


def _advise(status: int | None, scope: str | None, code: str | None) -> str:
    if status == 401:
        return "Check the key: https://huggingface.co/settings/tokens"
    if status == 402 and scope == "account":
        return "See https://huggingface.co/settings/billing, or bill an organisation with bill_to='its-name'."
    if status == 403:
        return f"Create a token with the permission to call Inference Providers at {_TOKEN_PAGE}"
    if code == "model_not_supported":
        return "Enable providers at https://huggingface.co/settings/inference-providers"
    return ""


def _number(text: str | None) -> float | None:
    """A finite decimal number; None for anything else."""
    return float(text) if text and re.fullmatch(r"[ \t]*[+-]?([0-9]{1,15}\.?|\.[0-9])[0-9]{0,9}[ \t]*", text) else None


def _seconds_in(duration: str) -> float | None:
    """The seconds of a duration such as ``"30s"``, ``"1m2.5s"`` or ``"120ms"``; None for anything else."""
    if not re.fullmatch(rf"(?:{_SPAN}){{1,4}}", duration.strip()):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_SPAN, duration))


def _seconds_until(date: str, now: float) -> float | None:
    try:
        # A date without a zone counts as UTC here, as HTTP means it.
        return timegm(parsedate_to_datetime(date).utctimetuple()) - now
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
