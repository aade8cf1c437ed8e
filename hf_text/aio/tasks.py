"""The task that runs."""

from __future__ import annotations

from anyio import get_current_task

__all__ = ["this_task"]


def this_task() -> int | None:
    """The task that runs; None in a callback, and where no event loop runs."""
    try:
        return get_current_task().id
    except (RuntimeError, AssertionError):  # AssertionError: in a callback, by anyio 4.7
        return None
