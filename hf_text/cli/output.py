"""Standard output and standard error, as a command should treat them.

What is written is seen at once; characters that the encoding lacks are replaced; what would drive a terminal (title,
clipboard, colours, direction) is shown to it as escapes; a stream that cannot be written to leaves nothing for the
interpreter to fail on at its exit.
"""

from __future__ import annotations

import errno
import io
import os
from typing import TextIO

from ..printable import printable

__all__ = ["Output", "OutputError"]


class OutputError(Exception):
    """Nothing more can be written.

    Attributes:
        pipe_closed: whether that is because the reader left.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(f"cannot write to standard output: {error.strerror or error}")
        # On Windows a closed pipe may show as EINVAL (python/cpython#79935).
        self.pipe_closed: bool = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)


class Output:
    """One of the two streams.

    Args:
        file: ``sys.stdout`` or ``sys.stderr``; None, which they are when the descriptor is closed, writes nothing.
        vital: whether a failure to write is to be raised, as OutputError; else it is passed over.
    """

    def __init__(self, file: TextIO | None, *, vital: bool) -> None:
        self._file = file
        self._vital = vital
        self._in_line = False
        self._guarded = file is not None and file.isatty()
        self._carriage_return = ""  # one at the end of a piece, whose newline may come with the next
        self.flush()  # what argparse has written: reconfigure() would send it, and fail out of our hands
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(errors="replace")

    def write(self, text: str) -> None:
        """Write a piece of text, to be seen at once."""
        if self._guarded:
            text = self._guard(text)
        if self._file is None or not text:
            return
        self._in_line = not text.endswith("\n")
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            self._fail(self._file, error)

    def _guard(self, text: str) -> str:
        text = self._carriage_return + text
        self._carriage_return = "\r" if text.endswith("\r") else ""
        return printable(text.removesuffix("\r"))

    def end_line(self) -> None:
        """Write a newline, unless the last character was one, or nothing was written yet."""
        if self._in_line or self._carriage_return:
            self.write("\n")

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
