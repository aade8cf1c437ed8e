"""One call in flight: its clocks, its cancellation, and its current socket.

Every blocking step of a call (connect, TLS, send, read, pause) takes its timeout from ``time_left()``, so the clocks
hold even if a server trickles bytes. Every socket is attached to its call before it connects, so ``cancel()`` can wake
a thread that waits on it, from any other thread or from a signal handler.
"""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any, Final, TypeVar
from weakref import WeakSet

from ..checks import plain_number, refusal
from ..errors import Clock, InvalidRequestError
from ..wrong_names import explain_wrong_names
from .sockets import duplicate_socket

__all__ = ["DEFAULT", "SOCKET", "WRITE", "Call", "Interrupted", "Timeouts", "Wait", "run"]

T = TypeVar("T")

# The longest timeout that a socket accepts is 2**31 milliseconds; a longer wait takes several steps.
_MAX_STEP = 1_000_000.0


@explain_wrong_names
@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each stage of a call may take, in seconds.

    Attributes:
        connect: name resolution, connecting, proxy and TLS, together (default 10).
        first: from the connection to the first text, reasoning or tool call; holds the upload as well (default 120).
        gap: from one such piece of the answer to the next; keep-alive comments and empty chunks do not count
            (default 60).
        total: the whole call, all attempts and the pauses between them, and what the reader does meanwhile (default
            None: unlimited).

    Raises InvalidRequestError for a value that is not a number above zero; only ``total`` may be None.
    """

    connect: float = 10
    first: float = 120
    gap: float = 60
    total: float | None = None

    def __post_init__(self) -> None:
        for clock in ("connect", "first", "gap", "total"):
            seconds = plain_number(getattr(self, clock))
            object.__setattr__(self, clock, seconds)
            if seconds is None and clock == "total":
                continue
            if not _is_time(seconds):
                raise InvalidRequestError(f"timeout: {clock} must be a number of seconds above 0, not {seconds!r:.80}")

    @classmethod
    def of(cls, timeout: Any) -> Timeouts:
        """The clocks for a ``timeout`` argument: a number sets all of them except total."""
        if timeout is None:  # means "no limit" in other libraries
            raise InvalidRequestError(
                "timeout must not be None; for no limit on the total time use Timeouts(total=None)"
            )
        if isinstance(timeout, cls):
            return timeout
        if not _is_time(plain_number(timeout)):
            raise refusal("timeout", "a number of seconds above 0, or Timeouts(connect=…, first=…, gap=…)", timeout)
        return cls(timeout, timeout, timeout)


def _is_time(seconds: Any) -> bool:
    return isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < math.inf


DEFAULT = Timeouts()
"""The default of every ``timeout`` argument: the clocks of the client, by default ``Timeouts()``."""


class Interrupted(Exception):
    """The call has to stop: a clock ran out, or it was cancelled (``clock`` is None). Never leaves the library."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock or "cancelled")
        self.clock = clock


class Wait(Enum):
    """What a call that does not block needs before its next step."""

    SOCKET = "socket"
    """The current socket (``Call.fileno()``) must become readable."""

    WRITE = "write"
    """The current socket must become writable, to connect or for the TLS handshake."""

    THREAD = "thread"
    """A thread, because the next step blocks."""

    FIRST = "first"
    """As ``THREAD``, for work that is done once for all calls. One call does it at a time: calls that begin
    together do not take a thread each.
    """

    TURN = "turn"
    """Nothing: the blocking work is done and the thread can be released."""


# For code that runs once per token: looking up an enum member takes as long as a few steps.
SOCKET: Final = Wait.SOCKET
WRITE: Final = Wait.WRITE


class Call:
    """The clocks and the cancellation of one call.

    Attributes:
        timeouts: the settings of the clocks.
        started: when the call began, by ``time.monotonic()``.
        clock: the clock that will run out next.
        deadline: when it will run out, by ``time.monotonic()``.
        cancelled: whether ``cancel()`` was called.
        is_foreign: whether the connection belongs to the parent process from which this one was forked.
        reused: whether the current connection had served another request before.
        blocking: whether a step that has to wait blocks. If not, it yields or returns a ``Wait`` instead.
        on_release: closes the current descriptor instead of this object; set by an event loop that watches the
            descriptor. May be called in any thread.
        drained: whether all bytes that had arrived were read. If the call does not block, the next read then returns a
            ``Wait`` first.
        at_rest: whether the next step is to wait for the next token, see ``rest()``.
        paced: whether the caller adapts its rate to temporary rejections: they are raised, not retried.
    """

    __slots__ = (
        "__weakref__",
        "_end",
        "_gate",
        "_lock",
        "_socket",
        "at_rest",
        "blocking",
        "cancelled",
        "clock",
        "deadline",
        "drained",
        "is_foreign",
        "on_release",
        "paced",
        "reused",
        "started",
        "timeouts",
    )

    clock: Clock
    deadline: float

    def __init__(self, timeouts: Timeouts) -> None:
        self.timeouts: Timeouts = timeouts
        self.cancelled: bool = False
        self.is_foreign: bool = False
        self.reused: bool = False
        self.blocking: bool = True
        self.paced: bool = False
        self.drained: bool = False
        self.at_rest: bool = False
        self.on_release: Callable[[socket.socket], None] | None = None
        self._socket: socket.socket | None = None
        # Both can be used in a signal handler that interrupts this code: the lock is reentrant, and only cancel()
        # releases the gate.
        self._lock = threading.RLock()
        self._gate = threading.Lock()
        self._gate.acquire()
        self.begin()

    def begin(self) -> None:
        """Start the total clock and the connect clock."""
        self.started: float = monotonic()
        self._end = self.started + (self.timeouts.total or math.inf)
        self.start_clock("connect")

    def start_clock(self, clock: Clock, at_most: float = math.inf) -> None:
        """Start this clock, for its seconds or ``at_most``, whichever is less; the total clock keeps running."""
        seconds: float = getattr(self.timeouts, clock)
        deadline = monotonic() + (seconds if seconds < at_most else at_most)
        if deadline < self._end:
            self.clock, self.deadline = clock, deadline
        else:
            self.clock, self.deadline = "total", self._end

    def rest(self) -> bool:
        """Whether the call only has to wait for the next token; if so, start the gap clock. An event loop that runs the
        steps thereby saves the step that would yield ``Wait.SOCKET``.
        """
        if not self.at_rest or self.cancelled:
            return False
        now = monotonic()
        if now >= self._end:
            return False
        deadline = now + self.timeouts.gap
        self.clock, self.deadline = ("gap", deadline) if deadline < self._end else ("total", self._end)
        self.at_rest = self.drained = False
        return True

    def time_left(self) -> float:
        """Seconds that the next step may take. Raises Interrupted if no time is left or the call was cancelled."""
        if self.cancelled:
            raise Interrupted
        left = self.deadline - monotonic()
        if left <= 0:
            raise Interrupted(self.clock)
        return left if left < _MAX_STEP else _MAX_STEP  # min() is slower, and this runs for each token

    def longest_wait(self) -> float:
        """As ``time_left()``, but 0 instead of raising."""
        return 0.0 if self.cancelled else max(self.deadline - monotonic(), 0.0)

    def need_thread(self, wait: Wait = Wait.THREAD) -> Iterator[Wait]:
        """Yield until the steps run in a thread, because the next one blocks. The clocks are paused meanwhile."""
        since = monotonic()
        while not self.blocking:
            yield wait
        waited = monotonic() - since
        self.started += waited
        self._end += waited
        self.deadline += waited

    def attach(self, sock: socket.socket) -> None:
        """Use this socket from now on: ``cancel()`` shuts it down.

        The call keeps a duplicate of the descriptor instead of the socket. The duplicate can be shut down at every
        stage (a TLS handshake detaches the descriptor from the socket object), and it is never a descriptor that was
        closed and reused.
        """
        duplicate = duplicate_socket(sock)
        with self._lock:
            self.release()
            self._socket = duplicate
            _attached.add(self)
        self.time_left()

    def fileno(self) -> int:
        """The descriptor to wait on for the current socket."""
        assert self._socket is not None
        return self._socket.fileno()

    def release(self) -> None:
        """Stop using the socket, so ``cancel()`` does not shut it down. Call this before others may use the socket."""
        with self._lock:
            sock, self._socket = self._socket, None
            if sock is not None:
                _attached.discard(self)
                close, self.on_release = self.on_release, None
                if close is None:
                    sock.close()  # its own method: eventlet's sockets are not instances of socket.socket
                else:
                    close(sock)

    def disown(self) -> None:
        """Close this process's copy of the descriptor: the parent process of the fork uses the connection."""
        self._lock = threading.RLock()  # a thread of the parent process may hold the old one
        self.is_foreign = self.cancelled = True
        self.on_release = None
        self.release()

    def cancel(self) -> None:
        """Stop the call, from any thread, at any stage. A thread that waits in it raises Interrupted. Never blocks."""
        self.cancelled = True
        with self._lock:
            if self._socket is not None:
                _shut_down(self._socket)
        self._open_gate()

    def pause(self, seconds: float) -> None:
        """Sleep; raise Interrupted at once if the call is cancelled or the total clock runs out."""
        left = self._end - monotonic()
        if self._gate.acquire(timeout=min(max(seconds, 0), max(left, 0), threading.TIMEOUT_MAX)):
            self._open_gate()
            raise Interrupted
        if seconds > left:
            raise Interrupted("total")

    def _open_gate(self) -> None:
        with suppress(RuntimeError):  # already open: cancelled twice
            self._gate.release()

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Limit the time of the block, for auxiliary lookups. Raises Interrupted("total") if it takes longer."""
        end, self._end = self._end, min(self._end, monotonic() + seconds)
        try:
            yield
        finally:
            self._end = end

    def total_left(self) -> float:
        """Seconds until the total clock runs out; infinite without a total timeout."""
        return self._end - monotonic()

    def seconds(self) -> float:
        """Seconds since the call began."""
        return monotonic() - self.started


def run(steps: Generator[object, None, T]) -> T:
    """Run all steps of a blocking call and return their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # not connected yet, or already disconnected
        sock.shutdown(socket.SHUT_RDWR)


_attached: WeakSet[Call] = WeakSet()


def _disown_all() -> None:
    for call in list(_attached):
        call.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)
