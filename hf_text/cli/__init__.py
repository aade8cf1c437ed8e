"""The command ``hf-text``: one question, one answer, on the standard library alone.

``arguments`` reads what was asked, ``run`` has it answered, ``views`` shows the answer: its text on standard output,
all else on standard error. What ends the command early is decided here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .arguments import parse_arguments
from .output import Output, OutputError
from .run import run

__all__ = ["main"]

_INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
_PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command ``hf-text``.

    Args:
        argv: the arguments, without the name of the command; None takes those of the process.

    Returns the exit status: 0; 1 after an error; 2 for arguments that cannot be; 130 after Ctrl-C; 141 when nobody
    reads standard output any more.
    """
    try:
        words = list(sys.argv[1:] if argv is None else argv)
        if words[:1] == ["batch"]:
            from .batch import main as run_batch  # other commands need not wait for it

            return run_batch(words[1:])
        options = parse_arguments(argv)
        return options if isinstance(options, int) else run(options)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OutputError as error:
        if error.pipe_closed:  # "| head -1" has all that it wants: nothing to complain about
            return _PIPE_CLOSED
        Output(sys.stderr, vital=False).write_line(f"hf-text: error: {error}")
        return 1
