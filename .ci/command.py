"""Writes the reference in docs/command.rst from the parsers of the command: what ``--help`` says, in 96 columns.

    python .ci/command.py [--check]

What stands above the mark in that file is written by hand. ``--check`` writes nothing: it shows what differs, and ends
with status 1 if anything does.
"""

from __future__ import annotations

import os
import sys
import textwrap
from difflib import unified_diff
from pathlib import Path

from hf_text.cli.commands import COMMANDS
from hf_text.cli.parsers import parser_of

PAGE = Path(__file__).parent.parent / "docs" / "command.rst"
MARK = ".. What follows is written by .ci/command.py\n"


def main(check: bool) -> int:
    """Returns the exit status."""
    os.environ["COLUMNS"] = "97"
    page = PAGE.read_text(encoding="utf-8")
    written, _, _ = page.partition(MARK)
    wanted = f"{written}{MARK}\n" + "\n".join(map(section, COMMANDS))
    if not check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    difference = list(
        unified_diff(page.splitlines(), wanted.splitlines(), "docs/command.rst", "the parsers", lineterm="")
    )
    print(*difference[:40], sep="\n")
    return bool(difference)


def section(name: str) -> str:
    """The help of a command."""
    title = f"``hf-text {name}``"
    return f"{title}\n{'~' * len(title)}\n\n::\n\n{textwrap.indent(parser_of(name).format_help(), '    ')}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
