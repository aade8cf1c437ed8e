"""Sending one request by requests, past all those who stand between it and the network."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import requests
from requests.exceptions import RequestException

from ..errors import InvalidRequestError, TransportError
from .adapter import Adapter
from .connections import has_reached_pools
from .head import RawResponse
from .instruments import find_double, name_interceptor, requests_is_wrapped

__all__ = ["exchange"]


def exchange(
    adapter: Adapter, session: requests.Session, request: requests.PreparedRequest, settings: Mapping[str, Any]
) -> RawResponse:
    """Send a request; the response, its head still to be read, unless an instrument inspects responses at once.

    Args:
        adapter: what sends it.
        session: one that sends by this adapter. The longer path is for instruments that are installed on it.
        settings: the arguments of ``send()``.

    Raises what requests and urllib3 raise, and InvalidRequestError if a test double answers in place of the server.
    """
    double = find_double()
    if double is not None:
        raise _refusal(double)
    try:
        if requests_is_wrapped():
            answer = session.send(request, allow_redirects=False, **settings).raw
        else:
            answer = adapter.send(request, **settings)
    except Exception as error:  # test doubles have errors of their own for what they do not know
        if sys.is_finalizing() and isinstance(error, (ImportError, LookupError)):
            raise TransportError("no connection can be made: the interpreter is shutting down") from None
        if not _comes_from_double(error):
            raise
        answer = None
    if not isinstance(answer, RawResponse):
        raise _refusal(name_interceptor())
    return answer


def _comes_from_double(error: Exception) -> bool:
    """Whether it was raised by code between requests and our pools."""
    if isinstance(error, RequestException):
        return not has_reached_pools()
    return type(error).__module__.partition(".")[0] == name_interceptor()


def _refusal(who: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{who} answers requests in this process, and hf_text reads responses only from servers: nothing was sent. "
        "For tests use hf_text.emulator, a server on this machine"
    )
