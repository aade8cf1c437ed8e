"""Performs the effects of a procedure with blocking calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from ..completion import Completion
from ..events import ConversationEvent, Event, ToolResult
from ..generation.stream import Stream
from .driver import Driver
from .effects import Generate, Procedure, Run

__all__ = ["Reader"]

T = TypeVar("T")


class Reader(Generic[T]):
    """Performs a procedure as its events are read.

    Args:
        procedure: the procedure.
        open_stream: ``Client.stream``.

    Attributes:
        driver: the driver of the procedure; stops it.
    """

    def __init__(self, procedure: Procedure[T], open_stream: Callable[..., Stream]) -> None:
        self.driver: Driver[T] = Driver(procedure)
        self._open_stream = open_stream
        self._asked: Generate | None = None
        self._stream: Stream

    def read(self) -> Sequence[ConversationEvent]:
        """Return the next events; an empty list at the end. Raises what the procedure raises."""
        driver = self.driver
        if not driver.begin():
            return []
        try:
            while (effect := driver.effect()) is not None:
                if isinstance(effect, ToolResult):
                    driver.send(None)
                    return [effect]
                try:
                    value = self._generate(effect) if isinstance(effect, Generate) else _run(effect)
                except BaseException as error:  # including Ctrl-C: the procedure decides what to keep
                    driver.throw(error)
                else:
                    if isinstance(effect, Generate) and isinstance(value, list):
                        return value
                    driver.send(value)
            return []
        finally:
            driver.end()

    def finish(self) -> T:
        """Perform the procedure to its end. Returns its result."""
        try:
            while self.read():
                pass
        finally:
            self.driver.stop()
        return self.driver.result  # type: ignore[return-value]

    def _generate(self, effect: Generate) -> list[Event] | Completion:
        """Return the next events of the answer, or the complete answer after the last of them."""
        if effect is not self._asked:
            self._asked, self._stream = effect, self._open_stream(effect.messages, **effect.options)
            self.driver.attach(self._stream)
        return self._stream.read() or self._stream.completion


def _run(effect: Run) -> Any:
    """Return the result of the function. Raises TypeError for an awaitable, which blocking code cannot await."""
    value = effect()
    if not inspect.isawaitable(value):
        return value
    if inspect.iscoroutine(value):
        value.close()  # otherwise Python warns that it was never awaited
    raise TypeError("it returned an awaitable; use hf_text.aio")
