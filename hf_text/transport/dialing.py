"""Connecting to a server: resolve its name, then connect a socket to the first address that accepts.

No step waits longer than the call allows or continues after the call is cancelled.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

from urllib3.util.wait import wait_for_write

from .call import Call, Wait
from .sockets import make_socket

__all__ = ["dial"]

# How often a thread that waits for a name or a connection checks for cancellation. Linux wakes a thread when its
# connecting socket is shut down; other systems do not, and none wakes a thread in getaddrinfo().
_CANCEL_POLL_SECONDS = 0.02
_SHUTDOWN_WAKES = sys.platform == "linux"


def dial(call: Call, host: str, port: int, options: Any) -> Generator[Wait, None, socket.socket]:
    """Connect to the first address of the host that accepts; each address gets its share of the time. A call that does
    not block needs a thread only for a name lookup.
    """
    addresses = yield from _resolve(call, host, port)
    failure: OSError | None = None
    for number, address in enumerate(addresses):
        try:
            return (yield from _connect(call, address, options, call.time_left() / (len(addresses) - number)))
        except OSError as error:
            failure = error
    raise failure or OSError(f"no address for {host}")


def _connect(call: Call, address: Any, options: Any, seconds: float) -> Generator[Wait, None, socket.socket]:
    family, kind, protocol, _, where = address
    ends = monotonic() + seconds
    sock = make_socket(family, kind, protocol)
    try:
        for option in options or ():
            sock.setsockopt(*option)
        call.attach(sock)
        sock.setblocking(False)
        with suppress(BlockingIOError):
            sock.connect(where)
        while not wait_for_write(sock, min(_CANCEL_POLL_SECONDS, call.time_left()) if call.blocking else 0):
            if monotonic() >= ends:
                raise TimeoutError(f"no answer from {where[0]} port {where[1]}")
            if not call.blocking:
                yield from _until_writable(call, ends)
        call.time_left()
        failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
        if call.blocking:
            sock.settimeout(call.time_left())
    except BaseException:  # Interrupted, Ctrl-C, or the reader abandoned the stream: nothing else holds the socket
        sock.close()
        call.release()
        raise
    return sock


def _until_writable(call: Call, ends: float) -> Iterator[Wait]:
    """Wait for the connecting socket, but not longer than its share of the time."""
    latest = ends if _SHUTDOWN_WAKES else min(ends, monotonic() + _CANCEL_POLL_SECONDS)
    deadline, call.deadline = call.deadline, min(call.deadline, latest)
    try:
        yield Wait.WRITE
    finally:
        call.deadline = deadline
    call.time_left()


def _resolve(call: Call, host: str, port: int) -> Generator[Wait, None, list[Any]]:
    """The addresses of a host. A separate thread runs getaddrinfo(), which cannot be stopped, so that the call can stop
    waiting for it.
    """
    host = host.strip("[]")
    name = host.encode() if sys.is_finalizing() else host  # the codec for a str cannot be imported at shutdown
    if host == "localhost" or _is_address(host):
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    yield from call.need_thread()
    answer: list[Any] = []
    ready = threading.Event()

    def look_up() -> None:
        try:
            answer.extend(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)
        finally:
            ready.set()

    _run_in_thread(look_up, f"hf_text-resolve-{host}")
    while not ready.wait(min(_CANCEL_POLL_SECONDS, call.time_left())):
        pass
    if isinstance(answer[0], UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name")
    if isinstance(answer[0], OSError):
        raise answer[0]
    yield Wait.TURN
    return answer


def _run_in_thread(work: Callable[[], None], name: str) -> None:
    """Run the work in a thread, or right here if none can be started: there are too many, or the interpreter is
    shutting down.
    """
    if not sys.is_finalizing():
        with suppress(RuntimeError):
            threading.Thread(target=work, name=name, daemon=True).start()
            return
    work()


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, ValueError):
            socket.inet_pton(family, host.partition("%")[0])
            return True
    return False
