"""A real model on this machine: llama.cpp's own server, which runs for as long as it is needed.

::

    from hf_text.local import LocalServer

    with LocalServer("model.gguf") as server, server.client() as client:
        print(client.generate("Why is the sky blue?"))

The extra ``local`` installs the server, prebuilt. It runs in a separate process, listens only on the loopback address,
requires a random key, and ends with the program that started it, however that ends.
"""

from __future__ import annotations

from .server import LocalServer

__all__ = ["LocalServer"]


def __dir__() -> list[str]:
    return sorted(__all__)
