"""Handles chunks with a message instead of a delta: each holds the whole answer so far, or the next piece of it.

Perplexity repeats the text of its deltas in each message, MiniMax at the end; other servers send only messages.
"""

from __future__ import annotations

from .deltas import Told
from .surrogates import join_surrogates
from .think_tags import ThinkSplitter, find_lone_close

__all__ = ["WholeMessages", "read_whole"]


class WholeMessages:
    """The messages of an answer that is streamed as messages only."""

    __slots__ = ("_last", "_pieces")

    def __init__(self) -> None:
        self._last: Told | None = None
        self._pieces = False  # messages are pieces: one did not begin with the previous one

    @property
    def begun(self) -> bool:
        """Whether a message was received."""
        return self._last is not None

    def read(self, told: Told) -> Told:
        """Return the new part of the next message."""
        last, self._last = self._last, told
        if last is None:
            return _read_first(told)
        self._pieces = self._pieces or not (
            told.text.startswith(last.text) and told.reasoning.startswith(last.reasoning)
        )
        if self._pieces:
            return told
        return told._replace(text=told.text[len(last.text) :], reasoning=told.reasoning[len(last.reasoning) :])


def _read_first(told: Told) -> Told:
    """Read the first message, which may be the only one: text before a lone closing think tag is reasoning."""
    parts = None if told.reasoning or told.text.lstrip().startswith("</think>") else find_lone_close(told.text)
    return told._replace(reasoning=parts[0], text=parts[1], key="<think>") if parts else told


def read_whole(told: Told, text: str, reasoning: str) -> tuple[str, str] | None:
    """Return what a message adds to this text and reasoning, as ``(text, reasoning)``; None if it does not continue
    them.
    """
    splitter = ThinkSplitter()
    parts = [splitter.feed(told.text), splitter.flush()]
    whole = join_surrogates("".join(answer for _, answer in parts))
    thought = join_surrogates(told.reasoning + "".join(thought for thought, _ in parts))
    if not whole.startswith(text) or (thought and not thought.startswith(reasoning)):
        return None
    return whole[len(text) :], thought[len(reasoning) :]
