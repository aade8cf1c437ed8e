"""Advances a procedure from one effect to the next; sans-IO, and can be stopped from any thread."""

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
        """The part of the answer that has arrived."""

    @property
    def info(self) -> ProviderInfo | None:
        """The provider of the answer."""

    def cancel(self) -> None:
        """Stop it; a reader gets StreamCancelledError."""

    def close(self) -> None:
        """Stop it; a reader in another thread gets StreamCancelledError."""


class Driver(Generic[T]):
    """A running procedure.

    The code that performs the effects calls ``begin()``; then ``effect()``, and for each effect ``send()`` or
    ``throw()``, until there are no more; and finally ``end()``.

    Args:
        procedure: the procedure.
        who: returns an id of the caller: the thread, or in async code the task.

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
        # Reentrant, because a signal handler or the garbage collector may call stop() while it is held.
        self._lock = threading.RLock()
        self._claimed = False
        self._busy = False  # an effect is being performed
        self._stopped = False  # before its end
        self._stopper: int | None = None  # the thread or task that stopped it
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
        """The result of the procedure; None before its end."""
        return self._result

    def claim(self) -> None:
        """Claim the iteration. Raises InvalidRequestError the second time."""
        with self._lock:
            if self._claimed:
                raise InvalidRequestError("a stream can be read only once; the whole answer is in its completion")
            self._claimed = True

    def begin(self) -> bool:
        """Exclude other readers until ``end()``. False if nothing is left to do. Raises StreamCancelledError if another
        thread or task stopped it, and InvalidRequestError if another one performs an effect now.
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
        """Return the next effect; None at the end. Raises StreamCancelledError if another thread or task stopped it."""
        if self.stopped:
            self._refuse_if_stopped()
            return None
        if not self._begun:
            self._begun = True
            self._advance(self._procedure.send, None)
        return self._effect

    def attach(self, stream: Stoppable) -> None:
        """Set the answer that is being generated from now on."""
        with self._lock:
            self.stream = stream
            stopped = self.stopped
        if stopped:
            stream.cancel()

    def send(self, value: Any) -> None:
        """Send the result of the effect to the procedure. Raises what the procedure raises."""
        self._advance(self._procedure.send, value)

    def throw(self, error: BaseException) -> None:
        """Throw the error of the effect into the procedure. Raises what the procedure raises, usually that error."""
        self._advance(self._procedure.throw, error)

    def end(self) -> None:
        """Admit other readers again. Closes the procedure if it was stopped."""
        with self._lock:
            self._busy = self.stopped
        if self.stopped:
            self._procedure.close()

    def stop(self, cancelled: bool = False) -> None:
        """Stop, from any thread, without blocking. A reader in another thread or task gets StreamCancelledError; with
        ``cancelled``, every reader does. A running function is not interrupted, but nothing starts after it.
        """
        with self._lock:
            if self._ended or self.stopped:
                return
            self._stopped, self._stopper = True, self._who()
            self._cancelled = cancelled
            busy, self._busy = self._busy, True
        if self.stream is not None:
            self.stream.cancel() if cancelled else self.stream.close()
        if not busy:  # otherwise the code that performs the effect closes it
            self._procedure.close()

    def _advance(self, step: Any, value: Any) -> None:
        try:
            self._effect = step(value)
        except StopIteration as end:
            self._effect, self._result, self._ended = None, end.value, True
        except BaseException:  # including Ctrl-C: a generator that has raised has ended
            self._ended = True
            raise

    def _refuse_if_stopped(self) -> None:
        if self.stopped and (self._cancelled or self._stopper != self._who()):
            partial = None if self.stream is None else self.stream.partial
            attempts = () if partial is None else partial.attempts
            raise StreamCancelledError("the stream was cancelled", partial=partial, attempts=attempts)
