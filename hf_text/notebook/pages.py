"""Shows an answer: in one output of a notebook cell that is updated, or printed as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, Protocol

from ..cells import Output, find_shell, shows_updates
from ..completion import Completion
from ..printable import one_line, printable
from ..shown import as_markdown, as_text, footer
from .once import shown_already

__all__ = ["FindCost", "Page", "open_page"]

FindCost = Callable[[Completion], float | None]

_INTERVAL = 0.1  # minimum seconds between two updates
_SILENCE = 3  # seconds without new text after which the wait is shown
_LOAD = 5  # the interval is at least this multiple of the last update's time: each update renders the whole answer


class Page(Protocol):
    """Shows one answer while it arrives."""

    def begin(self) -> None:
        """Show that nothing has arrived yet."""

    def grow(self, partial: Completion, text: str) -> None:
        """Show more: the partial answer, and its new text."""

    def end(self, completion: Completion, find_cost: FindCost) -> None:
        """Show the complete answer."""

    def fail(self, partial: Completion, why: str) -> None:
        """Show that the answer is incomplete and has ended."""


def open_page() -> Page:
    """Return the page for the current environment."""
    shell = find_shell()
    return _Updated(shell) if shows_updates(shell) else _Printed(shell)


class _Updated:
    """One output of the cell, updated by its display id.

    A thread updates it while the answer is read: a cell that waits for the next chunk shows the text so far, and how
    long it has waited.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._output = Output(shell)
        self._next = 0.0  # the earliest time of the next update
        self._shown: tuple[Completion, str] | None = None
        self._partial = Completion()
        self._moved = monotonic()  # when new text last arrived
        self._ended = Event()
        # Jupyter finds the cell of an output through a context variable.
        self._thread = Thread(target=copy_context().run, args=(self._keep_up,), name="hf_text show", daemon=True)

    def begin(self) -> None:
        self._update()
        self._thread.start()

    def grow(self, partial: Completion, text: str) -> None:
        self._partial, self._moved = partial, monotonic()

    def end(self, completion: Completion, find_cost: FindCost) -> None:
        self._stop()
        self._publish_last(completion, footer(completion))
        cost = find_cost(completion)
        if cost is not None:
            self._publish_last(completion, footer(completion, cost))
        shown_already(self._shell, completion)

    def fail(self, partial: Completion, why: str) -> None:
        self._stop()
        self._publish_last(partial, footer(partial, wrong=why))

    def _stop(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _keep_up(self) -> None:
        while not self._ended.wait(max(0.0, self._next - monotonic())):
            self._update()

    def _update(self) -> None:
        """Show the partial answer, unless it is shown already."""
        partial, waited = self._partial, int(monotonic() - self._moved)
        note = "waiting for the answer"
        if partial.text:
            note = "writing"
        elif partial.reasoning:
            note = f"thinking, {len(partial.reasoning):,} characters"
        note += f", nothing for {waited} s …" if waited >= _SILENCE else " …"
        if (partial, note) == self._shown:
            self._next = monotonic() + _INTERVAL
        else:
            self._shown = partial, note
            self._publish(partial, [note])

    def _publish_last(self, completion: Completion, notes: list[str]) -> None:
        sleep(max(0.0, min(self._next - monotonic(), _INTERVAL)))
        self._publish(completion, notes)

    def _publish(self, completion: Completion, notes: list[str]) -> None:
        started = monotonic()
        self._output.show({"text/markdown": as_markdown(completion, notes), "text/plain": as_text(completion, notes)})
        ended = monotonic()
        self._next = ended + max(_INTERVAL, _LOAD * (ended - started))


class _Printed:
    """Prints the answer to standard output."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._in_line = False

    def begin(self) -> None:
        pass  # a printed line could not be removed

    def grow(self, partial: Completion, text: str) -> None:
        if text:
            print(printable(text), end="", flush=True)
            self._in_line = not text.endswith("\n")

    def end(self, completion: Completion, find_cost: FindCost) -> None:
        self._write_notes(completion, footer(completion, find_cost(completion)))
        if self._shell is not None:
            shown_already(self._shell, completion)

    def fail(self, partial: Completion, why: str) -> None:
        self._write_notes(partial, footer(partial, wrong=why))

    def _write_notes(self, completion: Completion, notes: list[str]) -> None:
        calls = [f"[calls {one_line(call.name)}({one_line(call.arguments)})]\n" for call in completion.tool_calls]
        print("\n" if self._in_line else "", *calls, f"[{' · '.join(map(one_line, notes))}]", sep="", flush=True)
