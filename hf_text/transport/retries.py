"""When the same request is sent again, and after how long a pause."""

from __future__ import annotations

import random

from ..errors import (
    APIStatusError,
    HFTextError,
    MalformedStreamError,
    ProviderStreamError,
    TransportError,
    TruncatedStreamError,
)
from ..protocol.refusals import asks_to_retry, blames_request

__all__ = ["NO_ANSWER", "is_retryable", "next_pause", "spoken_words"]

_MAX_PAUSE = 60.0
_FIRST_PAUSE = 0.25
_MAX_BACKOFF = 8.0

NO_ANSWER = (TruncatedStreamError, MalformedStreamError, ProviderStreamError)


def is_retryable(error: HFTextError) -> bool:
    """Whether the same server could do what it did not do, if it is asked again."""
    error = error.underlying
    if isinstance(error, APIStatusError):
        return _may_pass(error) and not blames_request(spoken_words(error))
    if isinstance(error, TransportError):
        return error.retryable
    return isinstance(error, NO_ANSWER) and not (isinstance(error, ProviderStreamError) and blames_request(str(error)))


def spoken_words(error: APIStatusError) -> str:
    """What the server said went wrong, without the name of the model: that may tell what it can do."""
    return str(error).replace(error.model or "", "")


def _may_pass(error: APIStatusError) -> bool:
    """Whether the status is one that may be another the next time: every 5xx but those that tell what a server never
    does.
    """
    status = error.status_code or 0
    if status == 409:  # of a gateway: the server itself would say in JSON what it is in conflict with
        return not isinstance(error.body, (dict, list)) or asks_to_retry(spoken_words(error))
    return status in (408, 425, 429) or (500 <= status < 600 and status not in (501, 505))


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
