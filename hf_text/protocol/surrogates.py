"""Characters that a server cut in two, made whole.

JSON may write a character outside the Basic Multilingual Plane as two escapes, a surrogate pair (RFC 8259, section 7).
A server that cuts its text between UTF-16 units, as programs in JavaScript or Java do, sends the halves in two chunks.
Half a pair is not a character: printing or encoding it raises. So the first half waits for the second, and a half
without a partner becomes U+FFFD.
"""

from __future__ import annotations

__all__ = ["SurrogateJoiner", "is_whole", "join_surrogates"]


class SurrogateJoiner:
    """Takes one text piece by piece, and gives it in pieces that hold whole characters only.

    Attributes:
        held: the half that waits for its partner, or ``""``.
    """

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: str = ""

    def feed(self, text: str) -> str:
        """Take the next piece; give what of it (and of what was held back) is whole."""
        if not text:
            return ""
        text = self.held + text
        self.held = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        return join_surrogates(text[:-1] if self.held else text)

    def flush(self) -> str:
        """Give U+FFFD for a half that was held back: the text has ended."""
        held, self.held = self.held, ""
        return "\ufffd" if held else ""


def is_whole(text: str) -> bool:
    """Whether there are no halves in a text."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def join_surrogates(text: str) -> str:
    """The text with its surrogate pairs as one character each, and U+FFFD for every half without a partner."""
    return text if is_whole(text) else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
