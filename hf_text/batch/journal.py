"""The output file, which is also the journal: what stands in it whole is done and is never paid for again.

Each row is appended in one write, so a process that is killed can tear only the last line; that is cut off when the
file is opened again. The file itself is locked (a lock of the operating system, which dies with its process), so two
runs cannot write to it at once. A row that failed and was asked again has two lines for a while; the older one is
taken out when the run ends.
"""

from __future__ import annotations

import os
import stat
import sys
import warnings
import weakref
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any

from ..checks import refusal, show
from ..errors import InvalidRequestError
from .results import LINE_BEGINNING, encode_line, parse_line

__all__ = ["Journal"]

_SYNC_SECONDS = 1.0

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # The locked byte cannot be read by others, so it is one that no output reaches.
        os.lseek(descriptor, 0x7FFFFFF0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Journal:
    """An output that is open for one run. A context manager.

    Args:
        path: the output. It is made if it is not there.
        inputs: the path of the inputs, if they have one; the output must be another file.

    Attributes:
        done: the names of the rows that have their answer.
        failed: the names of the rows that failed in an earlier run, and where their lines begin.

    Raises InvalidRequestError if another run writes to the file, or if it holds something else than results (it is
    not changed then); OSError if it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], inputs: str | None = None) -> None:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise refusal("output", "the path of a file", path)
        self._path = os.path.realpath(path)
        if inputs is not None and os.path.exists(self._path) and os.path.samefile(inputs, self._path):
            raise InvalidRequestError(f"output must be another file than the inputs, not {show(path)}")
        self.done: set[str] = set()
        self.failed: dict[str, int] = {}
        self._replaced: set[int] = set()  # where lines begin that a later line replaces
        self._synced = monotonic()
        self._unsynced = False
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self._path, flags, 0o666)
        _OPEN.add(self)
        try:
            self._take_over()
        except BaseException:  # Ctrl-C too: else the file stays open and locked
            self.close()
            raise

    def append(self, custom_id: str, line: dict[str, Any]) -> None:
        """Record what came of a row. Raises OSError if it cannot be written."""
        data = memoryview(encode_line(line))
        while data:  # one write, unless the disk is full
            data = data[os.write(self._descriptor, data) :]
        if line["error"] is None:
            self.done.add(custom_id)
        if custom_id in self.failed:
            self._replaced.add(self.failed.pop(custom_id))
        self._unsynced = True
        self.sync_if_due()

    def sync_if_due(self) -> None:
        """Have the disk keep what was appended, if the last time was a second ago."""
        if self._unsynced and monotonic() - self._synced >= _SYNC_SECONDS:
            self._sync()

    def drop_replaced(self) -> None:
        """Take out the lines of failures that were asked again. The file is replaced by another as a whole."""
        if not self._replaced:
            return
        copy = f"{self._path}.tmp"
        try:
            self._write_kept(copy)
            os.replace(copy, self._path)
        except OSError:  # the folder is not ours, the disk is full, or (Windows) the file is open: then both lines stay
            with suppress(OSError):
                os.unlink(copy)

    def close(self) -> None:
        """Have the disk keep everything, and let others write."""
        if self._descriptor < 0:
            return
        try:
            self._sync()
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Opening

    def _take_over(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise refusal("output", "the path of a regular file", self._path)
        try:
            _lock(self._descriptor)
        except (BlockingIOError, PermissionError):
            raise self._busy() from None
        except OSError as error:
            warnings.warn(f"{self._path} cannot be locked ({error}): see that no two runs write to it", stacklevel=4)
        # The run that held the lock may have replaced the file after we opened it.
        if not os.path.samestat(os.fstat(self._descriptor), os.stat(self._path)):
            raise self._busy()
        self._read()

    def _busy(self) -> InvalidRequestError:
        return InvalidRequestError(f"output: another run is writing to {self._path}")

    def _read(self) -> None:
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        offset, tail = 0, b""
        with open(self._descriptor, "rb", closefd=False) as file:
            for number, data in enumerate(file, 1):
                if not data.endswith(b"\n"):
                    tail = data
                elif data.strip():
                    self._read_line(data, offset, f"{self._path}, line {number}")
                offset += len(data)
        if tail:
            self._mend(tail, offset - len(tail))

    def _read_line(self, data: bytes, offset: int, place: str) -> None:
        try:
            custom_id, answered = parse_line(data)
        except ValueError:
            text = data.decode("utf-8", "replace").rstrip("\r\n")
            raise InvalidRequestError(f"output: {place} is no result of a batch: {show(text)}") from None
        if custom_id in self.failed:
            self._replaced.add(self.failed.pop(custom_id))
        if answered:
            self.done.add(custom_id)
        elif custom_id in self.done:
            self._replaced.add(offset)
        else:
            self.failed[custom_id] = offset

    def _mend(self, tail: bytes, offset: int) -> None:
        """The last line has no end: only its newline is missing, or it is torn (after a power cut NULs may follow)."""
        try:
            self._read_line(tail, offset, "the last line")
        except InvalidRequestError:
            torn = tail.rstrip(b"\0")
            if not torn.startswith(LINE_BEGINNING[: len(torn)]):
                raise
            os.ftruncate(self._descriptor, offset)
        else:
            os.write(self._descriptor, b"\n")

    # Keeping

    def _sync(self) -> None:
        if self._unsynced:
            os.fsync(self._descriptor)
            self._unsynced = False
        self._synced = monotonic()

    def _write_kept(self, path: str) -> None:
        with open(path, "wb") as copy, open(self._path, "rb") as file:
            offset = 0
            for data in file:
                if offset not in self._replaced:
                    copy.write(data)
                offset += len(data)
            copy.flush()
            os.fsync(copy.fileno())
        os.chmod(path, stat.S_IMODE(os.fstat(self._descriptor).st_mode))

    def _abandon(self) -> None:
        """In a process that was forked off: the lock is held as long as anybody has the file open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()


def _abandon_all() -> None:
    for journal in list(_OPEN):
        journal._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
