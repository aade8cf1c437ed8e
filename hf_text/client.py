"""The blocking client, and module-level functions that use a client with default settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .attributes import advise_attributes
from .checks import without_self
from .completion import Completion
from .errors import HFTextError
from .generation.stream import Stream
from .operations import MAX_EVENT_BYTES, HasCompletions, Operations, completions_of
from .protocol.media import Media
from .protocol.messages import Messages
from .tools import Tools
from .tracebacks import shorten
from .transport.call import DEFAULT, Timeouts
from .wrong_names import explain_wrong_names

if TYPE_CHECKING:
    from .options import Validator
    from .protocol.catalog import HubModel, Model, ProviderMapping
    from .structured import Parsed

__all__ = ["Client", "default_client", "generate", "models", "parse", "stream"]

T = TypeVar("T")


@advise_attributes("client")
@explain_wrong_names
class Client:
    """Text from Hugging Face Inference Providers, or from any server that speaks the OpenAI chat protocol.

    Can be shared among threads, used after a fork, pickled, and used as a context manager. A key passed as an
    argument is pickled with it, a key that was found is not.

    Args:
        api_key: the key. None: for Hugging Face the one that huggingface_hub would find (``HF_TOKEN``, the token
            file, Colab), for any other server no key.
        api_base: None for Hugging Face; else the base URL of a server, such as ``"http://localhost:8080/v1"``.
        model: the model for calls that do not name one. None: see ``stream``.
        provider: for Hugging Face: ``"auto"``, a policy (``"fastest"``, ``"cheapest"``, ``"preferred"``), the name
            of a provider, or a list of those in the order to try. A suffix of the model's name
            (``"org/model:novita"``) overrides it.
        timeout: ``Timeouts``, or seconds for each of them except ``total``.
        max_retries: how often a request that failed before an answer began is retried. With 0, a single
            request is made, and no other provider is tried.
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

    Raises InvalidRequestError for a wrong argument. Nothing is sent.
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
    ) -> None:
        self.operations: Operations = Operations(**without_self(locals()))

    @classmethod
    def of(cls, operations: Operations) -> Client:
        """A client for existing operations."""
        client = cls.__new__(cls)
        client.operations = operations
        return client

    def stream(
        self,
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
    ) -> Stream:
        """An answer, to be read as it arrives. Nothing is sent before the first read, or ``Stream.start()``.

        Args:
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            model: a model's name, or an alias. None: the client's; without one, for Hugging Face a default (a vision
                model if there is media), for another server the first that it lists.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files,
                PIL images, ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted
                input see ``media_from_url``.
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
        return Stream(self.operations.open(**without_self(locals())))

    def generate(
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
        """The complete answer: reads ``stream()`` with the same arguments to its end.

        It is streamed on the wire, because gateways close a request without streaming after about a minute.

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
        del extra_headers  # a traceback that shows variables would show it
        with stream:
            while stream.read():
                pass
            return stream.completion

    @overload
    def parse(
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
    def parse(
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
    def parse(
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

    def parse(
        self,
        messages: Messages,
        output_type: Any,
        model: str | None = None,
        *,
        retries: int = 1,
        # Arguments of Client.stream but tools, tool_choice, response_format, parallel_tool_calls (.ci/signatures.py)
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
        """An answer as a value of a type: requested in a form that the provider supports, and validated.

        Providers that enforce a JSON schema are preferred, then those whose support is unknown. If there are none, or
        the server rejects the schema, the value is requested as the arguments of a tool, and finally in the prompt. An
        answer that does not match is requested again, together with the validation error; the prompt does not grow with
        retries. Needs the extra ``schema``.

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
        from .procedures.reader import Reader  # imported on first use: most programs do not need it
        from .structured import parsing

        return Reader(parsing(self.operations, **arguments), self.stream).finish()

    def cost(self, answers: Completion | HasCompletions) -> float | None:
        """The cost in USD of an answer, or of all answers of a conversation or of ``parse``, at the current prices of
        the provider that answered. The prices are fetched if they are not cached.

        None if the usage or a price is unknown. Prompt tokens from the provider's cache count at their own price, if
        the catalogue has one. Raises TransportError or APIStatusError.
        """
        return self.operations.cost(self.operations.new_call(), completions_of(answers))

    def models(
        self,
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
            sort: ``"price"``, ``"throughput"``, ``"latency"``, ``"context"``, ``"name"`` or ``"created"``; None
                keeps the server's order.
            refresh: bypass the cache.

        Raises TransportError, APIStatusError or InvalidRequestError.
        """
        conditions = without_self(locals())
        return self.operations.models(self.operations.new_call(), **conditions)

    def model(self, name: str) -> Model:
        """One model of the server, by its name or an alias; as ``models()`` lists it.

        Raises ModelNotSupportedError, with similar names, if the server does not list it; TransportError or
        APIStatusError.
        """
        return self.operations.model(self.operations.new_call(), name)

    def mapping(self, model: str) -> dict[str, ProviderMapping]:
        """The providers of a model, in the account's order, from the Hub; cached for five minutes.

        Raises ModelNotSupportedError for a model that the Hub does not have, TransportError, APIStatusError, and
        InvalidRequestError if the server is not Hugging Face.
        """
        return self.operations.mapping(self.operations.new_call(), model)

    def hub_models(
        self, *, search: str | None = None, provider: str = "all", limit: int | None = None
    ) -> Iterator[HubModel]:
        """The models on the Hub that a provider serves, for any task, with their mappings; pages are fetched as
        needed.

        Args:
            search: a substring of the name.
            provider: ``"all"``, or the name of a provider.
            limit: the maximum number of models.

        Raises InvalidRequestError for a wrong argument, and if the server is not Hugging Face. Iterating raises
        TransportError and APIStatusError.
        """
        operations = self.operations
        return _each(operations.hub_pages(operations.new_call, search=search, provider=provider, limit=limit))

    def close(self) -> None:
        """Close the idle connections. The client can still be used."""
        self.operations.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.operations!r}>"

    def __getstate__(self) -> dict[str, Any]:
        return self.operations.arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.operations = Operations(**arguments)


def _each(pages: Iterator[list[HubModel]]) -> Iterator[HubModel]:
    try:
        for page in pages:
            yield from page
    except (HFTextError, KeyboardInterrupt) as error:
        shorten(error)
        raise


# The module-level functions use one client with the default settings, made on first use.


@lru_cache(maxsize=1)
def default_client() -> Client:
    """The client behind the module-level functions, with the default settings; made on first use."""
    return Client()


@explain_wrong_names
def generate(
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
    """The complete answer, from Hugging Face with the default settings; as ``Client().generate``.

    Args:
        messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
        model: a model's name, or an alias. None: the client's; without one, for Hugging Face a default (a vision model
            if there is media), for another server the first that it lists.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
        tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs the
            extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs them.
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

    Raises InvalidRequestError for a wrong argument, MissingAuthError without a key, and every other
    ``HFTextError``.
    """
    given = [locals().copy()]
    del extra_headers  # a traceback that shows variables would show it
    return default_client().generate(**given.pop())


@explain_wrong_names
def stream(
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
) -> Stream:
    """An answer to be read as it arrives, from Hugging Face with the default settings; as ``Client().stream``.

    Args:
        messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
        model: a model's name, or an alias. None: the client's; without one, for Hugging Face a default (a vision model
            if there is media), for another server the first that it lists.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
        tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs the
            extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs them.
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

    Raises InvalidRequestError for a wrong argument, and MissingAuthError without a key. All other errors are raised
    while reading.
    """
    return default_client().stream(**locals())


@overload
def parse(
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
def parse(
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
def parse(
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


@explain_wrong_names
def parse(
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
    """An answer as a value of a type, from Hugging Face with the default settings; as ``Client().parse``.

    Args:
        messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
        output_type: a class (a pydantic model, a dataclass, a TypedDict, an Enum …), a type such as ``list[int]`` or
            ``Literal["yes", "no"]``, a ``pydantic.TypeAdapter``, or a JSON schema as a mapping, whose values are those
            of JSON.
        model: a model's name, or an alias; None as for ``stream``.
        retries: how often to ask again after an answer that does not fit.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
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

    Raises StructuredOutputError for an answer that does not fit, TruncatedStreamError for one that was cut off (finish
    reason ``length`` or ``content_filter``), MissingExtraError, and what ``generate`` raises.
    """
    return default_client().parse(**locals())


@explain_wrong_names
def models(
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
    """The models that Hugging Face serves now and that meet all these conditions; cached for five minutes.

    Args:
        search: a substring of the name, case-insensitive.
        provider: a provider that serves them now.
        vision: whether they accept pictures.
        tools: whether they call tools.
        structured_output: whether they follow a JSON schema.
        min_context: the smallest context, in tokens.
        max_output_price: the highest price in USD per million output tokens.
        sort: ``"price"``, ``"throughput"``, ``"latency"``, ``"context"``, ``"name"`` or ``"created"``; None keeps the
            server's order.
        refresh: bypass the cache.

    Raises TransportError, APIStatusError or InvalidRequestError.
    """
    return default_client().models(**locals())
