"""A cell output in a notebook that is updated in place, with IPython's display messages and without widgets."""

from __future__ import annotations

import sys
from typing import Any
from uuid import uuid4

__all__ = ["Output", "find_shell", "shows_updates"]


def find_shell() -> Any:
    """The IPython shell; None outside IPython."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def shows_updates(shell: Any) -> bool:
    """Whether the shell has a frontend that updates outputs in place. In a terminal, IPython prints each update below
    the previous one.
    """
    return shell is not None and not type(shell.display_pub).__module__.startswith("IPython.")


class Output:
    """One output, created by the first call of ``show``.

    Args:
        shell: the result of ``find_shell``; ``shows_updates`` must be true for it.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._id = uuid4().hex
        self._published = False

    def show(self, data: dict[str, str]) -> None:
        """Replace the contents of the output.

        Args:
            data: the new contents, by content type.
        """
        self._shell.display_pub.publish(data, {}, transient={"display_id": self._id}, update=self._published)
        self._published = True
