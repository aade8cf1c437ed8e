"""A pseudo-terminal with a screen, in which the command runs as in a user's terminal."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte

import hf_text

ROOT = Path(hf_text.__file__).parent.parent

# Ctrl-C interrupts only a process with a controlling terminal that does not ignore SIGINT (nohup ignores it).
_TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
CTRL_C, CTRL_D = "\x03", "\x04"
PATIENCE = 20  # seconds; a longer wait counts as a hang


class Terminal:
    """A terminal of 24 lines that runs a program.

    Attributes:
        raw: all output so far.
        process: the program.
    """

    process: subprocess.Popen[bytes]

    def __init__(self, columns: int = 80, **environ: str) -> None:
        self._ours, self._theirs = os.openpty()
        self._environ = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "", **environ}
        self._environ["PROMPT_TOOLKIT_NO_CPR"] = "1"  # the screen does not answer cursor position requests
        self.screen = pyte.HistoryScreen(columns, 24, history=10_000)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.resize(columns)

    def resize(self, columns: int) -> None:
        """Change the width. The program gets SIGWINCH."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.screen.resize(24, columns)

    def run(self, *argv: str, prefix: tuple[str, ...] = (sys.executable, "-m", "hf_text"), **files: int) -> None:
        """Start the command. ``files`` redirects standard streams."""
        command = [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *prefix, *argv]
        streams = {"stdin": self._theirs, "stdout": self._theirs, "stderr": self._theirs, **files}
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._environ, start_new_session=True, **streams)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Read until the text is on the screen or in the scrollback."""
        while self.text.count(text) < times:
            assert self._read(PATIENCE), f"{text!r} did not come:\n{self.text}"

    def interrupt(self, text: str) -> None:
        """Press Ctrl-C until the text appears.

        Python notices a signal that arrives just before it starts to read a line only at the next key press.
        """
        for _ in range(int(PATIENCE)):
            self.type("\x03")
            while self._read(1):
                if text in self.text:
                    return
        raise AssertionError(f"{text!r} did not come:\n{self.text}")

    def wait(self) -> int:
        """Read until the program ends, and return its exit status."""
        while self.process.poll() is None:
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    @property
    def text(self) -> str:
        """The scrollback and the screen, without trailing empty lines."""
        above = ["".join(line[x].data for x in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip("\n")

    @property
    def lines(self) -> list[str]:
        """The lines of ``text``."""
        return self.text.split("\n")

    @property
    def cursor(self) -> int:
        """The cursor's column."""
        return int(self.screen.cursor.x)

    def close(self) -> None:
        """Kill the program if it still runs, and close the terminal."""
        if hasattr(self, "process"):
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> bytes:
        if not select.select([self._ours], [], [], seconds)[0]:
            return b""
        data = os.read(self._ours, 65536)
        self.raw += data
        self._stream.feed(data)
        return data
