"""What other tools put between this library and the network: instruments look on, test doubles answer themselves.

An instrument (Sentry, OpenTelemetry, Datadog …) replaces a function of http.client, urllib3 or requests by one that
looks at the answer as soon as that function returns. Where one does, the head of an answer is read at once, as those
libraries would do it; else it is read when it arrives.
"""

from __future__ import annotations

import http.client
import logging
import socket
from types import FunctionType, ModuleType
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
    return (
        _LOG.isEnabledFor(logging.DEBUG)
        or requests_is_wrapped()
        or _has_foreign(
            (
                (HTTPSConnectionPool.urlopen, urllib3.connectionpool),
                (HTTPSConnectionPool._make_request, urllib3.connectionpool),
                (http.client.HTTPConnection.putrequest, http.client),
                (http.client.HTTPConnection.getresponse, http.client),
            )
        )
    )


def requests_is_wrapped() -> bool:
    """Whether a function of requests that prepares or sends was replaced."""
    return _has_foreign(_senders())


def find_double() -> str | None:
    """The test double that is active in this process and cannot be noticed by what it answers."""
    replaceable: tuple[type, ...] = (HTTPConnectionPool.ConnectionCls, socket.socket)
    for replaced in replaceable:
        name = _DOUBLES.get(replaced.__module__.partition(".")[0])
        if name is not None:
            return name
    return None


def name_interceptor() -> str:
    """Who stands between requests and this library's adapter, as far as can be told."""
    for function, module in (*_senders(), (HTTPSConnectionPool.urlopen, urllib3.connectionpool)):
        if _has_foreign(((function, module),)) and function.__module__ != module.__name__:
            return str(function.__module__).partition(".")[0]
    return "another tool"


def _senders() -> tuple[tuple[Any, ModuleType], ...]:
    return (
        (requests.sessions.Session.prepare_request, requests.sessions),
        (requests.sessions.Session.send, requests.sessions),
        (requests.sessions.Session.get_adapter, requests.sessions),
        (requests.adapters.HTTPAdapter.send, requests.adapters),
    )


def _has_foreign(functions: tuple[tuple[Any, ModuleType], ...]) -> bool:
    """Whether one of these is not the function that its module defines. What wraps one may look like it in every
    respect but its type and its globals. Asked for each request.
    """
    for function, module in functions:
        if type(function) is not FunctionType or function.__globals__ is not module.__dict__:
            return True
    return False
