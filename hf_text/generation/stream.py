"""The public stream: read by one thread, can be stopped from any thread."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ..attributes import advise_attributes
from ..completion import Completion
from ..errors import HFTextError
from ..events import Event, ProviderInfo
from ..tracebacks import shorten
from .steps import Steps

__all__ = ["Stream"]


@advise_attributes("stream")
class Stream:
    """A streamed answer.

    Iterate over it for the text as it arrives, or over ``events()`` for everything that arrives. It can be read once.
    ``cancel()`` and ``close()`` work from any thread, and from a signal handler, and never block; leaving the loop
    or a ``with`` block also closes it.

    Nothing is sent before the first read, or ``start()``. Errors are raised while reading; the answer received until
    then is in ``partial``.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[str]:
        """The pieces of the text, as they arrive. Raises HFTextError."""
        return self._iterate(str)

    def events(self) -> Iterator[Event]:
        """Everything that arrives: first a ``ProviderInfo``, then text as ``str`` and ``Reasoning``, at the end
        ``ToolCalls``, ``Usage`` and ``FinishReason``.

        Raises HFTextError.
        """
        return self._iterate(object)

    def start(self) -> Stream:
        """Send the request now, and wait until the answer begins. Returns the stream itself.

        Raises the error if no answer begins, so a web app can still choose its own status. The events received so far
        are read as usual afterwards. Does nothing if the stream has already begun.
        """
        if self.info is None:
            self._steps.put_back(self.read())
        return self

    @property
    def info(self) -> ProviderInfo | None:
        """The provider that answers; None before the first content has arrived."""
        return self._steps.transcript.info

    @property
    def partial(self) -> Completion:
        """The answer received so far, at any time."""
        return self._steps.transcript.completion()

    @property
    def completion(self) -> Completion:
        """The complete answer, once the stream has been read to its end.

        Raises StreamError before that, and after an error. ``partial`` is always available.
        """
        try:
            return self._steps.completion()
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise

    @property
    def stopped(self) -> bool:
        """Whether it was closed or cancelled before its end."""
        return self._steps.stopped

    def read(self) -> list[Event]:
        """Wait for the next events and return all that have arrived; an empty list at the end.

        Iteration is built on this; use it to wake up less often than once per event. Raises HFTextError;
        InvalidRequestError if two threads read at once.
        """
        try:
            return self._steps.read()
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise

    def raise_refusals(self) -> None:
        """Before the first read: raise temporary rejections (429, 502, 503, 504, no connection) at once instead of
        retrying them; other providers are still tried.
        """
        self._steps.call.paced = True

    def cancel(self) -> None:
        """Stop at once. A reader gets ``StreamCancelledError``, with the partial answer. Does nothing after the end."""
        self._steps.cancel()

    def close(self) -> None:
        """Release the connection and end the iteration. Another thread that is reading gets
        ``StreamCancelledError``.
        """
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
        steps.claim()  # at the first read: some frameworks call iter() an extra time to test for an iterable
        try:
            while batch := steps.read():
                for event in batch:
                    if steps.stopped:
                        break  # the next read() raises the error, or ends the loop
                    if isinstance(event, wanted):
                        yield event
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise
        finally:
            self.close()
