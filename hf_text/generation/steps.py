"""The steps of reading one answer. A thread or an event loop runs them; any thread can stop them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator

from ..completion import Completion
from ..errors import InvalidRequestError, StreamCancelledError, StreamError
from ..events import Event
from ..transport.call import Call, Wait
from .transcript import Transcript

__all__ = ["Step", "Steps"]

Step = list[Event] | Wait
"""The events that have arrived, or a ``Wait`` before the next step."""


class Steps:
    """One answer, read by one reader at a time.

    A reader calls ``step()`` until it returns None. If the call blocks, a step waits by itself; otherwise it returns a
    ``Wait``, and the reader waits for that. To keep other readers out while it waits, a reader calls ``begin()``,
    ``advance()`` any number of times, and ``end()``.

    Args:
        call: the clocks and the cancellation.
        transcript: collects the answer.
        events: the generator that runs the steps.

    Attributes:
        call: as above.
        stopped: whether the steps were stopped before the end.
    """

    def __init__(self, call: Call, transcript: Transcript, events: Generator[Step, None, None]) -> None:
        self.call = call
        self._transcript = transcript
        self._events = events
        # Each list holds one token; whoever pops it has the right. This is not a lock, because a signal handler, the
        # garbage collector or a fork may interrupt at any point, and popping is cheaper.
        self._claims = [True]  # the right to iterate
        self._turns = [True]  # the right to be between begin() and end(), or to close the steps
        self._ended = False
        self.stopped: bool = False
        self._stopper: int | None = None  # the thread that stopped the steps
        self._cancelled = False

    @property
    def transcript(self) -> Transcript:
        """The answer so far."""
        return self._transcript

    @property
    def state(self) -> str:
        """``"open"``, ``"ended"`` or ``"closed"``."""
        return "ended" if self._ended else "closed" if self.stopped else "open"

    def claim(self) -> None:
        """Claim the iteration. Raises InvalidRequestError the second time."""
        if not _take(self._claims):
            raise InvalidRequestError("a stream can be read only once; the whole answer is in its completion")

    def completion(self) -> Completion:
        """The complete answer. Raises StreamError if it is incomplete, for now or for good."""
        transcript = self._transcript
        if transcript.whole:
            return transcript.completion()
        if transcript.failure is not None:
            what = f"the answer is not complete: {transcript.failure}"
        elif self.stopped:
            what = "the answer is not complete: the stream was closed before its end."
        else:
            what = "the answer is not complete yet: read the stream to its end first."
        partial = transcript.completion()
        raise StreamError(f"{what} What has arrived is in .partial", partial=partial, attempts=partial.attempts)

    def read(self) -> list[Event]:
        """The next events; an empty list at the end. For a call that blocks."""
        while (step := self.step()) is not None:
            if isinstance(step, list):
                return step
        return []

    def step(self) -> Step | None:
        """Take the next step; returns None at the end. Raises the error that ends the answer, and InvalidRequestError
        if another reader is reading.
        """
        if not self.begin():
            return None
        try:
            return self.advance()
        finally:
            self.end()

    def begin(self) -> bool:
        """Keep other readers out until ``end()``. Returns False if there is nothing more to read."""
        if _take(self._turns):
            if not self.stopped:
                return True
            self._finish()  # stopped just now by a caller that did not get the turn
        elif not (self._ended or self.stopped):
            raise InvalidRequestError("this stream is already being read")
        self._refuse_if_stopped()
        return False

    def advance(self) -> Step | None:
        """As ``step()``, between ``begin()`` and ``end()``."""
        try:
            step = next(self._events, None)
        except BaseException:  # Ctrl-C too: a generator is finished once it has raised
            self._ended = True
            if self.call.is_foreign:
                raise InvalidRequestError("this stream belongs to the parent process of this fork") from None
            raise
        self._ended = step is None
        return step

    def end(self) -> None:
        """Let other readers in again."""
        over = self.stopped or self._ended
        if not over:
            self._turns.append(True)
            over = self.stopped and _take(self._turns)  # stopped just now by a caller that did not get the turn
        if over:
            self._finish()

    def put_back(self, events: list[Event]) -> None:
        """Return these events, which were read ahead, from the next step."""
        if events:
            self._events = _prepend(events, self._events, self.call, self.call.at_rest)
            self.call.at_rest = False

    def wrap(self, wrapper: Callable[[Generator[Step, None, None]], Generator[Step, None, None]]) -> None:
        """Wrap the steps in a generator that observes them. It must yield every step, and close the steps when it is
        closed. Call this before the first step.
        """
        self._events = wrapper(self._events)

    def cancel(self) -> None:
        """Stop at once, from any thread, without blocking; a reader gets StreamCancelledError."""
        self._stop(cancelled=True)

    def close(self) -> None:
        """Stop at once, from any thread, without blocking; a reader in another thread gets StreamCancelledError."""
        self._stop(cancelled=False)

    def _stop(self, cancelled: bool) -> None:
        if self._ended or self.stopped:
            return
        self._stopper = threading.get_ident()
        self._cancelled = cancelled
        self.stopped = True
        self.call.cancel()
        if _take(self._turns):  # else the reading thread does it: no other thread can close a running generator
            self._finish()

    def _finish(self) -> None:
        self._transcript.end()
        self._events.close()

    def _refuse_if_stopped(self) -> None:
        """Raise StreamCancelledError if the stream was cancelled, or closed by another thread: the reader must not
        mistake that for the end.
        """
        if self.stopped and (self._cancelled or self._stopper != threading.get_ident()):
            partial = self._transcript.completion()
            raise StreamCancelledError("the stream was cancelled", partial=partial, attempts=partial.attempts)


def _take(items: list[bool]) -> bool:
    try:
        return items.pop()
    except IndexError:
        return False


def _prepend(
    events: list[Event], rest: Generator[Step, None, None], call: Call, at_rest: bool
) -> Generator[Step, None, None]:
    try:
        call.at_rest = at_rest
        yield events
        yield from rest
    finally:
        rest.close()
