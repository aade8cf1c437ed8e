"""An output of a notebook's cell that is updated in place, by IPython's messages alone: without widgets."""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

__all__ = ["Output", "find_shell", "shows_updates"]


def find_shell() -> Any:
    """IPython's shell; None if this does not run in one."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def shows_updates(shell: Any) -> bool:
    """Whether it has a frontend. In a terminal, IPython's own publisher prints each update below the one before."""
    return shell is not None and not type(shell.display_pub).__module__.startswith("IPython.")


class Output:
    """One output, shown with the first call.

    Args:
        shell: what ``find_shell`` found, if it ``shows_updates``.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._id = uuid4().hex
        self._published = False

    def show(self, data: dict[str, str]) -> None:
        """Show this, by type of content, instead of what it showed."""
        self._shell.display_pub.publish(data, {}, transient={"display_id": self._id}, update=self._published)
        self._published = True
