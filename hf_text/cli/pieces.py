"""Whether an answer comes as it is written, or is held back on the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from .findings import Finding

__all__ = ["judge_pieces"]

_FEWEST = 8  # pieces from which anything can be told
_QUICK = 0.5  # seconds after which a whole answer is so quick that it does not matter
_AT_ONCE = 0.0002  # seconds between pieces that came together: no model writes 5,000 in a second
_BURST = 0.002  # seconds that part two bursts

_HELD_BACK = (
    "if other models come like this, too, a proxy or antivirus on the way holds streams back: switch its buffering off "
    "for text/event-stream (nginx: proxy_buffering off), or go round it with NO_PROXY"
)


def judge_pieces(arrivals: Sequence[float]) -> Finding:
    """Whether the pieces of an answer came spread out.

    Args:
        arrivals: when each came, in seconds since it was asked for.
    """
    if len(arrivals) < _FEWEST:
        return Finding("stream", f"{len(arrivals)} pieces: too few to tell whether something holds them back")
    gaps = [after - before for before, after in pairwise(arrivals)]
    spread = arrivals[-1] - arrivals[0]
    if median(gaps) >= _AT_ONCE:
        return Finding("stream", f"{len(arrivals)} pieces, spread over {spread:.1f} s: nothing holds them back")
    if arrivals[-1] < _QUICK:
        return Finding("stream", f"{len(arrivals)} pieces in {arrivals[-1]:.1f} s: too quick to tell, and quick enough")
    bursts = 1 + sum(gap > _BURST for gap in gaps)
    together = "all at once" if bursts == 1 else f"in {bursts} bursts"
    return Finding("stream", f"{len(arrivals)} pieces came {together}, after {arrivals[-1]:.1f} s", _HELD_BACK)
