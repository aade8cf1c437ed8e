"""The async adapter: the blocking core, driven by an event loop, for asyncio and trio."""

from __future__ import annotations

from .client import AsyncClient
from .stream import AsyncStream

__all__ = ["AsyncClient", "AsyncStream"]
