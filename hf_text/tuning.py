"""Pauses, expiries and sizes that clients cannot change. They are arguments so that tests need not wait."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

__all__ = ["DEFAULT_TUNING", "Tuning"]


class Tuning(NamedTuple):
    """Times in seconds.

    Attributes:
        first_pause: the pause before the first retry; it doubles with each further retry, and half of it is random.
            For a row of a batch it is doubled from the first retry on, and not random.
        longest_pause: the longest such pause.
        longest_asked_pause: the longest pause that a server may request; if it requests more, the call fails at once.
        lookup_seconds: how long an auxiliary lookup in the catalogue may take.
        cache_seconds: how long the catalogue and mappings are cached.
        max_cached: the maximum number of cache entries.
        skip_seconds: how long a failed target is skipped.
        last_rows_seconds: how long the last rows of a batch are retried before they are recorded as failed.
        clock: the clock of the cache and the breaker, in seconds.
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
