"""The stream that users hold: read in one thread, stopped from any."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..completion import Completion
from ..errors import HFTextError
from ..events import Event, ProviderInfo
from ..tracebacks import shorten
from .steps import Steps

__all__ = ["Stream"]


class Stream:
    """A streamed answer.

    Iterate over it for the text as it arrives, or over ``events()`` for all that arrives. It can be read once.
    ``cancel()`` and ``close()`` work from any thread, and from a signal handler, and never block; leaving the loop
    or a ``with`` block closes it too.

    Nothing is sent before the first read, or ``start()``. Errors are raised while reading; what had arrived stays in
    ``partial``.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[str]:
        """The pieces of the text, as they arrive. Raises the errors of ``HFTextError``'s tree."""
        self._steps.claim()
        return self._iterate(str)

    def events(self) -> Iterator[Event]:
        """All that arrives: first a ``ProviderInfo``; text as ``str``, ``Reasoning``; at the end ``ToolCalls``,
        ``Usage``, ``FinishReason``.

        Raises the errors of ``HFTextError``'s tree.
        """
        self._steps.claim()
        return self._iterate(object)

    def start(self) -> Stream:
        """Send the request now, and wait until the answer begins. Returns the stream itself.

        Raises what comes in place of an answer: a web app can decide before it commits its own status 200. What has
        arrived is read as usual afterwards. Does nothing on a stream that has begun.
        """
        if self.info is None:
            self._steps.put_back(self.read())
        return self

    @property
    def info(self) -> ProviderInfo | None:
        """Which provider answers; None before the first content has arrived."""
        return self._steps.transcript.info

    @property
    def partial(self) -> Completion:
        """What has arrived so far, at any time."""
        return self._steps.transcript.completion()

    @property
    def completion(self) -> Completion:
        """The whole answer, once the stream was read to its end.

        Raises StreamError before that, and after an error, with what is missing. ``partial`` is always there.
        """
        try:
            return self._steps.completion()
        except HFTextError as error:
            shorten(error)
            raise

    @property
    def stopped(self) -> bool:
        """Whether it was closed or cancelled before its end."""
        return self._steps.stopped

    def read(self) -> list[Event]:
        """Wait for the next events and take all that have arrived; an empty list at the end.

        What iteration is built on; for callers who want few wake-ups rather than single events. Raises the errors of
        ``HFTextError``'s tree; InvalidRequestError if two threads read at once.
        """
        try:
            return self._steps.read()
        except HFTextError as error:
            shorten(error)
            raise

    def raise_refusals(self) -> None:
        """Before the first read: leave refusals for now (429, 502, 503, 504, no connection) to the caller. They are
        raised at once instead of retried; other providers are still tried.
        """
        self._steps.call.paced = True

    def cancel(self) -> None:
        """Stop at once. A reader gets ``StreamCancelledError``, with all that had arrived. After the end nothing
        happens.
        """
        self._steps.cancel()

    def close(self) -> None:
        """Release the connection and end the iteration. Another thread that reads gets ``StreamCancelledError``."""
        self._steps.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_steps"):
            self.close()

    def __repr__(self) -> str:
        return f"<Stream of {self._steps.transcript.model!r}, {self._steps.state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a Stream cannot be pickled; its completion can")

    def _iterate(self, wanted: type) -> Iterator[Any]:
        steps = self._steps
        try:
            while batch := steps.read():
                for event in batch:
                    if steps.stopped:
                        break  # the next read() raises it, or ends the loop
                    if isinstance(event, wanted):
                        yield event
        except HFTextError as error:
            shorten(error)
            raise
        finally:
            self.close()
