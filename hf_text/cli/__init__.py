"""The command ``hf-text``, on the standard library alone; extras add beauty, not commands.

The first word alone decides which command is meant: each has a module of its own, with a function ``main`` that takes
the words after it. Everything else is a question. What ends a command early is decided here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from .commands import COMMANDS, find_slip
from .output import Output, OutputError

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
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
        return _INTERRUPTED
    except OutputError as error:
        if error.pipe_closed:  # "| head -1" has all that it wants: nothing to complain about
            return _PIPE_CLOSED
        Output(sys.stderr, vital=False).write_line(f"hf-text: error: {error}")
        return 1


def _run(words: list[str]) -> int:
    slip = find_slip(words)
    if slip and sys.stdin and sys.stdin.isatty():
        Output(sys.stderr, vital=False).write_line(f"hf-text: error: {slip}")
        return 2
    name = words.pop(0) if words and words[0] in COMMANDS else "ask"
    run = import_module(f"{__name__}.{name}").main  # other commands need not wait for it
    try:
        return int(run(words))
    except SystemExit as done:  # argparse: help, or a usage error
        Output(sys.stdout, vital=True).flush()
        return done.code if isinstance(done.code, int) else 0
