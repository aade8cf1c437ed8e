"""Hugging Face in the documented class interface. The misspellings are documented too; they live here and only here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any

from .checks import check_int
from .client import Client
from .events import Event
from .operations import Operations
from .protocol.media import Media
from .protocol.messages import Messages, count_length
from .protocol.names import (
    DEFAULT_MODEL,
    DEFAULT_VISION_MODEL,
    FALLBACK_MODELS,
    MODEL_ALIASES,
    PROVIDER_MAPPING,
    VISION_MODELS,
)
from .template import OpenaiTemplate

__all__ = ["HuggingFaceAPI", "calculate_lenght"]

_RETIRED_URL = "https://api-inference.huggingface.co/"


class HuggingFaceAPI(OpenaiTemplate):
    """Text generation with Hugging Face Inference Providers.

    ``url`` and ``api_base`` are the documented values. That host is gone (410 since 2025, no DNS since August
    2026), so unless a caller passes another ``api_base``, requests go to the router. A key of ``provider_mapping``
    that is a path means that route of the router. ``get_models`` gives what the Hub lists as served for conversation
    now.
    """

    label = "HuggingFace (Text Generation)"
    parent = "HuggingFace"
    url = "https://api-inference.huggingface.com"
    api_base = f"{_RETIRED_URL}v1"
    working = True
    needs_auth = True
    default_model = DEFAULT_MODEL
    default_vision_model = DEFAULT_VISION_MODEL
    vision_models = VISION_MODELS
    model_aliases = MODEL_ALIASES
    fallback_models = FALLBACK_MODELS
    provider_mapping = PROVIDER_MAPPING

    @classmethod
    async def get_mapping(cls, model: str, api_key: str | None = None) -> dict[str, dict[str, Any]]:
        """Who serves a model: provider name to ``{"task", "providerId", "status", …}``, from ``provider_mapping``,
            else the Hub.

        Raises ModelNotSupportedError for a model that the Hub does not have, TransportError, APIStatusError.
        """
        from .aio import AsyncClient  # anyio is imported when something is async, not before

        mapping = await AsyncClient.of(cls._connect({"api_key": api_key})).mapping(cls.get_model(model))
        return {provider: entry.to_dict() for provider, entry in mapping.items()}

    @classmethod
    def get_mapping_sync(cls, model: str, api_key: str | None = None) -> dict[str, dict[str, Any]]:
        """The blocking twin of ``get_mapping``."""
        mapping = Client.of(cls._connect({"api_key": api_key})).mapping(cls.get_model(model))
        return {provider: entry.to_dict() for provider, entry in mapping.items()}

    @classmethod
    def create_async_generator(  # type: ignore[override]  # the documented order of the arguments
        cls,
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        max_inputs_lenght: int = 10000,
        media: Media | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[Event, None]:
        """An answer as an async generator: ``ProviderInfo``, then text (``str``) and the other events.

        Args:
            model: a name on the Hub or an alias; empty for the default (with media: one that sees).
            messages: as for ``Client.stream``; what is longer than ``max_inputs_lenght`` is trimmed: to the first
                and last three messages, then to the system messages and the last of the user, then to that one
                alone.
            api_base: a server of your own instead of Hugging Face.
            api_key: the key; for Hugging Face the one that is found where none is given.
            max_tokens: the most tokens that the answer may have.
            max_inputs_lenght: in characters, and 16 for each message (``calculate_lenght``).
            media: as for ``Client.stream``.
            kwargs: further options, see ``OpenaiTemplate``.

        Raises at this call what is wrong with the arguments (InvalidRequestError, MissingAuthError); while
        iterating ModelNotSupportedError when nobody serves the model for conversation, PaymentRequiredError when
        every way to it wants payment, and all other errors of ``HFTextError``'s tree.
        """
        _limit_input(kwargs, max_inputs_lenght)
        return super().create_async_generator(model, messages, api_base, api_key, max_tokens, media, **kwargs)

    @classmethod
    def create_generator(  # type: ignore[override]  # as above
        cls,
        model: str,
        messages: Messages,
        api_base: str | None = None,
        api_key: str | None = None,
        max_tokens: int | None = 2048,
        max_inputs_lenght: int = 10000,
        media: Media | None = None,
        **kwargs: Any,
    ) -> Iterator[Event]:
        """The blocking twin of ``create_async_generator``."""
        _limit_input(kwargs, max_inputs_lenght)
        return super().create_generator(model, messages, api_base, api_key, max_tokens, media, **kwargs)

    @classmethod
    def _list_models(cls, operations: Operations) -> list[str]:
        if operations.endpoint.hugging_face:
            return operations.chat_models()
        return super()._list_models(operations)

    @classmethod
    def _address(cls, api_base: str | None) -> str | None:
        address = api_base or cls.api_base
        return None if f"{address}/".startswith(_RETIRED_URL) else address


def _limit_input(options: dict[str, Any], length: int | None) -> None:
    """Add the limit in its right spelling, unless it was given so too. A wrong one is named as the caller wrote it."""
    if options.get("max_input_length") is not None:
        return
    options["max_input_length"] = None if length is None else check_int("max_inputs_lenght", length, 1)


def calculate_lenght(messages: Messages) -> int:
    """The length of messages: the characters of each content, and 16 for each message; of list content its text parts
    count.
    """
    return count_length(messages)
