"""The parts of the Hub that huggingface_hub needs for a file: a repository's listing, and its files."""

from __future__ import annotations

import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

__all__ = ["Hub"]

REVISION = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """A server of repositories.

    Attributes:
        repos: the files of each repository, by their names there.
        refusals: statuses and error codes of refused repositories.
        hold_after: bytes of a file after which the server waits for ``go_on``; None: it does not wait.
        held: is set while it waits.
        downloads: the requested files.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, Path]] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.hold_after: int | None = None
        self.held, self.go_on = threading.Event(), threading.Event()
        self.downloads: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path).path.strip("/").split("/")
        repo = "/".join(parts[2:4] if parts[:2] == ["api", "models"] else parts[:2])
        status, code = self.hub.refusals.get(repo, (404, "RepoNotFound"))
        if repo in self.hub.refusals or repo not in self.hub.repos:
            self.answer(status, {"X-Error-Code": code}, b"{}")
        elif parts[0] == "api":
            files = [{"rfilename": name, "size": file.stat().st_size} for name, file in self.hub.repos[repo].items()]
            self.answer(200, {}, json.dumps({"id": repo, "sha": REVISION, "siblings": files}).encode())
        else:
            self.send_file(self.hub.repos[repo], "/".join(parts[4:]))

    def send_file(self, files: dict[str, Path], name: str) -> None:
        if name not in files:
            self.answer(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        body = files[name].read_bytes()
        headers = {"ETag": f'"{zlib.crc32(body):032x}"', "X-Repo-Commit": REVISION}
        if self.command == "GET":
            self.hub.downloads.append(name)
        self.answer(200, headers, body)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        hold = self.hub.hold_after
        if hold is not None and len(body) > hold:
            self.wfile.write(body[:hold])
            self.hub.held.set()
            self.hub.go_on.wait(60)
            body = body[hold:]
        try:
            self.wfile.write(body)
        except ConnectionError:  # the client was killed
            self.close_connection = True
