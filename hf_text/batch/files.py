"""What the journal asks of the operating system: locks, and files that are replaced as a whole."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

__all__ = ["is_same_file", "lock", "replacing", "write_all"]

if sys.platform == "win32":
    import msvcrt

    def lock(descriptor: int) -> None:
        """Lock an open file against other processes. Raises BlockingIOError or PermissionError if it is locked."""
        # The locked byte cannot be read by others, so it is one that no output reaches.
        os.lseek(descriptor, 0x7FFFFFF0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Lock an open file against other processes. Raises BlockingIOError or PermissionError if it is locked."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_same_file(descriptor: int, path: str) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def write_all(descriptor: int, data: bytes) -> None:
    """Append all of the data, in one write as a rule. Raises OSError if it cannot be written."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of the one at ``path`` when the block ends: readers see the one or the other.

    It is made under a name of its own, with the permissions of the old one. If the block raises, nothing is replaced.
    """
    temporary = _name_temporary(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C too: nothing is left behind
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _name_temporary(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, f".{name}.{os.urandom(6).hex()}.tmp")
