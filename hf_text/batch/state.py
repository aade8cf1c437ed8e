"""``OUTPUT.state``: how far a run is, for others to read; written once a second."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any

from ..errors import InvalidRequestError
from .progress import Progress

__all__ = ["StateFile", "read_state"]

_SECONDS = 1.0


class StateFile:
    """The state of a run beside its output.

    Args:
        output: the path of the output.
    """

    def __init__(self, output: str) -> None:
        self._path = f"{output}.state"
        self._base = {"pid": os.getpid(), "host": socket.gethostname(), "started": time.time()}
        self._written = float("-inf")

    def write(self, progress: Progress, ended: str = "") -> None:
        """Write it, if the last time was a second ago or the run has ended (``ended`` says how). A full disk
        does not end a run.
        """
        now = time.monotonic()
        if not ended and now - self._written < _SECONDS:
            return
        self._written = now
        state = {**self._base, "updated": time.time(), "ended": ended, **asdict(progress)}
        temporary = f"{self._path}.{os.getpid()}.tmp"
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(state, file)
            os.replace(temporary, self._path)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)


def read_state(output: str | os.PathLike[str]) -> tuple[Progress, dict[str, Any]]:
    """The progress of the run that writes or wrote this output; and ``pid``, ``host``, ``started``, ``updated`` (Unix
    time) and ``ended``: ``"finished"``, what stopped it, or empty while it runs.

    Raises InvalidRequestError if no run left its state there.
    """
    path = f"{os.fspath(output)}.state"
    try:
        with open(path, encoding="utf-8") as file:
            state = json.load(file)
        progress = Progress(**{field.name: state.pop(field.name) for field in fields(Progress)})
    except FileNotFoundError:
        raise InvalidRequestError(
            f"no run has stored its state in {path}: check that it is the path of an output"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequestError(f"{path} does not hold the state of a run ({error})") from None
    return progress, state
