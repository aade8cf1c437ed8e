"""What other tools put between this library and the network: instruments look on, test doubles answer themselves.

An instrument (Sentry, OpenTelemetry, Datadog …) replaces a function of http.client, urllib3 or requests by one that
looks at the answer as soon as that function returns. Where one does, the head of an answer is read at once, as those
libraries would do it; else it is read when it arrives.
"""

from __future__ import annotations

import http.client
import logging
import socket
from functools import lru_cache
from operator import is_
from types import FunctionType
from typing import Any

import requests.adapters
import requests.sessions
import urllib3.connectionpool
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

__all__ = ["find_double", "is_watched", "name_interceptor", "requests_is_wrapped"]

_LOG = logging.getLogger("urllib3.connectionpool")

# They replace what lies below the functions that are looked at here. One that is active is known by its module.
_DOUBLES = {"vcr": "vcrpy", "httpretty": "httpretty", "mocket": "mocket"}


def is_watched() -> bool:
    """Whether responses are inspected as soon as they arrive: by an instrument, or by urllib3's log."""
    return _LOG.isEnabledFor(logging.DEBUG) or requests_is_wrapped() or not all(map(is_, _receivers(), _OWN_RECEIVERS))


def requests_is_wrapped() -> bool:
    """Whether a function of requests that prepares or sends was replaced."""
    return not all(map(is_, _senders(), _OWN_SENDERS))


def find_double() -> str | None:
    """The test double that is active in this process and cannot be noticed by what it answers."""
    return _double_among(HTTPConnectionPool.ConnectionCls, socket.socket)


@lru_cache(maxsize=16)
def _double_among(*replaceable: type) -> str | None:
    names = (_DOUBLES.get(each.__module__.partition(".")[0]) for each in replaceable)
    return next(filter(None, names), None)


def name_interceptor() -> str:
    """Who stands between requests and this library's adapter, as far as can be told."""
    for function in (*_senders(), HTTPSConnectionPool.urlopen):
        module = str(function.__module__).partition(".")[0]
        if module not in ("requests", "urllib3"):
            return module
    return "another tool"


def _senders() -> tuple[Any, ...]:
    return (
        requests.sessions.Session.prepare_request,
        requests.sessions.Session.send,
        requests.sessions.Session.get_adapter,
        requests.adapters.HTTPAdapter.send,
    )


def _receivers() -> tuple[Any, ...]:
    return (
        HTTPSConnectionPool.urlopen,
        HTTPSConnectionPool._make_request,
        http.client.HTTPConnection.putrequest,
        http.client.HTTPConnection.getresponse,
    )


def _own(functions: tuple[Any, ...]) -> tuple[Any, ...]:
    """The functions, without those that were replaced already. What wraps one may look like it in every respect, and
    call itself equal to it, but not in its type and its globals.
    """
    modules = [vars(module) for module in (requests.sessions, requests.adapters, urllib3.connectionpool, http.client)]
    return tuple(
        each if type(each) is FunctionType and any(each.__globals__ is names for names in modules) else None
        for each in functions
    )


# Compared by identity, for each request.
_OWN_SENDERS = _own(_senders())
_OWN_RECEIVERS = _own(_receivers())
