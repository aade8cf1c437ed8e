"""Prevents an answer that a cell has already shown from being shown again as the cell's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..completion import Completion

__all__ = ["shown_already"]


@dataclass
class _Last:
    """The last answer shown, and the cell that showed it."""

    completion: Completion
    cell: int


def shown_already(shell: Any, completion: Completion) -> None:
    """Make IPython skip this answer as the value of this cell. Other cells show it like any other value."""
    last = _Last(completion, shell.execution_count)

    def show(value: Completion) -> None:
        """IPython calls this instead of showing a value; after NotImplementedError it shows the value."""
        if value is not last.completion or shell.execution_count != last.cell:
            raise NotImplementedError

    shell.display_formatter.ipython_display_formatter.for_type(Completion, show)
