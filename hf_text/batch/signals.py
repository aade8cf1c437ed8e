"""How Ctrl-C and SIGTERM end a run: in one line, with an output that the next run continues with."""

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
    """A run was stopped by Ctrl-C or SIGTERM, and can be gone on with.

    As a KeyboardInterrupt it ends a program that does not expect it. There it is a SystemExit, too, for the sake of its
    status and against a traceback; IPython and notebooks show its message alone.

    Attributes:
        summary: what had come of the run.
        code: the exit status: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, message: str, summary: Summary, code: int) -> None:
        super().__init__(message)
        self.summary = summary
        self.code: int = code

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.summary, self.code)

    def _render_traceback_(self) -> list[str]:
        """For IPython, which calls this."""
        return [f"{type(self).__name__}: {self}"]


class _StoppedProgram(Stopped, SystemExit):  # type: ignore[misc]  # whose code may be anything
    """Not for IPython: it would go on to explain how it is left."""


def stopped(message: str, summary: Summary, code: int) -> Stopped:
    """What to raise; where nothing else will show its message, it is said."""
    if find_shell() is not None:
        return Stopped(message, summary, code)
    say(message)
    return _StoppedProgram(message, summary, code)


class Listener:
    """Which signal came.

    Attributes:
        signum: the first that came; None if none did.
        again: whether another came after it.
        stop: is called with the name of the first one; None: nothing is under way, so it raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.again: bool = False
        self.stop: Callable[[str], object] | None = None

    @property
    def name(self) -> str:
        """The name of the first one, for people; empty if none came."""
        return "" if self.signum is None else _NAMES[signal.Signals(self.signum)]

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self.again = self.signum is not None
        self.signum = self.signum or signum
        if self.again or self.stop is None:
            raise KeyboardInterrupt
        self.stop(self.name)


@contextmanager
def listening(tell: Callable[[Listener], Stopped]) -> Iterator[Listener]:
    """Within the block, the first Ctrl-C or SIGTERM calls the ``stop`` of the listener; the next raises
    KeyboardInterrupt. Where one leaves the block so, ``tell`` makes the error that is raised in its place.

    Only in the main thread, which alone may do so, and only where the program has no handler of its own.
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
    """A line on standard error."""
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)
