"""Sending one request with requests, and rejecting test doubles that would respond instead of the network."""

from __future__ import annotations

import sys
from typing import Any, cast

import requests
from requests.exceptions import RequestException

from ..errors import InvalidRequestError, TransportError
from .adapter import Adapter
from .call import Call
from .connections import bound_to, has_reached_pools
from .head import RawResponse
from .instruments import find_double, is_watched, name_interceptor, requests_is_wrapped
from .secrets import SecretBytes

__all__ = ["Plan", "exchange"]


_BODY_BYTES = 16384  # a body this short is sent in one packet with the head


class Plan:
    """A request without its body, and the settings to send it with.

    Attributes:
        url: the address of the request.
        settings: the arguments of requests' ``send()``.
        head_bytes: the approximate length of its head.
    """

    def __init__(self, prepared: requests.PreparedRequest, settings: dict[str, Any]) -> None:
        self.url = str(prepared.url)
        self.settings = settings
        self._method = prepared.method
        self._headers = dict(prepared.headers)
        self._headers.pop("Content-Length", None)
        # Includes room for the headers that the libraries add.
        self.head_bytes = 200 + len(self.url) + sum(len(name) + len(value) + 4 for name, value in self._headers.items())
        self._head: tuple[bytes, bytes] | None = None

    def request_with(self, body: bytes | None) -> requests.PreparedRequest:
        """The request, ready to be sent."""
        request: Any = requests.PreparedRequest()
        request.method = self._method
        request.url = self.url
        request.headers = {**self._headers} if body is None else {**self._headers, "Content-Length": str(len(body))}
        request.body = body
        return cast(requests.PreparedRequest, request)

    def learn(self, head: bytes | None, body: bytes | None) -> None:
        """Store the head that urllib3 wrote for a body. The next head differs only in the length."""
        before, length, after = (head or b"").partition(b"\r\nContent-Length: %d\r\n" % len(body or b""))
        if body is not None and length and after.endswith(b"\r\n"):
            self._head = SecretBytes(before), SecretBytes(after)

    def head_for(self, body: bytes | None) -> bytes | None:
        """The head for a short body, as urllib3 would write it; None for a long body, or if urllib3 wrote none yet."""
        if self._head is None or body is None or len(body) > _BODY_BYTES:
            return None
        return SecretBytes(b"%b\r\nContent-Length: %d\r\n%b" % (self._head[0], len(body), self._head[1]))


def exchange(
    adapter: Adapter,
    session: requests.Session,
    plan: Plan,
    body: bytes | None,
    call: Call,
    dialled: Any = None,
) -> RawResponse:
    """Send a request. Returns the response before its head is read, unless an instrument inspects responses at once.

    The first request of a plan goes through requests and urllib3. Later ones differ only in the body. If a connection
    is open and no instrument is installed, they are sent directly: writing the head took 23 % of the time of a short
    answer.

    Args:
        adapter: sends the request.
        session: a session that uses this adapter, for instruments that are installed on requests' sessions.
        plan: the request without its body.
        body: the body.
        call: the call that the request belongs to.
        dialled: the connection to send it on, if one was opened for it.

    Raises what requests and urllib3 raise, and InvalidRequestError if a test double responds instead of the server.
    """
    double = find_double()
    head = None if double is not None or is_watched() else plan.head_for(body)
    if head is not None and body is not None:
        raw = adapter.send_again(call, plan.url, head, body, dialled)
        if raw is not None:
            return raw
    with bound_to(call, dialled):
        if double is not None:
            raise _refusal(double)
        return _send(adapter, session, plan, body)


def _send(adapter: Adapter, session: requests.Session, plan: Plan, body: bytes | None) -> RawResponse:
    request = plan.request_with(body)
    try:
        if requests_is_wrapped():
            answer = session.send(request, allow_redirects=False, **plan.settings).raw
        else:
            answer = adapter.send(request, **plan.settings)
    except Exception as error:  # test doubles raise their own errors for unknown requests
        if sys.is_finalizing() and isinstance(error, (ImportError, LookupError)):
            raise TransportError("no connection can be made: the interpreter is shutting down") from None
        if not _comes_from_double(error):
            raise
        answer = None
    if not isinstance(answer, RawResponse):
        raise _refusal(name_interceptor())
    plan.learn(answer.request_head, body)
    return answer


def _comes_from_double(error: Exception) -> bool:
    """Whether code between requests and the pools of this package raised the error."""
    if isinstance(error, RequestException):
        return not has_reached_pools()
    return type(error).__module__.partition(".")[0] == name_interceptor()


def _refusal(who: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{who} answers requests in this process, and hf_text reads responses only from servers: nothing was sent. "
        "For tests use hf_text.emulator, a server on this machine"
    )
