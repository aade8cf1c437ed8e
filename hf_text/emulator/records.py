"""Records of the traffic between a program and a server: a JSON file for each request with its answer."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .replies import Response

if TYPE_CHECKING:
    from .replies import End

__all__ = ["Player", "Record", "name_record", "payload_spans", "record_paths"]

_FORM = "hf_text.emulator record 1"


@dataclass(frozen=True)
class Record:
    """A request and its answer.

    Attributes:
        method: ``"GET"``, ``"POST"`` ….
        target: path and query.
        body: the body of the request.
        pieces: the data that the server sent, each piece with the seconds since the request.
        end: how the answer ended: ``"complete"``, ``"reset"``, or ``"stall"`` if the client disconnected while the
            server sent nothing.
    """

    method: str
    target: str
    body: bytes
    pieces: tuple[tuple[float, bytes], ...]
    end: End = "complete"

    def save(self, path: Path) -> None:
        """Write the record as JSON, text as text, so that records can be read and compared."""
        answer = [[round(seconds, 4), _as_text(data)] for seconds, data in self.pieces]
        request = {"method": self.method, "target": self.target, "body": _as_text(self.body)}
        value = {"form": _FORM, "request": request, "answer": answer, "end": self.end}
        path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> Record:
        """Read a file written by ``save``. Raises ValueError for any other file."""
        value = json.loads(path.read_text("utf-8"))
        if not isinstance(value, dict) or value.get("form") != _FORM:
            raise ValueError(f"{path} is not a record of this version")
        request = value["request"]
        pieces = tuple((float(seconds), _as_bytes(data)) for seconds, data in value["answer"])
        return cls(request["method"], request["target"], _as_bytes(request["body"]), pieces, value["end"])

    def answers(self, method: str, target: str, body: bytes) -> bool:
        """Whether this is the record of such a request. JSON bodies are compared by value."""
        return (self.method, self.target) == (method, target) and _values(self.body) == _values(body)

    def reply(self, timing: bool) -> Response:
        """The answer, byte for byte."""
        return Response(raw=lambda: self._play(timing), end=self.end, keep_alive=False)

    def _play(self, timing: bool) -> Iterator[bytes | float]:
        before = 0.0
        for seconds, data in self.pieces:
            if timing:
                yield max(0.0, seconds - before)
            before = seconds
            yield data


class Player:
    """Answers from the records of a folder. If several match a request, each is used once in the recorded order, then
    the last one again.

    Args:
        folder: the folder of the records.
        timing: whether to reproduce the recorded timing.

    Raises ValueError for a file that is not a record. A folder without records answers nothing.
    """

    def __init__(self, folder: Path, timing: bool) -> None:
        self._folder = folder
        self._records = [Record.load(path) for path in record_paths(folder)]
        self._timing = timing
        self._played: set[int] = set()

    def find(self, method: str, target: str, body: bytes) -> Response:
        """The answer to a request. Raises LookupError if it was not recorded."""
        fitting = [number for number, record in enumerate(self._records) if record.answers(method, target, body)]
        if not fitting:
            raise LookupError(self._explain(method, target))
        chosen = next((number for number in fitting if number not in self._played), fitting[-1])
        self._played.add(chosen)
        return self._records[chosen].reply(self._timing)

    def _explain(self, method: str, target: str) -> str:
        if not self._records:
            return f"no recording matches {method} {target}: there are none in {self._folder}"
        known = sorted({f"{record.method} {record.target}" for record in self._records})
        same = f"{method} {target}" in known
        why = "its body differs from those recorded" if same else f"recorded are {', '.join(known)}"
        return f"no recording matches {method} {target}: {why}"


def record_paths(folder: Path) -> list[Path]:
    """The record files of a folder, in recorded order."""
    return sorted(path for path in folder.glob("*.json") if path.stem[:4].isdigit())


def name_record(number: int, method: str, target: str) -> str:
    """A file name that describes the recording."""
    words = "".join(letter if letter.isalnum() else "-" for letter in target.partition("?")[0]).strip("-")
    return f"{number:04}-{method}-{words[:60]}.json"


def _as_text(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _as_bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def _values(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def payload_spans(raw: bytes) -> Iterable[tuple[int, int]]:
    """The positions of the chunk data in a chunked body, without the framing; the whole of any other body."""
    start = raw.find(b"\r\n\r\n") + 4
    if re.search(rb"(?im)^transfer-encoding:[^\r\n]*chunked", raw[:start]) is None:
        yield start, len(raw)
        return
    while (line := raw.find(b"\r\n", start)) >= 0:
        try:
            size = int(raw[start:line].split(b";")[0] or b"?", 16)
        except ValueError:
            break
        if not 0 < size < math.inf:
            return
        yield line + 2, min(line + 2 + size, len(raw))
        start = line + 2 + size + 2
    else:
        return
    yield start, len(raw)  # invalid framing: treat the rest as data
