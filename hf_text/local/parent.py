"""The child's connection to its parent: messages in both directions, and the detection of the parent's end."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import Any, NoReturn

if sys.platform == "linux":
    import fcntl
    import select

__all__ = ["Parent"]

Message = dict[str, Any]


class Parent:
    """The process that started this one. All other writes to standard output are discarded."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def receive(self) -> Message:
        """Return the next message. Ends this process if there are no more."""
        line = sys.stdin.buffer.readline()
        if not line:
            os._exit(0)
        message: Message = json.loads(line)
        return message

    def send(self, **message: Any) -> None:
        """Send a message to the parent."""
        os.write(self._out, json.dumps(message).encode() + b"\n")

    def finish(self, **message: Any) -> NoReturn:
        """Send the last message, and end this process."""
        self.send(**message)
        os._exit(0)

    def wait_for_end(self) -> NoReturn:
        """Wait until the parent ends or closes the pipe, then exit. No more messages can be sent."""
        os.close(self._out)
        while sys.stdin.buffer.readline():
            pass
        os._exit(0)

    def end_with_it_from_a_thread(self) -> SimpleQueue[Message]:
        """End with the parent while Python code runs here. From now on, messages arrive in the returned queue."""
        messages: SimpleQueue[Message] = SimpleQueue()
        threading.Thread(target=_watch, args=(self, messages), daemon=True).start()
        return messages

    def end_with_it_by_a_signal(self) -> None:
        """End with the parent even while foreign code blocks all Python threads; only on Linux, where the kernel sends
        a signal when the pipe is closed.
        """
        if sys.platform == "linux":
            signal.signal(signal.SIGIO, signal.SIG_DFL)
            fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
            if select.select([0], [], [], 0)[0]:  # the parent has ended already
                os._exit(0)


def _watch(parent: Parent, messages: SimpleQueue[Message]) -> None:
    while True:
        messages.put(parent.receive())
