"""Shows that a piece of code left nothing behind: no thread, no file, no socket."""

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

    Threads and descriptors on their way out are given up to ``timeout`` seconds. Rubbish is not collected first: a
    socket that only the garbage collector closes counts as left. Nothing is checked when the block itself raises.

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
    """Number and target of each open descriptor. Where the system has no list of them, the low numbers are tried."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return {found for name in os.listdir(folder) for found in _describe(int(name), f"{folder}/{name}")}
    return {found for number in range(1024) for found in _describe(number, None)}


def _describe(number: int, link: str | None) -> list[tuple[int, str]]:
    with suppress(OSError):  # it was closed meanwhile, as the one that listed the folder was
        status = os.fstat(number)
        target = f"mode {status.st_mode:o}, inode {status.st_ino}"
        if link is not None:
            with suppress(OSError):
                target = os.readlink(link)
        return [(number, target)]
    return []
