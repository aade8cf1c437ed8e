"""Connections that belong to a call: urllib3's connections with the clocks and the cancellation of the call built in.

A thread sets the call it works for (``bound_to``) before it passes a request to requests. The connection of that
request then belongs to the call: it attaches its socket before it connects, and never waits longer than the call allows
in name resolution, connecting, TLS, sending, and each single read of the headers and the body.

This module, ``adapter`` and ``head`` hold all overrides of requests, urllib3 and http.client. Some of these interfaces
are not public. ``tests/transport/test_library_contract.py`` checks these assumptions with the oldest and the newest
versions:

===============================  =====================================================================================
``adapter.Adapter``              ``HTTPAdapter.send()`` calls ``get_connection_with_tls_context()`` for a pool (which
                                 calls ``build_connection_pool_key_attributes()``), ``cert_verify()`` and
                                 ``request_url()``, and passes urllib3's response to ``build_response()``. Pool
                                 managers create pools from ``pool_classes_by_scheme``
``_Pool``                        ``HTTPConnectionPool.urlopen()`` takes a connection from ``_get_conn()``, passes it to
                                 ``_make_request()``, and returns it with ``_put_conn()`` if that fails; ``pool``, a
                                 ``QueueCls``, holds the idle ones. ``_make_request()`` and ``_prepare_proxy()`` connect
``_CallBound``                   ``connect()`` creates its socket with ``_new_conn()``; ``request()`` sends everything
                                 with ``send()``. http.client's ``getresponse()`` creates a ``response_class`` and calls
                                 its ``begin()``; urllib3's would copy the response. Both treat a connection whose
                                 ``sock`` is set as open, such as one that was dialled in an event loop
``_Pool.send_again()``           the same as ``urlopen()`` and ``getresponse()`` for a request like the last one: take
                                 a connection, send, create a response with references to the pool and the connection
``head.RawResponse``             the attributes of a response that http.client, urllib3 and instruments use (see there)
===============================  =====================================================================================
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError, SSLError
from urllib3.util.ssltransport import SSLTransport
from urllib3.util.wait import wait_for_write

from .call import Call, Wait, run
from .dialing import dial
from .head import RawResponse
from .mask import Mask
from .secrets import SecretBytes
from .tls import shake_hands
from .upload import upload
from .wire import TLSInTLS

__all__ = ["POOLS", "NotReady", "bound_to", "has_reached_pools", "reach_pools"]

_MAX_HELD_BYTES = 65536

_this_thread = threading.local()


class NotReady(Exception):
    """No open connection accepts a request without waiting, and the call does not block. Nothing was sent."""


@contextmanager
def bound_to(call: Call, dialled: Any = None) -> Iterator[None]:
    """Bind the requests that this thread sends in the block to the call. The first one uses ``dialled``, if given."""
    _this_thread.call = call
    _this_thread.dialled = dialled
    _this_thread.mask = None
    try:
        yield
    finally:
        unused, _this_thread.dialled = _this_thread.dialled, None
        if unused is not None:
            unused.home.take_back(unused)
        del _this_thread.call


def has_reached_pools() -> bool:
    """Whether the last request of this thread has reached the pools of this module."""
    return _this_thread.mask is not None


def reach_pools(mask: Mask, headers: Any) -> None:
    """Note that the request of this thread has reached the pools, and mask its secrets and its headers in prints."""
    _this_thread.mask, _this_thread.headers = mask, headers


class _CallBound:
    """Mixin that binds urllib3's connections to a call."""

    call: Call
    home: Any = None  # the pool of a connection that was dialled and not taken yet
    _held: bytes | None = None  # bytes buffered to be sent together with the next ones
    head: bytes | None = None  # the head of the last request that urllib3 sent
    _early = b""  # bytes of the response that arrived during the upload
    cut_short = False  # the request was not sent completely: the connection cannot be reused

    def _new_conn(self) -> socket.socket:
        return run(self._dial())

    def _dial(self) -> Generator[Wait, None, socket.socket]:
        conn = cast(HTTPConnection, self)
        try:
            port = conn.port or conn.default_port
            return (yield from dial(self.call, conn._dns_host, port, conn.socket_options))
        except socket.gaierror as error:
            raise NameResolutionError(conn.host, conn, error) from error
        except OSError as error:
            raise NewConnectionError(conn, f"Failed to establish a new connection: {error}") from error

    def open(self) -> Generator[Wait, None, None]:
        """Like ``connect()`` without a proxy, for a call that does not block."""
        cast(HTTPConnection, self).sock = yield from self._dial()

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.call.start_clock("first")

    def request(self, *args: Any, **options: Any) -> None:
        """Send a short head and body in one packet; http.client would send two."""
        conn = cast(HTTPConnection, self)
        if conn.sock is None:
            self.connect()  # before any variable holds the head with the key
        self._held, self._early = b"", b""
        try:
            super().request(*args, **options)  # type: ignore[misc]
            self._send_held()
        finally:
            self._held = None

    def send(self, data: Any) -> None:
        if self._held is not None and len(self._held) + len(data) <= _MAX_HELD_BYTES:
            if not self._held:
                self.head = SecretBytes(data)
            self._held += data
            return
        self._send_held()
        self.send_now(data)

    def _send_held(self) -> None:
        held, self._held = self._held and SecretBytes(self._held), None
        if held:
            self.send_now(held)

    def send_now(self, data: Any) -> None:
        conn = cast(HTTPConnection, self)
        if conn.sock is None:
            self.connect()
        left = self.call.time_left()
        if not 0.98 * left <= (conn.sock.gettimeout() or 0) <= left:  # setting it costs a system call
            conn.sock.settimeout(left)
        try:
            if conn.debuglevel > 0:  # http.client would print the key
                print("send:", repr(_this_thread.mask.with_headers(_this_thread.headers)(bytes(data))))
                conn.sock.sendall(data)
            elif len(data) > _MAX_HELD_BYTES and not isinstance(conn.sock, SSLTransport):  # SSLTransport always blocks
                self._early, whole = upload(conn.sock, data, self.call)
                self.cut_short = not whole
            else:
                super().send(data)  # type: ignore[misc]
        except ssl.SSLEOFError as error:  # on BrokenPipeError urllib3 still reads a response sent before the close
            raise BrokenPipeError(str(error)) from error

    def send_at_once(self, data: bytes) -> None:
        """Send a short request without waiting. Raises NotReady if the connection does not accept all of it: the server
        has not read the last request, so another connection is better, and it does not answer a partial request.
        """
        sock = cast(HTTPConnection, self).sock
        self.call.time_left()
        if sock.gettimeout() != 0:
            sock.settimeout(0)
        try:
            sent = sock.send(data)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except ssl.SSLEOFError as error:
            raise BrokenPipeError(str(error)) from error
        if sent < len(data):
            raise NotReady

    def getresponse(self) -> Any:
        """Return http.client's response, whose head is not read yet; urllib3 would convert it to its own object."""
        return super(HTTPConnection, cast(HTTPConnection, self)).getresponse()

    def response_class(self, sock: Any, *debuglevel: int, **options: Any) -> RawResponse:
        """Create the response object. http.client calls this name."""
        source: Any = TLSInTLS(sock) if isinstance(sock, SSLTransport) else sock
        response = RawResponse(source, self.call, *debuglevel, **options)
        response.unread, self._early = self._early, b""
        return response


class _PlainConnection(_CallBound, HTTPConnection):  # type: ignore[misc]  # response_class: http.client only calls it
    pass


class _TLSConnection(_CallBound, HTTPSConnection):  # type: ignore[misc]  # as above
    def open(self) -> Generator[Wait, None, None]:
        yield from super().open()
        sock, self.sock, context = self.sock, None, cast(ssl.SSLContext, self.ssl_context)
        try:
            self.sock = yield from shake_hands(self.call, sock, context, self.server_hostname or self.host)
        except ssl.SSLError as error:
            raise SSLError(error) from error
        self.is_verified = context.verify_mode == ssl.CERT_REQUIRED


class _Idle(queue.LifoQueue[Any]):
    """The idle connections. No thread ever waits for one, so no lock is needed: the list methods used here are atomic.
    A signal handler or the garbage collector may return a connection while another one is being taken.
    """

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        try:
            return self.queue.pop()
        except IndexError:
            raise queue.Empty from None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if len(self.queue) >= self.maxsize:
            raise queue.Full
        self.queue.append(item)


class _Pool(HTTPConnectionPool):
    """Binds a connection to the call that takes it, and unbinds it before another call can take it."""

    ConnectionCls: Any = _PlainConnection
    QueueCls = _Idle

    retired = False  # returned connections are closed

    def retire(self) -> None:
        """Close the idle connections now, and those in use when they are returned.

        urllib3 would close them only when the last reference to the pool is gone, and every traceback holds one.
        """
        self.retired = True
        idle: Any = self.pool
        with suppress(queue.Empty, AttributeError):  # no connection is left; the pool is closed
            while True:
                conn = idle.get()
                if conn is not None:
                    conn.close()

    def dial(self, call: Call) -> Generator[Wait, None, Any]:
        """Open a connection for a call that does not block; None if the pool has an open one by now. Raises what
        urllib3 raises.
        """
        conn: Any = super()._get_conn()
        if conn.sock is not None:
            super()._put_conn(conn)
            return None
        conn.call, conn.home, call.reused = call, self, False
        call.start_clock("connect")
        try:
            yield from conn.open()
        except BaseException:  # Interrupted, Ctrl-C, or the reader abandoned the stream
            self.take_back(conn)
            raise
        call.start_clock("first")
        return conn

    def take_back(self, conn: Any) -> None:
        """Close a connection that was dialled and not used."""
        conn.home = None
        conn.close()
        self._put_conn(conn)

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn, _this_thread.dialled = _this_thread.dialled, None
        if conn is None:
            conn = self._take(_this_thread.call)
            if not conn.call.blocking and not _takes_a_request(conn.sock):
                conn.close()
                raise NotReady
        conn.home = None  # no reference cycle
        return conn

    def _take(self, call: Call) -> Any:
        """A connection for the call: an idle one, else a new one."""
        conn: Any = super()._get_conn()
        conn.call = call
        call.reused = conn.sock is not None
        if not call.blocking and not call.reused:
            raise NotReady
        call.start_clock("first" if call.reused else "connect")
        if call.reused:
            try:
                call.attach(_descriptor(conn.sock))
            except BaseException:  # Interrupted, Ctrl-C: urllib3 cannot close a connection that it does not have yet
                conn.close()
                raise
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.call.release()
            del conn.call
            if self.retired or conn.cut_short:
                conn.close()
                return
        try:
            cast(Any, self.pool).put(conn)
        except (queue.Full, AttributeError):  # the pool is full or closed; urllib3 would print a warning
            if conn is not None:
                conn.close()

    def send_again(self, call: Call, head: bytes, body: bytes, dialled: Any) -> RawResponse | None:
        """Send a short request, with a head that urllib3 wrote for an earlier one, on ``dialled`` or on an idle
        connection; None if there is neither.

        Raises what the socket raises, but not BrokenPipeError: as in urllib3, the server may have sent a response
        before it closed the connection.
        """
        if self.ConnectionCls.debuglevel > 0 or not (dialled or self.has_open_connection()):
            return None
        conn = dialled or self._take(call)
        if conn.sock is None:
            self._put_conn(conn)
            return None
        conn.home = None  # no reference cycle
        try:
            with suppress(BrokenPipeError):
                (conn.send_now if call.blocking else conn.send_at_once)(SecretBytes(head + body))
        except BaseException:  # Interrupted, Ctrl-C
            conn.close()
            self._put_conn(conn)
            raise
        raw: RawResponse = conn.response_class(conn.sock, method="POST")
        raw._pool, raw._connection = self, conn
        return raw

    def has_open_connection(self) -> bool:
        """Whether there is an idle connection. The connection itself is not tested."""
        idle: list[Any] = self.pool.queue[-1:] if self.pool is not None else []
        return bool(idle) and idle[0] is not None and idle[0].sock is not None


def _takes_a_request(sock: Any) -> bool:
    """Whether the send buffer has room for a short request, because the server received the previous one."""
    return bool(wait_for_write(_descriptor(sock), 0))


def _descriptor(sock: Any) -> Any:
    """The underlying socket, whose descriptor can be waited on."""
    return sock.socket if isinstance(sock, SSLTransport) else sock


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls: Any = _TLSConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connect as urllib3 does here, but without its warning about ``verify=False``, which the caller chose."""
        if conn.is_closed:
            conn.connect()


POOLS: dict[str, Any] = {"http": _Pool, "https": _TLSPool}
