"""The async client: the same operations as the blocking one, awaited. Nothing is decided here.

What blocks, such as connecting, is done in a worker thread; answers are waited for by the event loop, and what has
arrived is read there. A cancelled task cancels its call, which shuts the socket down and so ends the thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Any

from ..client import Client
from ..completion import Completion
from ..operations import MAX_EVENT_BYTES, Operations
from ..protocol.catalog import HubModel, Model, ProviderMapping
from ..signatures import method_with_arguments_of
from ..transport.call import DEFAULT, Timeouts
from .items import AsyncItems
from .listing import Listing
from .stream import AsyncStream
from .threads import MAX_THREADS, Threads

__all__ = ["AsyncClient"]


class AsyncClient:
    """``Client`` for async code: the same names, arguments and errors; what waits is awaited.

    Can be used from several event loops at once.

    Args:
        max_threads: how many calls may connect and send, or list models, at once in an event loop; further ones wait
            (default 200).

    The other arguments are those of ``Client``.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        api_base: str | None = None,
        model: str | None = None,
        provider: str | Sequence[str] = "auto",
        timeout: Timeouts | float = DEFAULT,
        max_retries: int = 2,
        bill_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        hub_url: str | None = None,
        router_url: str | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        provider_mapping: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        max_threads: int = MAX_THREADS,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "max_threads")}
        self.threads = Threads(max_threads)
        self.operations = Operations(**arguments)

    @classmethod
    def of(cls, operations: Operations, max_threads: int = MAX_THREADS) -> AsyncClient:
        """A client for operations that exist already."""
        client = cls.__new__(cls)
        client.threads = Threads(max_threads)
        client.operations = operations
        return client

    @method_with_arguments_of(Client.stream)
    def stream(self, *args: Any, **options: Any) -> AsyncStream:
        """Begin an answer, to be read as it arrives; arguments and errors as for ``Client.stream``. It is not
        awaited.
        """
        return AsyncStream(self.operations.open(*args, **options), self.threads)

    @method_with_arguments_of(Client.generate)
    async def generate(self, *args: Any, **options: Any) -> Completion:
        """The whole answer; arguments and errors as for ``Client.generate``."""
        async with self.stream(*args, **options) as stream:
            while await stream.read():
                pass
            return stream.completion

    @method_with_arguments_of(Client.models)
    async def models(self, **options: Any) -> list[Model]:
        """The models of the server; arguments and errors as for ``Client.models``."""
        call = self.operations.new_call()
        return await self.threads.run(lambda: self.operations.models(call, **options), call.cancel)

    async def model(self, name: str) -> Model:
        """One model of the server; arguments and errors as for ``Client.model``."""
        call = self.operations.new_call()
        return await self.threads.run(lambda: self.operations.model(call, name), call.cancel)

    async def mapping(self, model: str) -> dict[str, ProviderMapping]:
        """The providers of a model; arguments and errors as for ``Client.mapping``."""
        call = self.operations.new_call()
        return await self.threads.run(lambda: self.operations.mapping(call, model), call.cancel)

    def hub_models(
        self, *, search: str | None = None, provider: str = "all", limit: int | None = None
    ) -> AsyncGenerator[HubModel, None]:
        """The models on the Hub that a provider serves; arguments and errors as for ``Client.hub_models``."""
        operations, conditions = self.operations, {"search": search, "provider": provider, "limit": limit}
        return AsyncItems(
            Listing(
                operations.new_call,
                lambda new_call: operations.hub_pages(new_call, **conditions),  # type: ignore[arg-type]
                self.threads,
            )
        )

    async def aclose(self) -> None:
        """Close the idle connections."""
        self.operations.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.operations.arguments, "max_threads": self.threads.limit}

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.threads = Threads(arguments.pop("max_threads"))
        self.operations = Operations(**arguments)

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.operations!r}>"
