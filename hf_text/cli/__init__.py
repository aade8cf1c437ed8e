"""The command ``hf-text``, on the standard library alone; extras add beauty, not commands.

The first word alone decides which command is meant: each has a module of its own, with a function ``main`` that takes
what its parser found. Everything else is a question. What ends a command early is decided here.
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

    Returns the exit status: 0; 1 after an error; 2 for invalid arguments; 130 after Ctrl-C; 141 when nobody
    reads standard output any more.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        errors = open_errors()
        if errors.is_terminal:  # which has written ^C, and the shell's prompt would follow in its line
            errors.write("\n")
        return INTERRUPTED
    except HFTextError as error:
        open_errors().write_line(f"hf-text: error: {explain(error)}")
        return 2 if isinstance(error, InvalidRequestError) else 1
    except OutputError as error:
        if error.pipe_closed:  # "| head -1" has all that it wants: nothing to complain about
            return _PIPE_CLOSED
        open_errors().write_line(f"hf-text: error: {error}")
        return 1


def _run(words: list[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:  # a shell asks, which has been told to, so the extra was there
        import_module(f"{__name__}.completion").complete()
    asked = bool(words) and words[0] in COMMANDS  # for a command, by its name
    name = words.pop(0) if asked else "ask"
    try:
        parser = parser_of(name)
        values = parser.parse(words)
        slip = None if asked or "--" in words else find_slip(values.words)
        if slip and sys.stdin and sys.stdin.isatty():
            open_errors().write_line(f"hf-text: error: {slip}")
            return 2
        command = import_module(f"{__name__}.{name}")  # what help and other commands need not wait for
        return int(command.main(values, parser.error))
    except SystemExit as done:  # argparse: help, or a usage error
        Output(sys.stdout, vital=True).flush()
        return done.code if isinstance(done.code, int) else 0
