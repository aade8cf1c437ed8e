"""Collects fields outside the protocol: citations, search results, pictures, sound, reasoning details.

They are kept under the provider's own names. A repeated field replaces the earlier value (Perplexity repeats its
citations on every chunk), except for values streamed in deltas: lists are extended, and the texts in ``audio`` and in
the reasoning details are concatenated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import as_bounded

__all__ = ["Extras"]

_REASONING_PARTS = ("reasoning_details", "thinking_blocks")
_TEXTS = ("text", "summary", "thinking")
_GROWING = (*_TEXTS, "data", "transcript", "signature")
_NOISE = ("obfuscation",)  # OpenAI's padding


class _Growing:
    """An object whose texts arrive in fragments; ``result()`` joins them."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._pieces: dict[str, list[str]] = {}
        self._lengths: dict[str, int] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if key in _GROWING and isinstance(value, str):
                self._add_text(key, value)
            elif value is not None:
                self._values[key] = value

    def _add_text(self, key: str, text: str) -> None:
        pieces, length = self._pieces.setdefault(key, []), self._lengths.get(key, 0)
        if key in _TEXTS and len(text) > length > 0 and text.startswith("".join(pieces)):
            pieces.clear()  # MiniMax resends the whole text each time
            length = 0
        pieces.append(text)
        self._lengths[key] = length + len(text)

    def continues_with(self, values: Mapping[str, Any]) -> bool:
        return all(values.get(key, self._values.get(key)) == self._values.get(key) for key in ("type", "index", "id"))

    def result(self) -> dict[str, Any]:
        return {**self._values, **{key: "".join(pieces) for key, pieces in self._pieces.items()}}


class Extras:
    """The fields outside the protocol received so far."""

    __slots__ = ("_audio", "_parts", "_values")

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._audio: _Growing | None = None
        self._parts: dict[str, list[_Growing]] = {}

    def keep(self, values: Mapping[str, Any], known: frozenset[str]) -> bool:
        """Keep the unknown fields of a chunk or choice. Returns whether any value is new."""
        told = False
        for key in () if known.issuperset(values) else values.keys() - known:
            told = self.set(key, values[key]) or told
        return told

    def keep_delta(self, delta: Mapping[str, Any], known: frozenset[str]) -> bool:
        """Keep the unknown fields of a delta. Returns whether there were any."""
        told = False
        for key in () if known.issuperset(delta) else delta.keys() - known:
            value = delta[key]
            if value in (None, "", False) or value == [] or value == {}:
                continue
            told = True
            if key == "audio" and isinstance(value, dict):
                self._audio = self._audio or _Growing()
                self._audio.add(value)
            elif key in _REASONING_PARTS and isinstance(value, list):
                self._add_parts(self._parts.setdefault(key, []), value)
            elif isinstance(value, list):
                self._extend(key, value)
            else:
                self.set(key, value)
        return told

    def set(self, key: str, value: Any) -> bool:
        """Keep a value unless it is empty or noise. Returns whether it is new."""
        if value in (None, "") or value == [] or value == {} or key in _NOISE:
            return False
        value = as_bounded(value)
        told = self._values.get(key) != value
        self._values[key] = value
        return bool(told)

    @property
    def told(self) -> bool:
        """Whether a delta held something that may be the requested output, such as a picture or sound."""
        return self._audio is not None or any(key in self._values for key in ("images", "audio", "content"))

    def result(self) -> dict[str, Any]:
        """Return all fields under the provider's names."""
        parts = {key: [as_bounded(part.result()) for part in parts] for key, parts in self._parts.items()}
        audio = {} if self._audio is None else {"audio": as_bounded(self._audio.result())}
        return {**self._values, **audio, **parts}

    def _extend(self, key: str, items: list[Any]) -> None:
        before = self._values.get(key)
        items = as_bounded(items)
        if isinstance(before, list) and items[: len(before)] != before:
            before.extend(items)
        else:  # the first list, or the whole list again
            self._values[key] = items

    @staticmethod
    def _add_parts(parts: list[_Growing], values: list[Any]) -> None:
        for value in values:
            if isinstance(value, dict):
                if not parts or not parts[-1].continues_with(value):
                    parts.append(_Growing())
                parts[-1].add(value)
