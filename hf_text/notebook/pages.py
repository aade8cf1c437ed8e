"""Where an answer is shown: in one output of a notebook's cell that is updated, or printed as it arrives."""

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

_INTERVAL = 0.1  # seconds between two updates, at least
_SILENCE = 3  # seconds after which it is told that nothing has arrived
_LOAD = 5  # and at least this many times what the last one took: a long answer is rendered as a whole each time


class Page(Protocol):
    """Shows one answer, as it grows."""

    def begin(self) -> None:
        """Nothing has arrived yet."""

    def grow(self, partial: Completion, text: str) -> None:
        """More has arrived: what there is now, and the new text."""

    def end(self, completion: Completion, find_cost: FindCost) -> None:
        """The answer is complete."""

    def fail(self, partial: Completion, why: str) -> None:
        """The answer is incomplete, and nothing follows."""


def open_page() -> Page:
    """The page for the place where this runs."""
    shell = find_shell()
    return _Updated(shell) if shows_updates(shell) else _Printed(shell)


class _Updated:
    """One output of the cell, updated by its display id.

    A thread does that while the answer is read: a cell that waits for the next word shows those before it, and for how
    long it has waited.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._output = Output(shell)
        self._next = 0.0  # when the next update may be made
        self._shown: tuple[Completion, str] | None = None
        self._partial = Completion()
        self._moved = monotonic()  # when something arrived
        self._ended = Event()
        # Jupyter finds the cell of an output by a context variable.
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
        """Show what has arrived, if that is not shown."""
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
    """Standard output."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._in_line = False

    def begin(self) -> None:
        pass  # a line that could not be taken back

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
