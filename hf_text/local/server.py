"""A server of one's own: started, named, ended."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

from ..checks import check_int, refusal
from ..client import Client
from ..errors import LocalServerError
from ..transport.locks import ForkSafeLock
from .child import Child, ChildEndedError
from .failures import closed_early, explain_download, explain_end, explain_failure, missing_package
from .files import ModelFile, check_memory, find_file, show_bytes
from .names import HubName, parse_model

if TYPE_CHECKING:
    from ..aio import AsyncClient

__all__ = ["LocalServer"]

_NEWS_SECONDS = 2.0  # loading that takes longer is told about, and again after each of these

_LOG = logging.getLogger("hf_text")


@dataclass(frozen=True, slots=True)
class _Running:
    """A server that answers."""

    child: Child
    file: ModelFile
    api_base: str
    api_key: str = field(repr=False)


class LocalServer:
    """llama.cpp's server with one model, in a process of its own, for as long as a ``with`` block lasts.

    ::

        with LocalServer("model.gguf") as server, server.client() as client:
            print(client.generate("Why is the sky blue?"))

    ``async with`` works too, and does not hold up the event loop. Without either, ``start()`` and ``close()`` do the
    same. The server listens on a free port of 127.0.0.1 and wants a random key. It ends with ``close()``, when this
    object is no longer used, and with this process, whatever ends that. A process that is forked off can use it, and
    leaves it running.

    Args:
        model: the path of a GGUF file or of a folder that holds one, or a name on the Hub: ``org/name``, and after a
            colon a file of it or a quantisation (``Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q8_0``). It is downloaded by
            huggingface_hub, into its cache. None: a small one from the Hub (491 MB).
        context: tokens that the prompt and its answer may have, together.
        slots: how many answers it generates at once; further requests wait. Each has the whole context.
        threads: threads that compute; None: half the cores that this process may use.
        timeout: seconds that loading the model may take; a download is not counted.
        confirm: is asked, with one sentence, before anything is downloaded; ``False`` gives up. None: nobody is asked.
        notify: is told, in one sentence, of a download and of loading that takes long. None: the logger ``hf_text``.

    Raises InvalidRequestError for a wrong argument, and LocalServerError for a path where nothing is; ``start()``
    raises LocalServerError for all that keeps the server from starting, and MissingExtraError where the extra
    ``local`` is not installed.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        context: int = 4096,
        slots: int = 1,
        threads: int | None = None,
        timeout: float = 60,
        confirm: Callable[[str], bool] | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self._source = parse_model(model)
        self._context = check_int("context", context, 1)
        self._slots = check_int("slots", slots, 1)
        self._threads = _half_the_cores() if threads is None else check_int("threads", threads, 1)
        self._timeout = _check_seconds("timeout", timeout)
        self._confirm = confirm or (lambda question: True)
        self._notify = notify or _LOG.info
        self._starting = ForkSafeLock()  # held for as long as a start takes
        self._lock = ForkSafeLock()  # of what follows
        self._closings = 0
        self._end: Callable[[], object] = lambda: None
        self._running: _Running | None = None

    def start(self) -> LocalServer:
        """Start it, and wait until it answers; one that runs stays as it is. Returns itself."""
        return self._start(self._closings)

    def close(self) -> None:
        """End it at once, also while it starts or generates. It can be started again."""
        with self._lock:
            self._closings += 1
            end, self._running = self._end, None
        end()

    @property
    def api_base(self) -> str:
        """The base URL for clients, such as ``http://127.0.0.1:40123/v1``."""
        return self._alive().api_base

    @property
    def api_key(self) -> str:
        """The key that it asks for; another one after each start."""
        return self._alive().api_key

    @property
    def model(self) -> str:
        """What it calls its model: its name on the Hub, or that of its file."""
        return self._alive().file.name

    @property
    def path(self) -> Path:
        """The file of the model."""
        return self._alive().file.path

    @property
    def size(self) -> int:
        """The size of the model, in bytes."""
        return self._alive().file.size

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._alive().child.pid

    def client(self, **options: Any) -> Client:
        """A client of it, which no proxy comes between; ``options`` are those of ``Client``. While the client is used
        the server is.
        """
        client = Client(self.api_key, api_base=self.api_base, **{**_DIRECT, **options})
        _CLIENTS[client] = self
        return client

    def async_client(self, **options: Any) -> AsyncClient:
        """As ``client()``, for async code; ``options`` are those of ``AsyncClient``."""
        from ..aio import AsyncClient

        client = AsyncClient(self.api_key, api_base=self.api_base, **{**_DIRECT, **options})
        _CLIENTS[client] = self
        return client

    def __enter__(self) -> LocalServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> LocalServer:
        from ..aio.threads import Threads

        return await Threads(1).run(partial(self._start, self._closings), self.close)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from ..aio.threads import Threads

        await Threads(1).run(self.close, self.close)

    def __repr__(self) -> str:
        running = self._running
        return f"<LocalServer of {self._source}, {f'at {running.api_base}' if running else 'not running'}>"

    def _alive(self) -> _Running:
        running = self._running
        if running is None:
            raise LocalServerError("this server is not running: use it in a with statement, or call start()")
        status = running.child.status
        if status is not None:
            raise explain_end(running.file.name, status)
        return running

    def _start(self, closings: int) -> LocalServer:
        """``closings``: how often it had been closed when this was asked for; a later one is meant for this start."""
        with self._starting:
            if self._running is None or self._running.child.status is not None:
                running = self._serve(closings, self._find(closings))
                with self._lock:
                    if self._closings != closings:
                        raise closed_early(running.file.name)
                    self._running = running
        return self

    def _find(self, closings: int) -> ModelFile:
        if importlib.util.find_spec("xllamacpp") is None:
            raise missing_package("xllamacpp")
        source = self._source
        file = self._download(closings, source) if isinstance(source, HubName) else find_file(source)
        check_memory(file, self._context * self._slots)
        return file

    def _download(self, closings: int, name: HubName) -> ModelFile:
        order = {"repo": name.repo, "wanted": name.wanted}
        with self._child(closings, str(name), "hf_text.local.download", order, stderr=True) as child:
            while True:
                message = child.receive()
                if "path" in message:
                    child.kill()
                    return find_file(Path(message["path"]), str(name))
                if "failed" in message:
                    raise _explain(message, "huggingface_hub") or explain_download(name, **message)
                self._agree(f"{name} is {show_bytes(message['bytes'])} to download from the Hub", name)
                child.send({})

    def _agree(self, sentence: str, name: HubName) -> None:
        if not self._confirm(sentence):
            raise LocalServerError(f"{name} was not downloaded. Name a model that is here, or agree to the download")
        self._notify(sentence)

    def _serve(self, closings: int, file: ModelFile) -> _Running:
        key = secrets.token_urlsafe(32)
        order = {"path": str(file.path), "name": file.name, "key": key, "context": self._context}
        order |= {"slots": self._slots, "threads": self._threads}
        with self._child(closings, file.name, "hf_text.local.serving", order) as child:
            message = self._wait(child, file)
            if "failed" in message:
                raise _explain(message, "xllamacpp") or explain_failure(file.name, message["why"])
            return _Running(child, file, f"{message['address']}/v1", key)

    def _wait(self, child: Child, file: ModelFile) -> dict[str, Any]:
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < self._timeout:
            with suppress(TimeoutError):
                return child.receive(min(_NEWS_SECONDS, self._timeout - waited))
            self._notify(f"{file.name} ({show_bytes(file.size)}) is being loaded, for {time.monotonic() - begun:.0f} s")
        raise LocalServerError(
            f"{file.name} ({show_bytes(file.size)}) was not loaded after {self._timeout:g} s. Give it a longer timeout, "
            "or choose a smaller model"
        )

    @contextmanager
    def _child(self, closings: int, name: str, *args: Any, **options: Any) -> Iterator[Child]:
        """A process for a part of the start; whatever ends that part early ends the process."""
        with self._lock:
            if self._closings != closings:
                raise closed_early(name)
            child = Child(*args, **options)
            self._end = finalize(self, child.kill)
        try:
            yield child
        except BaseException as error:
            child.kill()
            if isinstance(error, ChildEndedError):
                raise (closed_early(name) if self._closings != closings else explain_end(name, error.status)) from None
            raise


_DIRECT = {"proxies": {"no_proxy": "127.0.0.1"}}  # a proxy could not reach this machine

_CLIENTS: WeakKeyDictionary[object, LocalServer] = WeakKeyDictionary()


def _explain(message: dict[str, Any], package: str) -> Exception | None:
    if message["failed"] != "import":
        return None
    installed = importlib.util.find_spec(package) is not None
    return missing_package(package, message["why"] if installed else "")


def _half_the_cores() -> int:
    """Two threads on two busy cores are fifteen times slower than one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 2)


def _check_seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise refusal(name, "a number of seconds above 0", value)
    return float(value)
