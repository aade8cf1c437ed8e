"""What a provider requires back with tool results: kept beside a framework's message, for the next request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..completion import Completion

__all__ = ["give_back", "keep"]


def keep(answer: Completion) -> dict[str, Any] | None:
    """What to keep of an answer, in values that JSON has; None without tool calls. Some providers
    refuse the results of tools without the reasoning and the signatures that came with the calls.
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
    """Put into a turn of the assistant with calls what was kept of it, if the same model is asked."""
    turn["content"] = turn.get("content") or None
    if not isinstance(kept, Mapping) or kept.get("model") != model:
        return
    turn.update(kept["message"])
    for call in turn["tool_calls"]:
        given = kept["calls"].get(call["id"], {})
        call["function"] = {**given.get("function", {}), **call["function"]}
        call.update({key: value for key, value in given.items() if key not in call})
