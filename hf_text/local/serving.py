"""Runs llama.cpp's server, from the package xllamacpp, in a separate process.

It does not run in the caller's: closing it during generation blocks for half a minute with Python's global lock held, a
forked process hangs at its exit, and the lock is held for as long as a model takes to load.
"""

from __future__ import annotations

import os
from typing import Any

from .parent import Parent

__all__ = ["main"]

_ERRORS_ONLY = 1  # llama.cpp's verbosity
_BY_VERSION = {"hostnames": ["127.0.0.1"], "hostname": "127.0.0.1", "ui": False, "webui": False}  # one of each pair
_CACHE_MIB = 256  # for the prompts of earlier requests; llama.cpp's default is 8 GiB


def main() -> None:
    """Serve the model of the first message, until the parent ends."""
    parent = Parent()
    order = parent.receive()
    os.environ["GGML_NO_BACKTRACE"] = "1"  # otherwise llama.cpp starts a debugger when it aborts
    import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]

    parent.end_with_it_by_a_signal()
    # The server is never released: its destructor waits for running generations. Its exceptions, and llama.cpp's
    # messages about them, go to standard error, which the parent reads after this process has ended.
    parameters = _parameters(xllamacpp.CommonParams(), order)
    # Fitting the layers into the memory of GPUs takes as long as the start itself, even without a GPU.
    parameters.fit_params = any("GPU" in device["type"].name for device in xllamacpp.get_device_info())
    server = xllamacpp.Server(parameters)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)  # a failed request is reported in its response, and the log would reveal its content
    os.close(nowhere)
    parent.send(address=server.listening_address)
    parent.wait_for_end()


def _parameters(parameters: Any, order: dict[str, Any]) -> Any:
    parameters.model.path = order["path"]
    parameters.model_alias = {order["name"]}
    parameters.port = 0
    parameters.api_keys = [order["key"]]
    parameters.n_parallel = order["slots"]
    parameters.n_ctx = order["context"] * order["slots"]
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = order["threads"]
    parameters.cache_ram_mib = _CACHE_MIB
    parameters.verbosity = _ERRORS_ONLY
    parameters.endpoint_slots = False  # they would reveal the prompts of others
    parameters.endpoint_metrics = True
    for name, value in _BY_VERSION.items():
        if hasattr(parameters, name):
            setattr(parameters, name, value)
    return parameters
