"""The rows of a run, as they are read."""

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
    """Reads rows one at a time; what cannot be read ends the run.

    Args:
        rows: the rows, and outcomes of those that cannot be asked.
        tally: the counts of the run, which learns at the end how many rows there are.
        ending: what ends the run.

    Attributes:
        more: whether there may be another row.
        taken: how many were read.
    """

    def __init__(self, rows: Iterator[Row | Outcome], tally: Tally, ending: Ending) -> None:
        self._rows = rows
        self._tally = tally
        self._ending = ending
        self.more: bool = True
        self.taken: int = 0

    def read(self) -> Row | Outcome | None:
        """The next row; None if there is none, or if it is a bad one that ends the run."""
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
        """Whether no row is left, for a run that reads no more; False if one would have to be waited for."""
        if self.more and self._tally.rows is not None:
            with suppress(HFTextError, OSError):  # then there is another row, or it cannot be told
                self.more = next(self._rows, None) is not None
        return not self.more
