"""Which failed requests are retried, and after how long a pause."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import TypeVar

from ..errors import (
    APIStatusError,
    HFTextError,
    MalformedStreamError,
    ProviderStreamError,
    RequestTimeoutError,
    TransportError,
    TruncatedStreamError,
)
from ..protocol.refusals import asks_to_retry, blames_request
from ..tuning import Tuning
from .call import Call, Wait

__all__ = ["NO_ANSWER", "Retries", "is_retryable", "is_throttled", "retry", "spoken_words"]

T = TypeVar("T")
Y = TypeVar("Y")

NO_ANSWER = (TruncatedStreamError, MalformedStreamError, ProviderStreamError)


class Retries:
    """Counts the retries of one call.

    Args:
        limit: the maximum number of retries.
        tuning: the pauses between them.
    """

    def __init__(self, limit: int, tuning: Tuning) -> None:
        self.limit = limit
        self._left = limit
        self._tuning = tuning

    def next_pause(self, error: HFTextError, time_left: float) -> float:
        """Seconds to wait before the next retry: the server's Retry-After, else a growing random time. Raises the error
        if it is not retryable, no retry is left, or the pause that the server asks for is too long for the call.

        Args:
            error: the error of the last attempt.
            time_left: seconds left for the call.
        """
        if self._left <= 0 or not is_retryable(error):
            raise error
        asked = error.underlying.retry_after
        if asked is not None and asked > min(time_left, self._tuning.longest_asked_pause):
            error.add_advice(f"Not retried: the server asks for a wait of {asked:g} s.")
            raise error
        self._left -= 1
        if asked is not None:
            return asked
        doubled = self._tuning.first_pause * 2 ** min(self.limit - self._left - 1, 10)
        pause = min(self._tuning.longest_pause, doubled) * random.uniform(0.5, 1.0)
        return float(min(pause, max(time_left, 0.0)))


def retry(
    call: Call, attempt: Callable[[], Generator[Y, None, T]], after: Callable[[HFTextError], float]
) -> Generator[Y | Wait, None, T]:
    """Make attempts until one succeeds; yields everything that they yield.

    Args:
        call: the call that they belong to.
        attempt: makes one attempt.
        after: takes the error of a failed attempt; returns the seconds to wait before the next one, or raises the error
            that ends the call.
    """
    while True:
        try:
            return (yield from attempt())
        except HFTextError as error:
            yield from call.need_thread()
            pause = after(error)
        call.pause(pause)


def is_retryable(error: HFTextError) -> bool:
    """Whether the same request to the same server may succeed on a retry."""
    error = error.underlying
    if isinstance(error, APIStatusError):
        return _may_pass(error) and not blames_request(spoken_words(error))
    if isinstance(error, TransportError):
        return error.retryable
    if not isinstance(error, NO_ANSWER) or not error.retryable:
        return False
    return not (isinstance(error, ProviderStreamError) and blames_request(str(error)))


def is_throttled(error: HFTextError) -> bool:
    """Whether the server rejects every request for now: too many requests, a gateway without a backend, no
    connection. A caller with many requests adapts its rate to that (``hf_text.batch``).
    """
    error = error.underlying
    if isinstance(error, APIStatusError):
        return error.status_code in (429, 502, 503, 504, 529)
    if isinstance(error, RequestTimeoutError):
        return error.clock == "connect"
    return isinstance(error, TransportError)


def spoken_words(error: APIStatusError) -> str:
    """The server's error message without the name of the model, which may contain a word such as "vision"."""
    return str(error).replace(error.model or "", "")


def _may_pass(error: APIStatusError) -> bool:
    """Whether the status may be temporary: some 4xx, and every 5xx except for unsupported features."""
    status = error.status_code or 0
    if status == 409:  # from a gateway; a server itself describes the conflict in JSON
        return not isinstance(error.body, (dict, list)) or asks_to_retry(spoken_words(error))
    return status in (408, 425, 429) or (500 <= status < 600 and status not in (501, 505))
