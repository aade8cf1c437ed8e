"""The stream that users hold: read in one thread, stopped from any."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..completion import Completion
from ..errors import InvalidRequestError, StreamCancelledError
from ..events import Event
from ..transport.call import Call
from .transcript import Transcript

__all__ = ["Stream"]


class Stream:
    """A streamed answer.

    Iterate over it for the text as it arrives, or over ``events()`` for all that arrives. It can be read once.
    ``cancel()`` and ``close()`` work from any thread, and from a signal handler, and never block; leaving the loop
    or a ``with`` block closes it too.

    Nothing is sent before the first read. Errors are raised while reading; what had arrived stays in ``completion``.
    """

    def __init__(self, call: Call, answer: Transcript, batches: Iterator[list[Event]]) -> None:
        self._call = call
        self._answer = answer
        self._batches = batches
        # Held for a moment only. Reentrant, because a signal handler or the garbage collector may close the stream
        # within.
        self._lock = threading.RLock()
        self._taken = False  # somebody iterates over it
        self._busy = False  # somebody is inside read(), or closes it
        self._ended = False
        self._closer: int | None = None  # the thread that closed or cancelled it before its end
        self._cancelled = False

    def __iter__(self) -> Iterator[str]:
        """The pieces of the text, as they arrive. Raises the errors of ``HFTextError``'s tree."""
        self._take()
        return self._iterate(str)

    def events(self) -> Iterator[Event]:
        """All that arrives: first a ``ProviderInfo``; text as ``str``, ``Reasoning``; at the end ``ToolCalls``,
            ``Usage``, ``FinishReason``.

        Raises the errors of ``HFTextError``'s tree.
        """
        self._take()
        return self._iterate(object)

    @property
    def completion(self) -> Completion:
        """The whole answer, once the stream has ended; before that, or after an error, what has arrived so far."""
        return self._answer.completion()

    def read(self) -> list[Event]:
        """Wait for the next events and take all that have arrived; an empty list at the end.

        What iteration is built on; for callers who want few wake-ups rather than single events. Raises the errors of
        ``HFTextError``'s tree; InvalidRequestError if two threads read at once.
        """
        while (batch := self._step()) is not None:
            if batch:
                return batch
        return []

    def raise_refusals(self) -> None:
        """Before the first read: leave refusals for now (429, 502, 503, 504, no connection) to the caller. They are
        raised at once instead of retried; other providers are still tried.
        """
        self._call.paced = True

    def cancel(self) -> None:
        """Stop at once. Whoever reads gets ``StreamCancelledError``, with all that had arrived. After the end: nothing
        happens.
        """
        self._stop(cancelled=True)

    def close(self) -> None:
        """Be done with the stream: the connection is given up, iteration ends. Another thread that reads gets
        ``StreamCancelledError``.
        """
        self._stop(cancelled=False)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_cancelled"):
            self.close()

    def __repr__(self) -> str:
        state = "ended" if self._ended else "closed" if self._closer is not None else "open"
        return f"<Stream of {self._answer.model!r}, {state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Stream cannot be pickled; its completion can")

    def _take(self) -> None:
        with self._lock:
            if self._taken:
                raise InvalidRequestError("a stream can be read only once; the whole answer is in its completion")
            self._taken = True

    # Reading in steps. The async adapter waits for the socket itself, between two of them.

    def _step(self) -> list[Event] | None:
        """The next events; None at the end, an empty list at a step that brings none: the request is sent, or the call
        would have to wait but does not block.
        """
        if not self._begin_reading():
            return None
        try:
            return self._advance()
        finally:
            self._end_reading()

    def _begin_reading(self) -> bool:
        """Nobody else reads or closes until ``_end_reading()``. False if there is nothing more to read."""
        with self._lock:
            if self._ended or self._closer is not None:
                self._refuse_if_stopped()
                return False
            if self._busy:
                raise InvalidRequestError("this stream is being read already")
            self._busy = True
            return True

    def _advance(self) -> list[Event] | None:
        """As ``_step()``, for whoever has begun reading."""
        try:
            batch = next(self._batches, None)
        except BaseException:  # Ctrl-C too: a generator that has raised is over
            self._ended = True
            raise
        self._ended = batch is None
        return batch

    def _end_reading(self) -> None:
        with self._lock:
            stopped = self._closer is not None
            self._busy = stopped
        if stopped or self._ended:
            self._finish()

    def _iterate(self, wanted: type) -> Iterator[Any]:
        try:
            while batch := self.read():
                for event in batch:
                    if self._closer is not None:
                        break  # the next read() tells, or ends the loop
                    if isinstance(event, wanted):
                        yield event
        finally:
            self.close()

    def _stop(self, cancelled: bool) -> None:
        with self._lock:
            if self._ended or self._closer is not None:
                return
            self._closer = threading.get_ident()
            self._cancelled = cancelled
            busy, self._busy = self._busy, True
            self._call.cancel()
            if not busy:  # else the thread that reads does it: a running generator cannot be closed by another thread
                self._finish()

    def _finish(self) -> None:
        self._answer.end()
        self._batches.close()  # type: ignore[attr-defined]

    def _refuse_if_stopped(self) -> None:
        """A reader must not take a stream that somebody else stopped for one that has ended."""
        if self._closer is not None and (self._cancelled or self._closer != threading.get_ident()):
            partial = self.completion
            raise StreamCancelledError("the stream was cancelled", partial=partial, attempts=partial.attempts)
