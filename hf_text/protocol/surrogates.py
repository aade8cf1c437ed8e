"""Joins surrogate pairs that a server split across chunks.

JSON may write a character outside the Basic Multilingual Plane as two escapes, a surrogate pair (RFC 8259, section 7).
A server that splits its text between UTF-16 units, as programs in JavaScript or Java do, sends the halves in two
chunks. A lone surrogate is not a character: printing or encoding it raises. So a first half is buffered until the
second arrives, and a lone half becomes U+FFFD.
"""

from __future__ import annotations

__all__ = ["SurrogateJoiner", "is_whole", "join_surrogates"]


class SurrogateJoiner:
    """Turns the fragments of a text into fragments that hold complete characters only.

    Attributes:
        held: the buffered first half of a pair, or ``""``.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: str = ""

    def feed(self, text: str) -> str:
        """Add a fragment; return the complete characters of it and of the buffered text."""
        if not text:
            return ""
        text = self.held + text
        self.held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return join_surrogates(text[:-1] if self.held else text)

    def flush(self) -> str:
        """At the end of the text, return U+FFFD for a buffered half."""
        held, self.held = self.held, ""
        return "\ufffd" if held else ""


def is_whole(text: str) -> bool:
    """Whether a text has no surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def join_surrogates(text: str) -> str:
    """Return the text with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    return text if is_whole(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
