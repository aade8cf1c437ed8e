"""One-line errors for the exceptions that requests and urllib3 raise when no response arrives.

Both nest causes in causes; the message names the cause that explains the failure.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from http.client import BadStatusLine, RemoteDisconnected

from requests.exceptions import InvalidProxyURL, InvalidSchema, InvalidURL, MissingSchema
from urllib3.exceptions import NameResolutionError, ProxyError, ReadTimeoutError
from urllib3.util import parse_url

from ..errors import Clock, InvalidRequestError, RequestTimeoutError, TransportError
from ..patterns import pattern
from .call import Call

__all__ = ["describe_unreadable", "explain_failure", "explain_timeout", "lost_connection", "wrong_scheme"]

# OpenSSL's reasons for a response that is not TLS, in its various versions.
_NOT_TLS = ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
_NO_TLS = "If the server does not speak TLS, its address begins with http://"

# A TLS alert or handshake record (RFC 8446, 5.1), and the responses of nginx, Go and Apache to plain HTTP.
_TLS_RECORD = pattern(r"[\x15\x16]\x03")
_PLAIN_ON_TLS = pattern(
    rb"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server|speaking plain HTTP to an SSL",
    re.IGNORECASE,
)
_LOST = "the connection was closed before a response arrived"

_ADVICE = {
    "connect": "The host may be down, or a firewall may be blocking it.",
    "first": "The model may be loading or overloaded; a longer timeout, another provider or a smaller prompt may help.",
    "gap": "The provider stopped sending.",
    "total": "",
}

_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")  # RFC 8446, section 6.2


def explain_timeout(
    clock: Clock, call: Call, host: str, arrived: str = "", *, in_handshake: bool = False
) -> RequestTimeoutError:
    """The error for a clock that ran out."""
    if in_handshake and clock == "connect":
        # A server without TLS takes the handshake for the beginning of a request and waits for the rest.
        message = (
            f"{host} accepted the connection, but did not complete the TLS handshake within "
            f"{call.timeouts.connect:g} s (timeout: connect). "
        )
        return RequestTimeoutError(message + _NO_TLS, clock=clock, seconds=call.timeouts.connect)
    seconds = getattr(call.timeouts, clock) or call.seconds()  # an auxiliary lookup has its own total timeout
    what = {
        "connect": f"could not connect to {host} within {seconds:g} s",
        "first": f"no answer began at {host} within {seconds:g} s",
        "gap": f"nothing arrived from {host} for {seconds:g} s",
        "total": f"the call did not finish within {seconds:g} s",
    }[clock]
    message = f"{what} (timeout: {clock}){arrived}. {_ADVICE[clock]}".rstrip()
    return RequestTimeoutError(message, clock=clock, seconds=seconds)


def explain_failure(
    error: Exception, call: Call, url: str, mask: Callable[[str], str], through_proxy: bool
) -> TransportError | InvalidRequestError:
    """The error for an exception from requests, urllib3 or http.client."""
    parts = parse_url(url)
    host, where = parts.host or url, parts.netloc or url
    causes = list(_causes(error))
    # Not urllib3's ConnectTimeoutError: it also covers a refused connection and an unresolved name.
    if any(isinstance(cause, (ReadTimeoutError, TimeoutError)) for cause in causes):
        in_handshake = any("handshake operation timed out" in str(cause) for cause in causes)  # Python's words
        return explain_timeout(call.clock, call, where, in_handshake=in_handshake)
    for cause in causes:
        if isinstance(cause, InvalidRequestError):  # raised by hf_text; requests may have wrapped it
            return cause
    for cause in causes:
        if isinstance(cause, (InvalidURL, InvalidSchema, MissingSchema, InvalidProxyURL)):
            return InvalidRequestError(f"cannot send to {where}: {mask(str(cause))}")
    through = f"{where} through its proxy" if through_proxy or _of_proxy(causes) else where
    lost = _how_lost(call, parts.scheme, direct=through == where)
    return TransportError(
        f"cannot reach {through}: {_reason(causes, host, mask, lost)}", retryable=lost_connection(error)
    )


def wrong_scheme(url: str, status: int, body: bytes) -> str:
    """Advice if the response shows that plain HTTP was sent to a TLS port, else ``""``."""
    return (
        "This port speaks TLS: the address begins with https://"
        if (status == 400 and url.startswith("http:") and _PLAIN_ON_TLS.search(body))
        else ""
    )


def describe_unreadable(encoding: str) -> str:
    """The message for a body whose content encoding cannot be decoded."""
    return f"the body is encoded as {encoding!r:.40}, which was not requested and cannot be decoded"


def lost_connection(error: Exception) -> bool:
    """Whether the server closed the connection before it responded, as happens to a stale kept-alive connection."""
    return any(isinstance(cause, (ConnectionError, RemoteDisconnected)) for cause in _causes(error)) and not any(
        isinstance(cause, ConnectionRefusedError) for cause in _causes(error)
    )


def _reason(causes: list[BaseException], host: str, mask: Callable[[str], str], lost: str) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            whose = "the proxy's" if _of_proxy(causes) else "its"
            return (
                f"{whose} TLS certificate is not trusted ({cause.verify_message}). "
                "For your own certificate authority pass verify='/path/to/ca.pem'"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _NOT_TLS:
            return "it does not speak TLS; should the address begin with http:// ?"
        if isinstance(cause, ssl.SSLEOFError):
            return lost
        if isinstance(cause, ssl.SSLError):
            return _explain_alert(str(cause.reason or cause))
        if isinstance(cause, (socket.gaierror, NameResolutionError)):
            return f"the name {host} could not be resolved (DNS). Is the network up, and is the name right?"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused. Is the server running, and is the port right?"
        if isinstance(cause, (ConnectionError, RemoteDisconnected)):
            return lost
        if isinstance(cause, BadStatusLine) and _TLS_RECORD.match(str(cause.args[0])):
            return "it speaks TLS; should the address begin with https:// ?"
        if isinstance(cause, BadStatusLine):
            return f"it does not speak HTTP, but sent {mask(str(cause)).strip()!r:.80}"
    return mask(str(causes[-1])) or type(causes[-1]).__name__


def _how_lost(call: Call, scheme: str | None, *, direct: bool) -> str:
    """The message for a connection that the server closed. A wrong scheme looks the same as a crashed server."""
    if scheme == "https":
        in_handshake = call.clock == "connect"
        return f"the connection was closed during the TLS handshake. {_NO_TLS}" if in_handshake else _LOST
    return f"{_LOST}. If the server speaks TLS, its address begins with https://" if direct else _LOST


def _explain_alert(reason: str) -> str:
    """The message for a TLS alert. In TLS 1.3, an alert about the client certificate replaces the response head."""
    if "ALERT" in reason and any(word in reason for word in _ALERTS):
        verb = "requires a client certificate" if "REQUIRED" in reason else "does not accept the client's certificate"
        return f"it {verb} ({reason}). Pass cert=('/path/to/certificate.pem', '/path/to/key.pem')"
    return f"the TLS handshake failed ({reason})"


def _of_proxy(causes: list[BaseException]) -> bool:
    return any(isinstance(cause, ProxyError) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and the exceptions that it wraps, outermost first."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        cause = queue.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
