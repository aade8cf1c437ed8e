"""Where the rows come from: a file of JSON lines, or anything that can be iterated over.

Each value comes with its place, for the message if it is refused. Lines are split as bytes: only a newline ends one,
not the other line separators of Unicode, which JSON may hold.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..checks import refusal, show
from ..errors import InvalidRequestError
from ..protocol.jsons import loads

__all__ = ["Inputs", "Source"]

Inputs = str | os.PathLike[str] | Iterable[str | Mapping[str, Any]]
"""The path of a JSONL file (or such a file, opened), or rows: mappings, or prompts as they are."""


class Source:
    """The values of the inputs, in their order, each with its place.

    Args:
        inputs: as above. What has the methods of a file is read as JSON lines.

    Attributes:
        path: the path, if the inputs are one.
        repeatable: whether they can be read more than once.

    Raises InvalidRequestError for inputs of another kind, and OSError for a path that leads nowhere.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.path: str | None = None
        if isinstance(inputs, (str, os.PathLike)):
            self.path = os.fspath(inputs)
            os.stat(self.path)
            self.repeatable = not _is_pipe(self.path)
        elif isinstance(inputs, (bytes, bytearray, Mapping)) or not isinstance(inputs, Iterable):
            raise refusal("inputs", "the path of a JSONL file or an iterable of rows", inputs)
        else:
            self.repeatable = isinstance(inputs, Sequence)
        self._inputs = inputs

    def __iter__(self) -> Iterator[tuple[str, object]]:
        """Pairs of a place and a value. Raises InvalidRequestError for a line that is not JSON."""
        if self.path is not None:
            with open(self.path, "rb") as file:
                yield from _read_lines(file, os.path.basename(self.path))
        elif isinstance(self._inputs, io.IOBase) or hasattr(self._inputs, "readline"):
            yield from _read_lines(self._inputs, str(getattr(self._inputs, "name", "inputs")))  # type: ignore[arg-type]
        else:
            for index, value in enumerate(self._inputs):  # type: ignore[arg-type]
                yield f"inputs[{index}]", value


def _is_pipe(path: str) -> bool:
    return not os.path.isfile(path) and not os.path.isdir(path)


def _read_lines(lines: Iterable[bytes | str], name: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(lines, 1):
        data = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
        if data.strip():
            yield f"{name}, line {number}", _parse_line(data, f"{name}, line {number}")


def _parse_line(data: bytes, place: str) -> object:
    try:
        return loads(data)  # a byte order mark before the first line is skipped there
    except (ValueError, RecursionError) as error:
        text = data.decode("utf-8", "replace").rstrip("\r\n")
        raise InvalidRequestError(f"{place} is not JSON ({error}): {show(text)}") from None
