"""Shell completion: ``eval "$(register-python-argcomplete hf-text)"``."""

from __future__ import annotations

import os
from typing import Any

import argcomplete
from argcomplete.completers import FilesCompleter, SuppressCompleter

from .commands import COMMANDS
from .parsers import parser_of

__all__ = ["complete"]

_POLICIES = ("auto", "fastest", "cheapest", "preferred")


def complete() -> None:
    """Answer the shell's completion request, read from the environment, and end the process."""
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0")) or None]
    words = line.split()
    first = words[1] if len(words) > 2 or (len(words) == 2 and line[-1:].isspace()) else ""
    parser = parser_of(first if first in COMMANDS else "ask")
    if first in COMMANDS:
        os.environ["_ARGCOMPLETE"] = "2"  # the number of words before the arguments
    for action in parser.arguments:
        _set_completer(action, first=not first)
    argcomplete.autocomplete(parser, default_completer=SuppressCompleter())


def _set_completer(action: Any, *, first: bool) -> None:
    if str(action.metavar).startswith(("FILE", "IN ")) or action.dest == "local":
        action.completer = FilesCompleter()
    elif action.dest == "provider":
        action.completer = lambda **_: _POLICIES
    elif action.dest == "words" and first:
        action.completer = lambda **_: COMMANDS
