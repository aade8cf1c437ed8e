"""Standard output and standard error, as a command should handle them.

Text is flushed at once. Characters that the encoding lacks are replaced. Characters that would control a terminal
(title, clipboard, colours, direction) are shown on it as escapes. A stream that cannot be written to leaves nothing
for the interpreter to fail on at exit.
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
    """The stream can no longer be written to.

    Attributes:
        pipe_closed: whether the reader closed the pipe.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to standard output: {error.strerror or error}")
        # On Windows a closed pipe may show as EINVAL (python/cpython#79935).
        self.pipe_closed: bool = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


class Layout(Protocol):
    """Lays out a text on a terminal: where its lines end, and how they look."""

    def feed(self, text: str) -> str:
        """Add a piece, and return what can be written now."""

    def end(self) -> str:
        """Return the rest at the end of the text."""


class Output:
    """Standard output or standard error.

    Args:
        file: ``sys.stdout`` or ``sys.stderr``; None, their value if the descriptor is closed, writes nothing.
        vital: whether a failed write raises OutputError; else it is ignored.
        layout: lays out the text; None: the text is unchanged.

    Attributes:
        is_terminal: whether the stream is a terminal.
        is_capable: whether that terminal obeys escape sequences.
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
        self._carriage_return = ""  # the one at the end of a piece: its newline may arrive with the next piece
        self.flush()  # argparse's output: else reconfigure() would flush it, and its failure would not be handled
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(errors="replace")

    def write(self, text: str, *, dim: bool = False) -> None:
        """Write and flush a piece of text; ``dim`` applies where the terminal can."""
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
        """Whether the current line contains text to end or to erase."""
        return self._in_line or bool(self._status)

    def show_status(self, text: str) -> None:
        """Show a line that the next text replaces. Writes nothing unless the terminal can erase a line."""
        if self.is_capable and not self._in_line and text != self._status:
            self.clear_status()
            shown = cut(one_line(text), columns_of_terminal(self._file) - 1)
            self._status = text  # before writing, since Ctrl-C may arrive during the write
            self._send(f"{_DIM}{shown}{_PLAIN}" if self._dims else shown, ends_line=True)

    def clear_status(self) -> None:
        """Erase the status line, and what was typed into it."""
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
        """Write the text on a line of its own."""
        self.end_line()
        self.write(f"{text}\n")

    def flush(self) -> None:
        """Flush what other code has written."""
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError as error:
            self._fail(self._file, error)

    def _fail(self, file: TextIO, error: OSError) -> None:
        self._file, self._in_line = None, False
        # Otherwise the interpreter would flush again at exit, report the failure, and change the exit status.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, file.fileno())
        os.close(nowhere)
        if self._vital:
            raise OutputError(error) from error


def open_errors() -> Output:
    """Return standard error; failed writes to it are ignored."""
    return Output(sys.stderr, vital=False, layout=wrapping_for(sys.stderr))


def wrapping_for(file: TextIO | None) -> Wrapping | None:
    """On a terminal, return a layout that breaks lines between words; elsewhere None."""
    return Wrapping(lambda: columns_of_terminal(file) or 80) if columns_of_terminal(file) else None


def columns_of_terminal(file: TextIO | None) -> int:
    """Return the columns of the stream's terminal; 0 without one."""
    try:
        return os.get_terminal_size(file.fileno()).columns if file is not None and file.isatty() else 0
    except (OSError, ValueError):  # ValueError: a stream without a descriptor, or a closed one
        return 0
