"""Reasoning that a model writes into its answer as ``<think>…</think>``, told apart from the answer.

Together's DeepSeek-R1 and Nebius' Qwen3 send it so, the tags split over chunks in any way. A tag counts only where
the answer begins: further on, ``<think>`` is a thing that the model writes about. Nothing is dropped but the tags
themselves.

Some chat templates write the opening tag into the prompt, so that the model only closes it. A closing tag at the very
beginning is dropped; whether one that comes later ends reasoning cannot be known before it comes, so a caller who knows
the model has to say so (``opened``).
"""

from __future__ import annotations

import re

__all__ = ["ThinkSplitter", "find_lone_close"]

_OPEN = "<think>"
_CLOSE = "</think>"

# Not one that the model writes about: between quotes or backticks.
_LONE_CLOSE = r"(?<![`'\"])</think>(?![`'\"])"


class ThinkSplitter:
    """Splits the text of one answer, piece by piece, into reasoning and answer.

    Args:
        opened: the prompt opened the tag, so what comes is reasoning up to the closing one.

    Attributes:
        done: True once all that follows can only be answer; then there is no need to ask again.
    """

    __slots__ = ("_blank", "_held", "_inside", "_opened", "done")

    def __init__(self, opened: bool = False) -> None:
        self.done: bool = False
        self._opened = opened
        self._inside = False
        self._blank: list[str] = []  # white space before everything else
        self._held = ""  # what may be the beginning of a tag

    def expect_none(self) -> None:
        """Reasoning comes in another way, so the prompt opened no tag."""
        self._opened = self._opened and self._inside

    @property
    def closed_only(self) -> bool:
        """Whether the model closed the tag that the prompt had opened."""
        return self._opened and self.done

    @property
    def unclosed(self) -> bool:
        """Whether reasoning is read that only ``opened`` made reasoning: no tag came, neither one nor the other."""
        return self._inside and self._opened

    def feed(self, text: str) -> tuple[str, str]:
        """Take the next piece; give what of it (and of what was held back) is ``(reasoning, answer)``."""
        if self.done:
            return "", text
        text = self._held + text
        self._held = ""
        return self._feed_inside(text) if self._inside else self._feed_before(text)

    def flush(self) -> tuple[str, str]:
        """Give what was held back, as ``(reasoning, answer)``: the answer has ended."""
        held, self._held = self._held, ""
        return (held, "") if self._inside else ("", self._take_blank() + held)

    def _feed_before(self, text: str) -> tuple[str, str]:
        start = text.lstrip()
        self._blank.append(text[: len(text) - len(start)])
        if start.startswith(_OPEN):
            self._inside, self._opened = True, False
            reasoning, answer = self._feed_inside(start[len(_OPEN) :])
            return reasoning, self._take_blank() + answer
        if start != _CLOSE and (_OPEN.startswith(start) or _CLOSE.startswith(start)):
            self._held = start  # nothing yet but white space, or the beginning of a tag
            return "", ""
        if self._opened and not start.startswith(_CLOSE):
            self._inside = True
            return self._feed_inside(self._take_blank() + start)
        self.done = True
        return "", self._take_blank() + start.removeprefix(_CLOSE)

    def _feed_inside(self, text: str) -> tuple[str, str]:
        reasoning, tag, answer = text.partition(_CLOSE)
        if tag:
            self._inside, self.done = False, True
            return reasoning, answer
        held = _length_of_a_beginning(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held], ""

    def _take_blank(self) -> str:
        blank = "".join(self._blank)
        self._blank.clear()
        return blank


def find_lone_close(text: str) -> tuple[str, str] | None:
    """What stands before and after a closing tag that nothing opened; None where there is none, or several."""
    found = re.split(_LONE_CLOSE, text, maxsplit=2)
    return (found[0], found[1]) if len(found) == 2 and _OPEN not in found[0] else None


def _length_of_a_beginning(text: str) -> int:
    """How many characters at the end of the text may be the beginning of the closing tag."""
    for length in range(min(len(text), len(_CLOSE) - 1), 0, -1):
        if _CLOSE.startswith(text[-length:]):
            return length
    return 0
