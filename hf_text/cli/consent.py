"""Asking the user to confirm something that costs money or time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .views import View

__all__ = ["can_ask", "consents"]


def can_ask() -> bool:
    """Whether a user is there to answer."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())


def consents(question: str, view: View, *, default: bool = False) -> bool:
    """Ask, and return whether the user answers yes; an empty line means the default, and Ctrl-D no."""
    view.note(f"{question} [{'Y/n' if default else 'y/N'}]")
    line = sys.stdin.readline()
    answer = line.strip().lower()
    return answer in ("y", "yes") or (default and line != "" and not answer)
