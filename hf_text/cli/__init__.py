"""The command ``hf-text``, on the standard library alone; extras improve the display but add no commands.

The first word alone selects the command: each command is a module with a function ``main`` that takes the parsed
arguments. Anything else is a prompt. This module turns exceptions into exit statuses.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ..errors import HFTextError, InvalidRequestError
from .advice import explain
from .commands import COMMANDS, find_slip
from .output import INTERRUPTED, Output, OutputError, open_errors
from .parsers import parser_of

__all__ = ["main"]

_PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command ``hf-text``.

    Args:
        argv: the arguments, without the name of the command; None takes those of the process.

    Returns the exit status: 0; 1 after an error; 2 for invalid arguments; 130 after Ctrl-C; 141 if the reader of
    standard output closed the pipe.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        errors = open_errors()
        if errors.is_terminal:  # it has echoed ^C, and the shell's prompt would follow on the same line
            errors.write("\n")
        return INTERRUPTED
    except HFTextError as error:
        open_errors().write_line(f"hf-text: error: {explain(error)}")
        return 2 if isinstance(error, InvalidRequestError) else 1
    except OutputError as error:
        if error.pipe_closed:  # "| head -1" has read all it needs: not an error
            return _PIPE_CLOSED
        open_errors().write_line(f"hf-text: error: {error}")
        return 1


def _run(words: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:  # a shell requests completions; its setup needed the extra, which is installed
        import_module(f"{__name__}.completion").complete()
    asked = bool(words) and words[0] in COMMANDS  # whether the first word names a command
    name = words.pop(0) if asked else "ask"
    try:
        parser = parser_of(name)
        values = parser.parse(words)
        slip = None if asked or "--" in words else find_slip(values.words)
        if slip and sys.stdin and sys.stdin.isatty():
            open_errors().write_line(f"hf-text: error: {slip}")
            return 2
        command = import_module(f"{__name__}.{name}")  # late, so that help and other commands do not wait for it
        return int(command.main(values, parser.error))
    except SystemExit as done:  # argparse: help, or a usage error
        Output(sys.stdout, vital=True).flush()
        return done.code if isinstance(done.code, int) else 0
