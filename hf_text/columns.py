"""The display width of text on a terminal, counted as rich and wcwidth do, but without these dependencies."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

__all__ = ["columns_of", "continues", "cut", "pad"]

_JOINER, _AS_EMOJI = "\u200d", "\ufe0f"


def columns_of(text: str) -> int:
    """The display width of a text, in columns."""
    if text.isascii():
        return len(text)
    return max(_columns_after_each(text), default=0)


def continues(before: str, character: str) -> bool:
    """Whether a character modifies the one before it and has no width: an accent, a skin tone, a further person of a
    family emoji. A line must not be broken between them.
    """
    if not before:
        return False
    changes = before.endswith(_JOINER) or "\U0001f3fb" <= character <= "\U0001f3ff"
    return changes or _columns_of_character(character) == 0


def cut(text: str, columns: int) -> str:
    """The longest prefix of a text that fits into this many columns."""
    for at, taken in enumerate(_columns_after_each(text)):
        if taken > columns:
            return text[:at]
    return text


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """The text padded with spaces to this many columns: aligned to the left, or to the right."""
    spaces = " " * (columns - columns_of(text))
    return f"{spaces}{text}" if right else f"{text}{spaces}"


def _columns_after_each(text: str) -> Iterator[int]:
    columns = taken = 0
    before = ""
    for character in text:
        if character == _AS_EMOJI and taken == 1:
            taken, added = 2, 1
        elif continues(before, character):
            added = 0
        else:
            taken = added = _columns_of_character(character)
        columns += added
        before = character
        yield columns


def _columns_of_character(character: str) -> int:
    # Korean vowels and final consonants combine with the initial consonant and have no width.
    if "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb":
        return 0
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 1 if character == "\xad" else 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
