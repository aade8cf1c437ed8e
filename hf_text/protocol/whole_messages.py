"""Messages in the place of deltas: each holds the whole answer so far, or the next piece of it.

Perplexity repeats in a message what its deltas brought, MiniMax does at the end; other servers send messages alone.
"""

from __future__ import annotations

from .deltas import Told
from .surrogates import join_surrogates
from .think_tags import ThinkSplitter, find_lone_close

__all__ = ["WholeMessages", "read_whole"]


class WholeMessages:
    """The messages of an answer that comes in messages alone."""

    __slots__ = ("_last", "_pieces")

    def __init__(self) -> None:
        self._last: Told | None = None
        self._pieces = False  # they are pieces: one did not begin as the one before

    @property
    def begun(self) -> bool:
        """Whether a message came."""
        return self._last is not None

    def read(self, told: Told) -> Told:
        """What is new in the next message."""
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
    """The first message, which may be all there is: if it only closes a think tag, what stands before is reasoning."""
    parts = None if told.reasoning or told.text.lstrip().startswith("</think>") else find_lone_close(told.text)
    return told._replace(reasoning=parts[0], text=parts[1], key="<think>") if parts else told


def read_whole(told: Told, text: str, reasoning: str) -> tuple[str, str] | None:
    """What a message at the end adds to this text and this reasoning, as ``(text, reasoning)``; None if it is another
    answer.
    """
    splitter = ThinkSplitter()
    parts = [splitter.feed(told.text), splitter.flush()]
    whole = join_surrogates("".join(answer for _, answer in parts))
    thought = join_surrogates(told.reasoning + "".join(thought for thought, _ in parts))
    if not whole.startswith(text) or (thought and not thought.startswith(reasoning)):
        return None
    return whole[len(text) :], thought[len(reasoning) :]
