"""The stream of one turn of a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from ..attributes import advise_attributes
from ..completion import Completion
from ..errors import HFTextError, StreamError
from ..events import ConversationEvent, ProviderInfo
from ..procedures.driver import Driver
from ..procedures.reader import Reader
from ..tracebacks import shorten

__all__ = ["ConversationStream", "completion_of", "info_of", "partial_of"]


@advise_attributes("stream")
class ConversationStream:
    """The answer to one turn, and the tool rounds before it.

    Iterate over it for the text as it arrives, or over ``events()`` for everything that happens. It can be read once.
    ``cancel()`` and ``close()`` work from any thread and never block; a running tool is not interrupted, but nothing
    starts after it.
    """

    def __init__(self, reader: Reader[Completion]) -> None:
        self._reader = reader
        self._ahead: Sequence[ConversationEvent] = ()

    def __iter__(self) -> Iterator[str]:
        """The pieces of the text, as they arrive."""
        return self._iterate(str)

    def events(self) -> Iterator[ConversationEvent]:
        """Everything that happens: the events of each round, each with its ``ProviderInfo``, ``Usage`` and
        ``FinishReason``, and a ``ToolResult`` for each call.
        """
        return self._iterate(object)

    def start(self) -> ConversationStream:
        """Send the first request now, and wait until an answer begins; as ``Stream.start()``."""
        if self.info is None:
            self._ahead = self.read()
        return self

    @property
    def info(self) -> ProviderInfo | None:
        """The provider that answers the last request; None before its answer begins."""
        return info_of(self._reader.driver)

    @property
    def partial(self) -> Completion:
        """The part of the last answer that has arrived so far."""
        return partial_of(self._reader.driver)

    @property
    def completion(self) -> Completion:
        """The complete answer, once the turn has ended. Raises StreamError before that, and after an error."""
        return completion_of(self._reader.driver)

    def read(self) -> Sequence[ConversationEvent]:
        """Wait for the next events; an empty list at the end."""
        if self._ahead:
            ahead, self._ahead = self._ahead, ()
            return ahead
        try:
            return self._reader.read()
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise

    def cancel(self) -> None:
        """Stop at once; a reader gets ``StreamCancelledError``."""
        self._reader.driver.stop(cancelled=True)

    def close(self) -> None:
        """Stop at once, and end the iteration. Another thread that reads gets ``StreamCancelledError``."""
        self._reader.driver.stop()

    def __enter__(self) -> ConversationStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_reader"):
            self.close()

    def __repr__(self) -> str:
        return f"<ConversationStream, {self._reader.driver.state}>"

    def __reduce__(self) -> Any:
        raise TypeError("a ConversationStream cannot be pickled; its completion can")

    def _iterate(self, wanted: type) -> Iterator[Any]:
        driver = self._reader.driver
        driver.claim()  # at the first read: some frameworks also call iter() only to test whether they can
        try:
            while events := self.read():
                for event in events:
                    if driver.stopped:
                        break  # the next read() raises the error, or ends the loop
                    if isinstance(event, wanted):
                        yield event
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise
        finally:
            self.close()


def info_of(driver: Driver[Completion]) -> ProviderInfo | None:
    """The provider of the current answer."""
    return None if driver.stream is None else driver.stream.info


def partial_of(driver: Driver[Completion]) -> Completion:
    """The part of the answer that has arrived."""
    return Completion() if driver.stream is None else driver.stream.partial


def completion_of(driver: Driver[Completion]) -> Completion:
    """The answer to a turn. Raises StreamError until it is complete."""
    if driver.result is not None:
        return driver.result
    partial = partial_of(driver)
    hint = "read the stream to its end first" if driver.state == "open" else "the turn was not answered"
    message = f"the answer is not complete: {hint}. What has arrived is in .partial"
    raise StreamError(message, partial=partial, attempts=partial.attempts)
