"""Finds the entries of a model list in any of its shapes: OpenAI's, Ollama's, Gemini's, Cohere's, a bare array, or
names only.
"""

from __future__ import annotations

from typing import Any

from .values import as_text

__all__ = ["find_entries"]

# llama.cpp and Ollama send both of the first two; "models" is in Ollama's own form.
_LISTS = ("data", "models", "result", "results", "items")
_NAMES = ("id", "name", "model", "model_id", "modelId", "model_name")


def find_entries(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a model list in order, each with an ``id``; items without a name are skipped.

    Raises ValueError without a list, or without a single name in it.
    """
    items = _find_items(value)
    if items is None:
        raise ValueError('a model list must be an array, or an object with one in "data"')
    entries = [entry for item in items if (entry := _with_id(item))]
    if items and not entries:
        raise ValueError('no item of the model list has a name in "id"')
    return entries


def _find_items(value: Any) -> list[Any] | None:
    """Find the first non-empty list in a document: at the top, nested in an object, or as an object keyed by name."""
    if isinstance(value, list) or not isinstance(value, dict):
        return value if isinstance(value, list) else None
    places = [value[key] for key in _LISTS if key in value]
    for place in places:
        if isinstance(place, list) and place:
            return place
        if isinstance(place, dict):
            inner = _find_items(place)
            if inner is None and place and all(isinstance(item, dict) for item in place.values()):
                inner = [{"id": name, **item} for name, item in place.items()]
            if inner:
                return inner
    return [] if any(place is None or place == [] for place in places) else None  # Ollama without models sends null


def _with_id(item: Any) -> dict[str, Any] | None:
    if isinstance(item, str):
        item = {"id": item}
    if not isinstance(item, dict):
        return None
    if as_text(item.get("id")):
        return item
    name = next((name for key in _NAMES if (name := as_text(item.get(key)))), None)
    return {**item, "id": name} if name else None
