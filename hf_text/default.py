"""The functions of the module: those of a client with the default settings, made when it is first needed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ._arguments import function_with_arguments_of
from .client import Client
from .completion import Completion
from .protocol.catalog import Model
from .transport.stream import Stream

__all__ = ["generate", "models", "stream"]


@lru_cache(maxsize=1)
def _client() -> Client:
    return Client()


@function_with_arguments_of(Client.generate)
def generate(*args: Any, **options: Any) -> Completion:
    """The whole answer, from Hugging Face with the default settings; arguments and errors as for
    ``Client.generate``.
    """
    return _client().generate(*args, **options)


@function_with_arguments_of(Client.stream)
def stream(*args: Any, **options: Any) -> Stream:
    """An answer to be read as it arrives, from Hugging Face with the default settings; as ``Client.stream``."""
    return _client().stream(*args, **options)


@function_with_arguments_of(Client.models)
def models(**options: Any) -> list[Model]:
    """The models that Hugging Face serves now; arguments and errors as for ``Client.models``."""
    return _client().models(**options)
