"""The task that runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from anyio import get_current_task
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

__all__ = ["stop_if_cancelled", "this_task"]


def this_task() -> int | None:
    """The task that runs; None in a callback, and where no event loop runs."""
    with suppress(RuntimeError):  # trio runs, or nothing
        if task := asyncio.current_task():
            return id(task)  # as anyio, which takes many steps to tell it
    try:
        return get_current_task().id
    except (RuntimeError, AssertionError):  # AssertionError: in a callback, by anyio 4.7
        return None


async def stop_if_cancelled() -> None:
    """Raise the cancellation if this task is cancelled already. Otherwise the event loop need not take a turn."""
    task = None
    with suppress(RuntimeError):  # trio runs
        task = asyncio.current_task()
    if task is not None and _may_be_cancelled(task):
        await checkpoint()
    else:
        await checkpoint_if_cancelled()


def _may_be_cancelled(task: asyncio.Task[object]) -> bool:
    """Whether ``cancel()`` was called; Python 3.10 does not tell."""
    return not hasattr(task, "cancelling") or task.cancelling() > 0
