"""What came of one row."""

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
    """What came of one row: an answer, or the error that it failed with.

    Attributes:
        custom_id: the name of the row.
        completion: the answer; None if there is none.
        error: why the row failed; None if it was answered.
        columns: what was to be kept of the row.
        cost: USD, by the prices of the server; None if it is not known.
        asked: a fingerprint of what was asked.
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
