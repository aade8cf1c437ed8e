"""Hugging Face in the documented class interface. The misspelled names are part of it; they exist only here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from .callers import CallerOptions
from .checks import without_self
from .client import Client
from .events import Event
from .operations import MAX_EVENT_BYTES, Operations
from .protocol.catalog import ProviderMapping
from .protocol.media import Media
from .protocol.messages import Messages, count_length
from .protocol.names import (
    DEFAULT_LLAMA_MODEL,
    DEFAULT_VISION_MODEL,
    FALLBACK_MODELS,
    MODEL_ALIASES,
    PROVIDER_MAPPING,
    VISION_MODELS,
)
from .template import OpenaiTemplate
from .tools import Tools
from .transport.call import DEFAULT, Timeouts
from .wrong_names import explain_wrong_names

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["HuggingFaceAPI", "calculate_lenght", "default_llama_model", "default_vision_model"]

default_llama_model: str = DEFAULT_LLAMA_MODEL
"""The default model."""

default_vision_model: str = DEFAULT_VISION_MODEL
"""The default model for requests with media."""

_RETIRED_URL = "https://api-inference.huggingface.co/"


class HuggingFaceAPI(OpenaiTemplate):
    """Text generation with Hugging Face Inference Providers.

    ``url`` and ``api_base`` are the documented values. That host no longer exists (410 since 2025, no DNS since
    August 2026), so unless a caller passes another ``api_base``, requests go to the router. If a key of
    ``provider_mapping`` is a path, that route of the router is used. ``get_models`` returns the models that the Hub
    lists as served for conversation now.
    """

    label: ClassVar[str] = "HuggingFace (Text Generation)"
    parent: ClassVar[str | None] = "HuggingFace"
    url: ClassVar[str | None] = "https://api-inference.huggingface.com"
    api_base: ClassVar[str | None] = f"{_RETIRED_URL}v1"
    working: ClassVar[bool] = True
    needs_auth: ClassVar[bool] = True
    default_model: ClassVar[str] = default_llama_model
    default_vision_model: ClassVar[str] = default_vision_model
    vision_models: ClassVar[list[str]] = list(VISION_MODELS)
    model_aliases: ClassVar[dict[str, str]] = MODEL_ALIASES
    fallback_models: ClassVar[list[str]] = list(FALLBACK_MODELS)
    provider_mapping: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = PROVIDER_MAPPING

    @classmethod
    @explain_wrong_names
    async def get_mapping(cls, model: str, api_key: str | None = None) -> dict[str, dict[str, Any]]:
        """The providers of a model: provider name to ``{"task", "providerId", "status", …}``. Taken unchanged from
        ``provider_mapping`` if the model is there, else from the Hub.

        Args:
            model: a name on the Hub, or an alias.
            api_key: the key; None: the one that ``find_key`` finds.

        Raises ModelNotSupportedError for a model that the Hub does not have, TransportError, APIStatusError.
        """
        from .aio.client import AsyncClient  # anyio is imported only for async calls

        name = cls.get_model(model)
        if name in cls.provider_mapping:
            return _as_written(cls.provider_mapping[name])
        client = AsyncClient.of(cls._connect({"api_key": api_key, "api_base": None}))
        del api_key  # a traceback that shows variables would show it
        return _to_dicts(await client.mapping(name))

    @classmethod
    @explain_wrong_names
    def get_mapping_sync(cls, model: str, api_key: str | None = None) -> dict[str, dict[str, Any]]:
        """``get_mapping``, blocking.

        Args:
            model: a name on the Hub, or an alias.
            api_key: the key; None: the one that ``find_key`` finds.

        Raises ModelNotSupportedError for a model that the Hub does not have, TransportError, APIStatusError.
        """
        name = cls.get_model(model)
        if name in cls.provider_mapping:
            return _as_written(cls.provider_mapping[name])
        client = Client.of(cls._connect({"api_key": api_key, "api_base": None}))
        del api_key  # a traceback that shows variables would show it
        return _to_dicts(client.mapping(name))

    @classmethod
    @explain_wrong_names
    def create_generator(  # type: ignore[override]  # the documented order of the arguments
        cls,
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        max_inputs_lenght: int | None = 10000,
        # Arguments of OpenaiTemplate.create_generator (.ci/signatures.py)
        media: Media | None = None,
        *,
        proxy: str | None = None,
        user: str | None = None,
        top_k: int | None = None,
        logit_bias: Mapping[str, float] | None = None,
        modalities: Sequence[str] | None = None,
        audio: Mapping[str, Any] | None = None,
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
        max_retries: int = 2,
        bill_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        hub_url: str | None = None,
        router_url: str | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        **kwargs: Unpack[CallerOptions],
    ) -> Iterator[Event]:
        """Yield the events of an answer as they arrive: ``ProviderInfo``, then text (``str``) and the others.

        Closing or deleting the iterator stops the answer. ``create_completion`` is an alias.

        Args:
            model: a name on the Hub, or an alias; empty for the default (with media: a vision model).
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol. If they are longer
                than ``max_inputs_lenght``, they are trimmed: to the first and last three messages, then to the system
                messages and the last user message, then to that one alone.
            api_base: your own server instead of Hugging Face.
            api_key: the key; None: for Hugging Face the one that ``find_key`` finds.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below except the next.
            max_inputs_lenght: the limit in characters, plus 16 per message (``calculate_lenght``). Trimming emits a
                warning. None sends all messages.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
                ``(any of those, filename)`` or such a pair as a list, or a list of those.
            proxy: the URL of a proxy, for http and https.
            user: a name for the end user, sent to the server.
            top_k: how many of the likeliest tokens are considered, if the server supports it.
            logit_bias: -100 to 100 by token id; makes these tokens less or more likely.
            modalities: the allowed kinds of output, such as ``["text"]``.
            audio: the voice and format of a spoken answer, in the form of the protocol.
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
            kwargs: see ``OpenaiTemplate``.

        The call itself raises InvalidRequestError for a wrong argument and MissingAuthError without a key. Iterating
        raises ModelNotSupportedError if no provider serves the model for chat, PaymentRequiredError if every provider
        requires payment, and every other ``HFTextError``.
        """
        return cls._deliver(cls._open(**without_self(locals())))

    create_completion = create_generator  # type: ignore[assignment]

    @classmethod
    @explain_wrong_names
    def create_async_generator(  # type: ignore[override]  # as above
        cls,
        # Arguments of HuggingFaceAPI.create_generator (.ci/signatures.py)
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        max_inputs_lenght: int | None = 10000,
        media: Media | None = None,
        *,
        proxy: str | None = None,
        user: str | None = None,
        top_k: int | None = None,
        logit_bias: Mapping[str, float] | None = None,
        modalities: Sequence[str] | None = None,
        audio: Mapping[str, Any] | None = None,
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
        max_retries: int = 2,
        bill_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        hub_url: str | None = None,
        router_url: str | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        **kwargs: Unpack[CallerOptions],
    ) -> AsyncGenerator[Event, None]:
        """``create_generator`` for async code: an async generator.

        Closing it (``aclose()``, leaving the loop, cancelling the task) stops the answer.

        Args:
            model: a name on the Hub, or an alias; empty for the default (with media: a vision model).
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol. If they are longer
                than ``max_inputs_lenght``, they are trimmed: to the first and last three messages, then to the system
                messages and the last user message, then to that one alone.
            api_base: your own server instead of Hugging Face.
            api_key: the key; None: for Hugging Face the one that ``find_key`` finds.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below except the next.
            max_inputs_lenght: the limit in characters, plus 16 per message (``calculate_lenght``). Trimming emits a
                warning. None sends all messages.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
                ``(any of those, filename)`` or such a pair as a list, or a list of those.
            proxy: the URL of a proxy, for http and https.
            user: a name for the end user, sent to the server.
            top_k: how many of the likeliest tokens are considered, if the server supports it.
            logit_bias: -100 to 100 by token id; makes these tokens less or more likely.
            modalities: the allowed kinds of output, such as ``["text"]``.
            audio: the voice and format of a spoken answer, in the form of the protocol.
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
            kwargs: see ``OpenaiTemplate``.

        The call itself raises InvalidRequestError for a wrong argument and MissingAuthError without a key. Iterating
        raises ModelNotSupportedError if no provider serves the model for chat, PaymentRequiredError if every provider
        requires payment, and every other ``HFTextError``.
        """
        return cls._deliver_async(cls._open(**without_self(locals())))

    @classmethod
    @explain_wrong_names
    async def create_async(  # type: ignore[override]  # as above
        cls,
        # Arguments of HuggingFaceAPI.create_generator (.ci/signatures.py)
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        max_inputs_lenght: int | None = 10000,
        media: Media | None = None,
        *,
        proxy: str | None = None,
        user: str | None = None,
        top_k: int | None = None,
        logit_bias: Mapping[str, float] | None = None,
        modalities: Sequence[str] | None = None,
        audio: Mapping[str, Any] | None = None,
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
        max_retries: int = 2,
        bill_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        hub_url: str | None = None,
        router_url: str | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        **kwargs: Unpack[CallerOptions],
    ) -> str:
        """The text of a complete answer, for async code; events other than text are omitted.

        Args:
            model: a name on the Hub, or an alias; empty for the default (with media: a vision model).
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol. If they are longer
                than ``max_inputs_lenght``, they are trimmed: to the first and last three messages, then to the system
                messages and the last user message, then to that one alone.
            api_base: your own server instead of Hugging Face.
            api_key: the key; None: for Hugging Face the one that ``find_key`` finds.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below except the next.
            max_inputs_lenght: the limit in characters, plus 16 per message (``calculate_lenght``). Trimming emits a
                warning. None sends all messages.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
                ``(any of those, filename)`` or such a pair as a list, or a list of those.
            proxy: the URL of a proxy, for http and https.
            user: a name for the end user, sent to the server.
            top_k: how many of the likeliest tokens are considered, if the server supports it.
            logit_bias: -100 to 100 by token id; makes these tokens less or more likely.
            modalities: the allowed kinds of output, such as ``["text"]``.
            audio: the voice and format of a spoken answer, in the form of the protocol.
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
            kwargs: see ``OpenaiTemplate``.

        Raises what ``create_async_generator`` and reading it raise.
        """
        return await cls._collect(cls._open(**without_self(locals())))

    @classmethod
    def _list_models(cls, operations: Operations) -> list[str]:
        if operations.endpoint.hugging_face:
            return operations.chat_models()
        return super()._list_models(operations)

    @classmethod
    def _address(cls, api_base: str | None) -> str | None:
        address = api_base or cls.api_base
        return None if f"{address}/".startswith(_RETIRED_URL) else address


def _as_written(mapping: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {provider: dict(entry) for provider, entry in mapping.items()}


def _to_dicts(mapping: Mapping[str, ProviderMapping]) -> dict[str, dict[str, Any]]:
    return {provider: entry.to_dict() for provider, entry in mapping.items()}


def calculate_lenght(messages: Messages) -> int:
    """The length of messages: the characters of each content, plus 16 per message. Of a list content, only the text
    parts count.
    """
    return count_length(messages)
