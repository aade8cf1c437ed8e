"""Standard output and standard error, as a command should treat them.

What is written is seen at once; characters that the encoding lacks are replaced; what would drive a terminal (title,
clipboard, colours, direction) is shown to it as escapes; a stream that cannot be written to leaves nothing for the
interpreter to fail on at its exit.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Protocol, TextIO

from ..columns import cut
from ..printable import one_line, printable
from .wrapping import Wrapping

__all__ = ["INTERRUPTED", "Layout", "Output", "OutputError", "columns_of_terminal", "open_errors", "wrapping_for"]

INTERRUPTED = 130  # the exit status: 128 + SIGINT, as a shell reports it

_DIM, _PLAIN, _ERASE = "\x1b[2m", "\x1b[0m", "\r\x1b[K"


class OutputError(Exception):
    """Nothing more can be written.

    Attributes:
        pipe_closed: whether that is because the reader left.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to standard output: {error.strerror or error}")
        # On Windows a closed pipe may show as EINVAL (python/cpython#79935).
        self.pipe_closed: bool = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


class Layout(Protocol):
    """Where the lines of a text end on a terminal, and how they look."""

    def feed(self, text: str) -> str:
        """What can be written now that this has come."""

    def end(self) -> str:
        """What is left at the end of the text."""


class Output:
    """One of the two streams.

    Args:
        file: ``sys.stdout`` or ``sys.stderr``; None, which they are when the descriptor is closed, writes nothing.
        vital: whether a failure to write is to be raised, as OutputError; else it is passed over.
        layout: how a text is laid out; None: as it is.

    Attributes:
        is_terminal: whether a terminal shows it.
        is_capable: whether that obeys escapes.
    """

    def __init__(self, file: TextIO | None, *, vital: bool, layout: Layout | None = None) -> None:
        self._file = file
        self._vital = vital
        self._layout = layout
        self._in_line = False
        self._status = ""
        self.is_terminal: bool = file is not None and file.isatty()
        self.is_capable: bool = self.is_terminal and os.environ.get("TERM", "") not in ("", "dumb")
        self._dims = self.is_capable and not os.environ.get("NO_COLOR")
        self._carriage_return = ""  # one at the end of a piece, whose newline may come with the next
        self.flush()  # what argparse has written: reconfigure() would send it, and fail out of our hands
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(errors="replace")

    def write(self, text: str, *, dim: bool = False) -> None:
        """Write a piece of text, to be seen at once; ``dim`` where the terminal can."""
        if self.is_terminal:
            text = self._guard(text)
        if self._layout is not None:
            text = self._layout.feed(text)
        ends_line = text.endswith("\n")
        self._send(f"{_DIM}{text}{_PLAIN}" if dim and text and self._dims else text, ends_line=ends_line)

    def _guard(self, text: str) -> str:
        text = self._carriage_return + text
        self._carriage_return = "\r" if text.endswith("\r") else ""
        return printable(text.removesuffix("\r"))

    def _send(self, text: str, *, ends_line: bool) -> None:
        if self._file is None or not text:
            return
        self._in_line = not ends_line
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            self._fail(self._file, error)

    @property
    def is_busy(self) -> bool:
        """Whether the line has something in it that is to be ended or erased."""
        return self._in_line or bool(self._status)

    def show_status(self, text: str) -> None:
        """A line that the next text replaces. Writes nothing unless the terminal can erase a line."""
        if self.is_capable and not self._in_line and text != self._status:
            self.clear_status()
            shown = cut(one_line(text), columns_of_terminal(self._file) - 1)
            self._status = text  # first, since Ctrl-C may come when it is hardly written
            self._send(f"{_DIM}{shown}{_PLAIN}" if self._dims else shown, ends_line=True)

    def clear_status(self) -> None:
        """Erase that line, and what the keyboard has written into it."""
        if self._status:
            self._status = ""
            self._send(_ERASE, ends_line=True)

    def end_line(self) -> None:
        """Write a newline, unless the last character was one, or nothing was written yet."""
        if self._carriage_return:
            self.write("\n")
        rest = self._layout.end() if self._layout is not None else ""
        self._send(rest, ends_line=rest.endswith("\n"))
        if self._in_line:
            self._send("\n", ends_line=True)

    def write_line(self, text: str) -> None:
        """Write a line of its own."""
        self.end_line()
        self.write(f"{text}\n")

    def flush(self) -> None:
        """Send what others have written."""
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError as error:
            self._fail(self._file, error)

    def _fail(self, file: TextIO, error: OSError) -> None:
        self._file, self._in_line = None, False
        # Else the interpreter would try again at its exit, complain, and change the exit status.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)
        if self._vital:
            raise OutputError(error) from error


def open_errors() -> Output:
    """Standard error: what cannot be written there is passed over."""
    return Output(sys.stderr, vital=False, layout=wrapping_for(sys.stderr))


def wrapping_for(file: TextIO | None) -> Wrapping | None:
    """On a terminal, lines end between words; else they stay as they are."""
    return Wrapping(lambda: columns_of_terminal(file) or 80) if columns_of_terminal(file) else None


def columns_of_terminal(file: TextIO | None) -> int:
    """The columns of the terminal behind a stream; 0 where there is none."""
    try:
        return os.get_terminal_size(file.fileno()).columns if file is not None and file.isatty() else 0
    except (OSError, ValueError):  # ValueError: a stream without a descriptor, or a closed one
        return 0
