"""A gate within a reply: the emulator waits there until the test opens it.

A held connection must also notice that its client disconnected, so it waits for both events with ``select``. Therefore
each waiter has its own socket, which becomes readable when the gate opens.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Gate"]


class Gate:
    """Holds a reply until `open` is called. Put it among the pieces of a body, or pass it as a reply's ``delay``.

    Once opened it stays open. Closing the emulator also ends the wait.

    Attributes:
        reached: set as soon as a reply reaches the gate; a test can wait for it with ``gate.reached.wait(5)``.
    """

    def __init__(self) -> None:
        self.reached: threading.Event = threading.Event()
        self._opened = threading.Event()
        self._lock = threading.Lock()
        self._bells: list[socket.socket] = []

    @property
    def is_open(self) -> bool:
        """Whether `open` was called."""
        return self._opened.is_set()

    def open(self) -> None:
        """Release the held responses. Never blocks; can be called from any thread and more than once."""
        with self._lock:
            self._opened.set()
            for bell in self._bells:
                bell.send(b"!")
            self._bells.clear()

    @contextmanager
    def waiting(self) -> Iterator[socket.socket]:
        """For the emulator: a socket that becomes readable when the gate opens."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            with self._lock:
                if self.is_open:
                    theirs.send(b"!")
                else:
                    self._bells.append(theirs)
            self.reached.set()
            try:
                yield ours
            finally:
                with self._lock:
                    if theirs in self._bells:
                        self._bells.remove(theirs)

    def __repr__(self) -> str:
        return f"<Gate {'open' if self.is_open else 'shut'}{', reached' if self.reached.is_set() else ''}>"
