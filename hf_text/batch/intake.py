"""Reads the rows of a run one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..errors import HFTextError
from .ending import Ending
from .outcomes import Outcome
from .progress import Tally
from .rows import Row

__all__ = ["Intake"]


class Intake:
    """Reads rows one at a time; an error while reading ends the run.

    Args:
        rows: the rows, and the outcomes of rows that cannot be sent.
        tally: the counts of the run; receives the number of rows at the end.
        ending: ends the run.

    Attributes:
        more: whether there may be another row.
        taken: the number of rows read.
    """

    def __init__(self, rows: Iterator[Row | Outcome], tally: Tally, ending: Ending) -> None:
        self._rows = rows
        self._tally = tally
        self._ending = ending
        self.more: bool = True
        self.taken: int = 0

    def read(self) -> Row | Outcome | None:
        """Return the next row; None if there is none, or if a bad row ends the run."""
        try:
            row = next(self._rows, None) if self.more else None
        except (HFTextError, OSError) as error:  # a bad row, or inputs that cannot be read
            self._ending.fail(error)
            row = None
        if row is not None:
            self.taken += 1
            return row
        self.more = False
        if self._ending.error is None:
            self._tally.rows = self._tally.resumed + self._tally.given_up + self.taken
        return None

    def is_exhausted(self) -> bool:
        """Whether no row is left, for a run that reads no more. False if finding out could block."""
        if self.more and self._tally.rows is not None:
            with suppress(HFTextError, OSError):  # on an error, there is another row, or it is unknown
                self.more = next(self._rows, None) is not None
        return not self.more
