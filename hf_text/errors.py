"""The exceptions of this library, as one tree.

::

    HFTextError
    ├── MissingAuthError            a key is needed and none was found; nothing was sent
    ├── ModelNotSupportedError      no provider serves this model, or not in this way
    ├── InvalidRequestError         a wrong argument; nothing was sent (also a ValueError and a TypeError)
    ├── MissingExtraError           an optional package is not installed (also an ImportError)
    ├── LocalServerError            a server of hf_text.local did not start, or ended
    ├── APIStatusError              the server answered with an error status
    │   ├── BadRequestError         400, 409, 413, 422 and every other 4xx without its own class
    │   ├── AuthenticationError     401
    │   ├── PaymentRequiredError    402
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404, 410
    │   ├── RateLimitError          429
    │   └── ServerError             5xx
    ├── TransportError              DNS, refused, TLS, proxy, reset before a response
    │   └── RequestTimeoutError     a clock ran out (also a TimeoutError)
    └── StreamError                 the answer began and did not end as it should
        ├── TruncatedStreamError    ended without a finish reason, or without [DONE] and a proper end of the body
        ├── MalformedStreamError    not what the protocol allows
        ├── ProviderStreamError     the provider reported an error inside the stream
        ├── StreamCancelledError    cancelled or closed by someone else
        └── StructuredOutputError   the answer does not fit its type

Every error takes its message first and its data by keyword. The data are plain attributes, so an error can be pickled.
No error contains a key. A message may quote the server; control characters in it are escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .printable import printable
from .tracebacks import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .completion import Attempt, Completion

__all__ = [
    "APIStatusError",
    "AuthenticationError",
    "BadRequestError",
    "HFTextError",
    "HFTextWarning",
    "InvalidRequestError",
    "LocalServerError",
    "MalformedStreamError",
    "MissingAuthError",
    "MissingExtraError",
    "ModelNotSupportedError",
    "NotFoundError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "ProviderStreamError",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "StreamCancelledError",
    "StreamError",
    "StructuredOutputError",
    "TransportError",
    "TruncatedStreamError",
]


def __dir__() -> list[str]:
    return sorted(__all__)


Clock = Literal["connect", "first", "gap", "total"]


class HFTextError(Exception):
    """The root of every error that this library raises.

    Attributes:
        attempts: the requests that were made before this error, oldest first.
        partial: the part of the answer that had arrived; None if there was none.
        provider: the inference provider that failed; None if unknown.
        status_code: the HTTP status of the response; None if there was no response.
        retry_after: seconds that the server asks to wait; None if it does not say.
    """

    partial: Completion | None = None
    provider: str | None = None
    status_code: int | None = None
    retry_after: float | None = None

    def __init__(self, message: str = "", *, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(printable(message))  # it may hold a server's words
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    @property
    def underlying(self) -> HFTextError:
        """The error that decides about retries: the one that a provider reported inside a stream, if that names a
        status; otherwise this error.
        """
        return self

    def add_advice(self, advice: str) -> None:
        """Append a sentence to the message, after a full stop."""
        text = str(self)
        end = "" if text.endswith((".", "!", "?")) else "."
        self.args: tuple[Any, ...] = (f"{text}{end} {printable(advice)}",)

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show."""
        return render(self)


class MissingAuthError(HFTextError):
    """A key is needed and none was found. Nothing was sent."""


class ModelNotSupportedError(HFTextError):
    """No provider serves this model, or none supports what was requested.

    Raised before anything is sent if that is known, and for a response that says so, whatever its status.

    Attributes:
        model: the requested model.
        providers: the providers that do serve it (for another task, or not live now).
        suggestions: served models with a similar name.
        status_code: the HTTP status of the response; None if nothing was sent.
        code: the server's own name for the error (``"model_not_found"``), if it gave one.
        request_id: the server's id of the request.
        body: the response as parsed JSON, or as text.
    """

    def __init__(
        self,
        message: str = "",
        *,
        model: str | None = None,
        providers: Sequence[str] = (),
        suggestions: Sequence[str] = (),
        status_code: int | None = None,
        code: str | None = None,
        provider: str | None = None,
        request_id: str | None = None,
        body: Any = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.model = model
        self.providers: tuple[str, ...] = tuple(providers)
        self.suggestions: tuple[str, ...] = tuple(suggestions)
        self.status_code = status_code
        self.code = code
        self.provider = provider
        self.request_id = request_id
        self.body = body


class InvalidRequestError(HFTextError, ValueError, TypeError):
    """A wrong argument: its name, its type or its value. Nothing was sent."""


class MissingExtraError(HFTextError, ImportError):
    """An optional package is not installed. The message says how to install it.

    Attributes:
        package: the package that is missing.
        extra: the extra of hf_text that installs it.
    """

    def __init__(
        self,
        message: str = "",
        *,
        package: str | None = None,
        extra: str | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.package = package
        self.extra = extra

    def __str__(self) -> str:
        return Exception.__str__(self)  # ImportError keeps a copy of its message


class LocalServerError(HFTextError):
    """A server of ``hf_text.local`` did not start, or ended."""


class APIStatusError(HFTextError):
    """The server answered with a status that means an error.

    Attributes:
        status_code: the HTTP status; for an error reported inside a stream the status it names, else None.
        code: the server's own name for the error (``"model_not_found"``), if it gave one.
        provider: the inference provider that answered, if known.
        model: the requested model.
        request_id: the server's id of the request, for reports to its operators.
        body: the response as parsed JSON, or as text (its beginning, if it was long).
        retry_after: seconds that the server asks to wait, if it said so.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status_code: int | None = None,
        code: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        request_id: str | None = None,
        body: Any = None,
        retry_after: float | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.status_code = status_code
        self.code = code
        self.provider = provider
        self.model = model
        self.request_id = request_id
        self.body = body
        self.retry_after = retry_after


class BadRequestError(APIStatusError):
    """400, 409, 413, 422 …: the server does not accept the request as it is."""


class AuthenticationError(APIStatusError):
    """401: the key is wrong, or missing."""


class PaymentRequiredError(APIStatusError):
    """402: payment is required.

    Attributes:
        scope: ``"account"`` when the Hugging Face account has no credits left (another provider cannot help),
            ``"provider"`` when one provider requires a payment of its own.
    """

    def __init__(self, message: str = "", *, scope: Literal["account", "provider"] = "account", **data: Any) -> None:
        super().__init__(message, **data)
        self.scope = scope


class PermissionDeniedError(APIStatusError):
    """403: the key is known but may not do this."""


class NotFoundError(APIStatusError):
    """404 or 410: no such route or model, or it was removed."""


class RateLimitError(APIStatusError):
    """429: too many requests; ``retry_after`` is the number of seconds to wait, if the server says so."""


class ServerError(APIStatusError):
    """5xx: the server or a gateway before it failed."""


class TransportError(HFTextError):
    """There was no response: DNS, connection refused, TLS, proxy, or a connection lost before a response.

    Attributes:
        retryable: whether the same request may succeed if it is retried at once.
    """

    def __init__(self, message: str = "", *, retryable: bool = False, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message, attempts=attempts)
        self.retryable = retryable


class RequestTimeoutError(TransportError, TimeoutError):
    """A clock ran out.

    Attributes:
        clock: which one: ``"connect"``, ``"first"``, ``"gap"`` or ``"total"``.
        seconds: its limit.
        partial: what had arrived, if the answer had begun; else None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        clock: Clock | None = None,
        seconds: float | None = None,
        partial: Completion | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.clock = clock
        self.seconds = seconds
        self.partial = partial


class StreamError(HFTextError):
    """The answer began and did not end as it should.

    Attributes:
        partial: everything that had arrived.
        retryable: whether the same request may succeed if it is retried. False for an answer that was too long to
            read: it costs memory and time, and would probably be as long again.
    """

    retryable = True

    def __init__(
        self, message: str = "", *, partial: Completion | None = None, attempts: Sequence[Attempt] = ()
    ) -> None:
        super().__init__(message, attempts=attempts)
        self.partial = partial


class TruncatedStreamError(StreamError):
    """The stream ended without a finish reason, or without ``[DONE]`` and a proper end of the body.

    Also for an answer that the provider cut off (finish reason ``length`` or ``content_filter``) where it must be
    complete: a value for ``parse``, a tool call in a conversation.
    """


class MalformedStreamError(StreamError):
    """The answer is not what the protocol allows: HTML with status 200, broken JSON, an over-long event."""


class ProviderStreamError(StreamError):
    """The provider reported an error inside the stream.

    Attributes:
        error: what the same report would have been as a response of its own: an ``APIStatusError``.
    """

    def __init__(
        self,
        message: str = "",
        *,
        error: APIStatusError | ModelNotSupportedError | None = None,
        partial: Completion | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, partial=partial, attempts=attempts)
        self.error = error
        self.status_code: int | None = error.status_code if error else None
        self.provider: str | None = error.provider if error else None

    @property
    def underlying(self) -> HFTextError:
        if self.error is None or self.error.status_code is None or not self.retryable:
            return self
        return self.error


class StreamCancelledError(StreamError):
    """``cancel()`` or ``close()`` was called elsewhere while this stream was being read."""


class StructuredOutputError(StreamError):
    """The answer is complete, but does not fit the requested type.

    Attributes:
        errors: what does not fit, one entry for each problem, as the validator reports it.
    """

    def __init__(
        self,
        message: str = "",
        *,
        errors: Sequence[Any] = (),
        partial: Completion | None = None,
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message, partial=partial, attempts=attempts)
        self.errors: tuple[Any, ...] = tuple(errors)


class HFTextWarning(UserWarning):
    """The class of every warning of this library."""
