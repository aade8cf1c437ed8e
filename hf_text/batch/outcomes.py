"""The outcome of one row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..completion import Completion
from ..errors import HFTextError
from .index import NO_FINGERPRINT

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one row: an answer, or the error that it failed with.

    Attributes:
        custom_id: the name of the row.
        completion: the answer; None if the row failed.
        error: the error with which the row failed; None if it was answered.
        columns: the kept columns of the row.
        cost: USD at the server's prices; None if unknown.
        asked: a fingerprint of the request.
    """

    custom_id: str
    completion: Completion | None = None
    error: HFTextError | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    cost: float | None = None
    asked: bytes = field(default=NO_FINGERPRINT, repr=False)

    @property
    def text(self) -> str | None:
        """The text of the answer; None if the row failed."""
        return None if self.completion is None else self.completion.text

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.completion is not None
