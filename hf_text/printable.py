"""Untrusted text, escaped so that it cannot control a terminal, log or editor that displays it."""

from __future__ import annotations

__all__ = ["one_line", "printable"]

# Control characters (they clear the screen, set the title, write to the clipboard), characters that change the text
# direction, and characters that some programs treat as line ends.
_ACTIVE = (
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    *(0x2028, 0x2029),
)
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _ACTIVE}
_ESCAPES |= {ord("\r"): "\\r", ord("\n"): "\\n", ord("\t"): "\\t"}
_ESCAPES_OF_LINES = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """The text with control and unprintable characters escaped; newlines and tabs stay."""
    return text if text.isprintable() else _whole(text).replace("\r\n", "\n").translate(_ESCAPES_OF_LINES)


def one_line(text: str) -> str:
    """Like ``printable``, but for a single line: newlines and tabs are escaped, too."""
    return text if text.isprintable() else _whole(text).translate(_ESCAPES)


def _whole(text: str) -> str:
    """The text with lone surrogates escaped, which cannot be encoded."""
    return text.encode(errors="backslashreplace").decode()
