"""The function behind a callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

__all__ = ["written_function"]


def written_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that has the annotations and the docstring: the one within partials, or the method
    ``__call__`` of an object.
    """
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) or isinstance(function, type) else type(function).__call__
