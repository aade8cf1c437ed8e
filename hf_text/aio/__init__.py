"""The async adapter: the blocking core, driven by an event loop, for asyncio and trio.

Conversations and ``batch`` are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..attributes import missing_attribute
from .client import AsyncClient
from .stream import AsyncStream

if TYPE_CHECKING:
    from .conversation import AsyncConversation, AsyncConversationStream

__all__ = ["AsyncClient", "AsyncConversation", "AsyncConversationStream", "AsyncStream"]


def __getattr__(name: str) -> Any:
    if name == "batch":
        return import_module(".batch", __name__)
    if name not in __all__:
        raise missing_attribute(f"module {__name__!r}", name, __dir__())
    value = globals()[name] = getattr(import_module(".conversation", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(["batch", *__all__])
