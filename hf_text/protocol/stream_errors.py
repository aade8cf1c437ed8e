"""Failures that are told inside an answer with status 200: which JSON is the report of one.

A report has a key ``error`` (anywhere, also in a choice), or it comes in place of choices and is worded as the errors
of many gateways are: a code and a message, ``errors``, MiniMax's ``base_resp``, ``"type": "error"`` …
"""

from __future__ import annotations

import re
from typing import Any

from .values import as_object, as_text, with_plain_keys

__all__ = ["ReportedError", "begins_report", "find_report", "is_aside", "is_stream_error", "reports_failure"]

# Keys are compared without regard to case and underscores.
_MESSAGES = (
    *("message", "msg", "detail", "details", "description", "title", "reason", "info"),
    *("statusmsg", "statusmessage", "resultmsg", "resultmessage", "retmsg"),
)
_TELLING = (
    *("error", "errors", "err", "detail", "errormessage", "errormsg", "errmsg", "errordetails"),
    *("fault", "exception", "failure"),
)
_FAILURES = ("error_message", "error_msg", "errorMessage", "errorMsg")
_KINDS = ("type", "event", "status")
_FAILED = ("failed", "isError", "is_error", "iserror")
_FLAGS = frozenset({"success", "ok", *_FAILED, *_FAILURES, *_KINDS})
_CODES = ("code", "errorcode", "errcode", "errno", "statuscode", "httpcode", "resultcode", "retcode")
_GOOD = ("0", "00000", "200", "ok", "success", "succeeded", "none", "null")
_BAD = ("error", "failed", "failure", "fail", "exception")
_WRAPPERS = ("response", "result", "data", "body", "output", "responsemetadata")
# Progress reports of servers, also about the tools that they run themselves.
_HARMLESS = (
    "ping",
    "keepalive",
    "keep-alive",
    "heartbeat",
    "info",
    "notice",
    "warning",
    "log",
    "debug",
    "progress",
    "metadata",
    "queue",
)
# About a tool, or only a note: never a failure of the answer.
_MINOR = ("tool", "info", "notice", "warning", "log", "debug")
_TOOL_KEYS = ("tool", "tools", "toolname", "toolcall", "toolcallid", "action")
_WORKING = ("queued", "pending", "processing", "running", "in_progress", "loading", "starting", "started", "waiting")


# What a report begins with, also as an event of its own kind. In a string of JSON its quotes would have backslashes.
# Rarely needed, so not compiled here.
_BEGINNING = (
    r'(?<!\\)"(?:error|errors|detail|error_message|error_msg|errorMessage|err_msg|errmsg|fault|exception)"\s*:\s*(?!null)\S'
    r'|"(?:object|type)"\s*:\s*"error"|^event:.*(?:error|exception)|^[ \t]*error[ \t]*:'
)
_ERROR_OBJECT = r'(?<!\\)"error"\s*:\s*\{\s*"(?:message|code|type|status)"'
_CHOICES = r'"choices"\s*:\s*\[\s*\{'


class ReportedError(Exception):
    """A chunk reports an error. Never leaves the library."""


def is_stream_error(chunk: Any) -> bool:
    """Whether a chunk of a stream, or a whole answer, is the report of an error."""
    return find_report(chunk) is not None


def is_aside(kind: str) -> bool:
    """Whether events of this kind are not part of the answer: ``ping``, ``tool.progress`` …"""
    return not {*_HARMLESS, "tool", "status"}.isdisjoint(_parts(kind))


def _parts(kind: str) -> set[str]:
    """A kind, and what it is put together of."""
    kind = kind.lower()
    return {kind, *re.split(r"[._:-]", kind)}


def reports_failure(kind: str, value: Any) -> bool:
    """Whether an event of this kind beside the answer reports that the answer failed: ``status`` with an ``error``,
    or with a code of 400 or more. Failures of a tool do not count: a model can answer without it.
    """
    if not _parts(kind).isdisjoint(_MINOR) or not isinstance(value, dict):
        return False
    chunk = with_plain_keys(value)
    if any(_says(chunk.get(key)) for key in _TOOL_KEYS):
        return False
    told = any(_says(chunk.get(key)) for key in ("error", "errors", "errormessage", "exception"))
    return told or _is_failed(value) or any(_is_status(chunk.get(key)) for key in ("status", *_CODES))


def begins_report(text: str) -> bool:
    """Whether an event, or JSON, of which this is the beginning is likely to be the report of an error."""
    found, choices = re.search(_BEGINNING, text, re.IGNORECASE | re.MULTILINE), re.search(_CHOICES, text)
    before = found is not None and (choices is None or found.start() < choices.start())
    return before or re.search(_ERROR_OBJECT, text) is not None


def find_report(chunk: Any) -> Any:
    """The report of an error in a chunk; None where there is none."""
    if isinstance(chunk, list):
        return next((report for item in chunk if isinstance(item, dict) and (report := find_report(item))), None)
    if not isinstance(chunk, dict):
        return None
    if "error" in chunk and _says(chunk["error"]):
        return chunk
    if "x_groq" in chunk and _says(as_object(chunk["x_groq"]).get("error")):
        return chunk
    if "base_resp" in chunk and _is_bad_code(as_object(chunk["base_resp"]).get("status_code")):
        return chunk
    choices = chunk.get("choices")
    if choices:
        return chunk if not _FLAGS.isdisjoint(chunk) and _is_failed(chunk) else _find_in_choices(choices)
    if _is_report(chunk):
        return chunk
    inner = next((value for key, value in chunk.items() if key.lower() in _WRAPPERS and isinstance(value, dict)), {})
    return find_report(inner) if not inner.get("choices") and inner.keys() & {"error", "Error"} else None


def _find_in_choices(choices: Any) -> Any:
    for choice in choices if isinstance(choices, list) else [choices]:
        if isinstance(choice, dict) and choice.get("index") in (None, 0, "0"):
            for place in (choice, choice.get("delta"), choice.get("message")):
                if isinstance(place, dict) and "error" in place and _says(place["error"]):
                    return {"error": place["error"]}
    return None


def _is_failed(chunk: dict[str, Any]) -> bool:
    """Whether a chunk says that the answer failed, whatever else is in it."""
    return (
        any(chunk.get(key) is False for key in ("success", "ok"))
        or (any(chunk.get(key) is True for key in _FAILED) and _parts(_word(chunk.get("type"))).isdisjoint(_MINOR))
        or any(_says(chunk.get(key)) for key in _FAILURES)
        or any(_word(chunk.get(key)) in _BAD for key in _KINDS)
    )


def _is_report(chunk: dict[str, Any]) -> bool:
    chunk = with_plain_keys(chunk)
    kind, status = _word(chunk.get("type") or chunk.get("event")), _word(chunk.get("status"))
    if _is_failed(chunk) or chunk.get("object") == "error" or _is_status(status):
        return True
    if any(_says(chunk.get(key)) for key in _TELLING):
        return True
    if any(key.endswith("exception") and _says(value) for key, value in chunk.items()):  # the events of Bedrock
        return True
    if any(_is_bad_code(chunk.get(key)) for key in _CODES):
        return any(_says(chunk.get(key)) for key in _MESSAGES) or any(_is_status(chunk.get(key)) for key in _CODES)
    # A message alone: of a gateway, unless it only reports progress.
    kinds = (kind, _word(chunk.get("object")))
    harmless = not {*_HARMLESS, *_WORKING}.isdisjoint(kinds) or status in _WORKING or status in _GOOD
    good = any(_word(chunk.get(key)) in _GOOD for key in _CODES) or chunk.get("success") is True
    spoken = any(as_text(chunk.get(key)) for key in ("message", "msg"))
    return spoken and not harmless and not good and not _word(chunk.get("object")).startswith("chat.completion")


def _says(value: Any) -> bool:
    """Whether the value of an error field is an error: not if it is empty, or says that all is well."""
    if isinstance(value, dict):
        return any(inner and _word(inner) not in _GOOD for inner in value.values())
    return bool(value) and _word(value) not in _GOOD


def _word(value: Any) -> str:
    return value.lower() if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _is_bad_code(code: Any) -> bool:
    return isinstance(code, (str, int)) and not isinstance(code, bool) and code != "" and _word(code) not in _GOOD


def _is_status(code: Any) -> bool:
    word = _word(code)
    return word.isascii() and len(word) == 3 and word.isdecimal() and word[0] in "45"
