"""What an error means for the other rows of a run."""

from __future__ import annotations

from ..errors import (
    APIStatusError,
    AuthenticationError,
    HFTextError,
    MissingAuthError,
    PaymentRequiredError,
    RateLimitError,
)
from ..transport.retries import is_retryable, is_throttled

__all__ = ["is_down", "is_fatal", "is_throttled", "may_succeed_later"]


def is_down(error: HFTextError) -> bool:
    """Of a throttling error: whether the server was unavailable, rather than over its limit."""
    return not isinstance(error.underlying, RateLimitError)


def is_fatal(error: HFTextError) -> bool:
    """Whether every other row would meet the same for good: the key, or the account's credits."""
    error = error.underlying
    if isinstance(error, PaymentRequiredError):
        return error.scope == "account"
    return isinstance(error, (MissingAuthError, AuthenticationError))


def may_succeed_later(error: HFTextError) -> bool:
    """Whether the same row may be answered if it is asked again: a stream that broke, a 5xx, a timeout."""
    return is_retryable(error) or (isinstance(error, TimeoutError) and not isinstance(error, APIStatusError))
