"""A lock for objects that are still used in a forked process."""

from __future__ import annotations

import os
import threading

__all__ = ["ForkSafeLock"]


class ForkSafeLock:
    """A lock, as a context manager, that is free in a forked process even if another thread held it during the fork.

    That thread does not exist in the new process and would never release the lock.
    """

    def __init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if self._process != os.getpid():  # after a fork the process has a single thread
            self._renew()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
