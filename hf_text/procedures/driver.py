"""Takes a procedure from one effect to the next; sans-IO, and stopped from any thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ..completion import Completion
from ..errors import InvalidRequestError, StreamCancelledError
from ..events import ProviderInfo
from .effects import Effect, Procedure

__all__ = ["Driver", "Stoppable"]

T = TypeVar("T")


class Stoppable(Protocol):
    """An answer that is being generated."""

    @property
    def partial(self) -> Completion:
        """What has arrived so far."""

    @property
    def info(self) -> ProviderInfo | None:
        """Which provider answers."""

    def cancel(self) -> None:
        """Stop it; a reader gets StreamCancelledError."""

    def close(self) -> None:
        """Stop it; a reader in another thread gets StreamCancelledError."""


class Driver(Generic[T]):
    """A procedure under way.

    What performs the effects calls ``begin()``; then ``effect()``, and for each effect ``send()`` or ``throw()``, until
    there is none; in the end ``end()``.

    Args:
        procedure: the procedure.
        who: returns the caller: the thread, or in async code the task.

    Attributes:
        stream: the answer that is being generated, or was generated last.
    """

    def __init__(self, procedure: Procedure[T], who: Callable[[], int | None] = threading.get_ident) -> None:
        self.stream: Stoppable | None = None
        self._procedure = procedure
        self._who = who
        self._effect: Effect | None = None
        self._begun = False
        self._ended = False
        self._result: T | None = None
        # Reentrant, because a signal handler or the garbage collector may stop it within.
        self._lock = threading.RLock()
        self._claimed = False
        self._busy = False  # something performs an effect
        self._stopped = False  # before its end
        self._stopper: int | None = None  # who did that
        self._cancelled = False

    @property
    def state(self) -> str:
        """``"open"``, ``"ended"`` or ``"closed"``."""
        return "closed" if self.stopped else "ended" if self._ended else "open"

    @property
    def stopped(self) -> bool:
        """Whether it was stopped before its end."""
        return self._stopped

    @property
    def result(self) -> T | None:
        """What the procedure returned; None before."""
        return self._result

    def claim(self) -> None:
        """Claim the iteration. Raises InvalidRequestError the second time."""
        with self._lock:
            if self._claimed:
                raise InvalidRequestError("a stream can be read only once; the whole answer is in its completion")
            self._claimed = True

    def begin(self) -> bool:
        """Keep others out until ``end()``. False if there is nothing more to do; raises StreamCancelledError if
        something else stopped it, and InvalidRequestError if something else performs an effect now.
        """
        with self._lock:
            if self._ended or self.stopped:
                self._refuse_if_stopped()
                return False
            if self._busy:
                raise InvalidRequestError("this stream is already being read")
            self._busy = True
            return True

    def effect(self) -> Effect | None:
        """What is to be done now; None at the end. Raises StreamCancelledError if something else stopped it."""
        if self.stopped:
            self._refuse_if_stopped()
            return None
        if not self._begun:
            self._begun = True
            self._advance(self._procedure.send, None)
        return self._effect

    def attach(self, stream: Stoppable) -> None:
        """This answer is being generated from now on."""
        with self._lock:
            self.stream = stream
            stopped = self.stopped
        if stopped:
            stream.cancel()

    def send(self, value: Any) -> None:
        """This came of the effect. Raises what the procedure raises."""
        self._advance(self._procedure.send, value)

    def throw(self, error: BaseException) -> None:
        """This error came of the effect. Raises what the procedure makes of it, mostly that error."""
        self._advance(self._procedure.throw, error)

    def end(self) -> None:
        """Let others in again."""
        with self._lock:
            self._busy = self.stopped
        if self.stopped:
            self._procedure.close()

    def stop(self, cancelled: bool = False) -> None:
        """Stop, from any thread, without blocking. A reader gets StreamCancelledError if it is another thread or task,
        or anyway if ``cancelled``. A function that runs is not stopped, but nothing follows it.
        """
        with self._lock:
            if self._ended or self.stopped:
                return
            self._stopped, self._stopper = True, self._who()
            self._cancelled = cancelled
            busy, self._busy = self._busy, True
        if self.stream is not None:
            self.stream.cancel() if cancelled else self.stream.close()
        if not busy:  # else what performs the effect does it
            self._procedure.close()

    def _advance(self, step: Any, value: Any) -> None:
        try:
            self._effect = step(value)
        except StopIteration as end:
            self._effect, self._result, self._ended = None, end.value, True
        except BaseException:  # Ctrl-C too: a generator that has raised is over
            self._ended = True
            raise

    def _refuse_if_stopped(self) -> None:
        if self.stopped and (self._cancelled or self._stopper != self._who()):
            partial = None if self.stream is None else self.stream.partial
            attempts = () if partial is None else partial.attempts
            raise StreamCancelledError("the stream was cancelled", partial=partial, attempts=attempts)
