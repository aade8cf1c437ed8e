"""Regular expressions that few programs need: they are compiled on first use."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

__all__ = ["pattern"]


class _Pattern:
    def __init__(self, source: Any, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, value)  # cached: later accesses do not reach __getattr__
        return value


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Like ``re.compile()``, but an invalid pattern raises only when it is used."""
    return cast("re.Pattern[AnyStr]", _Pattern(source, flags))
