"""Short tracebacks of expected failures: the user's own lines, the public function that was called, and the message.

The message of an ``HFTextError`` says what happened and what to do. The frames below the public function are useful
only to developers of this library. They are dropped when the error leaves the public function, and its cause becomes
its ``__context__``, as with ``raise … from None``. The same applies to Ctrl-C during a call. With ``HF_TEXT_DEBUG=1``,
tracebacks stay complete.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any

__all__ = ["render", "shorten"]

# Packages whose frames are dropped: this library, its dependencies, and the standard library.
_INSIDE = {"hf_text", "requests", "urllib3", "sseclient", "anyio", "trio", "outcome", *sys.stdlib_module_names}
_NOTEBOOK = {"IPython", "ipykernel"}
_MAX_LINES = 15


def shorten(error: BaseException) -> None:
    """Drop the frames below the public function that the error leaves. To be called in its ``except`` block.

    The user's frames stay, such as those of a callback.
    """
    traceback = error.__traceback__
    if traceback is None or _debugging():
        return
    # Python 3.10 re-raises with the traceback object that it saved, so that object is modified, not replaced.
    traceback.tb_next = _without(traceback.tb_next, _INSIDE)
    if error.__cause__ is not None:
        error.__context__, error.__cause__ = error.__cause__, None
        error.__suppress_context__ = True


def render(error: BaseException) -> list[str]:
    """The lines of the error for IPython and Jupyter: only the user's frames, in the mode of ``%xmode``.

    In the default mode, the source context of each frame is reduced to keep the output below 15 lines.
    """
    traceback = error.__traceback__
    shown = _without(traceback, _NOTEBOOK if _debugging() else _INSIDE | _NOTEBOOK) or traceback
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return [f"{type(error).__name__}: {error}"]
    return _format(shell.InteractiveTB, error, shown)


def _format(formatter: Any, error: BaseException, traceback: TracebackType | None) -> list[str]:
    lines: list[str] = []
    for around in (5, 3, 2):  # lines of each frame
        lines = formatter.structured_traceback(type(error), error, traceback, 0, around)
        if formatter.mode != "Context" or _debugging() or "\n".join(lines).count("\n") < _MAX_LINES:
            break
    return lines


def _without(traceback: TracebackType | None, packages: set[str]) -> TracebackType | None:
    """The traceback without the frames of these packages."""
    kept = []
    while traceback is not None:
        if str(traceback.tb_frame.f_globals.get("__name__")).partition(".")[0] not in packages:
            kept.append(traceback)
        traceback = traceback.tb_next
    chain = None
    for entry in reversed(kept):
        chain = TracebackType(chain, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return chain


def _debugging() -> bool:
    return os.environ.get("HF_TEXT_DEBUG", "0") not in ("", "0")
