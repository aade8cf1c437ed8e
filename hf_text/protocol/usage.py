"""Parses token counts, wherever a server puts them and whatever it calls them."""

from __future__ import annotations

from typing import Any

from ..events import Usage
from .values import as_object, parse_number

__all__ = ["count_completion", "find_usage", "parse_usage", "tells_counts"]

_PROMPT = ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount", "inputTokenCount")
_COMPLETION = (
    *("completion_tokens", "output_tokens", "completionTokens", "outputTokens"),
    *("candidatesTokenCount", "outputTokenCount"),
)
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount")
_OTHER_PLACES = dict.fromkeys(("usage_metadata", "usageMetadata", "amazon-bedrock-invocationMetrics")).keys()
# The names outside a details object are those of Together, DeepSeek, Anthropic and Gemini.
_REASONING = ("reasoning_tokens", "thinking_tokens", "thoughtsTokenCount")
_CACHED = (
    *("cached_tokens", "num_cached_tokens", "cached_prompt_tokens", "prompt_cache_hit_tokens"),
    *("cache_read_input_tokens", "cachedContentTokenCount"),
)


def parse_usage(value: Any) -> Usage | None:
    """Parse the usage object of a chunk; None if it is missing or holds no counts."""
    if not isinstance(value, dict):
        return None
    prompt, completion, total = (_count(value, names) for names in (_PROMPT, _COMPLETION, _TOTAL))
    if prompt is None and completion is None and total is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else total,
        _detail(value, ("completion_tokens_details", "output_tokens_details"), _REASONING),
        _detail(value, ("prompt_tokens_details", "input_tokens_details"), _CACHED),
    )


def find_usage(chunk: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any] | None:
    """Find the usage object of a chunk: at the top, in the choice (Moonshot), in ``x_groq`` …; None without counts."""
    places = [each["usage"] for each in (chunk, choice) if "usage" in each]
    if not _OTHER_PLACES.isdisjoint(chunk):
        places += [chunk[key] for key in _OTHER_PLACES if key in chunk]
    place: Any
    for place in (chunk.get("x_groq"), choice.get("delta"), choice.get("message")):
        if place.__class__ is dict and "usage" in place:
            places.append(place["usage"])
    return next((value for value in places if value and parse_usage(value)), None) if places else None


def count_completion(usage: Any) -> int:
    """Return the number of completion tokens in a usage object."""
    return _count(as_object(usage), _COMPLETION) or 0


def tells_counts(usage: dict[str, Any]) -> bool:
    """Whether a usage object has a count above zero; some servers send zeros at the end."""
    return any(_count(usage, names) for names in (_PROMPT, _COMPLETION, _TOTAL))


def _count(value: dict[str, Any], names: tuple[str, ...]) -> int | None:
    """Return the first of these fields with a plausible count: a whole number, not negative, not huge. Gateways that
    store numbers in a database or a form send "12".
    """
    for name in names:
        number = parse_number(value.get(name))
        if number is not None and number.is_integer():
            return int(number)
    return None


def _detail(usage: dict[str, Any], places: tuple[str, ...], names: tuple[str, ...]) -> int | None:
    """Return a count from the nested details, or else from the usage object itself."""
    counts = (_count(as_object(usage.get(place)), names) for place in places)
    nested = next((count for count in counts if count is not None), None)
    return _count(usage, names) if nested is None else nested
