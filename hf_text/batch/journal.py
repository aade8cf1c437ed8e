"""The output file, which is also the journal: what is in it whole is done and is never paid for again.

Each row is appended in one write. The journal knows the line under way, so an exception within the write (Ctrl-C) makes
neither half a line nor two. A process that is killed can tear only the last line; that is cut off when the file is
opened again. A line that is damaged otherwise goes to ``OUTPUT.damaged``, and the rest stays usable.

The file is locked (a lock of the operating system, which dies with its process), so two runs cannot write to it at
once. A row that failed and was asked again has two lines, of which the later counts; the older ones are taken out at
the end of a run, if they are more than a twentieth of the file.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType

from ..checks import refusal, show, warn
from ..errors import InvalidRequestError
from .files import is_same_file, lock, replacing, write_all
from .index import ANSWERED, DOUBLE, FAILED, NO_FINGERPRINT, SEEN, Index
from .lines import LINE_BEGINNING, Head, Line, build_line, parse_head

__all__ = ["Journal", "supersedes"]

_SYNC_SECONDS = 1.0
_READ_BYTES = 1 << 20
_NEWLINE = 10
_LINE_BYTES, _ROW_BYTES = 500, 200  # of a line of the output, and of the inputs, about
_REPLACED_SHARE = 0.05  # of all lines; above it the file is written again at the end of a run
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_SECONDS = 60.0  # how long a disk that is full is waited for
_NO_ROOM_PAUSE = 0.5


def supersedes(answered: bool, asked: bytes, old_answered: bool, old_asked: bytes) -> bool:
    """Whether a line counts in place of an older one of the same row: an answer before a failure, the later failure
    before the earlier, and any before what was asked otherwise.
    """
    if asked != old_asked and NO_FINGERPRINT not in (asked, old_asked):
        return True
    return not old_answered


def _merge(known: int, asked: bytes, later: int, later_asked: bytes) -> tuple[int, bytes]:
    """What is known of a row, and of which question, after one more line."""
    if not known & (ANSWERED | FAILED):
        return later | known, later_asked
    if supersedes(bool(later & ANSWERED), later_asked, bool(known & ANSWERED), asked):
        return later | DOUBLE | known & SEEN, later_asked
    return known | DOUBLE, asked


class Journal:
    """An output that is open for one run. A context manager.

    Args:
        path: the output. It is made if it is not there.
        inputs: the path of the inputs, if they have one; the output must be another file.

    Attributes:
        path: the file itself, links resolved.
        index: what is known of the rows.
        answered: how many rows have their answer.
        failed: how many rows are recorded as failed.
        spent: USD that all lines cost together, as far as they tell.

    Raises InvalidRequestError if another run writes to the file, or if it holds something else than results (it is
    not changed then); OSError if it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], inputs: str | None = None) -> None:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise refusal("output", "the path of a file", path)
        self.path: str = os.path.realpath(path)
        if inputs is not None and os.path.exists(self.path) and os.path.samefile(inputs, self.path):
            raise InvalidRequestError(f"output must be a file other than the inputs, not {show(path)}")
        self.index: Index = Index(_estimate_rows(self.path, inputs))
        self.answered = self.failed = self._lines = 0
        self.spent: float = 0.0
        self._end = 0  # of the last whole line
        self._under_way: tuple[Line, int] | None = None  # what is being written, and where it will end
        self._synced = time.monotonic()
        self._unsynced = False
        self._patience = _NO_ROOM_SECONDS
        self._saved = ""  # where the contents of a deleted file went
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o666)
        _OPEN.add(self)
        try:
            self._take_over()
        except BaseException:  # Ctrl-C too: else the file stays open and locked
            self._release()
            raise

    def append(self, line: Line) -> bool:
        """Record what came of a row. False if it has its answer already.

        A disk that is full is waited for, up to a minute; after a wait in vain, or one that Ctrl-C ended, no longer.
        Raises OSError if the line cannot be written; then nothing of it is in the file. Raises it also if something
        else cut the file short meanwhile.
        """
        self._finish_write()
        known, asked = self.index.get(line.custom_id)
        answered = not isinstance(line.result, Exception)
        if known & ANSWERED and not supersedes(answered, line.asked, True, asked):
            return False
        data = build_line(line)
        self._under_way = line, self._end + len(data)
        self._write(data)
        self._check_whole(self._end + len(data))
        self._finish_write()
        self.sync_if_due()
        return True

    def sync_if_due(self) -> None:
        """Have the disk keep what was appended, if the last time was a second ago. Raises FileNotFoundError if the file
        was deleted or replaced meanwhile.
        """
        if self._unsynced and time.monotonic() - self._synced >= _SYNC_SECONDS:
            self._sync()

    def compact(self) -> None:
        """Write the file again without the lines that later ones replace, if they are many."""
        self._finish_write()
        rows = self.answered + self.failed
        if self._lines - rows <= _REPLACED_SHARE * self._lines:
            return
        # The folder is not ours, the disk is full, or (Windows) the file is open: then all lines stay.
        with suppress(OSError):
            self._write_kept()

    def close(self) -> None:
        """Have the disk keep everything, and let others write. Raises as ``sync_if_due``."""
        if self._descriptor < 0:
            return
        try:
            self._finish_write()
            self._sync()
        finally:
            self._release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Writing

    def _write(self, data: bytes) -> None:
        give_up: float | None = None
        while True:
            try:
                write_all(self._descriptor, data)
            except OSError as error:
                os.ftruncate(self._descriptor, self._end)
                if give_up is None:
                    give_up = time.monotonic() + self._patience
                    self._announce_wait(error)
                    self._patience = 0.0  # the other rows that have finished are not waited for as long again
                if error.errno not in _NO_ROOM or time.monotonic() >= give_up:
                    self._under_way = None
                    raise
            else:
                self._patience = _NO_ROOM_SECONDS
                return
            time.sleep(_NO_ROOM_PAUSE)

    def _announce_wait(self, error: OSError) -> None:
        if self._patience and error.errno in _NO_ROOM:
            message = f"{self.path}: {error.strerror}; waiting up to {self._patience:g} s for free space"
            warn(message)

    def _check_whole(self, end: int) -> None:
        """The line was written, so the file ends there; unless something else has cut it."""
        size = os.fstat(self._descriptor).st_size
        if size >= end:
            return
        assert self._under_way is not None
        self._under_way = self._under_way[0], size
        self._finish_write()
        raise OSError(
            errno.EIO, "the output was cut short during the run; the next run asks again what is lost", self.path
        )

    def _finish_write(self) -> None:
        """Note the line that was written; what an exception left of it half is cut off."""
        if self._under_way is None:
            return
        line, end = self._under_way
        if os.fstat(self._descriptor).st_size < end:
            os.ftruncate(self._descriptor, self._end)
        else:
            self._end = end
            self._unsynced = True
            self._note((line.custom_id, not isinstance(line.result, Exception), line.asked, line.cost))
        self._under_way = None

    def _note(self, head: Head) -> None:
        """Keep in mind what a line of the file says."""
        name, answered, asked, cost = head
        self._lines += 1
        self.spent += cost or 0.0
        known, old = self.index.get(name)
        now, counts = _merge(known, old, ANSWERED if answered else FAILED, asked)
        self.index.set(name, now, counts)
        self.answered += (now & ANSWERED) - (known & ANSWERED)
        self.failed += ((now & FAILED) - (known & FAILED)) // FAILED

    def _sync(self) -> None:
        if self._unsynced:
            os.fsync(self._descriptor)
            self._unsynced = False
        self._synced = time.monotonic()
        if not is_same_file(self._descriptor, self.path):
            raise FileNotFoundError(errno.ENOENT, self._recover(), self.path)

    def _recover(self) -> str:
        """The file was deleted under our hands. Its answers were paid for: save them beside it."""
        mode = "wb" if self._saved else "xb"  # once more at the end, with the rows that have finished since
        self._saved = self._saved or f"{self.path}.recovered-{os.urandom(4).hex()}"
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        with open(self._descriptor, "rb", closefd=False) as file, open(self._saved, mode) as copy:
            shutil.copyfileobj(file, copy)
        return f"the output was deleted or replaced during the run; its contents were saved in {self._saved}"

    def _write_kept(self) -> None:
        winners = Index()  # where the line that counts begins, of rows with several
        for offset, data in self._read_lines():
            name, answered, asked, _ = parse_head(data)
            state, last_asked = self.index.get(name)
            if not state & DOUBLE:
                continue
            known, _ = winners.get(name)
            if asked == last_asked and not known & ANSWERED:
                winners.set(name, ANSWERED if answered else FAILED, offset.to_bytes(8, "little"))
        with replacing(self.path) as copy:
            for offset, data in self._read_lines():
                known, place = winners.get(parse_head(data)[0])
                if not known or int.from_bytes(place, "little") == offset:
                    copy.write(data + b"\n")
        self._reopen()

    def _reopen(self) -> None:
        """Go on with the file that has taken the place of the one that was open."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
        with suppress(OSError):
            lock(descriptor)
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._end = os.fstat(descriptor).st_size
        self._lines = self.answered + self.failed

    # Opening

    def _take_over(self) -> None:
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise refusal("output", "the path of a regular file", self.path)
        try:
            lock(self._descriptor)
        except (BlockingIOError, PermissionError):
            raise self._busy() from None
        except OSError as error:
            message = f"{self.path} cannot be locked ({error}): make sure that no two runs write to it"
            warn(message)
        # The run that held the lock may have replaced the file after we opened it.
        if not is_same_file(self._descriptor, self.path):
            raise self._busy()
        self._read()

    def _busy(self) -> InvalidRequestError:
        return InvalidRequestError(f"output: another run is writing to {self.path}")

    def _read_lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each whole line begins, and the line without its newline. Empty ones are left out."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        offset = 0
        with open(self._descriptor, "rb", _READ_BYTES, closefd=False) as file:
            for data in file:
                if data[-1] == _NEWLINE and not data.isspace():
                    yield offset, data.rstrip(b"\r\n")
                offset += len(data)
        self._end = offset

    def _read(self) -> None:
        damaged: list[int] = []  # where they begin
        whole = False
        load = self.index.load
        for offset, data in self._read_lines():
            try:
                name, answered, asked, cost = parse_head(data)
            except ValueError:
                whole = whole or data.startswith(LINE_BEGINNING)
                if not whole and len(damaged) > 1000:
                    break
                damaged.append(offset)
            else:
                whole = True
                load(name, ANSWERED if answered else FAILED, asked)
                self._lines += 1
                self.spent += cost or 0.0
        self.index.settle(_merge)
        self.answered, self.failed = self.index.count(ANSWERED), self.index.count(FAILED)
        tail = self._read_tail()
        if damaged and not whole:
            first = self._read_at(damaged[0])
            if tail or len(damaged) > 1 or not LINE_BEGINNING.startswith(first.rstrip()):
                raise self._foreign(first)
        if tail:
            self._end_tail(tail, whole)
        if damaged:
            self._set_aside(damaged)

    def _read_tail(self) -> bytes:
        """What follows the last newline."""
        size = os.fstat(self._descriptor).st_size
        tail, at = b"", size
        while at and b"\n" not in tail:
            at = max(0, at - 65536)
            os.lseek(self._descriptor, at, os.SEEK_SET)
            tail = os.read(self._descriptor, size - at)
        return tail[tail.rfind(b"\n") + 1 :]

    def _read_at(self, offset: int) -> bytes:
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        with open(self._descriptor, "rb", closefd=False) as file:
            return file.readline()

    def _foreign(self, data: bytes) -> InvalidRequestError:
        text = data.decode("utf-8", "replace").rstrip("\r\n")
        return InvalidRequestError(f"output: {self.path} does not hold results of a batch: {show(text)}")

    def _end_tail(self, tail: bytes, whole: bool) -> None:
        """The last line has no end: only its newline is missing, or it is torn (after a power cut NULs may follow)."""
        begin = os.fstat(self._descriptor).st_size - len(tail)
        try:
            self._note(parse_head(tail))
        except ValueError:
            torn = tail.rstrip(b"\0")
            if not whole and not torn.startswith(LINE_BEGINNING[: len(torn)]):
                raise self._foreign(tail) from None
            os.ftruncate(self._descriptor, begin)
        else:
            os.write(self._descriptor, b"\n")
        self._end = os.fstat(self._descriptor).st_size

    def _set_aside(self, damaged: list[int]) -> None:
        """Move damaged lines to a file of their own. Two that were glued together give back the second."""
        places = frozenset(damaged)
        aside = f"{self.path}.damaged"
        with open(aside, "ab") as bad, replacing(self.path) as copy:
            for offset, data in self._read_lines():
                if offset in places:
                    bad.write(data + b"\n")
                    data = self._salvage(data)
                if data:
                    copy.write(data + b"\n")
        self._reopen()
        message = f"{self.path}: {len(damaged)} damaged lines were moved to {aside}; their rows are retried"
        warn(message)

    def _salvage(self, data: bytes) -> bytes:
        """The whole line at the end of a damaged one. Its beginning cannot stand within: quotes are escaped there."""
        rest = data[max(data.rfind(LINE_BEGINNING), 0) :]
        try:
            self._note(parse_head(rest))
        except ValueError:
            return b""
        return rest

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def abandon(self) -> None:
        """In a process that was forked off: the lock is held as long as anybody has the file open."""
        self._release()


def _estimate_rows(output: str, inputs: str | None) -> int:
    """How many rows there are, about, by the sizes of the files."""
    sizes = [os.path.getsize(path) if path and os.path.isfile(path) else 0 for path in (output, inputs)]
    return max(sizes[0] // _LINE_BYTES, sizes[1] // _ROW_BYTES)


_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()


def _abandon_all() -> None:
    for journal in list(_OPEN):
        journal.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
