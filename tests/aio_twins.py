"""The tests of the blocking client, run by the async one: the same situations under the same names.

Each thread of a test has a task in its place, in an event loop that runs beside it, on asyncio and on trio. What the
test calls is awaited there; so one task reads while another stops it.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from types import ModuleType
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from hf_text import Event
from hf_text.aio import AsyncClient, AsyncStream
from hf_text.operations import Operations
from hf_text.tuning import Tuning

__all__ = ["twins_of"]

KEY = "hf_MadeUpKeyForTests"


def twins_of(module: ModuleType, *without: str) -> dict[str, Any]:
    """The tests and fixtures of a module for the async client, except the tests that begin so and those that look into
    the thread that reads, or interrupt it with a signal: here it is the loop that waits.
    """
    mine = {name: value for name, value in vars(module).items() if _is_of_a_test(name, value)}
    unknown = [start for start in without if not any(name.startswith(start) for name in mine)]
    assert unknown == [], f"{module.__name__} has no such tests: {unknown}"
    return {name: value for name, value in mine.items() if not name.startswith(without or "-")} | FIXTURES


def _is_of_a_test(name: str, value: Any) -> bool:
    if name.startswith("test_"):
        return not {"wait_until_inside", "interrupting"} & set(inspect.signature(value).parameters)
    fixture = type(value).__name__ == "FixtureFunctionDefinition" or hasattr(value, "_pytestfixturefunction")
    return fixture or name == "pytestmark"


class Tasks:
    """An event loop with a task for each thread that has something to await."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._mine = threading.local()
        self._inboxes: list[Any] = []

    def run(self, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Await this in the task of this thread."""
        if not hasattr(self._mine, "send"):
            pipe: Any = self._portal.call(anyio.create_memory_object_stream, 1)
            self._mine.send, receive = pipe
            self._inboxes.append(self._mine.send)
            self._portal.start_task_soon(self._serve, receive)
        done: Future[Any] = Future()
        self._portal.call(self._mine.send.send_nowait, (work, args, options, done))
        try:
            return done.result()
        finally:
            del done  # a future that holds its error is in a circle with the traceback

    async def _serve(self, inbox: Any) -> None:
        with inbox:
            async for item in inbox:
                await _work(*item)
                del item  # so that nothing is held between two calls

    def end(self) -> None:
        """Let all tasks end."""
        for inbox in self._inboxes:
            self._portal.call(inbox.close)


async def _work(work: Callable[..., Any], args: Any, options: Any, done: Future[Any]) -> None:
    try:
        result = await work(*args, **options)
    except Exception as error:
        done.set_exception(error)
    else:
        done.set_result(result)


class BlockingStream:
    """An ``AsyncStream`` with the looks of a ``Stream``."""

    def __init__(self, stream: AsyncStream, run: Callable[..., Any]) -> None:
        self._stream = stream
        self._run = run

    def __iter__(self) -> Iterator[str]:
        return _iterate(self._stream.__aiter__(), self._run)

    def events(self) -> Iterator[Event]:
        return _iterate(self._stream.events(), self._run)

    def read(self) -> Any:
        return self._run(self._stream.read)

    def close(self) -> None:
        self._run(self._stream.aclose)

    def __enter__(self) -> BlockingStream:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._stream).replace("Async", "", 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class BlockingClient:
    """An ``AsyncClient`` with the looks of a ``Client``."""

    def __init__(self, client: AsyncClient, run: Callable[..., Any]) -> None:
        self._client = client
        self._run = run

    def stream(self, *args: Any, **options: Any) -> BlockingStream:
        return BlockingStream(self._client.stream(*args, **options), self._run)

    def generate(self, *args: Any, **options: Any) -> Any:
        return self._run(self._client.generate, *args, **options)

    def models(self, **options: Any) -> Any:
        return self._run(self._client.models, **options)

    def mapping(self, model: str) -> Any:
        return self._run(self._client.mapping, model)

    def hub_models(self, **options: Any) -> Any:
        return _iterate(self._client.hub_models(**options), self._run)

    def close(self) -> None:
        self._run(self._client.aclose)

    def __repr__(self) -> str:
        return repr(self._client).replace("Async", "", 1)

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def _iterate(items: Any, run: Callable[..., Any]) -> Iterator[Any]:
    with suppress(StopAsyncIteration):
        while True:
            yield run(items.__anext__)


@pytest.fixture(params=["asyncio", "trio"])
def tasks(request: pytest.FixtureRequest, nothing_left_behind: None) -> Iterator[Tasks]:
    """An event loop that runs during the test."""
    with start_blocking_portal(request.param) as portal:
        tasks = Tasks(portal)
        yield tasks
        tasks.end()


@pytest.fixture
def make_client(request: pytest.FixtureRequest, tasks: Tasks) -> Iterator[Callable[..., BlockingClient]]:
    """Makes clients as the fixture of this name does for the blocking tests, but async ones."""
    made: list[BlockingClient] = []

    def make(api_key: str | None = KEY, api_base: str | None = None, **options: Any) -> BlockingClient:
        url = request.getfixturevalue("emulator").url
        urls = {"hub_url": url, "router_url": url}
        settings = {**urls, "timeout": 5, "tuning": Tuning(first_pause=0.001), **options}
        client = AsyncClient.of(Operations(api_key, api_base=api_base, **settings))
        made.append(BlockingClient(client, tasks.run))
        return made[-1]

    yield make
    for client in made:
        client.close()


FIXTURES = {"tasks": tasks, "make_client": make_client}
