"""A process of our own for what must not happen in the caller's. It speaks JSON lines, and ends with its parent.

The end of its standard input is its sign to end. The operating system gives that sign however the parent ends, with
SIGKILL too; so the writing end of that pipe must be open in the parent alone, and a fork of the parent closes its copy.
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

# The child imports what the parent would, from where the parent would.
_BOOTSTRAP = (
    "import sys, json; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "import importlib; importlib.import_module(sys.argv[1]).main()"
)

# Ctrl-C in a terminal goes to every process of its group: the parent decides what it means.
_GROUP: dict[str, Any] = (
    {"creationflags": 0x08000200}  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
    if sys.platform == "win32"
    else {"start_new_session": True}
)

Message = dict[str, Any]


class ChildEndedError(Exception):
    """The process ended before it said what it was waited for.

    Attributes:
        status: its exit status; a negative one is the signal that ended it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Child:
    """A running process.

    Args:
        module: the module whose ``main()`` it runs.
        order: the first message to it. Not among its arguments, which every user of the machine can read.
        stderr: where its standard error goes; None: to that of this process.

    Raises LocalServerError where no process can be started.
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
        """Its exit status; None while it runs, as far as this process can know."""
        return self._process.poll() if self._owner == os.getpid() else None

    def send(self, message: object) -> None:
        """Send it a message. A process that has ended does not get it; ``receive`` reports that."""
        assert self._process.stdin is not None
        rest = memoryview(json.dumps(message).encode() + b"\n")
        with suppress(BrokenPipeError):
            while rest:
                rest = rest[self._process.stdin.write(rest) :]

    def receive(self, timeout: float | None = None) -> Message:
        """Its next message. Raises ChildEndedError, and TimeoutError after ``timeout`` seconds without one."""
        try:
            message = self._messages.get(timeout=timeout)
        except Empty:
            raise TimeoutError from None
        if message is None:
            raise ChildEndedError(self._process.wait())
        return message

    def kill(self) -> None:
        """End it at once, whatever it is doing, and wait for that; what it has open is closed then.

        May be called several times, and from any thread. Does nothing in a process that was forked off.
        """
        if self._owner != os.getpid():
            return
        self._process.kill()
        self._process.wait()
        if self._reader is not threading.current_thread():  # it is, where that thread collects the garbage
            self._reader.join()
        self._close_pipes()

    def leave(self) -> None:
        """In a process that was just forked off: let go of a child that is the parent's."""
        self._close_pipes()
        self._process.returncode = 0  # else Popen warns of a process that still runs, and waits for it

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


def _read(stdout: IO[bytes], messages: SimpleQueue[Message | None]) -> None:
    """Pass on what the process says, to the end. What is not a message came from a start-up file of Python."""
    for line in stdout:
        with suppress(ValueError):
            message = json.loads(line)
            if isinstance(message, Mapping):
                messages.put(dict(message))
    messages.put(None)


_CHILDREN: WeakSet[Child] = WeakSet()
_FORK_LOCK = threading.Lock()  # no fork while a pipe is there and its Child is not


def _leave_children() -> None:
    for child in _CHILDREN:
        child.leave()
    _CHILDREN.clear()
    _FORK_LOCK.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_FORK_LOCK.acquire, after_in_parent=_FORK_LOCK.release, after_in_child=_leave_children)
