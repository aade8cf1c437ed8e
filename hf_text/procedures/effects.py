"""The effects that a procedure yields."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..events import ToolResult

__all__ = ["Effect", "Generate", "Procedure", "Run"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Generate:
    """Generate an answer to these messages; its result is a ``Completion``.

    Attributes:
        messages: the messages.
        options: the other arguments of ``Client.stream``.
    """

    messages: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """Run this function; its result is the function's.

    Attributes:
        function: the function; async code awaits it if it is async, and runs it in a worker thread if it is not.
        args, options: its arguments.
        cancel: stops it from another thread. None: it cannot be stopped, so the caller waits for its end.
    """

    function: Callable[..., Any]
    args: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    cancel: Callable[[], None] | None = None

    def __call__(self) -> Any:
        """Run it in the current thread."""
        return self.function(*self.args, **self.options)


Effect = Generate | Run | ToolResult
"""A ``ToolResult`` is passed to the caller; it has no result."""

Procedure = Generator[Effect, Any, T]
