"""Checks whether an answer arrives as it is generated, or is buffered on the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from .findings import Finding

__all__ = ["judge_pieces"]

_FEWEST = 8  # pieces: fewer prove nothing
_QUICK = 0.5  # seconds: in a shorter answer buffering does not matter
_AT_ONCE = 0.0002  # seconds between pieces that arrived together: no model generates 5,000 a second
_BURST = 0.002  # seconds between two bursts

_BUFFERED = (
    "if other models also arrive like this, a proxy or antivirus buffers the stream: turn its buffering off for "
    "text/event-stream (nginx: proxy_buffering off), or bypass it with NO_PROXY"
)


def judge_pieces(arrivals: Sequence[float]) -> Finding:
    """Check whether the pieces of an answer arrived spread out.

    Args:
        arrivals: the arrival time of each piece, in seconds since the request.
    """
    if len(arrivals) < _FEWEST:
        return Finding("stream", f"{len(arrivals)} pieces: too few to tell whether the stream is buffered")
    gaps = [after - before for before, after in pairwise(arrivals)]
    spread = arrivals[-1] - arrivals[0]
    if median(gaps) >= _AT_ONCE:
        return Finding("stream", f"{len(arrivals)} pieces, spread over {spread:.1f} s: not buffered")
    if arrivals[-1] < _QUICK:
        return Finding("stream", f"{len(arrivals)} pieces in {arrivals[-1]:.1f} s: too fast to tell, and fast enough")
    bursts = 1 + sum(gap > _BURST for gap in gaps)
    together = "all at once" if bursts == 1 else f"in {bursts} bursts"
    return Finding("stream", f"{len(arrivals)} pieces arrived {together}, after {arrivals[-1]:.1f} s", _BUFFERED)
