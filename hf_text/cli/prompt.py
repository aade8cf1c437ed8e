"""The prompt: the words of the command line, then the texts of files, then the piped text."""

from __future__ import annotations

import codecs
import locale
import threading
from collections.abc import Sequence
from typing import TextIO

from .output import open_errors

__all__ = ["build_prompt", "decode_text", "read_piped_bytes", "read_piped_text", "read_text_file"]


_SILENCE = 1.0  # seconds


def build_prompt(words: Sequence[str], texts: Sequence[str]) -> str:
    """Join the words, and append each text after an empty line. Empty if all are blank."""
    parts = (" ".join(words), *texts)
    return "\n\n".join(part.rstrip() for part in parts if part.strip())


def read_piped_text(stdin: TextIO | None) -> str:
    """Read standard input to its end; empty if it is a terminal or closed.

    Raises OSError if it cannot be read, and ValueError if it is not text.
    """
    if stdin is None or stdin.isatty():
        return ""
    return decode_text(read_piped_bytes(stdin), stdin.encoding)


def read_piped_bytes(stdin: TextIO) -> bytes:
    """Read standard input to its end. If that takes long, a note explains what the command waits for."""
    note = threading.Timer(_SILENCE, _tell_of_pipe)
    note.daemon = True
    note.start()
    try:
        return stdin.buffer.read()
    finally:
        note.cancel()


def _tell_of_pipe() -> None:
    open_errors().write_line(
        "hf-text: reading standard input until it ends, because it is not a terminal; --no-stdin turns this off"
    )


def read_text_file(path: str) -> str:
    """Read a text file. Raises OSError if it cannot be read, and ValueError if it is not text."""
    with open(path, "rb") as file:
        return decode_text(file.read(), locale.getpreferredencoding(False))


def decode_text(data: bytes, encoding: str) -> str:
    """Decode UTF-8, UTF-16 with a byte order mark (as PowerShell writes it), or else the system's encoding.

    Raises ValueError for data that is not text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data:
        raise ValueError("it is not text. Pass pictures and sound with --media")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode(encoding)
