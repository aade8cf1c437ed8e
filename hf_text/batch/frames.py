"""A block of a table in, the same with answers out: what Ray, Spark, Dask and ``datasets`` call for each block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks import is_filled, refusal
from ..errors import InvalidRequestError
from .columns import Records, plain, read_table
from .generate import Outcomes, generate
from .prompts import Template

__all__ = ["Block", "generate_frame"]

_NUMBER = "\0number"  # rows of a block need no names of their own; this is no column of theirs


def generate_frame(frame: Any, template: Template | None = None, *, into: str = "answer", **options: Any) -> Any:
    """Ask for each row of a block, and give the block back with the answers.

    Args:
        frame: a pandas or polars DataFrame, an Arrow table or record batch, a mapping of columns (as Ray and
            ``datasets`` hand them over), or a list of mappings.
        template: what is asked, from the columns: ``"Label: {text}"``; default: the column ``prompt`` or ``messages``.
        into: the name of the new column: the text of the answer, or None; why there is none stands in a column of the
            same name with ``_error`` (default ``"answer"``).
        options: those of ``generate``; ``on_bad_row`` is ``"record"`` unless it is given. Calls with one client share
            its connections, and what was learned of the pace.

    Returns a new block of the same kind and the same order. Raises InvalidRequestError for another kind of block, and
    as ``generate``; a row that fails is not an error.
    """
    return Block(frame, template, into, options).fill()


class Block:
    """A block on its way. The arguments are those of ``generate_frame``."""

    def __init__(self, frame: Any, template: Template | None, into: str, options: Mapping[str, Any]) -> None:
        if not is_filled(into):
            raise refusal("into", "the name of a column", into)
        self._frame = frame
        self._into = into
        self._rows = _rows_of(frame)
        self._options = {"on_bad_row": "record", **options, "template": template, "id": _NUMBER}
        self._outcomes: Outcomes | None = None

    def fill(self) -> Any:
        """The block with its answers."""
        named = Records({**row, _NUMBER: number} for number, row in enumerate(self._rows))
        texts: list[str | None] = [None] * len(named)
        errors: list[str | None] = [None] * len(named)
        with generate(named, **self._options) as self._outcomes:
            for outcome in self._outcomes:
                number = int(outcome.custom_id)
                texts[number] = outcome.text
                errors[number] = None if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
        return _with_columns(self._frame, {self._into: texts, f"{self._into}_error": errors})

    def stop(self) -> None:
        """Cancel what is under way."""
        if self._outcomes is not None:
            self._outcomes.drain(0.0)


def _rows_of(frame: Any) -> list[dict[str, Any]]:
    if (table := read_table(frame)) is not None:
        return list(table[1])
    if isinstance(frame, Mapping):
        columns = {str(name): plain(list(values)) for name, values in frame.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InvalidRequestError("frame: its columns are not of one length")
        count = lengths.pop() if lengths else 0
        return [{name: plain(values[number]) for name, values in columns.items()} for number in range(count)]
    if isinstance(frame, list) and all(isinstance(row, Mapping) for row in frame):
        return [{str(name): plain(value) for name, value in row.items()} for row in frame]
    raise refusal("frame", "a DataFrame, an Arrow table, a mapping of columns or a list of mappings", frame)


def _with_columns(frame: Any, columns: Mapping[str, list[Any]]) -> Any:
    if hasattr(frame, "assign") and hasattr(frame, "iloc"):
        return frame.assign(**columns)
    if hasattr(frame, "with_columns"):  # polars
        return frame.with_columns(**{name: _polars_column(frame, values) for name, values in columns.items()})
    if hasattr(frame, "append_column"):  # pyarrow
        import pyarrow  # type: ignore[import-untyped, unused-ignore]

        for name, values in columns.items():
            column = pyarrow.array(values, pyarrow.string())
            place = frame.schema.get_field_index(name)
            frame = frame.append_column(name, column) if place < 0 else frame.set_column(place, name, column)
        return frame
    if isinstance(frame, Mapping):
        return {**frame, **columns}
    return [{**row, **{name: values[number] for name, values in columns.items()}} for number, row in enumerate(frame)]


def _polars_column(frame: Any, values: list[Any]) -> Any:
    import polars  # type: ignore[import-not-found, unused-ignore]

    return polars.Series(values, dtype=polars.String)
