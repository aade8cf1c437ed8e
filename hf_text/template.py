"""The documented class interface: providers as classes, all of whose methods belong to the class.

A facade. Each method builds a ``Client`` and forwards to it; attributes of a class are defaults and are never assigned. Clients are kept
by key and address, so that what one user may see is never shown to another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar

from .client import Client
from .errors import APIStatusError, ModelNotSupportedError, TransportError
from .events import Event
from .protocol.messages import Messages
from .protocol.payload import UNSUPPORTED
from .transport.call import Timeouts
from .transport.stream import Stream

__all__ = ["OpenaiTemplate"]
