"""Provider data that must be sent back with tool results. It is stored in a framework's message until then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..completion import Completion

__all__ = ["give_back", "keep"]


def keep(answer: Completion) -> dict[str, Any] | None:
    """The data to store of an answer, as JSON values; None without tool calls. Some providers reject tool results
    without the reasoning and the signatures that they sent with the calls.
    """
    if not answer.tool_calls:
        return None
    message = answer.to_message()
    calls = {call["id"]: call for call in message.pop("tool_calls")}
    if message["content"] == (answer.text or None):
        del message["content"]
    del message["role"]
    return {"model": answer.model, "message": message, "calls": calls}


def give_back(turn: dict[str, Any], kept: Any, model: str | None) -> None:
    """Add the stored data to an assistant turn with tool calls, if the request is for the same model."""
    turn["content"] = turn.get("content") or None
    if not isinstance(kept, Mapping) or kept.get("model") != model:
        return
    turn.update(kept["message"])
    for call in turn["tool_calls"]:
        given = kept["calls"].get(call["id"], {})
        call["function"] = {**given.get("function", {}), **call["function"]}
        call.update({key: value for key, value in given.items() if key not in call})
