"""Translates the options that callers of the class interface pass into options of a client.

The interface was documented for g4f and for code derived from it. Their callers pass more than a chat request needs:
their own settings, values of empty form fields, lists instead of tuples. All accepted options are listed here; any
other option is rejected by name.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, TypedDict

from .checks import refusal
from .client import Client
from .keys import find_key
from .operations import Operations
from .protocol.media import Media
from .transport.call import DEFAULT
from .wrong_names import wrong_name

__all__ = ["CallerOptions", "cached_operations", "call_options", "client_options", "kept_operations"]


class CallerOptions(TypedDict, total=False):
    """Aliases of options, body fields that few servers support, and ignored options."""

    # Aliases
    api_endpoint: str | None  # the address with /chat/completions
    base_url: str | None  # api_base
    extra_data: Mapping[str, Any] | None  # extra_body
    image: Media | None  # media, with image_name
    images: Media | None  # media
    max_input_length: int | None  # max_inputs_lenght
    stream_options: Mapping[str, Any] | None  # include_usage

    # Body fields
    include_reasoning: bool | None
    max_completion_tokens: int | None
    prompt_cache_key: str | None
    search_settings: Mapping[str, Any] | None

    # Ignored: the callers' internal bookkeeping, and settings for image generation and agents
    action: Any
    agent_timeout: Any
    aspect_ratio: Any
    auth: Any
    auto_continue: Any
    cache: Any
    conversation: Any
    conversation_id: Any
    cookies: Any
    debug_mode: Any
    download_media: Any
    enhance: Any
    executor: Any
    extra_parameters: Any
    guidance_scale: Any
    has_images: Any
    height: Any
    history_disabled: Any
    id: Any
    ignore_stream: Any
    ignore_working: Any
    ignored: Any
    image_name: Any
    impersonate: Any
    loop: Any
    message_id: Any
    negative_prompt: Any
    num_inference_steps: Any
    private: Any
    prompt: Any
    randomize_seed: Any
    raw: Any
    referer: Any
    resolution: Any
    return_conversation: Any
    safe: Any
    stream: Any
    stream_timeout: Any
    tool_calls: Any
    tool_emulation: Any
    transparent: Any
    web_search: Any
    width: Any


# Body fields that are not options of the client.
_BODY_FIELDS = (
    *("user", "top_k", "logit_bias", "modalities", "audio"),
    *("include_reasoning", "max_completion_tokens", "prompt_cache_key", "search_settings"),
)
_OTHER_NAMES = ("api_endpoint", "base_url", "extra_data", "image", "images", "stream_options")
_IGNORED = {"user-agent", *CallerOptions.__annotations__} - {*_BODY_FIELDS, *_OTHER_NAMES, "max_input_length"}
_CLIENT_OPTIONS = inspect.signature(Client).parameters.keys() - {"api_key", "api_base", "model", "provider_mapping"}
_STREAM_OPTIONS = inspect.signature(Client.stream).parameters.keys() - {"self", "messages", "model"}
_ENDING = "/chat/completions"


def client_options(door: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a client, including ``api_key`` and ``api_base``. Raises InvalidRequestError for unknown options.

    Args:
        door: the public function, for the error message.
        given: the caller's options; None means not given.
    """
    options = {name: value for name, value in given.items() if value is not None and name not in _IGNORED}
    _rename_address(options)
    proxy = options.pop("proxy", None)
    if proxy:
        options["proxies"] = {"http": proxy, "https": proxy}
    if not options.get("timeout", True):
        del options["timeout"]
    known = _CLIENT_OPTIONS | {"api_key", "api_base"}
    _refuse_others(door, options, known, known | {"proxy"})
    return options


def call_options(door: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a client, and the options of one call.

    Args:
        door: the public function, for the error message.
        given: the caller's options; None means not given.

    Raises InvalidRequestError for an unknown option.
    """
    options = {name: value for name, value in given.items() if value is not None and name not in _IGNORED}
    _drop_empty(options)
    _gather_body(options)
    _rename_media(options, given.get("image_name"))
    if "media" in options:
        options["media"] = _read_media(options["media"])
    call = {name: options.pop(name) for name in tuple(options) if name in _STREAM_OPTIONS}
    others = {*_STREAM_OPTIONS, *_BODY_FIELDS, *_OTHER_NAMES, "proxy", "max_inputs_lenght"}
    _refuse_others(door, options, _CLIENT_OPTIONS | {"api_key", "api_base", "proxy", *_OTHER_NAMES}, others)
    return client_options(door, options), call


def _refuse_others(door: str, options: Mapping[str, Any], known: Collection[str], more: Collection[str]) -> None:
    for name in options:
        if name not in known:
            raise wrong_name(door, name, {*known, *more})


def _drop_empty(options: dict[str, Any]) -> None:
    """Drop options without meaning: the values of empty form fields, and values that g4f passes on internally."""
    if not options.get("timeout", True) or options.get("timeout") is DEFAULT:
        del options["timeout"]
    if not options.get("tools", True):
        del options["tools"]
    if "tools" not in options and options.get("tool_choice") in ("auto", "none"):
        del options["tool_choice"]
    if options.get("n") == 1:
        del options["n"]
    if hasattr(options.get("provider"), "create_async_generator"):
        del options["provider"]  # g4f passes the provider class to its own methods


def _gather_body(options: dict[str, Any]) -> None:
    """Collect all fields without a client option in one ``extra_body``."""
    stream_options = options.pop("stream_options", None)
    if isinstance(stream_options, Mapping) and "include_usage" in stream_options:
        options.setdefault("include_usage", stream_options["include_usage"])
    body = {name: options.pop(name) for name in _BODY_FIELDS if name in options}
    for name in ("extra_data", "extra_body"):
        more = options.pop(name, {})
        if not isinstance(more, Mapping):
            raise refusal(name, "a mapping", more)
        body |= more
    if body:
        options["extra_body"] = body


def _rename_media(options: dict[str, Any], image_name: Any) -> None:
    """Rename ``image`` and ``images`` to ``media``."""
    image, images = options.pop("image", None), options.pop("images", None)
    media = images or (None if image is None else [(image, image_name)])
    if media is not None and not options.get("media"):
        options["media"] = media


def _read_media(media: Any) -> Any:
    """Convert g4f's pairs of media and file name: they may be lists, and the name may be None."""
    if not isinstance(media, (list, tuple)):
        return media
    pairs = [_read_pair(item) for item in media]
    return type(media)(item for item in pairs if item is not None)


def _read_pair(item: Any) -> Any:
    if not isinstance(item, (list, tuple)) or len(item) != 2:
        return item
    return item[0] if item[1] is None else tuple(item)


def _rename_address(options: dict[str, Any]) -> None:
    """Rename ``base_url`` and ``api_endpoint`` to ``api_base``."""
    base = options.pop("base_url", None)
    address = options.pop("api_endpoint", None)
    if address:
        if not isinstance(address, str) or not address.rstrip("/").endswith(_ENDING):
            raise refusal("api_endpoint", f"an address that ends with {_ENDING}", address)
        base = address.rstrip("/").removesuffix(_ENDING)
    options["api_base"] = options.get("api_base") or base


def kept_operations(cls: Any, api_key: str | None, api_base: str | None, options: Mapping[str, Any]) -> Operations:
    """The cached operations for these settings, or new ones. The settings include the key that ``find_key`` finds and
    the class with its provider overrides.
    """
    found = find_key() if api_key is None and api_base is None else None
    environment = (os.environ.get("HF_ENDPOINT"), os.environ.get("HF_TEXT_ROUTER_URL"), found)
    settings = {name: _frozen(value) for name, value in options.items()}
    try:
        hash((api_key, api_base, *settings.values()))
    except TypeError:  # an unhashable value has the wrong type; Operations raises an error that names the option
        return Operations(api_key, api_base=api_base, **options)
    return cached_operations(environment, cls, api_key, api_base, **settings)


@lru_cache(maxsize=32, typed=True)
def cached_operations(
    environment: Any, cls: Any, api_key: str | None, api_base: str | None, **options: Any
) -> Operations:
    """The operations for these settings, cached for later calls; ``cache_clear()`` empties the cache."""
    return Operations(api_key, api_base=api_base, provider_mapping=getattr(cls, "provider_mapping", None), **options)


def _frozen(value: Any) -> Any:
    """The value in a hashable form, for the cache key."""
    if isinstance(value, Mapping):
        return _FrozenDict(value)
    return tuple(value) if isinstance(value, list) else value


class _FrozenDict(dict[Any, Any]):
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))
