"""The progress of a run as one line, and as a bar of tqdm."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import MissingExtraError
from .progress import Progress

__all__ = ["describe", "format_seconds", "show_progress"]


def describe(at: Progress, width: int = 80) -> str:
    """What a run does now, in at most ``width`` characters: the most important first."""
    if at.stopping:
        parts = [f"stopping ({at.stopping})", f"{at.in_flight} in flight"]
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
    if not at.stopping:
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

    Raises MissingExtraError if a bar is wanted and tqdm is not installed.
    """
    if not wanted:
        yield lambda at: None
    elif callable(wanted):
        yield wanted
    else:
        bar = _make_bar()
        try:
            yield lambda at: _update(bar, at)
        finally:
            bar.close()


def _make_bar() -> Any:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise MissingExtraError(
            "progress=True needs tqdm: pip install 'hf_text[batch]'", package="tqdm", extra="batch"
        ) from None
    # A notebook has a bar of its own, which stands for "{bar}" alone.
    in_notebook = any(cls.__module__ == "tqdm.notebook" for cls in tqdm.__mro__)
    shown = "{percentage:3.0f}% {bar} " if in_notebook else "{percentage:3.0f}%|{bar:10}| "
    return tqdm(unit="row", dynamic_ncols=True, bar_format=shown + "{n_fmt}/{total_fmt} {desc}")


def _update(bar: Any, at: Progress) -> None:
    done = at.done + at.failed
    bar.total = None if at.rows is None else max(at.rows, done)
    bar.n = done
    width = (getattr(bar, "ncols", None) or shutil.get_terminal_size().columns) - 38
    bar.set_description_str(describe(at, width), refresh=False)
    bar.update(0)
