"""A workaround for the stop button of Jupyter kernels."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

__all__ = ["WAKES_UP", "in_kernel", "stop_button_works"]

WAKES_UP = 0.2
"""Interval in seconds at which an event loop in a kernel has to wake up."""

_nothing = nullcontext()


def stop_button_works() -> AbstractContextManager[None]:
    """Context manager for waiting in async code that may run in a kernel. The stop button cancels an awaiting cell but
    does not wake the event loop, which notices only when it wakes up for another reason
    (https://github.com/ipython/ipykernel/issues/881).
    """
    return _waking_up() if in_kernel() else _nothing


def in_kernel() -> bool:
    """Whether this may be a Jupyter kernel."""
    return "ipykernel" in sys.modules


@contextmanager
def _waking_up() -> Iterator[None]:
    timer: asyncio.TimerHandle | None = None

    def wake_up() -> None:
        nonlocal timer
        timer = loop.call_later(WAKES_UP, wake_up)

    with suppress(RuntimeError):  # trio
        loop = asyncio.get_running_loop()
        wake_up()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
