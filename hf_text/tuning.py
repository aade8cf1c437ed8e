"""Pauses, expiries and sizes that no setting of a client changes. They are arguments, so that tests need not wait."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

__all__ = ["DEFAULT_TUNING", "Tuning"]


class Tuning(NamedTuple):
    """Times in seconds.

    Attributes:
        first_pause: the pause before the first retry; it doubles with each further one, and half of it is random. For
            a row of a batch it is doubled from the first one on, and not random.
        longest_pause: the longest such pause.
        longest_asked_pause: the longest pause that a server may ask for; beyond it the call fails at once.
        lookup_seconds: how long an auxiliary lookup in the catalogue may take.
        cache_seconds: how long the catalogue and mappings are cached.
        max_cached: how many of them are cached.
        skip_seconds: how long a target that failed is skipped.
        last_rows_seconds: for how long the last rows of a batch are refused before they are recorded as failed.
        clock: the clock of the cache and of the breaker, in seconds.
    """

    first_pause: float = 0.25
    longest_pause: float = 8.0
    longest_asked_pause: float = 60.0
    lookup_seconds: float = 5.0
    cache_seconds: float = 300.0
    max_cached: int = 1000
    skip_seconds: float = 30.0
    last_rows_seconds: float = 60.0
    clock: Callable[[], float] = monotonic


DEFAULT_TUNING = Tuning()
