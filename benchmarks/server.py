"""A chat server on loopback that is not the bottleneck: every event is rendered in advance.

The path says what is sent: ``/{how}/{chunks}/{pause_us}/v1/chat/completions`` where ``how`` is ``each`` (one event
a write), ``block`` (writes of 64 KiB), ``stamped`` (one event a write, its text the time of the write in
nanoseconds), ``huge`` (one event of that size), ``tool`` (one tool call, its arguments in that many fragments),
``close`` (as ``each``, and the connection is closed after it), ``object`` (a stream whose text is a JSON object),
``whole`` (the same in one piece, for clients that do not stream), ``logprobs`` (tokens with those), ``extra`` (tokens
with fields that no client knows) or ``once`` (a stream in a single write, so that it is always received in as many
reads). Run as a program it prints the ports for http and https and serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BLOCK_BYTES = 65536
CHUNK = {
    "id": "chatcmpl-benchmark",
    "object": "chat.completion.chunk",
    "created": 1780000000,
    "model": "benchmark",
    "choices": [{"index": 0, "delta": {"content": " token"}, "finish_reason": None}],
}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSING_HEAD = HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def render(delta: dict[str, object], finish_reason: str | None = None, **more: object) -> bytes:
    """One event as one HTTP chunk; with a finish reason, ``[DONE]`` is appended."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **more}
    event = b"data: " + json.dumps({**CHUNK, "choices": [choice]}).encode() + b"\n\n"
    if finish_reason is not None:
        event += b"data: [DONE]\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def render_fragment(arguments: str, **first: str) -> bytes:
    """A fragment of a tool call."""
    function = {"arguments": arguments, **({"name": first["name"]} if first else {})}
    return render({"tool_calls": [{"index": 0, **({"id": first["id"]} if first else {}), "function": function}]})


TOKEN = render({"content": " token"})
END = render({}, "stop") + b"0\r\n\r\n"
OBJECT = json.dumps({"city": "Paris", "people": 2102650})
OBJECT_TOKEN = render({"content": OBJECT})
LOGPROBS = render(
    {"content": " token"},
    logprobs={"content": [{"token": " token", "logprob": -0.5, "bytes": None, "top_logprobs": []}]},
)
EXTRA = render({"content": " token"}, token_id=17, router={"weight": 0.5, "experts": [1, 2]})
WHOLE_CHOICE = {"index": 0, "message": {"role": "assistant", "content": OBJECT}, "finish_reason": "stop"}
WHOLE = json.dumps({**CHUNK, "object": "chat.completion", "choices": [WHOLE_CHOICE]}).encode()
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(WHOLE), WHOLE)
CALL = render_fragment('{"text": "', id="call_1", name="write")
FRAGMENT = render_fragment("words ")
CALL_END = render_fragment('"}')


class Pacer(threading.Thread):
    """Sends one event to each of its connections at every tick, from a single thread: a thousand threads would block
    each other.
    """

    def __init__(self, pause: float) -> None:
        super().__init__(daemon=True)
        self._pause = pause
        self._waiting: list[tuple[socket.socket, list[int], threading.Event, bool]] = []
        self._lock = threading.Lock()
        self.start()

    def serve(self, connection: socket.socket, chunks: int, stamped: bool) -> None:
        """Send ``chunks`` events. Returns when all are sent."""
        done = threading.Event()
        with self._lock:
            self._waiting.append((connection, [chunks], done, stamped))
        done.wait()

    def run(self) -> None:
        """Send the events at every tick."""
        due = time.monotonic()
        while True:
            due = max(due + self._pause, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            with self._lock:
                waiting = list(self._waiting)
            for entry in waiting:
                self._send(*entry, entry)

    def _send(
        self, connection: socket.socket, left: list[int], done: threading.Event, stamped: bool, entry: object
    ) -> None:
        try:
            connection.sendall(render({"content": str(time.monotonic_ns())}) if stamped else TOKEN)
            left[0] -= 1
        except OSError:
            left[0] = 0
        if left[0] <= 0:
            with self._lock:
                self._waiting.remove(entry)  # type: ignore[arg-type]
            done.set()


pacers: dict[float, Pacer] = {}


def answer(connection: socket.socket, how: str, chunks: int, pause: float) -> None:
    """Send one answer."""
    if how in ("whole", "once"):
        connection.sendall(WHOLE if how == "whole" else HEAD + TOKEN * chunks + END)
        return
    connection.sendall(CLOSING_HEAD if how == "close" else HEAD)
    if how == "huge":
        connection.sendall(render({"content": "x" * chunks}))
    elif pause:
        if pause not in pacers:
            pacers[pause] = Pacer(pause)
        pacers[pause].serve(connection, chunks, how == "stamped")
    elif how == "block":
        send_in_blocks(connection, TOKEN, chunks)
    elif how == "object":
        connection.sendall(OBJECT_TOKEN)
    elif how in ("logprobs", "extra"):
        send_in_blocks(connection, LOGPROBS if how == "logprobs" else EXTRA, chunks)
    elif how == "tool":
        connection.sendall(CALL)
        send_in_blocks(connection, FRAGMENT, chunks - 2)
        connection.sendall(CALL_END)
    else:
        for _ in range(chunks):
            connection.sendall(TOKEN)
    connection.sendall(END)


def send_in_blocks(connection: socket.socket, event: bytes, count: int) -> None:
    """Send an event ``count`` times, in writes of 64 KiB."""
    per_block = BLOCK_BYTES // len(event)
    for first in range(0, count, per_block):
        connection.sendall(event * min(per_block, count - first))


def read_request(connection: socket.socket, rest: bytes) -> tuple[list[str], bytes]:
    """The path segments of the next request, and the data read beyond it. Raises EOFError if the client closed."""
    while b"\r\n\r\n" not in rest:
        data = connection.recv(BLOCK_BYTES)
        if not data:
            raise EOFError
        rest += data
    head, _, rest = rest.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    missing = length - len(rest)
    while missing > 0:  # the body is discarded: it may have many megabytes
        data = connection.recv(min(missing, BLOCK_BYTES))
        if not data:
            raise EOFError
        missing -= len(data)
    return head.split(b" ", 2)[1].decode().strip("/").split("/"), rest[length:]


def talk(connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Serve one connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    try:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        while True:
            path, rest = read_request(connection, rest)
            answer(connection, path[0], int(path[1]), int(path[2]) / 1e6)
            if path[0] == "close":
                break
    except (EOFError, OSError):
        pass
    finally:
        connection.close()


def listen(tls: ssl.SSLContext | None) -> int:
    """Accept connections in a separate thread. Returns the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)

    def accept() -> None:
        while True:
            threading.Thread(target=talk, args=(listener.accept()[0], tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


@contextmanager
def running(certificate: str = "") -> Iterator[dict[str, int]]:
    """Run the server in a separate process. Yields its ports by scheme (https: 0 without a certificate)."""
    command = [sys.executable, "-m", "benchmarks.server", *(["--certificate", certificate] if certificate else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.communicate("")


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", help="a PEM file with certificate and key, for https")
    arguments = parser.parse_args()
    threading.stack_size(256 * 1024)
    tls = None
    if arguments.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.certificate)
    print(json.dumps({"http": listen(None), "https": listen(tls) if tls else 0}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
