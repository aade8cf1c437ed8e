"""Text on a terminal, broken between words; written text never changes.

A word that begins near the edge is held back until it is clear whether it fits; all others are written as they
arrive. Code and lines that begin with white space keep their line breaks: users copy them as the model wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..columns import columns_of, continues

__all__ = ["WIDE", "Wrapping"]

_EDGE = 24  # columns before the edge in which a word may not fit; longer words are rare

# Characters that take two columns; each may begin a line.
WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6"
    "\U0001f300-\U0001f64f\U0001f680-\U0001faff\U00020000-\U0003fffd"
)
_PIECES = re.compile(rf"\n|[ \t]+|[{WIDE}]|[^ \t\n{WIDE}]+")


class Wrapping:
    """Decides where the lines of a text end.

    Args:
        width: returns the columns of the terminal, which may change.
    """

    def __init__(self, width: Callable[[], int]) -> None:
        self._width = width
        self._column = 0
        self._held = ""  # the beginning of a word that may not fit
        self._space = ""  # the white space before it
        self._in_word = False  # whether the beginning of the current word is written
        self._line = ""  # the first characters of the line, as the model wrote it
        self._fence = ""
        self._last = ""  # the last character written, except white space

    def feed(self, text: str) -> str:
        """Add a piece, and return what can be written now."""
        return "".join(map(self._take, _PIECES.findall(text)))

    def end(self) -> str:
        """Return the rest. The next piece begins a line."""
        done = self._flush()
        self._begin_line()
        self._fence = ""
        return done

    def _flush(self) -> str:
        held, self._held = self._held, ""
        return self._place(held) if held else ""

    def _begin_line(self) -> None:
        self._column, self._space, self._in_word, self._line, self._last = 0, "", False, "", ""

    def _take(self, piece: str) -> str:
        if piece == "\n":
            return self._end_line()
        if len(self._line) < 4:
            self._line += piece[:4]
        if self._fence or self._line[0] in " \t|":
            return piece
        if piece[0] in " \t":
            done, self._in_word, self._space = self._flush(), False, piece
            return done
        if len(piece) == 1 and columns_of(piece) == 2:
            done = self._flush() + self._place(piece)
            self._in_word = False
            return done
        return self._take_word(piece)

    def _take_word(self, piece: str) -> str:
        if self._in_word:
            self._column += columns_of(piece)
            return piece
        self._held += piece
        column = self._column + columns_of(self._space)
        if self._width() - column >= _EDGE or columns_of(self._held) >= _EDGE:
            return self._flush()
        return ""

    def _place(self, word: str) -> str:
        """Return the word after its white space, or on a new line."""
        space, self._space, self._in_word = self._space, "", True
        last, self._last = self._last, word[-1]
        if not space and continues(last, word[0]):
            self._column += columns_of(last + word) - columns_of(last)
            return word
        taken = columns_of(word)
        before = self._column + columns_of(space)
        if self._column and before + taken > self._width():
            self._column = taken
            return f"\n{word}"
        self._column = before + taken
        return f"{space}{word}"

    def _end_line(self) -> str:
        done = self._flush()
        mark = self._line[:3]
        if mark in ("```", "~~~") and mark == (self._fence or mark):
            self._fence = "" if self._fence else mark
        self._begin_line()
        return f"{done}\n"
