"""Separates reasoning in ``<think>…</think>`` tags from the answer.

Together's DeepSeek-R1 and Nebius' Qwen3 send reasoning in this form, with tags split across chunks at any point. A tag
counts only at the beginning of the answer: later, ``<think>`` is part of the text. Only the tags themselves are
dropped.

Some chat templates put the opening tag into the prompt, so the model only closes it. A closing tag at the very
beginning is dropped. Whether a later one ends reasoning cannot be known before it arrives, so a caller that knows the
model has to pass ``opened``.
"""

from __future__ import annotations

import re

__all__ = ["ThinkSplitter", "find_lone_close"]

_OPEN = "<think>"
_CLOSE = "</think>"

# Not in quotes or backticks, where the model only mentions the tag.
_LONE_CLOSE = r"(?<![`'\"])</think>(?![`'\"])"


class ThinkSplitter:
    """Splits the streamed text of one answer into reasoning and answer.

    Args:
        opened: the prompt opened the tag, so the text is reasoning up to the closing tag.

    Attributes:
        done: True once all further text can only be answer; the splitter is then no longer needed.
    """

    __slots__ = ("_blank", "_held", "_inside", "_opened", "done")

    def __init__(self, opened: bool = False) -> None:
        self.done: bool = False
        self._opened = opened
        self._inside = False
        self._blank: list[str] = []  # leading white space
        self._held = ""  # a possible beginning of a tag

    def expect_none(self) -> None:
        """Expect no tag: the reasoning arrives in its own field, so the prompt opened no tag."""
        self._opened = self._opened and self._inside

    @property
    def closed_only(self) -> bool:
        """Whether the model closed the tag that the prompt had opened."""
        return self._opened and self.done

    @property
    def unclosed(self) -> bool:
        """Whether the text is read as reasoning only because of ``opened``: neither tag has arrived."""
        return self._inside and self._opened

    def feed(self, text: str) -> tuple[str, str]:
        """Add a fragment; return the part of it and of the buffered text that is known, as ``(reasoning, answer)``."""
        if self.done:
            return "", text
        text = self._held + text
        self._held = ""
        return self._feed_inside(text) if self._inside else self._feed_before(text)

    def flush(self) -> tuple[str, str]:
        """At the end of the answer, return the buffered text as ``(reasoning, answer)``."""
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
            self._held = start  # only white space so far, or the beginning of a tag
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
    """Return the text before and after a closing tag without an opening tag; None if there is none, or several."""
    found = re.split(_LONE_CLOSE, text, maxsplit=2)
    return (found[0], found[1]) if len(found) == 2 and _OPEN not in found[0] else None


def _length_of_a_beginning(text: str) -> int:
    """Return how many characters at the end of the text may be the beginning of the closing tag."""
    for length in range(min(len(text), len(_CLOSE) - 1), 0, -1):
        if _CLOSE.startswith(text[-length:]):
            return length
    return 0
