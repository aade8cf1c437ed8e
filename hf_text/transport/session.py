"""Sending requests: one session per process, redirects, stale connections.

requests prepares requests and urllib3 sends them. This module decides the rest: which redirects to follow with the key,
and which failures are only stale connections.
"""

from __future__ import annotations

import os
import sys
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import suppress
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple, NoReturn, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

import requests
from requests.auth import AuthBase
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from .._version import __version__
from ..errors import APIStatusError, ModelNotSupportedError, TransportError
from ..protocol.pages import as_utf8
from ..protocol.replies import parse_reply_error
from .adapter import Adapter
from .call import Call, Interrupted, Wait
from .checks import check_proxies
from .connections import NotReady
from .exchange import Plan, exchange
from .failures import describe_unreadable, explain_failure, lost_connection, wrong_scheme
from .head import RawResponse
from .instruments import is_watched, requests_is_wrapped
from .locks import ForkSafeLock
from .mask import Mask
from .redirects import follow_redirect
from .response import Response
from .secrets import Secret, hide_proxies
from .tls import Cert

__all__ = ["BearerAuth", "Http"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_ERROR_BYTES = 65536
_SHORT_REQUEST_BYTES = 16384  # a connection accepts this much without blocking
_MAX_PLANS = 1000
# What requests, urllib3 and sockets raise
_FAILURES = (RequestException, HTTPError, HTTPException, OSError, ValueError)
_PYTHON = ".".join(map(str, sys.version_info[:3]))  # platform.python_version() is slower than the rest of this import
_USER_AGENT = f"hf_text/{__version__} python/{_PYTHON} requests/{requests.__version__}"

# Loads the modules that requests and typing import at the first request. Imports fail during interpreter shutdown.
requests.Request("GET", "http://localhost").prepare()


class Http:
    """Sends a client's requests, with its sessions, key, headers, proxies and certificates. Safe to share among threads
    and across a fork.

    Args:
        key: the key to send, or None.
        headers: headers to add to each request.
        proxies: proxies by scheme, as in requests; those of the environment are used too.
        verify: True, False, or the path of a CA bundle.
        cert: a client certificate, as returned by ``check_cert()``.

    Attributes:
        anonymous: whether requests carry neither a key nor an Authorization header.
    """

    def __init__(
        self,
        key: str | None,
        headers: Mapping[str, str],
        proxies: Mapping[str, str],
        verify: bool | str,
        cert: Cert | None = None,
    ) -> None:
        self._key = key
        self._auth = BearerAuth(key)
        self._headers = {"User-Agent": _USER_AGENT, **headers}
        names = {name.lower() for name in headers}
        self.anonymous: bool = key is None and "authorization" not in names
        self._proxies = hide_proxies(proxies)
        self._verify = verify
        self._cert = cert
        self._mask = Mask(key, headers, [*proxies.values(), *getproxies().values()])
        self._lock = ForkSafeLock()
        self._session: _Session | None = None

    @property
    def mask(self) -> Mask:
        """Masks the secrets in a text for display."""
        return self._mask

    def get(self, call: Call, url: str) -> Response:
        """Send a GET request and wait for the head of its response. For a call that blocks. Raises as ``send()``."""
        assert call.blocking
        steps = self.send(call, "GET", url)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return cast(Response, end.value)

    def send(
        self,
        call: Call,
        method: str,
        url: str,
        body: bytes | None = None,
        accept: str = "application/json",
        extra_headers: Mapping[str, str] | None = None,
    ) -> Generator[Wait, None, Response]:
        """Send a request and wait for the head of its response, whatever its status; follow redirects on one host.

        Yields a ``Wait`` when the request is sent, and instead of blocking. Raises TransportError or
        RequestTimeoutError if no response arrives, Interrupted if the call is cancelled.
        """
        mask = self._mask.with_headers(extra_headers) if extra_headers else self._mask
        more = tuple(extra_headers.items()) if extra_headers else ()
        for _ in range(_MAX_REDIRECTS + 1):
            outline = _Outline(method, url, accept, body is not None, more)
            reply = yield from self._send_once(call, outline, body, mask)
            location = reply.headers.get("location") if reply.status in _REDIRECTS else None
            if location is None:
                return reply
            reply.close()
            url = follow_redirect(url, location, reply.mask)
        raise TransportError(f"{urlsplit(url).netloc} redirects too often: {_MAX_REDIRECTS} redirects were followed")

    def error_of(self, reply: Response, **facts: Any) -> APIStatusError | ModelNotSupportedError:
        """Read an error response and return the exception for it. The key is masked if the server echoes it.

        Args:
            facts: further arguments of ``parse_reply_error``.
        """
        body = as_utf8(reply.read_error(_ERROR_BYTES))
        encoding = reply.unreadable(body)
        error = parse_reply_error(
            reply.status,
            reply.shown_headers,
            b"" if encoding else reply.mask(body),
            now=time.time(),
            reason=reply.mask(reply.reason),
            host=urlsplit(reply.url).netloc,
            proxy=reply.proxy,
            note=reply.mask(describe_unreadable(encoding)) if encoding else "",
            **facts,
        )
        if advice := wrong_scheme(reply.url, reply.status, body):
            error.add_advice(advice)
        return error

    def close(self) -> None:
        """Close the idle connections. Connections in use are not affected."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None and session.process == os.getpid():
            session.adapter.close()

    def _send_once(
        self, call: Call, outline: _Outline, body: bytes | None, mask: Mask
    ) -> Generator[Wait, None, Response]:
        session = self._of_this_process()
        failure: Exception
        at_once = call.blocking or (yield from _get_ready(session, call, outline, len(body or b"")))
        while True:
            raw: RawResponse | None = None
            if not at_once:
                yield from call.need_thread()
            try:
                plan = session.plan(outline)
                dialled = None if call.blocking else (yield from session.adapter.dial(call, plan.url))
                raw = session.exchange(call, plan, body, dialled)
                if not at_once:
                    yield Wait.SOCKET  # the thread that sent the request is no longer needed
                while not raw.receive_head():
                    yield Wait.SOCKET
                return Response(raw, plan.url, call, mask)
            except NotReady:
                at_once = False
                continue
            except _FAILURES as error:
                _give_up(raw, call)
                # A server may close a kept-alive connection at any time. That is not a failure: send the request again.
                if call.reused and lost_connection(error):
                    at_once = False
                    continue
                if call.cancelled:
                    failure = Interrupted()
                else:
                    through_proxy = raw is not None and raw.through_proxy
                    failure = explain_failure(error, call, outline.url, mask, through_proxy)
            except BaseException:  # Interrupted, Ctrl-C, or the reader abandoned the stream: nothing may stay open
                _give_up(raw, call)
                raise
            # Raised outside of the except block, so it has no __context__: requests' exceptions hold the request and
            # the key.
            raise failure

    def _of_this_process(self) -> _Session:
        """The session of this process: a forked process must not share its connections."""
        session = self._session
        if session is not None and session.process == os.getpid():
            return session
        with self._lock:
            if self._session is None or self._session.process != os.getpid():
                self._session = _Session(self._auth, self._headers, self._proxies, self._verify, self._cert, self._mask)
            return self._session


class BearerAuth(AuthBase):
    """``Authorization: Bearer key`` for requests; with None, no key is sent.

    Pass it with every request, even without a key: without an auth object, requests looks for credentials in
    ``~/.netrc`` and in the URL, and replaces the header with them. Objects with equal keys are equal. It cannot be
    pickled or copied, so that the key does not get into a file along with a session.
    """

    def __init__(self, key: str | None) -> None:
        self._key = None if key is None else Secret(key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request. Without a key, keep the caller's own header, for servers with another auth scheme."""
        if self._key is not None:
            request.headers["Authorization"] = Secret(f"Bearer {self._key}")
        return request

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, BearerAuth) else NotImplemented

    def __hash__(self) -> int:
        return hash((BearerAuth, self._key))

    def __repr__(self) -> str:
        return f"BearerAuth({'None' if self._key is None else '***'})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("BearerAuth holds a key and cannot be pickled or copied")


class _Outline(NamedTuple):
    """A request without its body and the settings that all requests of a client share."""

    method: str
    url: str
    accept: str
    has_body: bool
    extra_headers: tuple[tuple[str, str], ...]


class _Session:
    """The connections of one process, and the prepared requests for each address."""

    def __init__(
        self,
        auth: BearerAuth,
        headers: Mapping[str, str],
        proxies: Mapping[str, str],
        verify: bool | str,
        cert: Cert | None,
        mask: Mask,
    ) -> None:
        self.process = os.getpid()
        self.adapter = Adapter(mask)
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # no cookie is stored or sent
        self._session.adapters = OrderedDict.fromkeys(("https://", "http://"), self.adapter)
        self._auth = auth
        self._headers = headers
        self._proxies = dict(proxies)
        self._verify = verify
        self._cert = cert
        self._plans: dict[_Outline, Plan] = {}

    def is_ready(self, outline: _Outline, body_bytes: int) -> bool:
        """Whether such a request can be sent without blocking: it is planned and short, and a connection is open or can
        be opened without blocking.
        """
        plan = self._plans.get(outline)
        return (
            plan is not None
            and plan.head_bytes + body_bytes <= _SHORT_REQUEST_BYTES
            and not is_watched()  # if watched, the head is read at once, which blocks
            and (self.adapter.has_open_connection(plan.url) or self.adapter.can_dial(plan.url))
        )

    def is_new(self, outline: _Outline) -> bool:
        """Whether such a request still needs ``prepare()``. Never if requests is wrapped, as nothing is then stored."""
        plan = self._plans.get(outline)
        return (plan is None or not self.adapter.has_pool(plan.url)) and not requests_is_wrapped()

    def prepare(self, outline: _Outline) -> None:
        """Prepare everything that such requests share, including the TLS context. Raises as ``exchange()``."""
        plan = self.plan(outline)
        self.adapter.open_pool(plan.request_with(None), **plan.settings)

    def plan(self, outline: _Outline) -> Plan:
        """The request without its body, and its settings. Prepared once, because that takes requests as long as the
        rest of a round trip.
        """
        plan = self._plans.get(outline)
        if plan is None:
            headers = {**self._headers, **self._headers_for(outline)}
            request = requests.Request(outline.method, outline.url, headers, auth=self._auth)
            prepared = self._session.prepare_request(request)
            settings = self._session.merge_environment_settings(
                prepared.url, self._proxies, True, self._verify, self._cert
            )
            settings["proxies"] = hide_proxies(check_proxies(settings["proxies"]))  # includes the environment's
            plan = Plan(prepared, dict(settings))
            if requests_is_wrapped():  # the wrapper may have added headers for this request only
                return plan
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            self._plans[outline] = plan
        return plan

    def _headers_for(self, outline: _Outline) -> dict[str, str]:
        headers = {"Accept": outline.accept}
        if outline.accept == "text/event-stream" and "accept-encoding" not in map(str.lower, self._headers):
            headers["Accept-Encoding"] = "identity"  # with gzip, nginx buffers the whole answer
        headers |= outline.extra_headers
        if outline.has_body:
            headers["Content-Type"] = "application/json"
        return headers

    def exchange(self, call: Call, plan: Plan, body: bytes | None, dialled: Any) -> RawResponse:
        """Send a request. Returns the response, whose head may be unread."""
        return exchange(self.adapter, self._session, plan, body, call, dialled)


def _get_ready(session: _Session, call: Call, outline: _Outline, body_bytes: int) -> Generator[Wait, None, bool]:
    """Prepare everything for such a request. Returns whether it can then be sent without blocking."""
    if session.is_new(outline):
        yield from call.need_thread(Wait.FIRST)
        with suppress(*_FAILURES):  # sending the request raises it again
            session.prepare(outline)
        yield Wait.TURN
    return session.is_ready(outline, body_bytes)


def _give_up(raw: RawResponse | None, call: Call) -> None:
    if raw is not None:
        raw.give_up()
    call.release()
