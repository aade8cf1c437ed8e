"""Which of several choices is the answer: the one with index 0, wherever it stands."""

from __future__ import annotations

from typing import Any

from .values import as_object

__all__ = ["Picker", "is_piece", "tells_end", "unwrap"]

Choice = dict[str, Any]

_WRAPPERS = ("data", "result", "response", "output", "body", "chunk")


class Picker:
    """Picks the choices of one answer out of its chunks."""

    __slots__ = ("_aside", "_calling", "_found")

    def __init__(self) -> None:
        self._found = False  # choice 0 came
        self._aside: list[tuple[str, Choice]] = []  # the others, until it comes
        self._calling: list[tuple[str, Choice]] = []  # those of the others that call tools

    def pick(self, choices: Any) -> list[Choice]:
        """Choice 0, if it is among them; one without an index has that of its place. Some gateways write its parts as
        several choices with that index.

        Raises ValueError for what cannot be a choice.
        """
        if isinstance(choices, dict) and all(key.isdecimal() for key in choices):  # an object by index
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
        """The answer has ended: if there was no choice 0, those of the first that there was."""
        left, self._aside = self._aside, []
        return _first_of(left)

    def take_calls(self) -> list[Choice]:
        """What the first of the other choices says that calls tools: GitHub Copilot writes the text of an answer into
        choice 0, which ends with ``tool_calls``, and the calls into the next.
        """
        calling, self._calling = self._calling, []
        return [_said(choice) for choice in _first_of(calling)]


def _first_of(choices: list[tuple[str, Choice]]) -> list[Choice]:
    return [choice for index, choice in choices if index == choices[0][0]]


def is_piece(document: Any) -> bool:
    """Whether a JSON document is one chunk of a stream, so that the others may be missing."""
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
    """The chunk within that of a gateway that wraps it; None for any other."""
    inner = next((value for key in _WRAPPERS if (value := as_object(chunk.get(key))).get("choices")), None)
    beside: dict[str, Any] = {
        key: chunk[key] for key in ("id", "model", "usage") if key in chunk
    }  # as DashScope counts
    return None if inner is None else {**beside, **inner}
