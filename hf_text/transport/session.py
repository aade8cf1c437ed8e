"""Sending requests: one session for each process, redirects, connections that went stale, and answers as they come.

requests prepares and urllib3 sends; what is ours is what they leave open: whose redirects are followed with the key in hand, and that
an answer says whether it came whole.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from .._version import __version__
from ..errors import APIStatusError, InvalidRequestError, TransportError
from ..protocol.replies import parse_reply_error
from .auth import BearerAuth, redact
from .body import BodyCut, open_body
from .call import Call
from .failures import explain_failure, lost_connection
from .sockets import Adapter, working_for

__all__ = ["Http", "Reply", "check_headers"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_ERROR_BYTES = 65536
_USER_AGENT = f"hf_text/{__version__} python/{platform.python_version()} requests/{requests.__version__}"


class Reply:
    """An answer whose body is still to be read.

    Attributes:
        status: the HTTP status.
        headers: the headers, to be looked up in any case.
        url: the address that answered, after redirects.
        mask: takes the key out of a text, before it is shown.
    """

    def __init__(self, response: requests.Response, call: Call, mask: Callable[[str], str]) -> None:
        self.mask = mask
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url = str(response.url)
        self.reason = response.reason or ""
        self._body = open_body(response.raw, call)
        self._call = call

    @property
    def pollable(self) -> bool:
        """Whether ``read()`` heeds a call that does not block."""
        return self._body.pollable

    def read(self) -> bytes | None:
        """The next piece of the body, as soon as there is one; ``b""`` at its proper end; None if there is none yet and the call
        does not block.

        Raises BodyCut if the body ends improperly, Interrupted if the call may not go on.
        """
        return self._body.read()

    def read_all(self, limit: int) -> bytes:
        """The body, or the first ``limit`` bytes of it (the rest is not read). For a call that blocks. Raises as ``read()``."""
        pieces: list[bytes] = []
        size = 0
        while size < limit and (piece := self.read()):
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)[:limit]

    def close(self) -> None:
        """Part with the connection: it went back to its pool if the body was read to its end, else it is closed."""
        self._body.close()
        self._call.release()

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Http:
    """What a client sends with: sessions, keys, headers, proxies and certificates. Safe to share among threads and over a fork.

    Args:
        key: the key to send, or None.
        headers: headers to add to each request.
        proxies: proxies by scheme, as requests takes them; those of the environment are used besides.
        verify: True, False, or the path of a CA bundle.
    """

    def __init__(
        self, key: str | None, headers: Mapping[str, str], proxies: Mapping[str, str], verify: bool | str
    ) -> None:
        self._key = key
        self._auth = BearerAuth(key)
        self._headers = {"User-Agent": _USER_AGENT, **headers}
        self._proxies = dict(proxies)
        self._verify = verify
        self._lock = threading.Lock()
        self._process: int | None = None

    @property
    def anonymous(self) -> bool:
        """Whether there is nothing to show who sends: no key, and no header in its place."""
        return self._key is None and "authorization" not in (name.lower() for name in self._headers)

    def send(
        self,
        call: Call,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request and wait for the headers of its answer, whatever its status; follow redirects on the same host.

        Raises TransportError or RequestTimeoutError if no answer comes, Interrupted if the call is cancelled.
        """
        sent = {"Accept": accept, **({"Content-Type": "application/json"} if body is not None else {}), **(headers or {})}
        for _ in range(_MOST_REDIRECTS + 1):
            reply = self._send_once(call, method, url, body, sent)
            location = reply.headers.get("location") if reply.status in _REDIRECTS else None
            if location is None:
                return reply
            reply.close()
            url = _follow(url, location)
        raise TransportError(f"{urlsplit(url).netloc} redirects in a circle: {_MOST_REDIRECTS} redirects were followed")

    def error_of(self, reply: Reply, **facts: Any) -> APIStatusError:
        """The exception for an answer that is an error; reads it. The key, if the server repeats it, is masked.

        Args:
            facts: what else ``parse_reply_error`` should know.
        """
        try:
            body = reply.read_all(_ERROR_BYTES)
        except BodyCut:
            body = b""
        return parse_reply_error(
            reply.status,
            reply.headers,
            redact(body, self._key),
            now=time.time(),
            reason=reply.reason,
            host=urlsplit(reply.url).netloc,
            **facts,
        )

    def mask(self, text: str) -> str:
        """The text without the key."""
        return redact(text, self._key)

    def close(self) -> None:
        """Close the connections that are kept alive. Those in use go on."""
        with self._lock:
            if self._process == os.getpid():
                self._session.close()
            self._process = None

    def _send_once(self, call: Call, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        session, adapter = self._of_this_process()
        while True:
            try:
                request = session.prepare_request(
                    requests.Request(method, url, {**self._headers, **headers}, data=body, auth=self._auth)
                )
                settings: Any = session.merge_environment_settings(request.url, self._proxies, True, self._verify, None)
                with working_for(call):
                    return Reply(adapter.send(request, **settings), call, self.mask)
            except (RequestException, HTTPError, OSError, ValueError) as error:
                call.release()
                # A kept-alive connection may be closed by the server at any time; that is no failure of this request.
                if call.reused and lost_connection(error):
                    continue
                failure = explain_failure(error, call, url)
            except BaseException:
                call.release()
                raise
            # Raised out here, so that it does not carry what was caught: requests' exceptions hold the request and its key.
            raise failure

    def _of_this_process(self) -> tuple[requests.Session, HTTPAdapter]:
        """The session: a connection must not be shared with a process that was forked off."""
        with self._lock:
            if self._process != os.getpid():
                self._session = requests.Session()
                self._adapter = Adapter()
                self._session.mount("http://", self._adapter)
                self._session.mount("https://", self._adapter)
                self._process = os.getpid()
            return self._session, self._adapter


def _follow(url: str, location: str) -> str:
    """Where a redirect leads. Only to the same host, and not away from TLS: the key and the conversation go along."""
    target = urljoin(url, location)
    old, new = urlsplit(url), urlsplit(target)
    same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
    upgrade = (old.scheme, new.scheme) == ("http", "https") and old.hostname == new.hostname
    if not same and not upgrade:
        raise TransportError(
            f"{old.netloc} redirects to {new.scheme}://{new.netloc}, another host: not followed, "
            "because the key and the messages would go there. If that is right, give that address itself"
        )
    return target


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers that can be sent. Raises InvalidRequestError, which names the header and does not show its value."""
    checked = {}
    for name, value in (headers or {}).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidRequestError(f"headers: {name!r:.80} must be a str with a str for its value")
        if not name.isascii() or not name.isprintable() or not name or any(c in name for c in " :"):
            raise InvalidRequestError(f"headers: {name!r:.80} is no name of a header")
        if not value.isascii() or not value.isprintable() or value != value.strip():
            raise InvalidRequestError(f"headers: the value of {name!r:.80} holds characters that a header cannot have")
        checked[name] = value
    return checked
