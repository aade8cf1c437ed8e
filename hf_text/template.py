"""The documented class interface: a provider is a class, and all that it does are class methods.

A facade. A method is a few lines that take a ``Client`` and forward. Attributes of a class are defaults and are
never assigned after import; what was fetched is kept by the clients, which are kept by key and address.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from .checks import refusal
from .errors import (
    APIStatusError,
    HFTextWarning,
    InvalidRequestError,
    MissingAuthError,
    ModelNotSupportedError,
    TransportError,
)
from .events import Event
from .generation.steps import Steps
from .generation.stream import Stream
from .keys import find_key
from .operations import Operations
from .protocol.media import Media, add_media, has_media
from .protocol.messages import Messages, check_messages

__all__ = ["OpenaiTemplate"]

_CLIENT_OPTIONS = frozenset(
    {"bill_to", "headers", "max_event_bytes", "max_retries", "provider", "proxies", "timeout", "verify"}
)
_STREAM_OPTIONS = frozenset(
    {
        "extra_body",
        "include_usage",
        "max_input_length",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "timeout",
        "tool_choice",
        "tools",
        "top_p",
    }
)


class OpenaiTemplate:
    """Base of the providers that speak the OpenAI chat protocol. A subclass names at least ``api_base``.

    Options (``**kwargs`` of the generators) besides those in the signatures: ``temperature``, ``top_p``, ``stop``,
    ``seed``, ``tools``, ``tool_choice``, ``response_format``, ``reasoning_effort``, ``include_usage``,
    ``extra_body``, ``timeout`` (seconds, or ``Timeouts``), ``proxy`` (an address for http and https), ``proxies``,
    ``headers``, ``verify``, ``bill_to``, ``provider``, ``max_retries`` and ``max_event_bytes``, all as for
    ``Client``. An option that is None counts as not given; one that is not known is refused by name.

    Attributes:
        label: the name for people.
        url: the page of the provider.
        api_base: the base URL, what ``/chat/completions`` is below.
        api_key: the key, where one is fixed.
        needs_auth: whether a key is needed.
        working: whether the provider can be used.
        default_model: the model where none is named; empty for the first that the server lists.
        default_vision_model: the same where there is media.
        fallback_models: what to offer when the server's list cannot be had.
        model_aliases: other names of models.
        vision_models: models that see.
        provider_mapping: who serves a model, ahead of what the Hub says; see ``Client``.
    """

    label: ClassVar[str] = "OpenAI-compatible server"
    parent: ClassVar[str | None] = None
    url: ClassVar[str | None] = None
    api_base: ClassVar[str | None] = None
    api_key: ClassVar[str | None] = None
    needs_auth: ClassVar[bool] = False
    working: ClassVar[bool] = True
    default_model: ClassVar[str] = ""
    default_vision_model: ClassVar[str] = ""
    fallback_models: ClassVar[Sequence[str]] = ()
    model_aliases: ClassVar[Mapping[str, str]] = {}
    vision_models: ClassVar[Sequence[str]] = ()
    provider_mapping: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}

    @classmethod
    def get_model(cls, model: str | None, **kwargs: Any) -> str:
        """The model that a name means: empty the default, an alias its target, anything else itself.

        Args:
            model: the name.
            kwargs: ``strict=True`` refuses a name that is in none of the lists; ``api_base`` and ``api_key`` are
                used to ask for them.

        Raises ModelNotSupportedError, only if ``strict``; InvalidRequestError for what is no str.
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
    def get_models(cls, **kwargs: Any) -> list[str]:
        """The names of the models that can be used, and those of ``provider_mapping``; kept for five minutes.

        They are the server's, ``GET {api_base}/models``. When those cannot be had: ``fallback_models``, if there are
        any, with a warning, and the next call asks again.

        Args:
            kwargs: ``api_base``, ``api_key`` and the options of a connection (``proxy``, ``timeout``, ``headers`` …).

        Raises TransportError or APIStatusError where there is nothing to fall back on, as with another ``api_base``.
        """
        own = cls._is_own(kwargs.get("api_base"))
        try:
            names = cls._list_models(cls._connect(kwargs))
        except (TransportError, APIStatusError) as error:
            if not own or not cls.fallback_models:
                raise
            message = f"the models could not be listed, here are the usual ones: {error}"
            warnings.warn(message, HFTextWarning, stacklevel=2)
            names = list(cls.fallback_models)
        return list(dict.fromkeys([*names, *(cls.provider_mapping if own else ())]))

    @classmethod
    def create_async_generator(
        cls,
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        media: Media | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[Event, None]:
        """An answer as an async generator: ``ProviderInfo``, then text (``str``) and the other events.

        Closing it (``aclose()``, leaving the loop, cancelling the task) stops the answer. Raises at this call what
        is wrong with the arguments (InvalidRequestError, MissingAuthError), while iterating all other errors of
        ``HFTextError``'s tree.
        """
        from .aio.stream import AsyncStream  # anyio is imported when something is async, not before

        return AsyncStream(cls._open(model, messages, media, kwargs, api_base, api_key, max_tokens=max_tokens)).events()

    @classmethod
    def create_generator(
        cls,
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        media: Media | None = None,
        **kwargs: Any,
    ) -> Iterator[Event]:
        """The blocking twin of ``create_async_generator``."""
        return Stream(cls._open(model, messages, media, kwargs, api_base, api_key, max_tokens=max_tokens)).events()

    @classmethod
    def _open(
        cls,
        model: str | None,
        messages: Messages,
        media: Media | None,
        options: dict[str, Any],
        api_base: str | None,
        api_key: str | None,
        **more: Any,
    ) -> Steps:
        options = {name: value for name, value in options.items() if value is not None}
        asked = {name: options.pop(name) for name in tuple(options) if name in _STREAM_OPTIONS}
        operations = cls._connect({**options, "api_base": api_base, "api_key": api_key})
        checked = add_media(check_messages(messages), media)
        return operations.open(checked, cls._name(model, has_media(checked), api_base), **asked, **more)

    @classmethod
    def _name(cls, model: str | None, seen: bool, api_base: str | None) -> str | None:
        """The model to ask for; None leaves it to a server that is not the class's own."""
        if model:
            return cls.get_model(model)
        if not cls._is_own(api_base):
            return None
        return (cls.default_vision_model if seen else None) or cls.default_model or None

    @classmethod
    def _known_models(cls) -> set[str]:
        """The names that need not be looked for on the server."""
        aliases = cls.model_aliases.values()
        return {cls.default_model, *aliases, *cls.fallback_models, *cls.vision_models, *cls.provider_mapping}

    @classmethod
    def _list_models(cls, operations: Operations) -> list[str]:
        return [model.id for model in operations.models(operations.new_call())]

    @classmethod
    def _connect(cls, options: dict[str, Any]) -> Operations:
        """The operations for these options. Raises InvalidRequestError for one that is not known."""
        options = {name: value for name, value in options.items() if value is not None}
        own = cls._is_own(options.get("api_base"))
        api_base = cls._address(options.pop("api_base", None))
        api_key = options.pop("api_key", None) or (cls.api_key if own else None)
        proxy = options.pop("proxy", None)
        if proxy is not None:
            options["proxies"] = {"http": proxy, "https": proxy}
        unknown = sorted(set(options) - _CLIENT_OPTIONS)
        if unknown:
            raise InvalidRequestError(f"{cls.__name__} does not know the option {', '.join(unknown)}")
        if api_base is not None and cls.needs_auth and own and not api_key:
            raise MissingAuthError(f"{cls.__name__} needs a key: pass api_key=…")
        return _operations(cls, api_key, api_base, **{name: _frozen(value) for name, value in options.items()})

    @classmethod
    def _is_own(cls, api_base: str | None) -> bool:
        """Whether the class's own server is asked: its key is for that one, its lists and defaults tell of it."""
        return not api_base or cls.api_base is None or str(api_base).rstrip("/") == cls.api_base.rstrip("/")

    @classmethod
    def _address(cls, api_base: str | None) -> str | None:
        """The base URL for the client; None for Hugging Face."""
        address = api_base or cls.api_base
        if address is None:
            raise InvalidRequestError(f"{cls.__name__} has no api_base: pass api_base=…")
        return address


def _frozen(value: Any) -> Any:
    """The value in a form that can be a key of a cache."""
    if isinstance(value, Mapping):
        return _FrozenDict(value)
    return tuple(value) if isinstance(value, list) else value


class _FrozenDict(dict[Any, Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def _operations(cls: Any, api_key: str | None, api_base: str | None, **options: Any) -> Operations:
    """Those that were made for the same settings, else a new one. A key that is found now is one of them."""
    found = find_key() if api_key is None and api_base is None else None
    environment = (os.environ.get("HF_ENDPOINT"), os.environ.get("HF_TEXT_ROUTER_URL"), found)
    try:
        hash((api_key, api_base, *options.values()))
    except TypeError:  # something of a wrong type, which the client refuses by its name
        return Operations(api_key, api_base=api_base, **options)
    return _cached_operations(environment, cls, api_key, api_base, **options)


@lru_cache(maxsize=32, typed=True)
def _cached_operations(
    environment: Any, cls: Any, api_key: str | None, api_base: str | None, **options: Any
) -> Operations:
    return Operations(api_key, api_base=api_base, provider_mapping=cls.provider_mapping, **options)
