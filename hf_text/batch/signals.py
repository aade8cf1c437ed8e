"""Handles Ctrl-C and SIGTERM during a run: it ends with a one-line message, and the next run can resume it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..cells import find_shell
from .progress import Summary

__all__ = ["Listener", "Stopped", "listening", "say", "stopped"]

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
_DEFAULTS: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Stopped(KeyboardInterrupt):
    """A run was stopped by Ctrl-C or SIGTERM, and can be resumed.

    As a KeyboardInterrupt, it ends a program that does not handle it. In a program it is also a SystemExit, to set the
    exit status and to avoid a traceback; IPython and notebooks show only its message.

    Attributes:
        summary: the summary of the run so far.
        code: the exit status: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, message: str, summary: Summary, code: int) -> None:
        super().__init__(message)
        self.summary = summary
        self.code: int = code

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.summary, self.code)

    def _render_traceback_(self) -> list[str]:
        """Called by IPython."""
        return [f"{type(self).__name__}: {self}"]


class _StoppedProgram(Stopped, SystemExit):  # type: ignore[misc]  # SystemExit.code has any type
    """Not used in IPython, which would add a hint on how to exit."""


def stopped(message: str, summary: Summary, code: int) -> Stopped:
    """Return the exception to raise; print its message if nothing else will show it."""
    if find_shell() is not None:
        return Stopped(message, summary, code)
    say(message)
    return _StoppedProgram(message, summary, code)


class Listener:
    """Signal handler that records the first signal.

    Attributes:
        signum: the first signal received, or None.
        again: whether another signal was received after it.
        stop: called with the name of the first signal; None raises KeyboardInterrupt because no rows are in flight.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.again: bool = False
        self.stop: Callable[[str], object] | None = None

    @property
    def name(self) -> str:
        """The display name of the first signal; empty if none was received."""
        return "" if self.signum is None else _NAMES[signal.Signals(self.signum)]

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self.again = self.signum is not None
        self.signum = self.signum or signum
        if self.again or self.stop is None:
            raise KeyboardInterrupt
        self.stop(self.name)


@contextmanager
def listening(tell: Callable[[Listener], Stopped]) -> Iterator[Listener]:
    """Within the block, the first Ctrl-C or SIGTERM calls the listener's ``stop``; the next one raises
    KeyboardInterrupt. If KeyboardInterrupt leaves the block after a signal, the error built by ``tell`` is raised.

    Handlers are installed only in the main thread, as Python requires, and only if the program has none of its own.
    """
    listener = Listener()
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        replaced = {signum: default for signum, default in _DEFAULTS.items() if signal.getsignal(signum) is default}
    try:
        for signum in replaced:
            signal.signal(signum, listener)
        yield listener
    except KeyboardInterrupt as error:
        if listener.signum is None or isinstance(error, Stopped):
            raise
        raise tell(listener) from None
    finally:
        for signum, default in replaced.items():
            signal.signal(signum, default)


def say(text: str) -> None:
    """Print a line to standard error."""
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)
