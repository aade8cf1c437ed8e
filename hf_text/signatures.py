"""One list of arguments for the functions that share it: written down once, checked and shown everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

__all__ = ["function_with_arguments_of", "method_with_arguments_of", "show_arguments"]

P = ParamSpec("P")
R = TypeVar("R")


def method_with_arguments_of(
    source: Callable[Concatenate[Any, P], Any],
) -> Callable[[Callable[..., R]], Callable[Concatenate[Any, P], R]]:
    """The decorated method takes what the method ``source`` takes."""

    def decorate(method: Callable[..., R]) -> Callable[Concatenate[Any, P], R]:
        show_arguments(method, source)
        return method

    return decorate


def function_with_arguments_of(
    source: Callable[Concatenate[Any, P], Any],
) -> Callable[[Callable[..., R]], Callable[P, R]]:
    """The decorated function takes what the method ``source`` takes, but for ``self``."""

    def decorate(function: Callable[..., R]) -> Callable[P, R]:
        show_arguments(function, source, skip=1)
        return function

    return decorate


def show_arguments(function: Callable[..., Any], source: Callable[..., Any], skip: int = 0) -> None:
    """What ``help()`` and editors see: the arguments of ``source``, and those that only ``function`` names."""
    parameters = list(inspect.signature(source).parameters.values())[skip:]
    own = [p for p in inspect.signature(function).parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    returned = function.__annotations__.get("return", inspect.Signature.empty)
    function.__signature__ = inspect.Signature([*parameters, *own], return_annotation=returned)  # type: ignore[attr-defined]
