"""Help in the width of the terminal: prose is wrapped, examples and lists keep their lines."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Iterator

__all__ = ["HelpFormatter", "fit"]

_WIDEST = 100
_NARROWEST = 20
_ENTRY = re.compile(r"( +\S.*?\s{2,})(\S.*)")  # an entry of a list: a name and its description


class HelpFormatter(argparse.HelpFormatter):
    """The help formatter of all commands."""

    def __init__(self, prog: str) -> None:
        width = _columns()
        super().__init__(prog, max_help_position=24 if width >= 60 else 6, width=width)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """Format an option as ``-f, --file FILE``, in every version of Python."""
        names = ", ".join(action.option_strings)
        if not names or action.nargs == 0:
            return names or super()._format_action_invocation(action)
        return f"{names} {self._format_args(action, action.dest.upper())}"

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return fit(text, width)


def fit(text: str, width: int) -> str:
    """Wrap a text of the program to this width; 0: the width of the help."""
    width = width or _columns()
    return "\n".join(line for paragraph in _paragraphs(text) for line in _wrap(paragraph, width))


def _columns() -> int:
    """Return the width of the help: the terminal's, within a readable range."""
    return max(min(shutil.get_terminal_size().columns - 1, _WIDEST), _NARROWEST)


def _paragraphs(text: str) -> Iterator[str]:
    """Join the lines of each paragraph; blank and indented lines stay separate."""
    open_lines: list[str] = []
    for line in text.split("\n"):
        if open_lines and (not line or line.startswith(" ") or open_lines[-1].endswith(":")):
            yield " ".join(open_lines)
            open_lines = []
        if not line or line.startswith(" "):
            yield line
        else:
            open_lines.append(line)
    yield " ".join(open_lines)


def _wrap(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    entry = _ENTRY.fullmatch(line)
    if entry is None:  # examples stay whole for copying: the terminal wraps those that are too long
        return [line] if line.startswith(" ") else textwrap.wrap(line, width, break_on_hyphens=False)
    if len(entry[1]) <= width // 2:
        return textwrap.wrap(entry[2], width, initial_indent=entry[1], subsequent_indent=" " * len(entry[1]))
    return [entry[1].rstrip(), *textwrap.wrap(entry[2], width, initial_indent="    ", subsequent_indent="    ")]
