"""A separate process for work that must not run in the caller's. It speaks JSON lines, and ends with its parent.

The end of its standard input makes it exit. The operating system closes that pipe however the parent ends, even by
SIGKILL; so the write end must be open in the parent alone, and a fork of the parent closes its copy.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import IO, Any
from weakref import WeakSet

from ..errors import LocalServerError

__all__ = ["Child", "ChildEndedError", "Message"]

# The child imports the same modules as the parent would, from the same folders.
_BOOTSTRAP = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "import importlib; importlib.import_module(sys.argv[1]).main()"
)

# Ctrl-C in a terminal reaches every process of its group: the parent decides what it means.
_GROUP: dict[str, Any] = (
    {"creationflags": 0x08000200}  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
    if sys.platform == "win32"
    else {"start_new_session": True}
)

Message = dict[str, Any]


class ChildEndedError(Exception):
    """The process ended before it sent the expected message.

    Attributes:
        status: its exit status; a negative one is the signal that ended it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Child:
    """A running child process.

    Args:
        module: the module whose ``main()`` it runs.
        order: the first message to it. It is not an argument, because every user of the machine can read those.
        stderr: the file for its standard error; None: that of this process.

    Raises LocalServerError if no process can be started.
    """

    def __init__(self, module: str, order: Message, stderr: IO[bytes] | None = None) -> None:
        command = [sys.executable, "-I", "-c", _BOOTSTRAP, module]
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr, "bufsize": 0}
        try:
            with _FORK_LOCK:
                self._process = subprocess.Popen(command, **streams, **_GROUP)
                _CHILDREN.add(self)
        except (OSError, TypeError) as error:  # TypeError: sys.executable is None where Python is embedded
            raise LocalServerError(f"no process can be started with Python ({sys.executable!r}): {error}") from None
        self._owner = os.getpid()
        self._messages: SimpleQueue[Message | None] = SimpleQueue()
        self._reader = threading.Thread(
            target=_read, args=(self._process.stdout, self._messages), name="hf_text local", daemon=True
        )
        self._reader.start()
        self.send(sys.path)
        self.send(order)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs, and in a forked process, which cannot know."""
        return self._process.poll() if self._owner == os.getpid() else None

    def send(self, message: object) -> None:
        """Send it a message. A process that has ended does not receive it; ``receive`` reports that."""
        assert self._process.stdin is not None
        rest = memoryview(json.dumps(message).encode() + b"\n")
        with suppress(BrokenPipeError):
            while rest:
                rest = rest[self._process.stdin.write(rest) :]

    def receive(self, timeout: float | None = None) -> Message:
        """Return its next message. Raises ChildEndedError, and TimeoutError after ``timeout`` seconds without one."""
        try:
            message = self._messages.get(timeout=timeout)
        except Empty:
            raise TimeoutError from None
        if message is None:
            raise ChildEndedError(self._process.wait())
        return message

    def kill(self) -> None:
        """Kill the process, whatever it is doing, and wait for its end, which closes its files and sockets.

        May be called several times, and from any thread. Does nothing in a forked process.
        """
        if self._owner != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        if self._reader is not threading.current_thread():  # the garbage collector may run in that thread
            self._reader.join()
        self._close_pipes()

    def leave(self) -> None:
        """In a process that was just forked: release a child that belongs to the parent."""
        self._close_pipes()
        self._process.returncode = 0  # otherwise Popen warns of a process that still runs, and waits for it

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _read(stdout: IO[bytes], messages: SimpleQueue[Message | None]) -> None:
    """Queue the messages of the process, to the end. Lines that are not messages come from a Python start-up file."""
    for line in stdout:
        with suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, Mapping):
                messages.put(dict(message))
    messages.put(None)


_CHILDREN: WeakSet[Child] = WeakSet()
_FORK_LOCK = threading.Lock()  # no fork between the creation of a pipe and that of its Child


def _leave_children() -> None:
    for child in _CHILDREN:
        child.leave()
    _CHILDREN.clear()
    _FORK_LOCK.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_FORK_LOCK.acquire, after_in_parent=_FORK_LOCK.release, after_in_child=_leave_children)
