"""Checks that code leaks no threads, files or sockets."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["assert_nothing_leaked"]

_POLL_SECONDS = 0.002


@contextmanager
def assert_nothing_leaked(timeout: float = 2.0) -> Iterator[None]:
    """Raise AssertionError if the block leaves threads or open file descriptors that were not there before.

    Threads and descriptors get up to ``timeout`` seconds to end or close. The garbage collector is not run first: a
    socket that only the collector would close counts as leaked. If the block raises, nothing is checked.

    ::

        with assert_nothing_leaked(), Emulator() as hf:
            ...
    """
    threads, files = set(threading.enumerate()), _open_files()
    yield
    deadline = time.monotonic() + timeout
    left = _find_left(threads, files)
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    while left and time.monotonic() < deadline:
        threading.Event().wait(_POLL_SECONDS)  # there is no event for a closed descriptor
        left = _find_left(threads, files)
    if left:
        raise AssertionError("left behind:\n" + "\n".join(f"  {line}" for line in left))


def _find_left(threads: set[threading.Thread], files: set[tuple[int, str]]) -> list[str]:
    return [
        *sorted(f"thread {thread.name}" for thread in set(threading.enumerate()) - threads),
        *(f"file descriptor {number}: {target}" for number, target in sorted(_open_files() - files)),
    ]


def _open_files() -> set[tuple[int, str]]:
    """Number and target of each open descriptor. If the system has no list, the numbers below 1024 are probed."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return {found for name in os.listdir(folder) for found in _describe(int(name), f"{folder}/{name}")}
    return {found for number in range(1024) for found in _describe(number, None)}


def _describe(number: int, link: str | None) -> list[tuple[int, str]]:
    with suppress(OSError):  # closed in the meantime, like the descriptor that listed the folder
        status = os.fstat(number)
        target = f"mode {status.st_mode:o}, inode {status.st_ino}"
        if link is not None:
            with suppress(OSError):
                target = os.readlink(link)
        return [(number, target)]
    return []
