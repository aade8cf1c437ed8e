"""Where text, reasoning and tool calls stand in a delta or a message.

Servers write them as texts, as objects, or as lists of typed parts: Mistral's content, the details of OpenRouter and
MiniMax, the blocks of Anthropic that LiteLLM, Databricks and Snowflake pass on. A value that is none of them says
nothing here.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .values import as_object

__all__ = ["DELTA_KEYS", "Told", "read_delta", "read_other_delta"]

# The first of these that says something counts: several servers tell the same under two or three names.
_REASONING = (
    *("reasoning_content", "reasoning", "reasoning_text", "thinking", "thinking_content", "reasoningContent"),
    *("reasoning_details", "thinking_blocks"),
)
_THOUGHT = ("thinking", "reasoning", "reasoningContent", "reasoningText")  # the last two of Bedrock
_INSIDE = ("text", "content", *_THOUGHT, "summary", "value", "refusal", "parts")
_CALLS = ("tool_calls", "function_call")
_DETAILS = ("reasoning_details", "thinking_blocks")  # kept as they are, too: they are wanted back

_TOOL_USE = ("type", "tool_use_id", "name", "input")  # Snowflake writes the parts of a content into deltas

_PLAIN = frozenset({"role", "content"})
_SELDOM = frozenset({"content_list", "text", "refusal", "type"})

DELTA_KEYS = frozenset(
    {"role", "content", "text", "content_list", "refusal", "usage", "finish_reason", "stop_reason"}
    | {*_CALLS, *_REASONING, *_TOOL_USE} - {*_DETAILS}
)

_MAX_LEVELS = 8


class Told(NamedTuple):
    """What a delta says.

    ``key`` is the name under which the reasoning came, ``unread`` what is in it that is neither text nor reasoning
    nor a call, under the name where it stands.
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
    """Text, reasoning and uses of tools in a delta of more than text; what is none of these is put to ``unread``."""
    parts, listed = _Parts(), _Parts()
    content = delta.get("content")
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        content = json.dumps(content)  # a token that is a number, written without quotes
    text, reasoning = parts.read(content)
    told = listed.read(delta.get("content_list"))  # Snowflake's, often the same once more
    if not (text or reasoning):
        text, reasoning = told[0] or _read_text(delta.get("text")), told[1]
    refusal = _read_text(delta.get("refusal"))
    left = {"content": parts.unread, "content_list": listed.unread, "refusal": refusal if text else ""}
    unread.update({name: value for name, value in left.items() if value})
    used = [*parts.calls, *listed.calls, *([delta] if delta.get("type") == "tool_use" else [])]
    return text or refusal, reasoning, list(map(_as_call, used))


def read_other_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """The delta of servers that write a text, or a list of parts, in its place. Raises ValueError for a number."""
    delta = choice.get("delta")
    if isinstance(delta, (str, list)):
        return {"content": delta}
    if delta:
        raise ValueError(f"a delta is not an object: {delta!r:.80}")
    return {}


class _Parts:
    """The parts of a content: what is in them but text and reasoning.

    Attributes:
        calls: those that call a tool.
        unread: those that are none of these.
    """

    __slots__ = ("calls", "unread")

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.unread: list[Any] = []

    def read(self, content: Any) -> tuple[str, str]:
        """Text and reasoning of a content: a text, a list of parts, or one of them."""
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
    """A part that uses a tool in the form of the chat protocol."""
    part = as_object(part.get("tool_use")) or part
    function = {"name": part.get("name"), "arguments": part.get("input")}
    return {"id": part.get("id") or part.get("tool_use_id"), "function": function}


def _read_text(value: Any, levels: int = _MAX_LEVELS) -> str:
    """The text in a value of any of these forms."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and levels:
        return "".join(_read_text(item, levels - 1) for item in value)
    if isinstance(value, dict) and levels:
        return next((text for key in _INSIDE if (text := _read_text(value.get(key), levels - 1))), "")
    return ""


def _read_calls(delta: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The fragments of tool calls in a delta, and what is in their place but cannot be read. A single call need not
    be in a list, and the older ``function_call`` is one.
    """
    calls = delta.get("tool_calls")
    if isinstance(calls, str):
        calls = _parse(calls)
    if isinstance(calls, dict) and calls and not calls.keys() & {"function", "name", "id", "custom"}:
        calls = [{"index": key, **as_object(call)} for key, call in calls.items()]  # an object by index
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
