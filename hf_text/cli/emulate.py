"""``hf-text emulate``: run a Hugging Face emulator on this machine."""

from __future__ import annotations

import argparse
import sys

from ..emulator.__main__ import serve
from .output import Output, open_errors
from .parsing import Fail

__all__ = ["main"]


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    status = serve(values, Output(sys.stdout, vital=True).write)
    errors = open_errors()
    if errors.is_terminal:  # it has echoed ^C
        errors.write("\n")
    return status
