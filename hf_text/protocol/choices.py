"""Selects the choice that holds the answer: the one with index 0, at any position in the list."""

from __future__ import annotations

from typing import Any

from .values import as_object

__all__ = ["Picker", "is_piece", "tells_end", "unwrap"]

Choice = dict[str, Any]

_WRAPPERS = ("data", "result", "response", "output", "body", "chunk")


class Picker:
    """Selects the choices that belong to the answer from a stream of chunks."""

    __slots__ = ("_aside", "_calling", "_found")

    def __init__(self) -> None:
        self._found = False  # choice 0 was received
        self._aside: list[tuple[str, Choice]] = []  # other choices, kept until choice 0 is received
        self._calling: list[tuple[str, Choice]] = []  # other choices with tool calls

    def pick(self, choices: Any) -> list[Choice]:
        """Return choice 0 if present; a choice without an index takes its position as index. The list may have
        several elements, because some gateways split choice 0 into several choices with the same index.

        Raises ValueError if a choice is not an object.
        """
        if isinstance(choices, dict) and all(key.isdecimal() for key in choices):  # an object keyed by index
            choices = [{"index": key, **as_object(choice)} for key, choice in choices.items()]
        picked: list[Choice] = []
        for place, choice in enumerate(choices if isinstance(choices, list) else [choices]):
            if not choice:
                continue
            if not isinstance(choice, dict):
                raise ValueError(f"choices holds no object: {choices!r:.80}")
            index = place if choice.get("index") is None else choice["index"]
            if index in (0, "0"):
                self._found = True
                self._aside.clear()
                picked.append(choice)
                continue
            if not self._found:
                self._aside.append((str(index), choice))
            if _said(choice).get("tool_calls"):
                self._calling.append((str(index), choice))
        return picked

    def take_left(self) -> list[Choice]:
        """At the end of the answer: if choice 0 never came, return the chunks of the first other choice."""
        left, self._aside = self._aside, []
        return _first_of(left)

    def take_calls(self) -> list[Choice]:
        """Return the deltas of the first other choice with tool calls: GitHub Copilot sends the answer's text in
        choice 0, which finishes with ``tool_calls``, and the calls in the next choice.
        """
        calling, self._calling = self._calling, []
        return [_said(choice) for choice in _first_of(calling)]


def _first_of(choices: list[tuple[str, Choice]]) -> list[Choice]:
    return [choice for index, choice in choices if index == choices[0][0]]


def is_piece(document: Any) -> bool:
    """Whether a JSON document is a single chunk of a stream, so that other chunks may be missing."""
    if not isinstance(document, dict):
        return False
    choices = (unwrap(document) or document).get("choices")
    return isinstance(choices, list) and any("delta" in as_object(choice) for choice in choices)


def tells_end(choices: Any) -> bool:
    """Whether one of these choices has a finish reason."""
    return any(as_object(choice).get("finish_reason") for choice in choices) if isinstance(choices, list) else False


def _said(choice: Choice) -> dict[str, Any]:
    return as_object(choice.get("delta")) or as_object(choice.get("message"))


def unwrap(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """Return the chunk inside a gateway's wrapper object; None if the chunk is not wrapped."""
    inner = next((value for key in _WRAPPERS if (value := as_object(chunk.get(key))).get("choices")), None)
    beside: dict[str, Any] = {
        key: chunk[key] for key in ("id", "model", "usage") if key in chunk
    }  # DashScope puts the usage there
    return None if inner is None else {**beside, **inner}
