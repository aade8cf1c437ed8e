"""Parses the log probabilities of tokens in the chat protocol (OpenAI, "Create chat completion")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..completion import Logprob
from .surrogates import join_surrogates

__all__ = ["read_logprobs"]


def read_logprobs(value: Any) -> list[Logprob]:
    """Return the tokens in the ``logprobs`` of a choice, skipping malformed ones."""
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("tokens"), list):
        return list(_read_older(value))
    items = [item for key in ("content", "refusal") if isinstance(value.get(key), list) for item in value[key]]
    return [Logprob(*pair, tuple(_pairs(item.get("top_logprobs")))) for item in items for pair in _pairs([item])]


def _pairs(items: Any) -> Iterator[tuple[str, float]]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("token"), str) and _is_number(item.get("logprob")):
            yield join_surrogates(item["token"]), float(item["logprob"])


def _read_older(value: dict[str, Any]) -> Iterator[Logprob]:
    """Parse the form of text completions, which TGI and llama-cpp-python also send for chats."""
    numbers, tops = value.get("token_logprobs"), value.get("top_logprobs")
    for place, token in enumerate(value["tokens"]):
        number = numbers[place] if isinstance(numbers, list) and place < len(numbers) else None
        top = tops[place] if isinstance(tops, list) and place < len(tops) else None
        if isinstance(token, str) and _is_number(number):
            pairs = top.items() if isinstance(top, dict) else ()
            top_pairs = tuple((join_surrogates(text), float(log)) for text, log in pairs if _is_number(log))
            yield Logprob(join_surrogates(token), float(number), top_pairs)  # type: ignore[arg-type]


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return value == value  # not NaN
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e300
