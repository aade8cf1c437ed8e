"""The async client behind a blocking interface, so that one test covers both clients.

Each thread of a test is served by its own task, in an event loop that runs in a separate thread, on asyncio and on
trio. The task awaits what the test calls, so one task can read while another stops it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from hf_text import Event
from hf_text.aio import AsyncClient, AsyncConversation

__all__ = ["BlockingClient", "Tasks", "run_tasks"]


class Tasks:
    """An event loop with one task per calling thread."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._mine = threading.local()
        self._inboxes: list[Any] = []

    def run(self, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Await this in the task of the current thread."""
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
            del done  # a future and the traceback of its error form a reference cycle

    async def _serve(self, inbox: Any) -> None:
        with inbox:
            async for item in inbox:
                await _work(*item)
                del item  # hold no references between two calls

    def end(self) -> None:
        """End all tasks."""
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
    """An ``AsyncStream`` with the interface of ``Stream``."""

    def __init__(self, stream: Any, run: Callable[..., Any]) -> None:
        self._stream = stream
        self._run = run

    def __iter__(self) -> Iterator[str]:
        return _iterate(self._stream.__aiter__(), self._run)

    def events(self) -> Iterator[Event]:
        return _iterate(self._stream.events(), self._run)

    def read(self) -> Any:
        return self._run(self._stream.read)

    def start(self) -> Any:
        self._run(self._stream.start)
        return self

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
    """An ``AsyncClient`` with the interface of ``Client``."""

    def __init__(self, client: AsyncClient, run: Callable[..., Any]) -> None:
        self._client = client
        self._run = run

    def stream(self, *args: Any, **options: Any) -> BlockingStream:
        return BlockingStream(self._client.stream(*args, **options), self._run)

    def generate(self, *args: Any, **options: Any) -> Any:
        return self._run(self._client.generate, *args, **options)

    def parse(self, *args: Any, **options: Any) -> Any:
        return self._run(self._client.parse, *args, **options)

    def cost(self, answers: Any) -> Any:
        return self._run(self._client.cost, getattr(answers, "conversation", answers))

    def model(self, name: str) -> Any:
        return self._run(self._client.model, name)

    def converse(self, **settings: Any) -> BlockingConversation:
        """Create a conversation with this client."""
        return BlockingConversation(AsyncConversation(self._client, **settings), self._run)

    def load(self, path: Any, **settings: Any) -> BlockingConversation:
        """Load a saved conversation."""
        return BlockingConversation(AsyncConversation.load(path, self._client, **settings), self._run)

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


class BlockingConversation:
    """An ``AsyncConversation`` with the interface of ``Conversation``."""

    def __init__(self, conversation: AsyncConversation, run: Callable[..., Any]) -> None:
        self.__dict__.update(conversation=conversation, _run=run)

    def stream(self, *args: Any, **options: Any) -> BlockingStream:
        return BlockingStream(self.conversation.stream(*args, **options), self._run)

    def generate(self, *args: Any, **options: Any) -> Any:
        return self._run(self.conversation.generate, *args, **options)

    def retry(self) -> Any:
        return self._run(self.conversation.retry)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.conversation, name)

    def __repr__(self) -> str:
        return repr(self.conversation)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.conversation, name, value)


def _iterate(items: Any, run: Callable[..., Any]) -> Iterator[Any]:
    with suppress(StopAsyncIteration):
        while True:
            yield run(items.__anext__)


@contextmanager
def run_tasks(backend: str) -> Iterator[Tasks]:
    """Run an event loop for the duration of the block."""
    with start_blocking_portal(backend) as portal:
        tasks = Tasks(portal)
        yield tasks
        tasks.end()
