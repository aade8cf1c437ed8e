"""Converts the values of tables and rows from numpy, pandas and pyarrow types to plain Python values.

None of these packages is imported: their types are recognised by their attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ..checks import refusal
from ..errors import InvalidRequestError

__all__ = ["Records", "keepable", "plain", "read_table", "refuse_odd"]

_PLAIN = (str, int, bool, list, dict, tuple, type(None))
_BLOCK = 1000


class Records(list[dict[str, Any]]):
    """A table stored as a list of rows."""


def plain(value: Any) -> Any:
    """Convert a column's value to a Python value; missing values (NaN, NaT, NA) become None."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float) or type(value).__name__ in ("NAType", "NaTType"):
        return value if type(value) is float and value == value else _unboxed_float(value)
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


def _unboxed_float(value: Any) -> float | None:
    if type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    return float(value)


def keepable(value: Any, place: str) -> Any:
    """Convert a value to be copied into the output. Raises InvalidRequestError if JSON cannot hold it."""
    value = plain(value)
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): keepable(item, place) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [keepable(item, place) for item in value]
    raise refusal(place, "a value that JSON can hold", value)


def read_table(value: Any) -> tuple[int, Iterator[dict[str, Any]]] | None:
    """Return the number of rows of a table, and its rows as dicts; None if the value is not a table."""
    if isinstance(value, Records):
        return len(value), iter(value)
    if hasattr(value, "iloc") and hasattr(value, "to_dict") and hasattr(value, "columns"):
        return len(value), _read_pandas(value)
    if hasattr(value, "iter_rows") and hasattr(value, "columns"):  # polars
        return value.height, _named(value.iter_rows(named=True))
    if hasattr(value, "to_batches") and hasattr(value, "schema"):  # pyarrow.Table
        return value.num_rows, _read_arrow(value.to_batches(max_chunksize=_BLOCK))
    if hasattr(value, "to_pylist") and hasattr(value, "schema"):  # pyarrow.RecordBatch
        return value.num_rows, _read_arrow([value])
    if hasattr(value, "column_names") and hasattr(value, "features") and hasattr(value, "__getitem__"):  # datasets
        return len(value), _named(iter(value))
    return None


def _read_pandas(frame: Any) -> Iterator[dict[str, Any]]:
    for start in range(0, len(frame), _BLOCK):
        yield from _named(frame.iloc[start : start + _BLOCK].to_dict("records"))


def _read_arrow(batches: Any) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from _named(batch.to_pylist())


def _named(rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {str(name): plain(value) for name, value in row.items()}


_INSTEAD = (
    ("compute", "dask", "a Dask collection: pass its .compute(), or see the documentation on clusters"),
    ("collect", "polars", "a lazy frame: pass its .collect()"),
    ("toPandas", "", "a Spark DataFrame: pass its .toPandas(), or use mapInPandas with batch.generate_frame"),
    ("__array_interface__", "", "an array: pass a list of prompts (its .tolist()) or a DataFrame"),
    ("__dataframe__", "", "a table of an unknown kind: pass a pandas DataFrame, or an Arrow table"),
    ("__arrow_c_stream__", "", "a table of an unknown kind: pass pyarrow.table(it)"),
)


def refuse_odd(value: Any) -> None:
    """Raise InvalidRequestError, with advice on what to pass instead, if inputs cannot be iterated row by row."""
    if isinstance(value, Mapping):
        splits = all(hasattr(item, "column_names") for item in value.values()) and value
        instead = (
            f"one of its splits: {', '.join(map(repr, value))}" if splits else "a list of rows, or a DataFrame of it"
        )
        raise InvalidRequestError(f"inputs must be rows, not a mapping: pass {instead}")
    if hasattr(value, "to_list"):  # a column: a Series of pandas or polars
        return
    module = type(value).__module__.split(".")[0]
    for attribute, owner, instead in _INSTEAD:
        if hasattr(value, attribute) and owner in ("", module):
            raise InvalidRequestError(f"inputs are {instead}")
    if isinstance(value, (bytes, bytearray)) or not isinstance(value, Iterable):
        raise refusal("inputs", "the path of a JSONL file, a table or an iterable of rows", value)
