"""Waiting for the socket of a stream in an event loop.

With anyio, each wait registers the socket, sets a timer and removes both, which costs more than reading a token. In
asyncio (and uvloop) a stream keeps one registration and one timer for all its waits instead. The callback of the loop
reads the socket, so the task wakes up only for events, in the same iteration of the loop (see ``waiter``). This is the
only place that bypasses anyio; trio, and loops that cannot watch sockets, use anyio.
"""

from __future__ import annotations

import asyncio
import math
import socket

from anyio import move_on_after, wait_readable, wait_writable

from ..generation.steps import Step, Steps
from ..transport.call import SOCKET, WRITE
from .stop_button import WAKES_UP, in_kernel, stop_button_works
from .waiter import Waiter

__all__ = ["LoopWait", "running_loop", "wait_by_anyio"]


async def wait_by_anyio(steps: Steps, step: Step | None) -> Step | None:
    """The next step that is not a wait for the socket. Call this between ``begin()`` and ``end()`` of the steps."""
    call = steps.call
    while step is SOCKET or step is WRITE:
        with stop_button_works(), move_on_after(call.longest_wait()):
            await (wait_readable if step is SOCKET else wait_writable)(call.fileno())
        step = steps.advance()
    return step


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop of the current task; None in a trio task, even if trio runs inside an asyncio loop."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return None
    return None if task is None else task.get_loop()


class LoopWait(Waiter[Step | None]):
    """The waits of a stream in an asyncio loop. Awaiting it, after ``watch()`` and between ``begin()`` and ``end()`` of
    the steps, returns the next step that is not a wait for the socket.

    Args:
        steps: the steps of the stream.
        loop: the loop.
    """

    def __init__(self, steps: Steps, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._steps = steps
        self._descriptor: int | None = None  # watched for reading
        self._writing: int | None = None  # watched for writing
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ends = math.inf  # by ``time.monotonic()``

    def watch(self, wait_for: Step) -> None:
        """Start watching for this. Raises NotImplementedError if the loop cannot watch sockets."""
        if wait_for is WRITE:
            self._await_writing()
        elif self._descriptor is None:
            self._register()
        if self._steps.call.deadline < self._timer_ends:
            self._start_timer()

    def _register(self) -> None:
        call = self._steps.call
        descriptor = call.fileno()
        self.loop.add_reader(descriptor, self._take_step)
        self._descriptor = descriptor
        call.on_release = self._close

    def _await_writing(self) -> None:
        """Watch once for writing. A connecting socket must not be watched for anything else."""
        call = self._steps.call
        self._writing = call.fileno()
        self.loop.add_writer(self._writing, self._write)
        call.on_release = self._close

    def _write(self) -> None:
        descriptor, self._writing = self._writing, None
        if descriptor is not None:
            self.loop.remove_writer(descriptor)
        if self.wake_up is not None:
            self._take_step()

    def _take_step(self) -> None:
        """Called by the loop while there is data to read."""
        if self.wake_up is None:  # cancelled, perhaps
            self._unregister()
        else:
            self.context.run(self._advance)

    def _advance(self) -> None:
        try:
            step = self._steps.advance()
            if step is SOCKET or step is WRITE:
                self.watch(step)  # after a redirect it may be another socket
                return
        except BaseException as error:
            self.set_exception(error)
            return
        self.set_result(step)

    def _unregister(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self.loop.remove_reader(descriptor)
            if self._writing is None:
                self._steps.call.on_release = None

    def _start_timer(self) -> None:
        self._stop_timer()
        call = self._steps.call
        self._timer_ends = call.deadline
        seconds = call.longest_wait()
        if in_kernel():
            seconds = min(seconds, WAKES_UP)
        self._timer = self.loop.call_later(seconds, self._look_at_clock)

    def _stop_timer(self) -> None:
        timer, self._timer, self._timer_ends = self._timer, None, math.inf
        if timer is not None:
            timer.cancel()

    def _look_at_clock(self) -> None:
        """Called at the earliest deadline, which may have been extended because data arrived."""
        self._timer, self._timer_ends = None, math.inf
        if self.wake_up is None:
            return
        if self._steps.call.longest_wait() <= 0:
            self._take_step()  # raises the timeout error
        else:
            self._start_timer()

    def _close(self, sock: socket.socket) -> None:
        """Close the registered descriptor. Can be called from any thread."""
        reading, writing, self._descriptor, self._writing = self._descriptor, self._writing, None, None
        try:
            if _in_loop(self.loop):
                self._forget(reading, writing, sock)
            else:
                self.loop.call_soon_threadsafe(self._forget, reading, writing, sock)
        except RuntimeError:  # the loop is closed
            sock.close()

    def _forget(self, reading: int | None, writing: int | None, sock: socket.socket) -> None:
        if reading is not None:
            self.loop.remove_reader(reading)
        if writing is not None:
            self.loop.remove_writer(writing)
        sock.close()
        self._stop_timer()


def _in_loop(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
