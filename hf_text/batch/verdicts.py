"""Classifies errors by what they mean for the other rows of a run."""

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
    """Whether a throttling error means that the server was unavailable, rather than a rate limit."""
    return not isinstance(error.underlying, RateLimitError)


def is_fatal(error: HFTextError) -> bool:
    """Whether all other rows would also fail permanently: because of the key, or of the account's credits."""
    error = error.underlying
    if isinstance(error, PaymentRequiredError):
        return error.scope == "account"
    return isinstance(error, (MissingAuthError, AuthenticationError))


def may_succeed_later(error: HFTextError) -> bool:
    """Whether a retry of the same row may succeed: after a broken stream, a 5xx, a timeout."""
    return is_retryable(error) or (isinstance(error, TimeoutError) and not isinstance(error, APIStatusError))
