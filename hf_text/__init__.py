"""hf_text: text from Hugging Face models, and from every server that speaks their protocol.

The names below are loaded when they are first used: ``import hf_text`` costs nothing beside ``import requests``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from .client import Client
    from .completion import Attempt, Completion, Timings
    from .default import generate, models, stream
    from .errors import (
        APIStatusError,
        AuthenticationError,
        BadRequestError,
        HFTextError,
        InvalidRequestError,
        MalformedStreamError,
        MissingAuthError,
        ModelNotSupportedError,
        ModelRefusedError,
        NotFoundError,
        PaymentRequiredError,
        PermissionDeniedError,
        ProviderStreamError,
        RateLimitError,
        RequestTimeoutError,
        ServerError,
        StreamCancelledError,
        StreamError,
        TransportError,
        TruncatedStreamError,
    )
    from .events import Event, FinishReason, ProviderInfo, Reasoning, ToolCall, ToolCalls, Usage
    from .huggingface import HuggingFaceAPI, calculate_lenght
    from .protocol.catalog import HubModel, Model, ModelProvider, ProviderMapping
    from .template import OpenaiTemplate
    from .transport.call import Timeouts
    from .transport.stream import Stream

__all__ = [
    "APIStatusError",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "Completion",
    "Event",
    "FinishReason",
    "HFTextError",
    "HubModel",
    "HuggingFaceAPI",
    "InvalidRequestError",
    "MalformedStreamError",
    "MissingAuthError",
    "Model",
    "ModelNotSupportedError",
    "ModelProvider",
    "ModelRefusedError",
    "NotFoundError",
    "OpenaiTemplate",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "ProviderInfo",
    "ProviderMapping",
    "ProviderStreamError",
    "RateLimitError",
    "Reasoning",
    "RequestTimeoutError",
    "ServerError",
    "Stream",
    "StreamCancelledError",
    "StreamError",
    "Timeouts",
    "Timings",
    "ToolCall",
    "ToolCalls",
    "TransportError",
    "TruncatedStreamError",
    "Usage",
    "__version__",
    "calculate_lenght",
    "generate",
    "models",
    "stream",
]

_HOMES = {
    ".client": ("Client",),
    ".completion": ("Attempt", "Completion", "Timings"),
    ".default": ("generate", "models", "stream"),
    ".errors": (
        "APIStatusError",
        "AuthenticationError",
        "BadRequestError",
        "HFTextError",
        "InvalidRequestError",
        "MalformedStreamError",
        "MissingAuthError",
        "ModelNotSupportedError",
        "ModelRefusedError",
        "NotFoundError",
        "PaymentRequiredError",
        "PermissionDeniedError",
        "ProviderStreamError",
        "RateLimitError",
        "RequestTimeoutError",
        "ServerError",
        "StreamCancelledError",
        "StreamError",
        "TransportError",
        "TruncatedStreamError",
    ),
    ".events": ("Event", "FinishReason", "ProviderInfo", "Reasoning", "ToolCall", "ToolCalls", "Usage"),
    ".huggingface": ("HuggingFaceAPI", "calculate_lenght"),
    ".protocol.catalog": ("HubModel", "Model", "ModelProvider", "ProviderMapping"),
    ".template": ("OpenaiTemplate",),
    ".transport.call": ("Timeouts",),
    ".transport.stream": ("Stream",),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            home = import_module(module, __name__)
            globals().update((each, getattr(home, each)) for each in names)
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
