"""The chat protocol without I/O: bytes and JSON in, values out.

Nothing in this package opens a socket, reads a clock or imports a third-party package. The only files it reads are the
pictures and sounds that a caller names. ``hf_text.transport`` sends the requests built here and passes the responses
back for parsing.

The modules in ``__all__`` are not needed for a plain answer; they are loaded lazily, on first attribute access.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import TransportError

if TYPE_CHECKING:
    from . import catalog, listings, prices, selection

__all__ = ["catalog", "listings", "prices", "selection"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(f".{name}", __name__)
    except ImportError:
        if not sys.is_finalizing():
            raise
        raise TransportError("the call cannot continue: the interpreter is shutting down") from None
