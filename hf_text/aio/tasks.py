"""The current task, and whether it is cancelled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from anyio import get_current_task
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

__all__ = ["stop_if_cancelled", "this_task"]


def this_task() -> int | None:
    """The id of the current task; None in a callback, or if no event loop is running."""
    with suppress(RuntimeError):  # trio, or no event loop
        if task := asyncio.current_task():
            return id(task)  # the same id as anyio's, which is slow to compute
    try:
        return get_current_task().id
    except (RuntimeError, AssertionError):  # AssertionError: from anyio 4.7 in a callback
        return None


async def stop_if_cancelled() -> None:
    """Raise the cancellation if this task is already cancelled; otherwise do not yield to the event loop."""
    task = None
    with suppress(RuntimeError):  # trio
        task = asyncio.current_task()
    if task is not None and _may_be_cancelled(task):
        await checkpoint()
    else:
        await checkpoint_if_cancelled()


def _may_be_cancelled(task: asyncio.Task[object]) -> bool:
    """Whether ``cancel()`` was called; always True in Python 3.10, which cannot know."""
    return not hasattr(task, "cancelling") or task.cancelling() > 0
