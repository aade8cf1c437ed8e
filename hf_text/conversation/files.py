"""Saves conversations to files and loads them."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Any

from ..completion import Completion
from ..errors import InvalidRequestError
from ..protocol.messages import check_messages
from ..protocol.payload import encode_payload
from .history import Entry, History

__all__ = ["read_history", "write_history"]

_FORMAT = "hf_text conversation"
_VERSION = 1


def write_history(path: str | PathLike[str], history: History, model: str | None) -> None:
    """Write the history to a temporary file in the target's folder, which then replaces the target: it is never half
    written. Raises OSError, and InvalidRequestError for values that JSON cannot represent.
    """
    places = {id(answer): index for index, answer in enumerate(history.answers)}
    values = {
        "format": _FORMAT,
        "version": _VERSION,
        "model": model,
        "messages": [_write_entry(entry, places) for entry in history.entries],
        "answers": [answer.to_dict() for answer in history.answers],
        "unanswered": history.unanswered,
    }
    target = Path(path)
    body = encode_payload(values)
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # readable by its owner only
    try:
        with os.fdopen(number, "wb") as file:
            file.write(body)
        os.replace(name, target)
    except BaseException:  # including Ctrl-C: leave no temporary file behind
        with suppress(OSError):
            os.unlink(name)
        raise


def read_history(path: str | PathLike[str]) -> tuple[History, str | None]:
    """Read the history and the model from a file that `write_history` wrote. Raises OSError, and InvalidRequestError
    for any other file.
    """
    try:
        values = json.loads(Path(path).read_bytes())
        if values["format"] != _FORMAT or values["version"] != _VERSION:
            raise ValueError(f"it says {values['format']!r:.80}, version {values['version']!r:.20}")
        answers = [Completion.from_dict(answer) for answer in values["answers"]]
        entries = [_read_entry(entry, answers) for entry in values["messages"]]
        return History(entries, answers, list(values["unanswered"])), values["model"]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        problem = f"{type(error).__name__}: {error}"
    raise InvalidRequestError(f"{os.fspath(path)} is not a conversation that this version of hf_text saved ({problem})")


def _write_entry(entry: Entry, places: dict[int, int]) -> dict[str, Any]:
    return {"answer": places[id(entry)]} if isinstance(entry, Completion) else entry


def _read_entry(entry: dict[str, Any], answers: list[Completion]) -> Entry:
    return answers[entry["answer"]] if "answer" in entry else check_messages([entry])[0]
