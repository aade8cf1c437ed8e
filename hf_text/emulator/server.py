"""A small HTTP/1.1 server on loopback: a listener, one thread per connection, and counters.

It answers through a method that subclasses define, and is independent of Hugging Face. Each connection's thread blocks
only on its own socket, so closing the server only has to shut down the sockets: then every thread ends at once.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from .connection import ClientLeftError, Connection
from .replies import Response
from .request import Request, UnreadableRequestError, read_request
from .sending import send_reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

__all__ = ["Server"]

_S = TypeVar("_S", bound="Server")
_BACKLOG = 1024
_JOIN_SECONDS = 5.0


class Server:
    """Serves the responses of ``handle``, from `start` until `close`. Thread-safe; cannot be restarted.

    Attributes:
        failures: exceptions from the code of a reply, such as a body's generator. They occur in a connection's thread,
            so leaving the ``with`` block raises the first one.
    """

    def __init__(self, *, port: int = 0, tls: tuple[str, str] | None = None) -> None:
        self.failures: list[Exception] = []
        self._port = port
        self._tls = tls
        self._ssl: ssl.SSLContext | None = None
        self._listener: socket.socket | None = None
        self._address = ("127.0.0.1", 0)
        self._closing = threading.Event()
        self.changed: threading.Condition = threading.Condition()  # guards everything below
        self._requests: list[Request] = []
        self._connections = 0
        self._disconnects = 0
        self._open: dict[Connection, threading.Thread] = {}
        self._acceptor: threading.Thread | None = None

    def handle(self, request: Request) -> Response:
        """Return the response to a request. Called in the connection's thread."""
        raise NotImplementedError

    # Lifecycle

    def start(self: _S) -> _S:
        """Bind to 127.0.0.1 and start serving. Returns the server itself."""
        if self._listener is not None:
            raise RuntimeError("this server was started before")
        if self._tls is not None:
            self._ssl = _load_tls(*self._tls)
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=_BACKLOG)
        self._address = self._listener.getsockname()
        self._acceptor = threading.Thread(target=self._accept, name="hf-text-emulator", daemon=True)
        self._acceptor.start()
        return self

    def close(self) -> None:
        """Stop accepting connections, and shut down all open ones, even during a response."""
        if self._listener is None or self._closing.is_set():
            return
        self._closing.set()
        self._wake_acceptor(self._listener)
        assert self._acceptor is not None
        self._acceptor.join(_JOIN_SECONDS)
        self._listener.close()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in self.drop_connections():
            if thread is not threading.current_thread():  # a reply's code may close its own server
                thread.join(max(0.0, deadline - time.monotonic()))

    def drop_connections(self) -> list[threading.Thread]:
        """Shut down all open connections, like a restart of the server. Returns the threads that served them."""
        with self.changed:
            dropped = dict(self._open)
        for connection in dropped:
            connection.drop()
        return list(dropped.values())

    def __enter__(self: _S) -> _S:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close()
        if self.failures and kind is None:
            raise self.failures[0]

    def _wake_acceptor(self, listener: socket.socket) -> None:
        # On Linux, shutdown() ends accept(). Elsewhere it fails, and connecting to the listener does it.
        try:
            listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            with suppress(OSError):
                socket.create_connection(self._address, timeout=1).close()

    # Observations

    @property
    def url(self) -> str:
        """The base URL: ``"http://127.0.0.1:PORT"``, or ``https`` with TLS."""
        if self._listener is None:
            raise RuntimeError("not started: use it in a with statement, or call start()")
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._address[1]}"

    @property
    def requests(self) -> list[Request]:
        """The requests received so far, oldest first (a copy)."""
        with self.changed:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """The number of accepted TCP connections."""
        with self.changed:
            return self._connections

    @property
    def open_connections(self) -> int:
        """The number of open TCP connections."""
        with self.changed:
            return len(self._open)

    @property
    def disconnects(self) -> int:
        """How often a client disconnected before its reply was complete.

        This is limited by what the emulator can observe: data accepted by the operating system counts as sent, and a
        client that closes only its sending side counts as disconnected if the emulator pauses, holds or stalls.
        """
        with self.changed:
            return self._disconnects

    def wait_for_requests(self, n: int = 1, timeout: float = 5) -> list[Request]:
        """Block until n requests have arrived in total; returns all requests. Raises TimeoutError after ``timeout``
        seconds.
        """
        self._wait(lambda: len(self._requests) >= n, timeout, lambda: f"{len(self._requests)} of {n} requests arrived")
        return self.requests

    def wait_for_disconnect(self, n: int = 1, timeout: float = 5) -> None:
        """Block until clients have disconnected n times in total. Raises TimeoutError after ``timeout`` seconds."""
        self._wait(lambda: self._disconnects >= n, timeout, lambda: f"{self._disconnects} of {n} clients hung up")

    def wait_until_idle(self, timeout: float = 5) -> None:
        """Block until no connection is open. Raises TimeoutError after ``timeout`` seconds."""
        self._wait(lambda: not self._open, timeout, lambda: f"{len(self._open)} connections are still open")

    def _wait(self, condition: Callable[[], bool], timeout: float, describe: Callable[[], str]) -> None:
        with self.changed:
            if not self.changed.wait_for(condition, timeout):
                raise TimeoutError(f"{describe()} within {timeout} s")

    # Serving

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:  # the listener is closed; or no descriptor is free, or the client has disconnected: retry
                self._closing.wait(0.01)
            else:
                self._begin(sock)

    def _begin(self, sock: socket.socket) -> None:
        if self._closing.is_set():
            sock.close()
            return
        with self.changed:
            self._connections += 1
            try:
                connection = Connection(sock, self._connections)
            except OSError:  # the client has already disconnected
                sock.close()
                return
            name = f"hf-text-emulator-{connection.number}"
            thread = threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True)
            self._open[connection] = thread
        thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            if self._ssl is not None:
                connection.start_tls(self._ssl)
            while self._serve_one(connection):
                pass
        except (ClientLeftError, OSError):
            pass  # clients may disconnect at any time, even during a request
        finally:
            connection.close()
            with self.changed:
                del self._open[connection]
                self.changed.notify_all()

    def _serve_one(self, connection: Connection) -> bool:
        """Read a request and answer it. Returns whether another request may follow."""
        try:
            request = read_request(connection)
        except UnreadableRequestError as error:
            reply = Response.error(error.status, str(error), "text", keep_alive=False)
            return send_reply(connection, Request.unreadable(), reply)
        if request is None:
            return False
        with self.changed:
            self._requests.append(request)
            self.changed.notify_all()
        try:
            return self._answer(connection, request)
        except ClientLeftError:
            with self.changed:
                self._disconnects += not connection.dropped
                self.changed.notify_all()
            raise

    def _answer(self, connection: Connection, request: Request) -> bool:
        try:
            return send_reply(connection, request, self.handle(request))
        except ClientLeftError:
            raise
        except Exception as error:  # the thread ends here; __exit__ raises the error in the test
            self.failures.append(error)
            return False


def _load_tls(certificate: str, key: str) -> ssl.SSLContext:
    import ssl  # takes 10 ms and is rarely needed

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
