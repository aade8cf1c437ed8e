"""Where text, reasoning and tool calls stand in a delta or a message.

Servers write them as texts, as objects, or as lists of typed parts: Mistral's content, the details of OpenRouter and
MiniMax, the blocks of Anthropic that LiteLLM passes on. A value that is none of them says nothing here.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from .values import as_object

__all__ = ["DELTA_KEYS", "Told", "read_delta", "read_other_delta"]

# The first of these that says something counts: several servers tell the same under two or three names.
_REASONING = (
    *("reasoning_content", "reasoning", "reasoning_text", "thinking", "thinking_content"),
    *("reasoning_details", "thinking_blocks"),
)
_INSIDE = ("text", "content", "thinking", "reasoning", "summary", "value", "refusal", "parts")
_CALLS = ("tool_calls", "function_call")
_DETAILS = ("reasoning_details", "thinking_blocks")  # kept as they are, too: they are wanted back

DELTA_KEYS = frozenset({"role", "content", "refusal", "usage", "finish_reason", *_CALLS, *_REASONING} - {*_DETAILS})

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
    text, reasoning = "", ""
    unread: list[Any] = []
    content = delta.get("content")
    if isinstance(content, (int, float)) and not isinstance(content, bool):
        content = json.dumps(content)  # a token that is a number, written without quotes
    text, reasoning = _read_parts(content, unread)
    text = text or _read_text(delta.get("refusal"))
    key = "content" if reasoning else ""
    for name in _REASONING:
        if delta.get(name) and (told := _read_text(delta[name])):
            key, reasoning = name, told + reasoning
            break
    calls, strange = _read_calls(delta)
    return Told(text, reasoning, key, calls, {**strange, **({"content": unread} if unread else {})})


def read_other_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """The delta of servers that write a text, or a list of parts, in its place. Raises ValueError for a number."""
    delta = choice.get("delta")
    if isinstance(delta, (str, list)):
        return {"content": delta}
    if delta:
        raise ValueError(f"a delta is not an object: {delta!r:.80}")
    return {}


def _read_parts(content: Any, unread: list[Any]) -> tuple[str, str]:
    """Text and reasoning of a content that is not a text: a list of parts, or one of them."""
    if isinstance(content, list):
        told = [_read_parts(part, unread) for part in content if isinstance(part, (str, dict))]
        return "".join(text for text, _ in told), "".join(reasoning for _, reasoning in told)
    if not isinstance(content, dict):
        return (content if isinstance(content, str) else ""), ""
    kind = str(content.get("type") or "")
    text = _read_text(content)
    if not text and any(value for key, value in content.items() if key not in (*_INSIDE, "type", "index")):
        unread.append(content)
    return ("", text) if "think" in kind or "reason" in kind or content.get("thinking") else (text, "")


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
