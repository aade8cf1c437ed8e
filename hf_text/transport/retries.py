"""When the same request is sent again, and after how long a pause."""

from __future__ import annotations

import random

from ..errors import (
    APIStatusError,
    HFTextError,
    MalformedStreamError,
    ProviderStreamError,
    RequestTimeoutError,
    TransportError,
    TruncatedStreamError,
)

__all__ = ["NO_ANSWER", "is_retryable", "is_throttled", "next_pause"]

_MAX_PAUSE = 60.0
_FIRST_PAUSE = 0.25
_MAX_BACKOFF = 8.0

NO_ANSWER = (TruncatedStreamError, MalformedStreamError, ProviderStreamError)


def is_retryable(error: HFTextError) -> bool:
    """Whether the same server could do what it did not do, if it is asked again."""
    error = error.underlying
    if isinstance(error, APIStatusError):
        return error.status_code in (408, 429, 500, 502, 503, 504)
    if isinstance(error, TransportError):
        return error.retryable
    return isinstance(error, NO_ANSWER)


def is_throttled(error: HFTextError) -> bool:
    """Whether the server refuses for now, whatever it is asked: too many requests, a gateway with nobody behind it, no
    connection. A caller with many requests steers its rate by that (``hf_text.batch``).
    """
    error = error.underlying
    if isinstance(error, APIStatusError):
        return error.status_code in (429, 502, 503, 504, 529)
    if isinstance(error, RequestTimeoutError):
        return error.clock == "connect"
    return isinstance(error, TransportError)


def next_pause(error: HFTextError, retry: int, time_left: float) -> float:
    """Seconds to wait before this retry (counted from 1): what the server asks for, else a growing random time.

    Raises the error, with a word about it, if that is longer than the call may take (or than a minute).
    """
    asked = error.retry_after
    if asked is None:
        backoff = min(_MAX_BACKOFF, _FIRST_PAUSE * 2 ** min(retry - 1, 10))
        return float(min(backoff * random.uniform(0.5, 1.0), max(time_left, 0.0)))
    if asked > min(time_left, _MAX_PAUSE):
        error.add_advice(f"Not tried again: the server asks to wait {asked:g} s.")
        raise error
    return asked
