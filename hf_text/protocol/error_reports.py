"""What the JSON of an error says, in whichever of the many shapes it is.

The shapes are those of the Hugging Face Hub and router, TGI, FastAPI, the inference providers, and of the gateways that
stand before them: OpenRouter's ``metadata.raw``, Kong, Apigee, Spring, AWS, Cloudflare, MiniMax's ``base_resp``.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, NamedTuple

from .pages import strip_tags
from .values import as_object, as_text, with_plain_keys

__all__ = ["ErrorReport", "parse_error"]

# Where the words stand, the more telling places first. Keys are compared without regard to case and underscores.
_PLACES = (
    *("error", "errors", "err", "fault", "baseresp", "exception"),
    *("message", "errormessage", "errormsg", "errmsg", "statusmsg", "statusmessage"),
    *("faultstring", "detail", "details", "errordetails", "msg", "cause", "failure", "htmlmessage"),
    *("innererror", "originalerror", "providererror", "upstreamerror", "errorinfo"),
)
# Asked only where those say nothing.
_LAST_PLACES = (
    *("errordescription", "description", "title", "reason", "text"),
    *("info", "resultmsg", "resultmessage", "retmsg"),
    *("response", "result", "data", "body", "output", "xgroq", "responsemetadata"),
)

_CODES = (
    *("httpstatuscode", "statuscode", "httpcode", "code", "errorcode", "errcode"),
    *("status", "errortype", "type", "reason"),
)
# Words that say no more than that it is an error.
_WORDLESS = ("error", "fail", "failed", "failure", "exception", "0")

# What servers name instead of a status, in errors inside a stream: TGI's error_type, OpenAI's and Anthropic's type,
# the classes of vLLM and LiteLLM, the codes of gRPC. Written in lower case, without what stands between the words.
_STATUS_OF_NAME = {
    name: status
    for status, names in {
        400: "invalidrequesterror badrequesterror badrequest invalidargument invalidrequest contextlengthexceeded",
        401: "authenticationerror unauthenticated unauthorized invalidapikey",
        402: "paymentrequired insufficientbalance insufficientbalanceerror billingerror",
        403: "permissionerror permissiondenied permissiondeniederror forbidden accessdenied",
        404: "notfounderror notfound",
        422: "validation templateerror unprocessableentityerror",
        424: "generation",
        429: "overloaded ratelimitexceeded ratelimiterror ratelimit toomanyrequests resourceexhausted insufficientquota"
        " throttlingexception",
        500: "incompletegeneration servererror internalservererror apierror internalerror internal",
        503: "overloadederror serviceunavailable serviceunavailableerror unavailable providerunavailable",
        504: "timeouterror gatewaytimeout deadlineexceeded",
    }.items()
    for name in names.split()
}

_MAX_LEVELS = 10
_MAX_TEXT = 4000  # of each of the words that are joined


class ErrorReport(NamedTuple):
    """What a body says went wrong.

    ``status`` is a number of the HTTP range that the body itself names, ``code`` the server's own name for the error.
    """

    message: str
    code: str | None = None
    status: int | None = None


def parse_error(value: Any, levels: int = _MAX_LEVELS) -> ErrorReport:
    """The report in the JSON of an error, of whatever shape; what is nested deeper than ``levels`` is not read."""
    if isinstance(value, str):
        inner = _read_json(value) if levels else None
        report = parse_error(inner, levels - 1) if isinstance(inner, (dict, list)) else None
        return report if report and report.message else ErrorReport(value)
    if isinstance(value, list) and levels:
        reports = [parse_error(item, levels - 1) for item in value[:20]]
        status = next((report.status for report in reports if report.status), None)
        return ErrorReport("; ".join(filter(None, (report.message for report in reports))), None, status)
    if not isinstance(value, dict) or not levels:
        return ErrorReport("")
    return _parse_object(value, levels)


def _parse_object(value: dict[str, Any], levels: int) -> ErrorReport:
    value = with_plain_keys(value)
    code, status = _read_code(value)
    said: list[str] = []
    if isinstance(value.get("errors"), dict):  # ASP.NET: the faults by field
        said = _join_fields(value["errors"], levels)
    exceptions = (key for key in value if key.endswith("exception") and key != "exception")  # of Bedrock
    for key in (*_PLACES, *exceptions, *_LAST_PLACES):
        if key in _LAST_PLACES and said:
            break
        if (inner := value.get(key)) is None:
            continue
        report = parse_error(inner, levels - 1)
        code, status = report.code or code, report.status or status
        message = strip_tags(report.message) if key == "htmlmessage" else report.message
        if message and not any(message in other for other in said):
            said = [other for other in said if other not in message] + [message[:_MAX_TEXT]]
    report = ErrorReport(_with_details(": ".join(said), value), code, status)
    return _with_raw(report, as_object(value.get("metadata")), levels)


def _join_fields(fields: dict[str, Any], levels: int) -> list[str]:
    told = ((name, parse_error(value, levels - 1).message) for name, value in list(fields.items())[:20])
    joined = "; ".join(f"{name}: {message}" for name, message in told if message)
    return [joined] if joined else []


def _with_raw(report: ErrorReport, metadata: dict[str, Any], levels: int) -> ErrorReport:
    """The report of a gateway together with what its provider said, which stands in ``metadata.raw`` (OpenRouter)."""
    raw = metadata.get("raw") or metadata.get("reasons") or metadata
    cause = parse_error(raw, levels - 1)
    if not cause.message or cause.message in report.message:
        return report
    name = as_text(metadata.get("provider_name"))
    message = f"{report.message}{f' ({name})' if name else ''}: {cause.message}".removeprefix(": ")
    return ErrorReport(message, report.code or cause.code, report.status or cause.status)


def _read_json(text: str) -> Any:
    """The value that a text is the JSON of, which gateways put into their own; None for other texts."""
    if text.lstrip().startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    return None


def _with_details(message: str, value: dict[str, Any]) -> str:
    """A message together with what is beside it: OAuth's description, FastAPI's place."""
    if isinstance(value.get("error"), str) and isinstance(value.get("errordescription"), str):
        return f"{message}: {value['errordescription']}"
    if message and isinstance(value.get("msg"), str) and isinstance(value.get("loc"), list):
        return f"{'.'.join(map(str, value['loc'][:20]))}: {message}"
    return message


def _read_code(value: dict[str, Any]) -> tuple[str | None, int | None]:
    """``(name, status)`` of an error: codes are names, numbers, or numbers as text. Not every number is a status."""
    name: str | None = None
    status: int | None = None
    for key in _CODES:
        code = value.get(key)
        text = str(code) if code and code is not True and isinstance(code, (str, int)) else ""
        if re.fullmatch(r"[45][0-9][0-9]", text):
            status = status or int(text)
        elif text and text.lower() not in _WORDLESS:
            name = name or text
            status = status or _STATUS_OF_NAME.get(re.sub(r"[\W_]", "", text[:60]).lower())
    return name, status
