"""Detects other tools between this library and the network: instruments that observe, test doubles that respond.

An instrument (Sentry, OpenTelemetry, Datadog …) replaces a function of http.client, urllib3 or requests with a wrapper
that inspects the response as soon as the function returns. If one is installed, the head of a response is read at once,
as those libraries do; else it is read when it arrives.
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

# Test doubles that replace something below the functions compared here. An active one is recognized by its module.
_DOUBLES = {"vcr": "vcrpy", "httpretty": "httpretty", "mocket": "mocket"}


def is_watched() -> bool:
    """Whether an instrument or urllib3's log inspects responses at once."""
    return _LOG.isEnabledFor(logging.DEBUG) or requests_is_wrapped() or not all(map(is_, _receivers(), _OWN_RECEIVERS))


def requests_is_wrapped() -> bool:
    """Whether a function of requests that prepares or sends requests was replaced."""
    return not all(map(is_, _senders(), _OWN_SENDERS))


def find_double() -> str | None:
    """The active test double, if its responses cannot reveal it; else None."""
    return _double_among(HTTPConnectionPool.ConnectionCls, socket.socket)


@lru_cache(maxsize=16)
def _double_among(*replaceable: type) -> str | None:
    names = (_DOUBLES.get(each.__module__.partition(".")[0]) for each in replaceable)
    return next(filter(None, names), None)


def name_interceptor() -> str:
    """The name of the tool between requests and the adapter of this library, as far as it can be determined."""
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
    """The functions, with None for those that were already replaced. A wrapper may imitate its function in every
    respect, even compare equal to it, except for its type and its globals.
    """
    modules = [vars(module) for module in (requests.sessions, requests.adapters, urllib3.connectionpool, http.client)]
    return tuple(
        each if type(each) is FunctionType and any(each.__globals__ is names for names in modules) else None
        for each in functions
    )


# Compared by identity for each request.
_OWN_SENDERS = _own(_senders())
_OWN_RECEIVERS = _own(_receivers())
