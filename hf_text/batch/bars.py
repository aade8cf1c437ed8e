"""The progress of a run as one line, and as a bar: of a notebook's cell, or of tqdm."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from ..cells import Output, find_shell, shows_updates
from ..errors import MissingExtraError
from ..markdown import escape
from .progress import Progress

__all__ = ["describe", "format_seconds", "show_progress"]

_INTERVAL = 0.1  # seconds between two updates of a cell, at least


def describe(at: Progress, width: int = 80) -> str:
    """What a run does now, in at most ``width`` characters: the most important first."""
    if at.stopping:
        parts = (
            [f"stopping ({at.stopping})", f"{at.in_flight} in flight"] if at.in_flight else [f"stopped ({at.stopping})"]
        )
    elif at.waiting:
        parts = [f"waiting {at.waiting}"]
    else:
        parts = [f"{at.rate:.3g}/s"]
        if at.seconds_left is not None and at.seconds_left > 0:
            parts.append(f"{format_seconds(at.seconds_left)} left")
    if at.failed:
        parts.append(f"{at.failed:,} failed")
    if at.cost is not None:
        expected = "" if at.expected_cost is None else f" of ${at.expected_cost:.3g}"
        parts.append(f"${at.cost:.3g}{expected}")
    if at.in_flight and not at.stopping:
        parts.append(f"{at.in_flight} in flight")
    if at.tokens_per_second:
        parts.append(f"{at.tokens_per_second:,.0f} tok/s")
    parts += [f"{count:,} times {reason}" for reason, count in at.refused.items()]
    text = parts[0]
    for part in parts[1:]:
        if len(text) + len(part) + 2 <= width:
            text += f", {part}"
    return text[: max(width, 0)]


def format_seconds(seconds: float) -> str:
    """``"12 s"``, ``"3 min"``, ``"2 h 5 min"``, ``"3 d 4 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


@contextmanager
def show_progress(wanted: bool | Callable[[Progress], object] | None) -> Iterator[Callable[[Progress], object]]:
    """What is to be told how far a run is: the caller's function, a bar, or nothing.

    Raises MissingExtraError if a bar is wanted outside a notebook and tqdm is not installed.
    """
    if not wanted:
        yield lambda at: None
    elif callable(wanted):
        yield wanted
    else:
        shell = find_shell()
        bar = _CellBar(shell) if shows_updates(shell) else _TqdmBar()
        try:
            yield bar.update
        finally:
            bar.close()


class _CellBar:
    """One output of a cell. tqdm's bar there needs widgets, which a saved notebook does not show."""

    def __init__(self, shell: Any) -> None:
        self._output = Output(shell)
        self._next = 0.0  # when the next update may be made
        self._at: Progress | None = None  # what is not shown yet
        self._line = ""

    def update(self, at: Progress) -> None:
        self._at = at
        if monotonic() >= self._next:
            self._show(at)

    def close(self) -> None:
        """Show what came last."""
        if self._at is not None:
            self._show(self._at)

    def _show(self, at: Progress) -> None:
        done, total = _counts(at)
        line = f"{done:,}/{'?' if total is None else f'{total:,}'} · {describe(at)}"
        self._at, self._next = None, monotonic() + _INTERVAL
        if line == self._line:
            return
        self._line = line
        extent = "" if total is None else f' max="{max(total, 1)}" value="{done}"'
        bar = f'<progress{extent} style="vertical-align: middle"></progress>'
        self._output.show({"text/html": f"<div>{bar} {escape(line)}</div>", "text/plain": line})


class _TqdmBar:
    def __init__(self) -> None:
        try:
            from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]
        except ImportError:
            raise MissingExtraError(
                "progress=True needs tqdm: pip install 'hf_text[batch]'", package="tqdm", extra="batch"
            ) from None
        shown = "{percentage:3.0f}%|{bar:10}| {n_fmt}/{total_fmt} {desc}"
        self._bar = tqdm(unit="row", dynamic_ncols=True, bar_format=shown)
        self.close = self._bar.close

    def update(self, at: Progress) -> None:
        self._bar.n, self._bar.total = _counts(at)
        width = (self._bar.ncols or shutil.get_terminal_size().columns) - 38
        self._bar.set_description_str(describe(at, width), refresh=False)
        self._bar.update(0)


def _counts(at: Progress) -> tuple[int, int | None]:
    """Rows that are through, and all, as far as known."""
    through = at.done + at.failed
    return through, None if at.rows is None else max(at.rows, through)
