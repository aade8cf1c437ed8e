"""The chat protocol, pure: bytes and JSON in, values out.

Nothing in this package opens a socket, looks at a clock or imports a third party; the only files it reads are the
pictures and sounds that a caller names. ``hf_text.transport`` sends what is built here, and what it receives is parsed
here.

What a plain answer does not need (the modules below) is loaded when it is first used, as an attribute of the package.
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
