"""The documented class interface: a provider is a class with class methods only.

This is a facade: its methods only call the operations of a client. Class attributes are defaults and are never assigned
after import. Fetched data is cached in the operations, which are cached by key and address.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar

from .callers import CallerOptions, call_options, client_options, kept_operations
from .checks import check_int, refusal, warn, without_self
from .errors import (
    APIStatusError,
    InvalidRequestError,
    MissingAuthError,
    ModelNotSupportedError,
    TransportError,
)
from .events import Event
from .generation.steps import Steps
from .generation.stream import Stream
from .operations import MAX_EVENT_BYTES, Operations
from .protocol.media import Media, add_media, has_media
from .protocol.messages import Messages, check_messages, count_length, trim_messages
from .tools import Tools
from .transport.call import DEFAULT, Timeouts
from .wrong_names import explain_wrong_names

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["OpenaiTemplate"]


class OpenaiTemplate:
    """Base of the providers that speak the OpenAI chat protocol. A subclass names at least ``api_base``.

    An option that is None counts as not given. So do the values of empty form fields: ``timeout=0``,
    ``proxy=""``, ``tools=[]``, and ``tool_choice`` of ``"auto"`` or ``"none"`` without tools; and ``n=1``.
    An unknown option is rejected by name.

    Beyond the arguments of its methods these are accepted: ``base_url`` is ``api_base``, ``api_endpoint`` the same
    with ``/chat/completions``, ``extra_data`` is ``extra_body``, ``stream_options`` is ``include_usage``, ``images``
    is ``media``, as is ``image`` with ``image_name``; added to the body are ``max_completion_tokens``,
    ``prompt_cache_key``, ``include_reasoning`` and ``search_settings``. Ignored are settings that callers keep for
    themselves (every answer is streamed): ``stream``, ``ignore_stream``, ``stream_timeout``, ``prompt``,
    ``conversation``, ``conversation_id``, ``return_conversation``, ``message_id``, ``id``, ``action``,
    ``web_search``, ``tool_calls``, ``tool_emulation``, ``agent_timeout``, ``extra_parameters``, ``impersonate``,
    ``ignored``, ``raw``, ``cache``, ``history_disabled``, ``download_media``, ``loop``, ``executor``, ``referer``,
    ``debug_mode``, ``cookies`` (a server gets nothing but a key), ``auth``, ``auto_continue``, ``ignore_working``,
    ``has_images``, a ``provider`` that is a class, and options for pictures: ``negative_prompt``, ``width``,
    ``height``, ``aspect_ratio``, ``resolution``, ``guidance_scale``, ``num_inference_steps``, ``randomize_seed``,
    ``safe``, ``enhance``, ``private``, ``transparent``.

    Attributes:
        label: the display name.
        parent: the name under which keys are stored; None for the class's own.
        url: the page of the provider.
        api_base: the base URL of ``/chat/completions``.
        api_key: the key, if it is fixed.
        needs_auth: whether a key is needed.
        working: whether the provider can be used.
        supports_stream, supports_message_history, supports_system_message: True.
        supports_native_tools: True; tools are sent to the server unchanged.
        default_model: the default model; empty for the first that the server lists.
        default_vision_model: the default model for requests with media.
        fallback_models: returned by ``get_models()`` if the server's list cannot be fetched, and tried in order if no
            model was named and no provider serves the default.
        model_aliases: other names of models.
        vision_models: models that accept pictures.
        image_models, models: empty; ``get_models()`` returns the models.
        live: 0; g4f keeps a reliability counter there.
        last_model: None; ``ProviderInfo`` names the model that answered.
        provider_mapping: providers of models that take precedence over the Hub's; see ``Client``.
    """

    label: ClassVar[str] = "OpenAI-compatible server"
    parent: ClassVar[str | None] = None
    url: ClassVar[str | None] = None
    api_base: ClassVar[str | None] = None
    api_key: ClassVar[str | None] = None
    needs_auth: ClassVar[bool] = False
    working: ClassVar[bool] = True
    supports_stream: ClassVar[bool] = True
    supports_message_history: ClassVar[bool] = True
    supports_system_message: ClassVar[bool] = True
    supports_native_tools: ClassVar[bool] = True
    default_model: ClassVar[str] = ""
    default_vision_model: ClassVar[str] = ""
    fallback_models: ClassVar[list[str]] = []
    model_aliases: ClassVar[dict[str, str]] = {}
    vision_models: ClassVar[list[str]] = []
    image_models: ClassVar[list[str]] = []
    models: ClassVar[list[str]] = []
    live: ClassVar[int] = 0
    last_model: ClassVar[str | None] = None
    provider_mapping: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}

    @classmethod
    @explain_wrong_names
    def get_model(cls, model: str | None, **kwargs: Any) -> str:
        """The model for a name: the default for an empty name, the target of an alias, otherwise the name itself.

        Args:
            model: the name.
            kwargs: ``strict=True`` rejects a name that is in none of the lists; ``api_base`` and ``api_key`` are
                used to fetch the server's list.

        Raises ModelNotSupportedError, only if ``strict``; InvalidRequestError if the name is not a str.
        """
        if not model:
            return cls.default_model
        if not isinstance(model, str):
            raise refusal("model", "the name of a model", model)
        name = cls.model_aliases.get(model, model)
        if kwargs.pop("strict", False) and name not in cls._known_models() and name not in cls.get_models(**kwargs):
            raise ModelNotSupportedError(f"{cls.__name__} has no model {name!r}", model=name)
        return name

    @classmethod
    @explain_wrong_names
    def get_models(cls, api_key: str | None = None, api_base: str | None = None, **kwargs: Any) -> list[str]:
        """The names of the models that can be used, and those of ``provider_mapping``; cached for five minutes.

        They are fetched from the server, ``GET {api_base}/models``. If that fails, ``fallback_models`` are returned, if
        there are any, with a warning, and the next call tries again.

        Args:
            api_key: the key.
            api_base: another server.
            kwargs: the options of a connection (``proxy``, ``timeout``, ``headers`` …).

        Raises TransportError or APIStatusError if ``fallback_models`` do not apply, as with another ``api_base``.
        """
        options = client_options(f"{cls.__name__}.get_models", {**kwargs, "api_key": api_key, "api_base": api_base})
        del api_key  # a traceback that shows variables would show it
        kwargs.clear()
        own = cls._is_own(options["api_base"])
        try:
            operations = cls._connect(options)
            options.clear()
            names = cls._list_models(operations)
        except (TransportError, APIStatusError) as error:
            if not own or not cls.fallback_models:
                raise
            message = f"the models could not be listed, using the default list: {error}"
            warn(message)
            names = cls.fallback_models
        return list(dict.fromkeys([*names, *(cls._overridden_models() if own else ())]))

    @classmethod
    @explain_wrong_names
    def create_generator(
        cls,
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        media: Media | None = None,
        *,
        proxy: str | None = None,
        user: str | None = None,
        top_k: int | None = None,
        logit_bias: Mapping[str, float] | None = None,
        modalities: Sequence[str] | None = None,
        audio: Mapping[str, Any] | None = None,
        # Arguments of Client.stream (.ci/signatures.py)
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
        # Arguments of Client but provider_mapping (.ci/signatures.py)
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
            model: a model's name, or an alias; empty for the default (with media: a vision model).
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            api_base: a server other than the class's own.
            api_key: the key; None: the class's own, or for Hugging Face the one that ``find_key`` finds.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below.
            media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files,
                PIL images, ``(any of those, filename)`` or such a pair as a list, or a list of those.
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
            kwargs: see the class.

        The call itself raises InvalidRequestError for a wrong argument and MissingAuthError without a key. Iterating
        raises every other ``HFTextError``.
        """
        return cls._deliver(cls._open(**without_self(locals())))

    create_completion = create_generator

    @classmethod
    @explain_wrong_names
    def create_async_generator(
        cls,
        # Arguments of OpenaiTemplate.create_generator (.ci/signatures.py)
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
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
            model: a model's name, or an alias; empty for the default (with media: a vision model).
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            api_base: a server other than the class's own.
            api_key: the key; None: the class's own, or for Hugging Face the one that ``find_key`` finds.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below.
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
            kwargs: see the class.

        The call itself raises InvalidRequestError for a wrong argument and MissingAuthError without a key. Iterating
        raises every other ``HFTextError``.
        """
        return cls._deliver_async(cls._open(**without_self(locals())))

    @classmethod
    @explain_wrong_names
    async def create_async(
        cls,
        # Arguments of OpenaiTemplate.create_generator (.ci/signatures.py)
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
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
            model: a model's name, or an alias; empty for the default (with media: a vision model).
            messages: a str (one user turn), or a list of messages as in the OpenAI chat protocol.
            api_base: a server other than the class's own.
            api_key: the key; None: the class's own, or for Hugging Face the one that ``find_key`` finds.
            max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option
                below.
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
            kwargs: see the class.

        Raises InvalidRequestError, MissingAuthError, and every other ``HFTextError``.
        """
        return await cls._collect(cls._open(**without_self(locals())))

    @classmethod
    def get_create_function(cls) -> Callable[..., Iterator[Event]]:
        """Returns ``create_completion``, for callers that use this accessor."""
        return cls.create_completion

    @classmethod
    def get_async_create_function(cls) -> Callable[..., AsyncGenerator[Event, None]]:
        """Returns ``create_async_generator``, for callers that use this accessor."""
        return cls.create_async_generator

    @classmethod
    def create_function(cls, *args: Any, **kwargs: Any) -> Iterator[Event]:
        """As ``create_completion``, for callers that use this name."""
        return cls.create_completion(*args, **kwargs)

    @classmethod
    def async_create_function(cls, *args: Any, **kwargs: Any) -> AsyncGenerator[Event, None]:
        """As ``create_async_generator``, for callers that use this name."""
        return cls.create_async_generator(*args, **kwargs)

    @classmethod
    def get_dict(cls) -> dict[str, str | None]:
        """The provider's name, page and label."""
        return {"name": cls.__name__, "url": cls.url, "label": cls.label}

    @classmethod
    def get_parent(cls) -> str:
        """``parent``, or the name of the class."""
        return cls.parent or cls.__name__

    @classmethod
    def get_parameters(cls, as_json: bool = False) -> dict[str, Any]:
        """The options of ``create_async_generator`` by name.

        Args:
            as_json: return the defaults that can be written as JSON instead of ``inspect.Parameter`` objects, together
                with the provider's name, its default model, and whether it streams.
        """
        parameters = inspect.signature(cls.create_async_generator).parameters.values()
        options = {each.name: each for each in parameters if each.kind is not each.VAR_KEYWORD}
        if not as_json:
            return dict(options)
        defaults = {name: each.default for name, each in options.items() if _is_json(each.default)}
        own = {"provider": cls.__name__, "model": cls.default_model, "stream": cls.supports_stream}
        return {**defaults, "messages": [], **own}

    # Hooks for subclasses

    @classmethod
    def _deliver(cls, steps: Steps) -> Iterator[Event]:
        """The iterator that ``create_generator`` returns."""
        return Stream(steps).events()

    @classmethod
    def _deliver_async(cls, steps: Steps) -> AsyncGenerator[Event, None]:
        """The async generator that ``create_async_generator`` returns."""
        from .aio.stream import AsyncStream  # anyio is imported only for async calls

        return AsyncStream(steps).events()

    @classmethod
    def _list_models(cls, operations: Operations) -> list[str]:
        return [model.id for model in operations.models(operations.new_call())]

    @classmethod
    def _address(cls, api_base: str | None) -> str | None:
        """The base URL for the client; None for Hugging Face."""
        address = api_base or cls.api_base
        if address is None:
            raise InvalidRequestError(f"{cls.__name__} has no api_base: pass api_base=…")
        return address

    @classmethod
    def _open(
        cls,
        *,
        model: str | None,
        messages: Messages,
        max_inputs_lenght: int | None = None,
        kwargs: dict[str, Any],
        **given: Any,
    ) -> Steps:
        length = kwargs.pop("max_input_length", None)
        argument, limit = ("max_inputs_lenght", max_inputs_lenght) if length is None else ("max_input_length", length)
        client, call = call_options(cls.__name__, {**given, **kwargs})
        checked = _trim(add_media(check_messages(messages), call.pop("media", None)), argument, limit)
        chosen, fallbacks = cls._choose(model, has_media(checked), client["api_base"])
        return cls._connect(client).open(checked, chosen, fallback_models=fallbacks, **call)

    # Shared by all providers

    @classmethod
    async def _collect(cls, steps: Steps) -> str:
        async with aclosing(cls._deliver_async(steps)) as events:
            return "".join([event async for event in events if isinstance(event, str)])

    @classmethod
    def _choose(cls, model: str | None, seen: bool, api_base: str | None) -> tuple[str | None, list[str]]:
        """The model to request, and the fallbacks if no provider serves it. None means the default of a server other
        than the class's own.
        """
        if model:
            return cls.get_model(model), []
        if not cls._is_own(api_base):
            return None, []
        default = (cls.default_vision_model if seen else "") or cls.default_model or None
        others = [each for each in cls.fallback_models if each != default and (not seen or each in cls.vision_models)]
        return default, others if default else []

    @classmethod
    def _known_models(cls) -> set[str]:
        """The names that are valid without fetching the server's list."""
        aliases = cls.model_aliases.values()
        return {cls.default_model, *aliases, *cls.fallback_models, *cls.vision_models, *cls.provider_mapping}

    @classmethod
    def _overridden_models(cls) -> list[str]:
        """The models that an entry of ``provider_mapping`` serves for chat."""
        mapping = cls.provider_mapping.items()
        return [name for name, entries in mapping if any(e.get("task") == "conversational" for e in entries.values())]

    @classmethod
    def _connect(cls, options: Mapping[str, Any]) -> Operations:
        """The operations for the options of a client."""
        rest = {name: value for name, value in options.items() if name not in ("api_base", "api_key")}
        own = cls._is_own(options["api_base"])
        address = cls._address(options["api_base"])
        key = options.get("api_key")
        if isinstance(key, Mapping):  # keys by provider
            key = key.get(cls.get_parent())
        key = key or (cls.api_key if own else None)
        if address is not None and cls.needs_auth and own and not key:
            raise MissingAuthError(f"{cls.__name__} needs a key: pass api_key=…")
        return kept_operations(cls, key, address, rest)

    @classmethod
    def _is_own(cls, api_base: str | None) -> bool:
        """Whether requests go to the class's own server, to which its key, lists and defaults apply."""
        return not api_base or cls.api_base is None or str(api_base).rstrip("/") == cls.api_base.rstrip("/")


def _trim(messages: list[dict[str, Any]], argument: str, limit: Any) -> list[dict[str, Any]]:
    """The messages, trimmed to the limit, with a warning that names the argument. None means no limit."""
    if limit is None:
        return messages
    kept = trim_messages(messages, check_int(argument, limit, 1))
    before, after = count_length(messages), count_length(kept)
    if after < before:
        message = f"the messages are trimmed from {before} characters to {after}, because of {argument}={limit}"
        warn(f"{message}; None sends them whole")
    return kept


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True
