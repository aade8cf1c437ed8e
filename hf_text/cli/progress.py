"""The progress of a batch on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .. import batch
from ..batch.bars import describe

__all__ = ["show_progress"]

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Callable[[batch.Progress], object] | None]:
    """Yield a function that shows the progress: a bar with rich, if installed, else one line; None on a pipe."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    if os.environ.get("TERM", "") in ("", "dumb"):
        yield _tell_now_and_then()
        return
    try:
        from rich.console import Console  # type: ignore[import-not-found, unused-ignore]
        from rich.progress import (  # type: ignore[import-not-found, unused-ignore]
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
        )
    except ImportError:
        with _plain_line() as show:
            yield show
        return
    console = Console(stderr=True)
    columns = (BarColumn(10), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        task = bar.add_task("", total=None)

        def show(at: batch.Progress) -> None:
            done = at.done + at.failed
            total = None if at.rows is None else max(at.rows, done)
            taken = 12 + 2 * len(str(total or done)) + 3
            bar.update(task, completed=done, total=total, description=describe(at, console.width - taken))

        yield show


def _tell_now_and_then() -> Callable[[batch.Progress], object]:
    """Print a separate line every few seconds, for a terminal that cannot erase lines."""
    told = time.monotonic()

    def show(at: batch.Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _SECONDS_BETWEEN_LINES:
            told = now
            counts = f"{at.done + at.failed:,}/{'?' if at.rows is None else f'{at.rows:,}'}"
            print(f"hf-text: {counts} {describe(at, 60)}", file=sys.stderr, flush=True)

    return show


@contextmanager
def _plain_line() -> Iterator[Callable[[batch.Progress], object]]:
    shown = 0.0

    def show(at: batch.Progress) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= 0.25:
            shown = now
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            counts = f"{at.done + at.failed:,}/{'?' if at.rows is None else f'{at.rows:,}'} "
            sys.stderr.write("\r\x1b[K" + counts + describe(at, width - len(counts) - 1))
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
