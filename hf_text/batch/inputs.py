"""Reads rows from a JSONL file, a table or any iterable.

Each value comes with its place, for error messages. Lines are split as bytes: only a newline ends a line, not the other
line separators of Unicode, which JSON may contain.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..checks import show
from ..errors import InvalidRequestError
from ..protocol.jsons import loads
from .columns import plain, read_table, refuse_odd

__all__ = ["BadLine", "Inputs", "Source"]

Inputs = str | os.PathLike[str] | Iterable[str | Mapping[str, Any]]
"""The path of a JSONL file (also ``.gz``; ``"-"`` is standard input), an open JSONL file, a table (a pandas or polars
DataFrame, an Arrow table, a ``datasets.Dataset``), or an iterable of rows: mappings or plain prompts."""

_READ_BYTES = 1 << 20

_OTHER_FILES = {
    ".csv": "pandas.read_csv",
    ".tsv": "pandas.read_table",
    ".parquet": "pandas.read_parquet",
    ".feather": "pandas.read_feather",
    ".arrow": "datasets.Dataset.from_file",
    ".xlsx": "pandas.read_excel",
    ".xls": "pandas.read_excel",
    ".json": "pandas.read_json",
}


class BadLine(InvalidRequestError):
    """A line of a file that is not JSON."""


class Source:
    """The values of the inputs in order, each with its place.

    Args:
        inputs: as above. File-like objects are read as JSON lines.

    Attributes:
        path: the path, if the inputs are a path.
        repeatable: whether the inputs can be read more than once.
        table: whether the inputs are a table: values are then mappings that may have columns other than options.
        rows: the approximate number of rows; None if unknown.

    Raises InvalidRequestError for inputs of another kind, and OSError for a path that does not exist.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.path: str | None = None
        self.table = False
        self.rows: int | None = None
        self._inputs: Any = inputs
        if isinstance(inputs, (str, os.PathLike)):
            self._take_path(os.fspath(inputs))
        elif (found := read_table(inputs)) is not None:
            self.table = self.repeatable = True
            self.rows = found[0]
        else:
            refuse_odd(inputs)
            self.repeatable = isinstance(inputs, Sequence) or hasattr(inputs, "iloc")
            self.rows = len(inputs) if self.repeatable else None  # type: ignore[arg-type]

    def _take_path(self, path: str) -> None:
        suffix = os.path.splitext(path)[1].lower()
        if suffix in _OTHER_FILES:
            raise InvalidRequestError(
                f"inputs must be JSON lines, not a {suffix} file: read it with {_OTHER_FILES[suffix]}, and pass "
                "the result"
            )
        self.repeatable = False
        if path != "-":
            os.stat(path)
            self.path = path
            self.repeatable = os.path.isfile(path) or os.path.isdir(path)

    def count(self) -> int | None:
        """Return the approximate number of rows: a file's newlines are counted, without parsing. None if unknown."""
        if self.rows is None and self.path is not None and os.path.isfile(self.path):
            with self._open() as file:
                self.rows = sum(block.count(b"\n") for block in iter(lambda: file.read(_READ_BYTES), b""))
        return self.rows

    def __iter__(self) -> Iterator[tuple[str, object]]:
        """Yield pairs of place and value; the value of a line that is not JSON is a BadLine."""
        return self.read(lambda line: False)

    def read(self, skip: Callable[[bytes], bool]) -> Iterator[tuple[str, object]]:
        """Like iterating, but without the lines of a file for which ``skip`` returns True."""
        if self.path is not None:
            with self._open() as file:
                yield from _read_lines(file, os.path.basename(self.path), skip)
        elif isinstance(self._inputs, str):
            yield from _read_lines(sys.stdin.buffer, "standard input", skip)
        elif self.table:
            for index, value in enumerate(read_table(self._inputs)[1]):  # type: ignore[index]
                yield f"row {index} of the table", value
        elif isinstance(self._inputs, io.IOBase) or hasattr(self._inputs, "readline"):
            yield from _read_lines(self._inputs, str(getattr(self._inputs, "name", "inputs")), skip)
        else:
            for index, value in enumerate(self._inputs):
                yield f"inputs[{index}]", plain(value)

    def _open(self) -> Any:
        path = str(self.path)
        return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb", _READ_BYTES)


def _read_lines(lines: Iterable[bytes | str], name: str, skip: Callable[[bytes], bool]) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(lines, 1):
        data = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
        if not skip(data) and not data.isspace():
            place = f"{name}, line {number}"
            yield place, _parse_line(data, place)


def _parse_line(data: bytes, place: str) -> object:
    try:
        return loads(data)  # also skips a byte order mark before the first line
    except (ValueError, RecursionError) as error:
        text = data.decode("utf-8", "replace").rstrip("\r\n")
        return BadLine(f"{place} is not JSON ({error}): {show(text)}")
