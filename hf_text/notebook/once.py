"""An answer that a cell has already shown is not shown again as the cell's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..completion import Completion

__all__ = ["shown_already"]


@dataclass
class _Last:
    """The answer that was shown last, and the cell that did so."""

    completion: Completion
    cell: int


def shown_already(shell: Any, completion: Completion) -> None:
    """Tell IPython that this cell has shown this answer. Another cell shows it as any other value."""
    last = _Last(completion, shell.execution_count)

    def show(value: Completion) -> None:
        """What IPython calls instead of showing a value; it shows the value where that is not implemented."""
        if value is not last.completion or shell.execution_count != last.cell:
            raise NotImplementedError

    shell.display_formatter.ipython_display_formatter.for_type(Completion, show)
