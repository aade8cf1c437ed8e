"""Which provider to try next after an error.

Pure decisions: what an error means for the next attempt. The rules follow Hugging Face's router, which does not fail
over itself when a provider responds with an error (hub-docs, "Automatic Failover").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..checks import is_plain_path
from ..errors import (
    APIStatusError,
    HFTextError,
    InvalidRequestError,
    ModelNotSupportedError,
    PaymentRequiredError,
    RequestTimeoutError,
    ServerError,
)
from ..patterns import pattern
from ..protocol.refusals import blames_request
from ..transport.retries import NO_ANSWER, Retries, is_throttled, spoken_words

__all__ = [
    "POLICIES",
    "Route",
    "Target",
    "can_fail_over",
    "check_provider",
    "trips_breaker",
]

POLICIES = ("auto", "fastest", "cheapest", "preferred")

# Messages of 400s about features that this provider lacks (novita, nebius, groq, fireworks, together) or models that it
# does not have (z.ai).
_CAPABILITY = pattern(
    r"not support|unsupported|multimodal|not permitted|must be a string|non-serverless|not available"
    r"|unknown model|model\b.{0,200}\bdoes not exist",
    re.IGNORECASE | re.DOTALL,
)


class Target(NamedTuple):
    """The destination of a request.

    Attributes:
        url: the address of the chat completions.
        model: the name of the model there.
        provider: the provider; None if the server chooses.
    """

    url: str
    model: str
    provider: str | None = None

    @property
    def own_route(self) -> bool:
        """Whether this is the provider's own route below the router."""
        return self.provider is not None and "/" in self.provider


class Route:
    """The targets of one call, in the order in which they are tried.

    Args:
        targets: at least one; each is looked up only when the previous ones are exhausted.
        retries: how often the same target is retried; with a limit of 0 only the first target is tried.

    Attributes:
        target: the current target.
    """

    def __init__(self, targets: Iterator[Target], retries: Retries) -> None:
        self.target: Target = next(targets)
        self._rest = targets
        self._retries = retries
        self._tried: set[str] = set()

    def advance(self, error: HFTextError, time_left: float, paced: bool = False) -> float:
        """Set ``target`` to the next one after this error and return the seconds to wait before it; or raise the error.

        Args:
            error: the error of the last attempt.
            time_left: seconds left for the call.
            paced: whether the caller handles temporary rejections itself.
        """
        answered = error.underlying
        self._tried.update(name for name in (self.target.provider, answered.provider) if name)
        if self._retries.limit and can_fail_over(error, self.target):
            for target in self._rest:
                if target.provider not in self._tried:
                    self.target = target
                    return 0.0
        if paced and is_throttled(error):
            raise error
        return self._retries.next_pause(error, time_left)


def can_fail_over(error: HFTextError, target: Target) -> bool:
    """Whether another provider may succeed where this one failed."""
    error = error.underlying
    if isinstance(error, (APIStatusError, ModelNotSupportedError)):
        return error.status_code is not None and _status_allows_failover(error, error.status_code, target)
    if isinstance(error, RequestTimeoutError):
        return error.clock == "first"
    return isinstance(error, NO_ANSWER) and error.retryable


def trips_breaker(error: HFTextError, target: Target) -> bool:
    """Whether any other call to this target would fail the same way, and another target may succeed."""
    answered = error.underlying
    lasting = answered.status_code not in _OF_THIS_CALL or isinstance(answered, ModelNotSupportedError)
    if isinstance(answered, ServerError):
        lasting = not blames_request(spoken_words(answered))
    return lasting and can_fail_over(error, target)


# About the content or the rate of the requests: another call may succeed.
_OF_THIS_CALL = (400, 408, 409, 413, 422, 424, 425, 429)


def _status_allows_failover(error: APIStatusError | ModelNotSupportedError, status: int, target: Target) -> bool:
    if isinstance(error, PaymentRequiredError):
        return error.scope == "provider"
    if status in (401, 403):
        return False
    if status >= 500 or status in (408, 410):
        return True
    if isinstance(error, ModelNotSupportedError):  # otherwise the router reports it, about all providers
        return error.provider is not None or target.own_route
    by_provider = bool(error.provider or target.provider)
    if status in (400, 413, 422):
        # On a provider's own route, any rejection may be specific to that provider.
        return by_provider and (target.own_route or bool(_CAPABILITY.search(spoken_words(error))))
    return by_provider and status in (404, 424, 425, 429)


def check_provider(provider: str | Sequence[str]) -> tuple[str, ...]:
    """The argument ``provider`` as a tuple of names in the order to try. Raises InvalidRequestError."""
    names = (provider,) if isinstance(provider, str) else provider
    if not isinstance(names, Sequence) or not names:
        raise InvalidRequestError(f"provider must be a name, a policy or a list of names, not {provider!r:.80}")
    for name in names:
        if not isinstance(name, str) or not is_plain_path(name):
            raise InvalidRequestError(f"provider: {name!r:.80} is not a provider name")
    return tuple(names)
