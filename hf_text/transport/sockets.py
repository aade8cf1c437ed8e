"""Connections that belong to a call: urllib3's, with our clocks and our off switch built in.

A thread says which call it works for (``working_for``) before it hands a request to requests. From there on the
connection of that request knows its call: it tells it the socket before it connects, and it never waits longer than
the call allows, in name resolution, connecting, TLS, sending, and each single read of the headers and the body.
"""

from __future__ import annotations

import io
import ipaddress
import math
import os
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPResponse as RawResponse
from typing import Any, cast

from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests.exceptions import InvalidSchema
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.wait import wait_for_write

from ..errors import InvalidRequestError
from .call import Call, Interrupted

__all__ = ["Adapter", "Wire", "unread_bytes", "working_for"]

# How often a thread that waits for a name or a connection looks whether it was cancelled. Linux wakes a thread
# whose connecting socket is shut down; other systems do not, and none wakes a thread in getaddrinfo().
_LOOK_AGAIN = 0.02

_BUFFER_BYTES = 65536
_MOST_UNBROKEN_BYTES = 65536
_MOST_WAYS = 1000

_this_thread = threading.local()


@contextmanager
def working_for(call: Call) -> Iterator[None]:
    """Requests that this thread sends inside belong to the call."""
    _this_thread.call = call
    try:
        yield
    finally:
        del _this_thread.call


class _Belonging:
    """Mixed into urllib3's connections: what belongs to a call."""

    call: Call

    def _new_conn(self) -> socket.socket:
        conn = cast(HTTPConnection, self)
        try:
            return _open_socket(self.call, conn._dns_host, conn.port or conn.default_port, conn.socket_options)
        except socket.gaierror as error:
            raise NameResolutionError(conn.host, conn, error) from error
        except OSError as error:
            raise NewConnectionError(conn, f"Failed to establish a new connection: {error}") from error

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.call.start_clock("first")

    def send(self, data: Any) -> None:
        conn = cast(HTTPConnection, self)
        if conn.sock is None:
            self.connect()
        conn.sock.settimeout(self.call.time_left())
        super().send(data)  # type: ignore[misc]

    def response_class(self, sock: socket.socket, **options: Any) -> RawResponse:
        """http.client makes the object that reads an answer by this name."""
        return _RawAnswer(cast(socket.socket, _File(sock, self.call)), **options)


class _RawAnswer(RawResponse):
    def begin(self) -> None:
        super().begin()
        # urllib3 would log what the parser left over, with a traceback, which prints.
        self.msg.defects.clear()
        self.msg.set_payload("")

    def _read_status(self) -> tuple[str, int, str]:
        """http.client passes over 100 only, not over the other interim answers (RFC 9110, section 15.2)."""
        version, status, reason = super()._read_status()  # type: ignore[misc]
        return version, 100 if 101 < status < 200 else status, reason


class _PlainConnection(_Belonging, HTTPConnection):  # type: ignore[misc]  # response_class: http.client only calls it
    pass


class _TLSConnection(_Belonging, HTTPSConnection):  # type: ignore[misc]  # as above
    pass


class _Pool(HTTPConnectionPool):
    """Binds a connection to the call that takes it, and parts them before anyone else can take it."""

    ConnectionCls: Any = _PlainConnection

    retired = False  # what comes back is closed

    def retire(self) -> None:
        """Close the connections that are kept alive now; those in use are closed when they come back.

        urllib3 would close them only when nobody holds on to the pool any more, and every traceback does.
        """
        self.retired = True
        idle: Any = self.pool
        while idle is not None and not idle.empty():
            with suppress(queue.Empty):  # another thread was quicker
                conn = idle.get(block=False)
                if conn is not None:
                    conn.close()

    def _get_conn(self, timeout: float | None = None) -> Any:
        call: Call = _this_thread.call
        conn: Any = super()._get_conn(timeout)
        conn.call = call
        call.reused = conn.sock is not None
        call.start_clock("first" if call.reused else "connect")
        if call.reused:
            try:
                call.attach(conn.sock)
            except BaseException:
                conn.close()
                raise
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.call.release()
            del conn.call
            if self.retired or (self.pool is not None and self.pool.full()):  # urllib3 would warn, which prints
                conn.close()
                return
        super()._put_conn(conn)


class _TLSPool(_Pool, HTTPSConnectionPool):
    ConnectionCls: Any = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class Adapter(HTTPAdapter):
    """The requests adapter that uses these connections. One TLS context serves all of them: reading the CA bundle
    takes 20 ms.
    """

    def __init__(self) -> None:
        self._contexts: dict[bool | str, ssl.SSLContext] = {}
        self._making = threading.Lock()
        self._ways: dict[str, tuple[Any, str]] = {}
        super().__init__(pool_connections=32, pool_maxsize=64)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("socks"):  # their connections are urllib3's own, which belong to no call
            raise InvalidSchema("SOCKS proxies are not supported, only http:// and https:// ones")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def close(self) -> None:
        """Close the connections that are kept alive. Those in use go on."""
        for pool, _ in list(self._ways.values()):
            pool.retire()
        super().close()

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool for a request. It depends on the address alone: an adapter has one set of proxies."""
        pool, _ = self._ways.get(request.url, (None, ""))
        if pool is None or pool.pool is None:  # closed: urllib3 keeps a limited number of pools
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            if len(self._ways) >= _MOST_WAYS:
                self._ways.clear()
            self._ways[request.url] = pool, super().request_url(request, proxies)
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """What stands in the first line of the request."""
        way = self._ways.get(request.url)
        return way[1] if way else super().request_url(request, proxies)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            return host, {"ssl_context": self._context(verify)}
        return host, options

    def build_response(self, request: Any, raw: Any) -> Any:
        """urllib3's answer as it is. To make requests' own object of it (cookies, history) takes longer than to send
        the request.
        """
        return raw

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing is left to set: the shared context has it all."""

    def _context(self, verify: bool | str) -> ssl.SSLContext:
        with self._making:
            context = self._contexts.get(verify)
            if context is None:
                context = self._contexts[verify] = _make_context(verify)
            return context


def _make_context(verify: bool | str) -> ssl.SSLContext:
    context = create_urllib3_context()
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    bundle = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
    context.verify_mode = ssl.CERT_REQUIRED
    where = "capath" if os.path.isdir(bundle) else "cafile"
    try:
        context.load_verify_locations(**{where: bundle})
    except OSError as error:
        raise InvalidRequestError(f"verify: the CA bundle {bundle!r} cannot be used ({error})") from error
    return context


class _File:
    """Stands for a socket where http.client makes a file of it."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call

    def makefile(self, mode: str) -> io.BufferedReader:
        self._call.reader = io.BufferedReader(Wire(self._sock, self._call), _BUFFER_BYTES)
        return self._call.reader


class Wire(io.RawIOBase):
    """The receiving end of a connection: each read takes no longer than the call allows."""

    def __init__(self, sock: socket.socket, call: Call) -> None:
        self._sock = sock
        self._call = call
        self._timeout = math.inf  # what the socket's is set to
        self._paused = False
        self._unbroken_bytes = 0  # received since others had their turn
        self._open = sock.makefile(
            "rb", buffering=0
        )  # keeps the socket open until the answer is read, as http.client expects

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """For http.client, which reads the headers."""
        if self._paused:
            return None
        data = self.receive(len(buffer))
        assert data is not None
        buffer[: len(data)] = data
        return len(data)

    def receive(self, most: int) -> bytes | None:
        """The bytes that have arrived; ``b""`` once the connection is closed. For a call that does not block None if
        there are none yet, and now and then in any case: then others get their turn.

        Raises Interrupted if the call may not go on, OSError if the connection breaks.
        """
        call, sock = self._call, self._sock
        while True:
            left = call.time_left() if call.blocking else 0.0
            if not call.blocking and self._unbroken_bytes >= _MOST_UNBROKEN_BYTES:
                self._unbroken_bytes = 0  # a fast provider must not keep the event loop to itself
                return None
            # Setting the timeout costs a system call, so it may be 2 % off: while tokens come it need not be set again.
            if self._timeout > left * 1.02 or (left and not self._timeout):
                sock.settimeout(left)
                self._timeout = left
            try:
                data = sock.recv(most)
            except TimeoutError:  # perhaps the one of an earlier read, which was shorter
                self._timeout = math.inf
                continue
            except (BlockingIOError, ssl.SSLWantReadError):
                call.time_left()
                return None
            except OSError:
                if call.cancelled:  # a socket that is shut down may tell so by an error
                    raise Interrupted from None
                raise
            if call.cancelled:  # the socket was shut down: this is no end of the answer
                raise Interrupted
            self._unbroken_bytes += len(data)
            return data

    def close(self) -> None:
        self._open.close()
        super().close()


def unread_bytes(reader: io.BufferedReader) -> bytes:
    """What http.client received together with the headers, and did not use."""
    wire = cast(Wire, reader.raw)
    wire._paused = True
    try:
        return reader.peek()
    finally:
        wire._paused = False


def _open_socket(call: Call, host: str, port: int, options: Any) -> socket.socket:
    """Connect to the first address of the host that answers; each gets its share of the time."""
    addresses = _resolve(call, host, port)
    failure: OSError | None = None
    for number, address in enumerate(addresses):
        try:
            return _connect(call, address, options, call.time_left() / (len(addresses) - number))
        except OSError as error:
            failure = error
    raise failure or OSError(f"no address for {host}")


def _connect(call: Call, address: Any, options: Any, seconds: float) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    try:
        for option in options or ():
            sock.setsockopt(*option)
        call.attach(sock)
        sock.setblocking(False)
        sock.connect_ex(where)
        waited = 0.0
        while not wait_for_write(sock, min(_LOOK_AGAIN, call.time_left())):
            waited += _LOOK_AGAIN
            if waited >= seconds:
                raise TimeoutError(f"no answer from {where[0]} port {where[1]}")
        call.time_left()
        failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
        sock.settimeout(call.time_left())
    except BaseException:
        sock.close()
        call.release()
        raise
    return sock


def _resolve(call: Call, host: str, port: int) -> list[Any]:
    """The addresses of a host, found in a thread of its own: nothing can stop getaddrinfo(), but nobody has to wait
    for it.
    """
    host = host.strip("[]")
    if host == "localhost" or _is_address(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    answer: list[Any] = []
    ready = threading.Event()

    def look_up() -> None:
        try:
            answer.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)
        finally:
            ready.set()

    threading.Thread(target=look_up, name=f"hf_text-resolve-{host}", daemon=True).start()
    while not ready.wait(min(_LOOK_AGAIN, call.time_left())):
        pass
    if isinstance(answer[0], UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "not a valid host name")
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
