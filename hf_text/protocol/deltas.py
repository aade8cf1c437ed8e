"""Extracts text, reasoning and tool calls from a delta or a message.

Servers send them as strings, as objects, or as lists of typed parts: Mistral's content, the details of OpenRouter and
MiniMax, the Anthropic blocks that LiteLLM, Databricks and Snowflake pass through. Any other value is ignored.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .values import as_object

__all__ = ["DELTA_KEYS", "Told", "read_delta", "read_other_delta"]

# The first non-empty field is used: several servers send the same text under two or three names.
_REASONING = (
    *("reasoning_content", "reasoning", "reasoning_text", "thinking", "thinking_content", "reasoningContent"),
    *("reasoning_details", "thinking_blocks"),
)
_THOUGHT = ("thinking", "reasoning", "reasoningContent", "reasoningText")  # the last two are Bedrock's
_INSIDE = ("text", "content", *_THOUGHT, "summary", "value", "refusal", "parts")
_CALLS = ("tool_calls", "function_call")
_DETAILS = ("reasoning_details", "thinking_blocks")  # also kept unchanged: servers want them sent back

_TOOL_USE = ("type", "tool_use_id", "name", "input")  # Snowflake puts content parts directly into deltas

_PLAIN = frozenset({"role", "content"})
_SELDOM = frozenset({"content_list", "text", "refusal", "type"})

DELTA_KEYS = frozenset(
    {"role", "content", "text", "content_list", "refusal", "usage", "finish_reason", "stop_reason"}
    | {*_CALLS, *_REASONING, *_TOOL_USE} - {*_DETAILS}
)

_MAX_LEVELS = 8


class Told(NamedTuple):
    """The content of a delta.

    ``key`` is the field that held the reasoning; ``unread`` maps field names to content that is neither text,
    reasoning nor a tool call.
    """

    text: str
    reasoning: str
    key: str
    calls: list[Any]
    unread: dict[str, Any]


def read_delta(delta: dict[str, Any]) -> Told:
    """Read a delta, or a message."""
    content = delta.get("content")
    if _PLAIN.issuperset(delta) and (content is None or isinstance(content, str)):
        return Told(content or "", "", "", [], {})
    calls, unread = _read_calls(delta)
    text, reasoning = content if isinstance(content, str) else "", ""
    if (content is not None and content is not text) or not _SELDOM.isdisjoint(delta):
        text, reasoning, used = _read_seldom(delta, unread)
        calls = [*calls, *used]
    key = "content" if reasoning else ""
    for name in _REASONING:
        if delta.get(name) and (told := _read_text(delta[name])):
            key, reasoning = name, told + reasoning
            break
    return Told(text, reasoning, key, calls, unread)


def _read_seldom(delta: dict[str, Any], unread: dict[str, Any]) -> tuple[str, str, list[Any]]:
    """Read text, reasoning and tool uses from a delta with more than text; add everything else to ``unread``."""
    parts, listed = _Parts(), _Parts()
    content = delta.get("content")
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        content = json.dumps(content)  # a numeric token, sent without quotes
    text, reasoning = parts.read(content)
    told = listed.read(delta.get("content_list"))  # Snowflake's; often repeats the content
    if not (text or reasoning):
        text, reasoning = told[0] or _read_text(delta.get("text")), told[1]
    refusal = _read_text(delta.get("refusal"))
    left = {"content": parts.unread, "content_list": listed.unread, "refusal": refusal if text else ""}
    unread.update({name: value for name, value in left.items() if value})
    used = [*parts.calls, *listed.calls, *([delta] if delta.get("type") == "tool_use" else [])]
    return text or refusal, reasoning, list(map(_as_call, used))


def read_other_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """Wrap a delta that is a string or a list of parts. Raises ValueError for any other value, such as a number."""
    delta = choice.get("delta")
    if isinstance(delta, (str, list)):
        return {"content": delta}
    if delta:
        raise ValueError(f"a delta is not an object: {delta!r:.80}")
    return {}


class _Parts:
    """Reads content parts and collects those that are neither text nor reasoning.

    Attributes:
        calls: the parts that call a tool.
        unread: all other parts.
    """

    __slots__ = ("calls", "unread")

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.unread: list[Any] = []

    def read(self, content: Any) -> tuple[str, str]:
        """Return the text and reasoning of a content, which is a string, a list of parts, or one part."""
        if isinstance(content, list):
            told = [self.read(part) for part in content if isinstance(part, (str, dict))]
            return "".join(text for text, _ in told), "".join(reasoning for _, reasoning in told)
        if not isinstance(content, dict):
            return (content if isinstance(content, str) else ""), ""
        kind = str(content.get("type") or "")
        if kind == "tool_use":
            self.calls.append(content)
            return "", ""
        text = _read_text(content)
        if not text and any(value for key, value in content.items() if key not in (*_INSIDE, "type", "index")):
            self.unread.append(content)
        thought = "think" in kind or "reason" in kind or any(content.get(key) for key in _THOUGHT)
        return ("", text) if thought else (text, "")


def _as_call(part: dict[str, Any]) -> dict[str, Any]:
    """Convert a tool-use part to the form of the chat protocol."""
    part = as_object(part.get("tool_use")) or part
    function = {"name": part.get("name"), "arguments": part.get("input")}
    return {"id": part.get("id") or part.get("tool_use_id"), "function": function}


def _read_text(value: Any, levels: int = _MAX_LEVELS) -> str:
    """Return the text in a string, list or object."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and levels:
        return "".join(_read_text(item, levels - 1) for item in value)
    if isinstance(value, dict) and levels:
        return next((text for key in _INSIDE if (text := _read_text(value.get(key), levels - 1))), "")
    return ""


def _read_calls(delta: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the tool call fragments of a delta, and any unreadable value in their place. A single call may come
    without a list; the older ``function_call`` counts as one.
    """
    calls = delta.get("tool_calls")
    if isinstance(calls, str):
        calls = _parse(calls)
    if isinstance(calls, dict) and calls and not calls.keys() & {"function", "name", "id", "custom"}:
        calls = [{"index": key, **as_object(call)} for key, call in calls.items()]  # an object keyed by index
    if calls and not isinstance(calls, (list, dict)):
        return [], {"tool_calls": calls}
    older = delta.get("function_call")
    if not calls and isinstance(older, (dict, str)) and older:
        calls = {"index": 0, "function": older}
    return ([calls] if isinstance(calls, dict) else calls or []), {}


def _parse(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text
