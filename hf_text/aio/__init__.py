"""The async adapter: the blocking core, driven by an event loop, for asyncio and trio."""

from __future__ import annotations

from .client import AsyncClient
from .conversation import AsyncConversation, AsyncConversationStream
from .stream import AsyncStream

__all__ = ["AsyncClient", "AsyncConversation", "AsyncConversationStream", "AsyncStream"]
