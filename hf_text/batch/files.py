"""File locks and atomic file replacement for the journal."""

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
        # Other processes cannot read a locked byte, so lock one beyond the end of any output.
        os.lseek(descriptor, 0x7FFFFFF0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Lock an open file against other processes. Raises BlockingIOError or PermissionError if it is locked."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_same_file(descriptor: int, path: str) -> bool:
    """Whether the path still refers to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def write_all(descriptor: int, data: bytes) -> None:
    """Append all of the data, usually in one write. Raises OSError if it cannot be written."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Open a new file that replaces ``path`` atomically when the block ends: readers see either the old or the new one.

    It has a temporary name until then, and the permissions of the old file. If the block raises, nothing is replaced.
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
    except BaseException:  # including Ctrl-C: remove the temporary file
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _name_temporary(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, f".{name}.{os.urandom(6).hex()}.tmp")
