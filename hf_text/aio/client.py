"""The async client: the same operations as the blocking one, awaited. It adds no logic of its own.

Worker threads do blocking work such as the first connection to a server. The event loop waits for answers and further
connections, and reads from them. A cancelled task cancels its call, which shuts the socket down and thereby ends the
thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..attributes import advise_attributes
from ..checks import without_self
from ..completion import Completion
from ..operations import MAX_EVENT_BYTES, HasCompletions, Operations, completions_of
from ..protocol.media import Media
from ..protocol.messages import Messages
from ..tools import Tools
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names
from .items import AsyncItems
from .listing import Listing
from .stream import AsyncStream
from .threads import MAX_THREADS, Threads

if TYPE_CHECKING:
    from ..options import Validator
    from ..protocol.catalog import HubModel, Model, ProviderMapping
    from ..structured import Parsed

__all__ = ["AsyncClient"]

T = TypeVar("T")


@advise_attributes("client")
@explain_wrong_names
class AsyncClient:
    """``Client`` for async code: the same names, arguments and errors; methods that wait are awaited.

    Can be used from several event loops at once.

    Args:
        api_key: the key. None: for Hugging Face the one that huggingface_hub would find (``HF_TOKEN``, the token file,
            Colab), for any other server no key.
        api_base: None for Hugging Face; else the base URL of a server, such as ``"http://localhost:8080/v1"``.
        model: the model for calls that do not name one. None: see ``stream``.
        provider: for Hugging Face: ``"auto"``, a policy (``"fastest"``, ``"cheapest"``, ``"preferred"``), the name of a
            provider, or a list of those in the order to try. A suffix of the model's name (``"org/model:novita"``)
            overrides it.
        timeout: ``Timeouts``, or seconds for each of them except ``total``.
        max_retries: how often a request that failed before an answer began is retried. With 0, a single request is
            made, and no other provider is tried.
        bill_to: for Hugging Face: the organisation that pays.
        headers: headers to send with each request.
        proxies: proxies by scheme, as in requests, in addition to those of the environment.
        verify: True, False, or the path of a CA bundle, as in requests.
        cert: a client certificate: the path of a PEM file, or of a certificate and its key, as in requests.
        hub_url: the Hub; default ``HF_ENDPOINT``, else ``https://huggingface.co``.
        router_url: the router; default ``HF_TEXT_ROUTER_URL``, else ``https://router.huggingface.co``.
        max_event_bytes: the maximum size of a single event of a stream (default 64 MiB).
        provider_mapping: for Hugging Face: providers of models that take precedence over the Hub's: by model, then by
            provider, in the Hub's form (``{"task": "conversational", "providerId": …}``). If a provider is a path
            (``"hf-inference/models/org/name"``), that route of the router is used.
        max_threads: how many calls may connect and send, or list models, at once in an event loop; others wait (default
            200).

    Raises InvalidRequestError for a wrong argument. Nothing is sent.
    """

    def __init__(
        self,
        # Arguments of Client (.ci/signatures.py)
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
        # and of its own
        max_threads: int = MAX_THREADS,
    ) -> None:
        arguments = without_self(locals())
        del arguments["max_threads"]
        self.threads: Threads = Threads(max_threads)
        self.operations: Operations = Operations(**arguments)

    @classmethod
    def of(cls, operations: Operations, max_threads: int = MAX_THREADS) -> AsyncClient:
        """A client for existing operations."""
        client = cls.__new__(cls)
        client.threads = Threads(max_threads)
        client.operations = operations
        return client

    def stream(
        self,
        # Arguments of Client.stream (.ci/signatures.py)
        messages: Messages,
        model: str | None = None,
        *,
        media: Media | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        tools: Tools | None = None,
        tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
        response_format: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        parallel_tool_calls: bool | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        include_usage: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
    ) -> AsyncStream:
        """An answer, to be read as it arrives. It is not awaited, and nothing is sent before the first read, or
        ``AsyncStream.start()``.

        Args:
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            model: a model's name, or an alias. None: the client's; without one, for Hugging Face a default (a vision
                model if there is media), for another server the first that it lists.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
                ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
                ``media_from_url``.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below.
            temperature: 0 to 2.
            top_p: above 0, at most 1.
            stop: sequences that end the answer.
            seed: makes answers reproducible, if the provider supports it.
            tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs
                the extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs
                them.
            tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
            response_format: ``"json_object"``, or a JSON schema. For a type see ``parse``.
            reasoning_effort: such as ``"low"``; which values are known depends on the model.
            frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
            presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
            parallel_tool_calls: whether the model may call several tools at once.
            logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
            top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
            include_usage: whether to request token counts. None requests them from Hugging Face, but not from other
                servers: some reject the option, and many send counts anyway.
            extra_body: additional fields for the body of the request.
            extra_headers: additional headers for this request.
            provider: as for the client, for this call.
            timeout: as for the client, for this call.

        Raises InvalidRequestError for a wrong argument, and MissingAuthError if no Hugging Face key is found.
        All other errors are raised while reading.
        """
        return AsyncStream(self.operations.open(**without_self(locals())), self.threads)

    async def generate(
        self,
        # Arguments of Client.stream (.ci/signatures.py)
        messages: Messages,
        model: str | None = None,
        *,
        media: Media | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        tools: Tools | None = None,
        tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
        response_format: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        parallel_tool_calls: bool | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        include_usage: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
    ) -> Completion:
        """The complete answer: reads ``stream()`` with the same arguments to its end; as ``Client.generate``.

        Args:
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            model: a model's name, or an alias. None: the client's; without one, for Hugging Face a default (a vision
                model if there is media), for another server the first that it lists.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
                ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
                ``media_from_url``.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below.
            temperature: 0 to 2.
            top_p: above 0, at most 1.
            stop: sequences that end the answer.
            seed: makes answers reproducible, if the provider supports it.
            tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs
                the extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs
                them.
            tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
            response_format: ``"json_object"``, or a JSON schema. For a type see ``parse``.
            reasoning_effort: such as ``"low"``; which values are known depends on the model.
            frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
            presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
            parallel_tool_calls: whether the model may call several tools at once.
            logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
            top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
            include_usage: whether to request token counts. None requests them from Hugging Face, but not from other
                servers: some reject the option, and many send counts anyway.
            extra_body: additional fields for the body of the request.
            extra_headers: additional headers for this request.
            provider: as for the client, for this call.
            timeout: as for the client, for this call.

        Raises InvalidRequestError for a wrong argument, MissingAuthError if no Hugging Face key is found, and
        every other ``HFTextError`` that reading a stream raises.
        """
        stream = self.stream(**without_self(locals()))
        del extra_headers  # a traceback with local variables would show it
        async with stream:
            while await stream.read():
                pass
            return stream.completion

    @overload
    async def parse(
        self,
        messages: Messages,
        output_type: type[T],
        # Arguments of Client.parse (.ci/signatures.py)
        model: str | None = None,
        *,
        retries: int = 1,
        media: Media | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        include_usage: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
    ) -> Parsed[T]: ...

    @overload
    async def parse(
        self,
        messages: Messages,
        output_type: Validator[T],
        # Arguments of Client.parse (.ci/signatures.py)
        model: str | None = None,
        *,
        retries: int = 1,
        media: Media | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        include_usage: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
    ) -> Parsed[T]: ...

    @overload
    async def parse(
        self,
        messages: Messages,
        output_type: Any,
        # Arguments of Client.parse (.ci/signatures.py)
        model: str | None = None,
        *,
        retries: int = 1,
        media: Media | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        include_usage: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
    ) -> Parsed[Any]: ...

    async def parse(
        self,
        # Arguments of Client.parse (.ci/signatures.py)
        messages: Messages,
        output_type: Any,
        model: str | None = None,
        *,
        retries: int = 1,
        media: Media | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        include_usage: bool | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
    ) -> Parsed[Any]:
        """An answer as a value of a type, as ``Client.parse``.

        Args:
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            output_type: a class (a pydantic model, a dataclass, a TypedDict, an Enum …), a type such as ``list[int]``
                or ``Literal["yes", "no"]``, a ``pydantic.TypeAdapter``, or a JSON schema as a mapping, whose values are
                those of JSON.
            model: a model's name, or an alias; None as for ``stream``.
            retries: how often to ask again after an answer that does not fit.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
                ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
                ``media_from_url``.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below.
            temperature: 0 to 2.
            top_p: above 0, at most 1.
            stop: sequences that end the answer.
            seed: makes answers reproducible, if the provider supports it.
            reasoning_effort: such as ``"low"``; which values are known depends on the model.
            frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
            presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
            logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
            top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
            include_usage: whether to request token counts. None requests them from Hugging Face, but not from other
                servers: some reject the option, and many send counts anyway.
            extra_body: additional fields for the body of the request.
            extra_headers: additional headers for this request.
            provider: as for the client, for this call.
            timeout: as for the client, for this call.

        Raises StructuredOutputError for an answer that does not fit, TruncatedStreamError for one that was cut off
        (finish reason ``length`` or ``content_filter``), MissingExtraError, and what ``generate`` raises.
        """
        arguments = without_self(locals())
        from ..structured import parsing  # most programs do not parse
        from .reader import AsyncReader

        return await AsyncReader(parsing(self.operations, **arguments), self.stream, self.threads).finish()

    async def cost(self, answers: Completion | HasCompletions) -> float | None:
        """What an answer or a conversation cost, in USD; arguments and errors as for ``Client.cost``."""
        call, completions = self.operations.new_call(), completions_of(answers)
        return await self.threads.run(lambda: self.operations.cost(call, completions), call.cancel)

    async def models(
        self,
        # Arguments of Client.models (.ci/signatures.py)
        *,
        search: str | None = None,
        provider: str | None = None,
        vision: bool | None = None,
        tools: bool | None = None,
        structured_output: bool | None = None,
        min_context: int | None = None,
        max_output_price: float | None = None,
        sort: str | None = None,
        refresh: bool = False,
    ) -> list[Model]:
        """The models of the server (``GET {api_base}/models``) that meet all these conditions; cached for five minutes.

        Args:
            search: a substring of the name, case-insensitive.
            provider: a provider that serves them now.
            vision: whether they accept pictures.
            tools: whether they call tools.
            structured_output: whether they follow a JSON schema.
            min_context: the smallest context, in tokens.
            max_output_price: the highest price in USD per million output tokens.
            sort: ``"price"``, ``"throughput"``, ``"latency"``, ``"context"``, ``"name"`` or ``"created"``; None keeps
                the server's order.
            refresh: bypass the cache.

        Raises TransportError, APIStatusError or InvalidRequestError.
        """
        conditions = without_self(locals())
        call = self.operations.new_call()
        return await self.threads.run(lambda: self.operations.models(call, **conditions), call.cancel)

    async def model(self, name: str) -> Model:
        """One model of the server; arguments and errors as for ``Client.model``."""
        call = self.operations.new_call()
        return await self.threads.run(lambda: self.operations.model(call, name), call.cancel)

    async def mapping(self, model: str) -> dict[str, ProviderMapping]:
        """The providers of a model; arguments and errors as for ``Client.mapping``."""
        call = self.operations.new_call()
        return await self.threads.run(lambda: self.operations.mapping(call, model), call.cancel)

    def hub_models(
        self,
        # Arguments of Client.hub_models (.ci/signatures.py)
        *,
        search: str | None = None,
        provider: str = "all",
        limit: int | None = None,
    ) -> AsyncGenerator[HubModel, None]:
        """The models on the Hub that a provider serves, for any task, with their mappings; pages are fetched as
        needed. It is iterated over, not awaited.

        Args:
            search: a substring of the name.
            provider: ``"all"``, or the name of a provider.
            limit: the maximum number of models.

        Raises InvalidRequestError for a wrong argument, and if the server is not Hugging Face; while iterating
            TransportError and APIStatusError.
        """
        conditions, operations = without_self(locals()), self.operations
        pages = Listing(
            operations.new_call, lambda new_call: operations.hub_pages(new_call, **conditions), self.threads
        )
        return AsyncItems(pages)

    async def aclose(self) -> None:
        """Close the idle connections."""
        self.operations.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncClient of {self.operations!r}>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.operations.arguments, "max_threads": self.threads.limit}

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.threads = Threads(arguments.pop("max_threads"))
        self.operations = Operations(**arguments)
