"""Text from Hugging Face models, and from every server that speaks the OpenAI chat protocol.

The names below are imported on first use, which keeps ``import hf_text`` cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors
from ._version import __version__
from .errors import *

if TYPE_CHECKING:
    from .client import Client, generate, models, parse, stream
    from .completion import Attempt, Completion, Logprob, Timings
    from .conversation import Conversation, ConversationStream
    from .events import (
        ConversationEvent,
        Event,
        FinishReason,
        ProviderInfo,
        Reasoning,
        ToolCall,
        ToolCalls,
        ToolResult,
        Usage,
    )
    from .generation.stream import Stream
    from .huggingface import HuggingFaceAPI, calculate_lenght, default_llama_model, default_vision_model
    from .keys import find_key
    from .protocol.catalog import HubModel, Model, ModelProvider, ProviderMapping
    from .protocol.media import media_from_base64, media_from_url
    from .structured import Parsed
    from .template import OpenaiTemplate
    from .tools import Tool, tool
    from .transport.call import Timeouts

__all__ = [
    "Attempt",
    "Client",
    "Completion",
    "Conversation",
    "ConversationEvent",
    "ConversationStream",
    "Event",
    "FinishReason",
    "HubModel",
    "HuggingFaceAPI",
    "Logprob",
    "Model",
    "ModelProvider",
    "OpenaiTemplate",
    "Parsed",
    "ProviderInfo",
    "ProviderMapping",
    "Reasoning",
    "Stream",
    "Timeouts",
    "Timings",
    "Tool",
    "ToolCall",
    "ToolCalls",
    "ToolResult",
    "Usage",
    "__version__",
    "calculate_lenght",
    "default_llama_model",
    "default_vision_model",
    "find_key",
    "generate",
    "media_from_base64",
    "media_from_url",
    "models",
    "parse",
    "stream",
    "tool",
]
__all__ += errors.__all__

_HOMES = {
    ".client": ("Client", "generate", "models", "parse", "stream"),
    ".conversation": ("Conversation", "ConversationStream"),
    ".completion": ("Attempt", "Completion", "Logprob", "Timings"),
    ".events": (
        "ConversationEvent",
        "Event",
        "FinishReason",
        "ProviderInfo",
        "Reasoning",
        "ToolCall",
        "ToolCalls",
        "ToolResult",
        "Usage",
    ),
    ".generation.stream": ("Stream",),
    ".huggingface": ("HuggingFaceAPI", "calculate_lenght", "default_llama_model", "default_vision_model"),
    ".keys": ("find_key",),
    ".protocol.catalog": ("HubModel", "Model", "ModelProvider", "ProviderMapping"),
    ".protocol.media": ("media_from_base64", "media_from_url"),
    ".structured": ("Parsed",),
    ".template": ("OpenaiTemplate",),
    ".tools": ("Tool", "tool"),
    ".transport.call": ("Timeouts",),
}

_SUBMODULES = ("aio", "batch", "emulator", "errors", "integrations", "local", "notebook")


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            home = import_module(module, __name__)
            globals().update((each, getattr(home, each)) for each in names)
            return globals()[name]
    if name in ("load_ipython_extension", "unload_ipython_extension"):  # %load_ext hf_text
        return getattr(import_module(".notebook", __name__), name)
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    advice = import_module(".other_names", __name__).ATTRIBUTES["module"].get(name, "")
    if not advice and name.startswith("Async"):
        advice = f"It is in {__name__}.aio"
    raise import_module(".attributes", __name__).missing_attribute(f"module {__name__!r}", name, __dir__(), advice)


def __dir__() -> list[str]:
    return sorted({*_SUBMODULES, *__all__})
