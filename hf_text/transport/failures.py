"""The errors for what requests and urllib3 raise when no response comes, in one line each.

Both wrap causes in causes; the message names the one that says what happened.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import BadStatusLine, RemoteDisconnected

from requests.exceptions import InvalidProxyURL, InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import NameResolutionError, ProxyError, ReadTimeoutError
from urllib3.util import parse_url

from ..errors import Clock, InvalidRequestError, RequestTimeoutError, TransportError
from .call import Call

__all__ = ["describe_unreadable", "explain_failure", "explain_timeout", "lost_connection"]

_ADVICE = {
    "connect": "The host may be down, or a firewall in the way.",
    "first": "The model may be loading or overloaded; a larger timeout, another provider or a smaller prompt may help.",
    "gap": "The provider stopped sending.",
    "total": "",
}


def explain_timeout(clock: Clock, call: Call, host: str, arrived: str = "") -> RequestTimeoutError:
    """The error for a clock that ran out."""
    seconds = getattr(call.timeouts, clock) or call.seconds()  # an auxiliary lookup has its own total clock
    what = {
        "connect": f"could not connect to {host} within {seconds:g} s",
        "first": f"no answer began at {host} within {seconds:g} s",
        "gap": f"nothing came from {host} for {seconds:g} s",
        "total": f"the call was not done within {seconds:g} s",
    }[clock]
    message = f"{what} (timeout: {clock}){arrived}. {_ADVICE[clock]}".rstrip()
    return RequestTimeoutError(message, clock=clock, seconds=seconds)


def explain_failure(
    error: Exception, call: Call, url: str, mask: Callable[[str], str], through_proxy: bool
) -> TransportError | InvalidRequestError:
    """The error for an exception of requests, urllib3 or http.client."""
    parts = parse_url(url)
    host, where = parts.host or url, parts.netloc or url
    causes = list(_causes(error))
    # Not urllib3's ConnectTimeoutError: a connection that is refused, or a name without address, is one too.
    if any(isinstance(cause, (ReadTimeoutError, TimeoutError)) for cause in causes):
        return explain_timeout(call.clock, call, where)
    for cause in causes:
        if isinstance(cause, InvalidRequestError):  # our own
            return cause
        if isinstance(cause, (InvalidURL, InvalidSchema, MissingSchema, InvalidProxyURL)):
            return InvalidRequestError(f"cannot send to {where}: {mask(str(cause))}")
    through = f"{where} through its proxy" if through_proxy or _of_proxy(causes) else where
    return TransportError(f"cannot reach {through}: {_reason(causes, host, mask)}", retryable=lost_connection(error))


def describe_unreadable(encoding: str) -> str:
    """What to tell of a body whose content encoding cannot be unpacked."""
    return f"the body is encoded as {encoding!r:.40}, which cannot be read here and was not asked for"


def lost_connection(error: Exception) -> bool:
    """Whether the server closed the connection before it answered: what happens to a kept-alive one that went stale."""
    return any(isinstance(cause, (ConnectionError, RemoteDisconnected)) for cause in _causes(error)) and not any(
        isinstance(cause, ConnectionRefusedError) for cause in _causes(error)
    )


def _reason(causes: list[BaseException], host: str, mask: Callable[[str], str]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            whose = "the proxy's" if _of_proxy(causes) else "its"
            return (
                f"{whose} TLS certificate is not to be trusted ({cause.verify_message}). "
                "For a certificate authority of your own pass verify='/path/to/ca.pem'"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return "it does not speak TLS; should the address begin with http:// ?"
        if isinstance(cause, ssl.SSLError):
            return f"the TLS handshake failed ({cause.reason or cause})"
        if isinstance(cause, (socket.gaierror, NameResolutionError)):
            return f"there is no address for the name {host} (DNS). Is the network up, and the name right?"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused. Is the server running, and is the port right?"
        if isinstance(cause, (ConnectionError, RemoteDisconnected)):
            return "the connection was closed before an answer came"
        if isinstance(cause, BadStatusLine):
            return f"it does not speak HTTP, but says {mask(str(cause)).strip()!r:.80}"
    return mask(str(causes[-1])) or type(causes[-1]).__name__


def _of_proxy(causes: list[BaseException]) -> bool:
    return any(isinstance(cause, ProxyError) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it wraps, outermost first."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        cause = queue.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
