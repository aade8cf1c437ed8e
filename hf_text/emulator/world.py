"""The state of one emulator, shared by its router and its Hub."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from .catalog import build_catalogue

__all__ = ["World"]


@dataclass
class World:
    """The state of an emulator.

    Attributes:
        models: the catalogue.
        renamed: old id to new id.
        require_key: the only accepted key; None: any key, or none.
        pace: seconds between the pieces of an answer.
        url: the base URL of the emulator.
        numbers: a counter for request ids and rate limits.
    """

    models: list[dict[str, Any]] = field(default_factory=build_catalogue)
    renamed: dict[str, str] = field(default_factory=dict)
    require_key: str | None = None
    pace: float = 0.0
    url: str = ""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def find(self, id: str) -> dict[str, Any] | None:
        """The model with this id."""
        return next((model for model in self.models if model["id"] == id), None)
