"""The emulator's built-in chat answers: they state that they come from no model, and repeat the question."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .access import POWERED
from .checks import refuse_fields
from .formats import find_schema, refuse_format
from .replies import Response
from .samples import sample
from .wire import split_words

if TYPE_CHECKING:
    from .chunks import Call
    from .world import World

__all__ = ["NOTE", "answer_chat"]

NOTE = "This is the hf_text emulator, not a real model."
_REASONING = "The emulator does not think; these words stand for reasoning."
# The stream styles of providers. Providers without an entry stream in OpenAI's style.
_STYLES = {
    "baseten": "baseten",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "fireworks-ai": "fireworks",
    "groq": "groq",
    "novita": "novita",
    "together": "together",
    "zai-org": "zai-org",
}


@dataclass(frozen=True)
class _Answer:
    pieces: Sequence[str]
    reasoning: Sequence[str]
    calls: Sequence[Call]
    usage: tuple[int, int]
    finish: str


def answer_chat(
    world: World,
    model: Mapping[str, Any],
    provider: Mapping[str, Any],
    id: str,
    body: Mapping[str, Any],
    own_route: bool = False,
) -> Response:
    """The provider's answer, streamed or not, or its error for a feature that the model does not support.

    ``id`` is the name of the model in the answer; ``own_route``: whether the request used the provider's own route.
    """
    name = provider["provider"]
    pictures = sum(part["type"] == "image_url" for part in _parts(body["messages"]))
    if pictures and "image" not in model.get("architecture", {}).get("input_modalities", ()):
        return Response.error(400, "model features vision not support", "novita", name)
    if body.get("tools") and provider.get("supports_tools") is False:
        return Response.error(400, "model features function calling not support", "novita", name)
    if find_schema(body.get("response_format")) and provider.get("supports_structured_output") is False:
        return Response.error(400, "model features structured outputs not support", "novita", name)
    refusal = refuse_format(body.get("response_format"), name, own_route) or refuse_fields(body, name)
    if refusal is not None:
        return refusal
    if provider.get("ignores_response_format"):
        body = {key: value for key, value in body.items() if key != "response_format"}
    answer = _compose(body, pictures)
    common: dict[str, Any] = {
        "tool_calls": answer.calls,
        "finish": answer.finish,
        "provider": name,
        "model": id,
        "logprobs": (body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        "headers": {"x-request-id": f"Root=1-emulator-{next(world.numbers)}", **POWERED},
    }
    if not body.get("stream"):
        reasoning = "".join(answer.reasoning) or None
        return Response.chat("".join(answer.pieces), reasoning=reasoning, usage=answer.usage, **common)
    usage = answer.usage if (body.get("stream_options") or {}).get("include_usage") else None
    style = _STYLES.get(name, "openai")
    return Response.text(
        *answer.pieces, reasoning=answer.reasoning, usage=usage, style=style, pace=world.pace, **common
    )


def _compose(body: Mapping[str, Any], pictures: int) -> _Answer:
    calls = _choose_calls(body)
    pieces = [] if calls else split_words(_compose_text(body, pictures))
    thinks = body.get("reasoning_effort") not in (None, "none")
    reasoning = split_words(_REASONING) if thinks else []
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or sys.maxsize
    cut = limit < len(reasoning) + len(pieces)  # reasoning counts too
    pieces = pieces[: max(0, limit - len(reasoning))]
    reasoning = reasoning[:limit]
    prompt = sum(len(_text_of(message.get("content")).split()) for message in body["messages"])
    completion = len(reasoning) + len(pieces) + 5 * len(calls)
    return _Answer(pieces, reasoning, calls, (prompt, completion), "length" if cut else "auto")


def _compose_text(body: Mapping[str, Any], pictures: int) -> str:
    results = [_text_of(message.get("content")) for message in _results(body["messages"])]
    asked = next((_text_of(m.get("content")) for m in reversed(body["messages"]) if m["role"] == "user"), "")
    form = body.get("response_format") or {}
    schema = find_schema(form)
    if schema is not None:
        return json.dumps(sample(schema), ensure_ascii=False)
    if form.get("type") == "json_object":
        return json.dumps({"note": NOTE, "asked": asked, "pictures": pictures}, ensure_ascii=False)
    if asked.strip() == "Count":
        return "one two three four five six seven eight nine ten"
    seen = f" You sent {pictures} picture{'s' if pictures > 1 else ''}." if pictures else ""
    told = f" The tools said: {'; '.join(results)}" if results else ""
    return f"{NOTE}{seen} You asked: {asked}{told}"


def _choose_calls(body: Mapping[str, Any]) -> Sequence[Call]:
    """The requested call; with tool choice ``"auto"``, one call for each tool that the user's last turn names."""
    functions = [tool["function"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice") or "auto"
    if not functions or choice == "none":
        return ()
    if isinstance(choice, dict):
        chosen = [function for function in functions if function["name"] == choice["function"]["name"]]
    elif choice == "required":
        chosen = functions[:1]
    else:
        last = body["messages"][-1]
        words = set(re.findall(r"[\w-]+", _text_of(last.get("content")))) if last["role"] == "user" else set()
        chosen = [function for function in functions if function["name"] in words]
        chosen = chosen[:1] if body.get("parallel_tool_calls") is False else chosen
    return [(function["name"], sample(function.get("parameters") or {"type": "object"})) for function in chosen]


def _results(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The tool results at the end of the messages."""
    last = next((n for n in range(len(messages) - 1, -1, -1) if messages[n]["role"] != "tool"), -1)
    return list(messages[last + 1 :])


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or () if part["type"] == "text")


def _parts(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [part for message in messages if isinstance(message.get("content"), list) for part in message["content"]]
