"""A local server: starting it, using it, ending it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize

from ..checks import check_int, refusal
from ..client import Client
from ..errors import LocalServerError
from ..transport.locks import ForkSafeLock
from ..wrong_names import explain_wrong_names
from .failures import closed_early, explain_end
from .launch import Launch, Running, Settings
from .names import parse_model

if TYPE_CHECKING:
    from ..aio import AsyncClient

__all__ = ["LocalServer"]

_LOG = logging.getLogger("hf_text")


@explain_wrong_names
class LocalServer:
    """llama.cpp's server with one model, in its own process, for as long as a ``with`` block lasts.

    ::

        with LocalServer("model.gguf") as server, server.client() as client:
            print(client.generate("Why is the sky blue?"))

    ``async with`` works too, and does not block the event loop. Without either, ``start()`` and ``close()`` do the
    same. The server listens on a free port of 127.0.0.1 and requires a random key. It ends with ``close()``, when this
    object is no longer used, and with this process, however that ends. A forked process can use it, and leaves it
    running.

    Args:
        model: the path of a GGUF file or of a folder that contains one, or a name on the Hub: ``org/name``, and after a
            colon a file of it or a quantisation (``Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q8_0``). It is downloaded by
            huggingface_hub, into its cache. None: a small one from the Hub (491 MB).
        context: the maximum number of tokens of a prompt and its answer together.
        slots: how many answers it generates at once; other requests wait. Each has the whole context.
        threads: the number of computing threads; None: half the cores that this process may use.
        timeout: seconds that loading the model may take, without the download.
        confirm: called with one sentence before anything is downloaded; return ``False`` to stop. None: no question.
        notify: called with one sentence when loading takes long, and before a download that was not confirmed.
            None: the logger ``hf_text``, at INFO.

    Raises InvalidRequestError for a wrong argument, and LocalServerError for a path that does not exist; ``start()``
    raises LocalServerError for anything that keeps the server from starting, and MissingExtraError if the extra
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
        self._settings = Settings(
            context=check_int("context", context, 1),
            slots=check_int("slots", slots, 1),
            threads=_half_the_cores() if threads is None else check_int("threads", threads, 1),
            timeout=_check_seconds("timeout", timeout),
        )
        self._confirm = confirm
        self._notify = notify or _LOG.info
        self._starting = ForkSafeLock()  # held during a start
        self._launches: set[Launch] = set()
        finalize(self, _stop, self._launches)  # also at Python's exit
        self._running: Running | None = None

    def start(self) -> LocalServer:
        """Start the server, and wait until it answers. Does nothing if it is running. Returns itself."""
        return self._start(self._prepare())

    def close(self) -> None:
        """End it at once, even while it starts or generates. It can be started again."""
        self._running = None
        _stop(self._launches)

    @property
    def api_base(self) -> str:
        """The base URL for clients, such as ``http://127.0.0.1:40123/v1``."""
        return self._alive().api_base

    @property
    def api_key(self) -> str:
        """The key that it requires; a new one after each start."""
        return self._alive().api_key

    @property
    def model(self) -> str:
        """The server's name for its model: the name on the Hub, or the name of the file."""
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
        """Return a client of this server, which bypasses proxies; ``options`` are those of ``Client``. The server is
        kept running while the client is in use.
        """
        client = Client(self.api_key, api_base=self.api_base, **{**_DIRECT, **options})
        client.operations = client.operations.counting_tokens()
        _CLIENTS[client] = self
        return client

    def async_client(self, **options: Any) -> AsyncClient:
        """Like ``client()``, for async code; ``options`` are those of ``AsyncClient``."""
        from ..aio import AsyncClient

        client = AsyncClient(self.api_key, api_base=self.api_base, **{**_DIRECT, **options})
        client.operations = client.operations.counting_tokens()
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

        return await Threads(1).run(partial(self._start, self._prepare()), self.close)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from ..aio.threads import Threads

        await Threads(1).run(self.close, self.close)

    def __repr__(self) -> str:
        running = self._running
        return f"<LocalServer of {self._source}, {f'at {running.api_base}' if running else 'not running'}>"

    def _alive(self) -> Running:
        running = self._running
        if running is None:
            raise LocalServerError("this server is not running: use it in a with statement, or call start()")
        status = running.child.status
        if status is not None:
            raise explain_end(running.file.name, status)
        return running

    def _start(self, launch: Launch) -> LocalServer:
        with self._starting:
            if self._running is not None and self._running.child.status is None:
                self._launches.discard(launch)
                return self
            self._running = launch.run()
            if launch.stopped:  # close() was called during the start
                self._running = None
                raise closed_early(str(self._source))
        return self

    def _prepare(self) -> Launch:
        """Return a start that ``close()`` can stop from now on."""
        launch = Launch(self._source, self._settings, self._confirm, self._notify)
        self._launches.add(launch)
        return launch


_DIRECT = {"proxies": {"no_proxy": "127.0.0.1"}}  # a proxy could not reach this machine

_CLIENTS: WeakKeyDictionary[object, LocalServer] = WeakKeyDictionary()


def _stop(launches: set[Launch]) -> None:
    with suppress(KeyError):  # until it is empty
        while True:
            launches.pop().stop()


def _half_the_cores() -> int:
    """Two threads on two busy cores are fifteen times slower than one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 2)


def _check_seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise refusal(name, "a number of seconds above 0", value)
    return float(value)
