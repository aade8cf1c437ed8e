"""In a process of its own: llama.cpp's server, as the package xllamacpp brings it.

Why not in the caller's: closing it while it generates blocks for half a minute with Python's global lock held, a
process that was forked off hangs at its exit, and the lock is held for as long as a model takes to load.
"""

from __future__ import annotations

import os
import re
import tempfile
from typing import IO, Any

from .parent import Parent

__all__ = ["main"]

_ERRORS_ONLY = 1  # llama.cpp's verbosity
_CACHE_MIB = 256  # for the prompts of earlier requests; llama.cpp would take 8 GiB
_REASON = re.compile(r"^[\d. ]*E .*?(?:error loading model|error|failed): *(.+)$", re.MULTILINE)


def main() -> None:
    """Serve the model of the first message, until the parent ends."""
    parent = Parent()
    order = parent.receive()
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]
        except ImportError as error:
            parent.finish(failed="import", why=str(error))
        try:
            parent.end_with_it_by_a_signal()
            # Never given back: its destructor waits for what it generates.
            server = xllamacpp.Server(_parameters(xllamacpp.CommonParams(), order))
        except RuntimeError as error:
            parent.finish(failed="load", why=_reason(log) or str(error))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # what goes wrong with a request is in its response, and the log would tell its content
    os.close(nowhere)
    parent.send(address=server.listening_address)
    parent.wait_for_end()


def _parameters(parameters: Any, order: dict[str, Any]) -> Any:
    parameters.model.path = order["path"]
    parameters.model_alias = {order["name"]}
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.api_keys = [order["key"]]
    parameters.n_parallel = order["slots"]
    parameters.n_ctx = order["context"] * order["slots"]
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = order["threads"]
    parameters.cache_ram_mib = _CACHE_MIB
    parameters.verbosity = _ERRORS_ONLY
    parameters.ui = parameters.endpoint_slots = False  # the slots would show what others ask
    parameters.endpoint_metrics = True
    return parameters


def _reason(log: IO[bytes]) -> str:
    """Why it failed, in llama.cpp's own words: the exception says nothing."""
    log.seek(0)
    found = _REASON.search(log.read().decode(errors="replace"))
    return found[1].strip() if found else ""
