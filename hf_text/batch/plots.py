"""Throughput and latency of a run over time, drawn from its output."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidRequestError, MissingExtraError
from .outputs import read_lines

__all__ = ["plot"]

_BINS = 120


def plot(output: str | os.PathLike[str], picture: str | os.PathLike[str]) -> None:
    """Draw throughput and latency over time.

    Args:
        output: the path of an output.
        picture: the path of the picture: ``.svg``, ``.png`` or ``.pdf``.

    Raises MissingExtraError if matplotlib is not installed, InvalidRequestError if the output has no answers with a
    time, or the picture has another suffix, and OSError.
    """
    suffix = os.path.splitext(os.fspath(picture))[1].lower()
    if suffix not in (".svg", ".png", ".pdf"):
        raise InvalidRequestError(
            f"the picture must be a .svg, .png or .pdf file, not {suffix or 'one without an extension'}"
        )
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "a plot needs matplotlib: pip install 'hf_text[plot]'", package="matplotlib", extra="plot"
        ) from None
    points = _read_points(output)
    figure = Figure(figsize=(8, 5), layout="constrained")
    rate_axis, latency_axis = figure.subplots(2, 1, sharex=True)
    _draw(rate_axis, latency_axis, points)
    figure.savefig(os.fspath(picture))


def _read_points(output: str | os.PathLike[str]) -> list[tuple[float, float]]:
    """When each answer came, and the seconds that it took. Unix time."""
    points = []
    for line in read_lines(output):
        body = (line.get("response") or {}).get("body")
        created = body.get("created") if isinstance(body, dict) else None
        if isinstance(created, (int, float)) and line.get("error") is None:
            points.append((float(created), float((line.get("timings") or {}).get("total") or 0.0)))
    if not points:
        raise InvalidRequestError(f"{os.fspath(output)} has no answers to draw")
    return sorted(points)


def _draw(rate_axis: Any, latency_axis: Any, points: Sequence[tuple[float, float]]) -> None:
    begin, end = points[0][0], points[-1][0]
    width = max((end - begin) / _BINS, 1.0)
    bins: dict[int, list[float]] = {}
    for at, seconds in points:
        bins.setdefault(int((at - begin) / width), []).append(seconds)
    numbers = range(max(bins) + 1)
    unit, name = (60.0, "minutes") if end - begin >= 300 else (1.0, "seconds")
    times = [number * width / unit for number in numbers]
    rates = [len(bins.get(number, ())) / width for number in numbers]
    # The last step needs an end, else it is drawn as a fall.
    rate_axis.step([*times, times[-1] + width / unit], [*rates, rates[-1]], where="post")
    rate_axis.set_ylabel("answers a second")
    known = sorted(bins)
    for share, label in ((0.5, "median"), (0.9, "90 %")):
        values = [sorted(bins[number])[int(share * (len(bins[number]) - 1))] for number in known]
        latency_axis.plot([number * width / unit for number in known], values, label=label)
    latency_axis.set_ylabel("seconds an answer")
    latency_axis.set_xlabel(f"{name} since the first answer")
    latency_axis.legend(loc="upper right")
    for axis in (rate_axis, latency_axis):
        axis.set_ylim(0, axis.get_ylim()[1] * 1.25)  # with room for the legend
        axis.grid(alpha=0.3)
