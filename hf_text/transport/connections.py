"""Connections that belong to a call: urllib3's, with our clocks and our off switch built in.

A thread says which call it works for (``bound_to``) before it hands a request to requests. From there on the
connection of that request knows its call: it hands it the socket before it connects, and it never waits longer than
the call allows, in name resolution, connecting, TLS, sending, and each single read of the headers and the body.

This module, ``adapter`` and ``head`` are the seam to the libraries: they hold all that is overridden of requests,
urllib3 and http.client. Some of it is not a public interface of theirs.
``tests/transport/test_library_contract.py`` holds what they depend on, for the oldest and the newest versions:

===============================  =====================================================================================
``adapter.Adapter``              ``HTTPAdapter.send()`` asks for a pool (``get_connection_with_tls_context()``, which
                                 asks for ``build_connection_pool_key_attributes()``), for ``cert_verify()`` and for
                                 ``request_url()``, and hands what urllib3 answers to ``build_response()``. Pool
                                 managers make pools of ``pool_classes_by_scheme``
``_Pool``                        ``HTTPConnectionPool.urlopen()`` takes a connection by ``_get_conn()``, gives it to
                                 ``_make_request()``, and gives it back by ``_put_conn()`` if that fails; idle ones
                                 stand in ``pool``, a ``QueueCls``. ``_make_request()`` and ``_prepare_proxy()`` connect
``_CallBound``                   ``connect()`` makes its socket by ``_new_conn()``; ``request()`` sends all by
                                 ``send()``. http.client's ``getresponse()`` makes an answer by ``response_class`` and
                                 lets it ``begin()``; urllib3's would copy it. A connection whose ``sock`` is set is
                                 open for both: one that was dialled in an event loop
``_Pool.send_again()``           what ``urlopen()`` and ``getresponse()`` do for a request like the last one: take a
                                 connection, send, make a response that knows both
``head.RawResponse``             what http.client, urllib3 and instruments look at of an answer (see there)
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
    """No open connection can take a request at once, and the call does not block. Nothing was sent."""


@contextmanager
def bound_to(call: Call, dialled: Any = None) -> Iterator[None]:
    """Requests that this thread sends inside belong to the call; the first takes the connection, if one is given."""
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
    """Whether the request that this thread sent last has come as far as our pools."""
    return _this_thread.mask is not None


def reach_pools(mask: Mask, headers: Any) -> None:
    """The request of this thread has come as far as our pools. What is printed of it is masked, its headers too."""
    _this_thread.mask, _this_thread.headers = mask, headers


class _CallBound:
    """Mixed into urllib3's connections: what belongs to a call."""

    call: Call
    home: Any = None  # the pool, of one that was dialled and not taken yet
    _held: bytes | None = None  # what waits to be sent with what follows
    head: bytes | None = None  # of the last request that urllib3 sent
    _early = b""  # what came of the response before all was sent
    cut_short = False  # not all was sent: no other request can follow

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
        """As ``connect()`` without a proxy, for a call that does not block."""
        cast(HTTPConnection, self).sock = yield from self._dial()

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.call.start_clock("first")

    def request(self, *args: Any, **options: Any) -> None:
        """Send the head and the body in one packet, if they are short: http.client would send two."""
        conn = cast(HTTPConnection, self)
        if conn.sock is None:
            self.connect()  # before there is a variable that holds the head, and the key in it
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
            if conn.debuglevel > 0:  # http.client would print it with the key
                print("send:", repr(_this_thread.mask.with_headers(_this_thread.headers)(bytes(data))))
                conn.sock.sendall(data)
            elif len(data) > _MAX_HELD_BYTES and not isinstance(conn.sock, SSLTransport):  # that one always blocks
                self._early, whole = upload(conn.sock, data, self.call)
                self.cut_short = not whole
            else:
                super().send(data)  # type: ignore[misc]
        except ssl.SSLEOFError as error:  # urllib3 continues to what the server said before it closed, as without TLS
            raise BrokenPipeError(str(error)) from error

    def send_at_once(self, data: bytes) -> None:
        """Send a short request without waiting. Raises NotReady if the connection does not take all of it: who has not
        read the last request is better asked on another connection, and does not answer a part of one.
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
        """The answer, its head still to be read, as http.client gives it; urllib3 would make its own object of it."""
        return super(HTTPConnection, cast(HTTPConnection, self)).getresponse()

    def response_class(self, sock: Any, *debuglevel: int, **options: Any) -> RawResponse:
        """http.client makes the object that reads an answer by this name."""
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
    """The connections that are kept alive. Nobody ever waits for one, so that it needs no lock: what is called here of
    a list is atomic. A signal handler, or the garbage collector, may give one back while another is taken.
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
    """Binds a connection to the call that takes it, and parts them before anyone else can take it."""

    ConnectionCls: Any = _PlainConnection
    QueueCls = _Idle

    retired = False  # what comes back is closed

    def retire(self) -> None:
        """Close the connections that are kept alive now; those in use are closed when they come back.

        urllib3 would close them only when the last reference to the pool is gone, and every traceback holds one.
        """
        self.retired = True
        idle: Any = self.pool
        with suppress(queue.Empty, AttributeError):  # all are closed; there is no pool any more
            while True:
                conn = idle.get()
                if conn is not None:
                    conn.close()

    def dial(self, call: Call) -> Generator[Wait, None, Any]:
        """Open a connection for the call, which does not block; None if there is an open one by now. Raises what
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
        except BaseException:  # Interrupted, Ctrl-C, the reader left
            self.take_back(conn)
            raise
        call.start_clock("first")
        return conn

    def take_back(self, conn: Any) -> None:
        """A connection that was dialled is not used: close it."""
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
        conn.home = None  # the pool would hold itself
        return conn

    def _take(self, call: Call) -> Any:
        """A connection for the call: one that is kept alive, else a new one."""
        conn: Any = super()._get_conn()
        conn.call = call
        call.reused = conn.sock is not None
        if not call.blocking and not call.reused:
            raise NotReady
        call.start_clock("first" if call.reused else "connect")
        if call.reused:
            try:
                call.attach(_descriptor(conn.sock))
            except BaseException:  # Interrupted, Ctrl-C: urllib3 does not know yet that it has the connection
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
        except (queue.Full, AttributeError):  # there is no pool any more; urllib3 would warn, which prints
            if conn is not None:
                conn.close()

    def send_again(self, call: Call, head: bytes, body: bytes, dialled: Any) -> RawResponse | None:
        """Send a short request whose head urllib3 wrote before, on the connection that was dialled for it, or on one
        that is kept alive; None if there is none.

        Raises what the socket raises. As with urllib3, a server that closed may have said why before.
        """
        if self.ConnectionCls.debuglevel > 0 or not (dialled or self.has_open_connection()):
            return None
        conn = dialled or self._take(call)
        if conn.sock is None:
            self._put_conn(conn)
            return None
        conn.home = None  # the pool would hold itself
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
        """Whether a connection is kept alive, as far as can be seen without testing it."""
        idle: list[Any] = self.pool.queue[-1:] if self.pool is not None else []
        return bool(idle) and idle[0] is not None and idle[0].sock is not None


def _takes_a_request(sock: Any) -> bool:
    """Whether what was sent before was received, so that there is room for a short request."""
    return bool(wait_for_write(_descriptor(sock), 0))


def _descriptor(sock: Any) -> Any:
    """What can be waited for of a connection."""
    return sock.socket if isinstance(sock, SSLTransport) else sock


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls: Any = _TLSConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connect, as urllib3 does here, without its warning: who passes ``verify=False`` knows."""
        if conn.is_closed:
            conn.connect()


POOLS: dict[str, Any] = {"http": _Pool, "https": _TLSPool}
