"""JSON schemas of function parameters and of types, or as given. A model's output is validated against them.

These functions use pydantic, docstring_parser and jsonschema (the extra ``schema``), which are imported only here,
when the first schema is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtraError
from .unfit import UnfitError, load_json, load_object

if TYPE_CHECKING:
    from .adapted import Adapted
    from .mapped import Mapped
    from .parameters import Parameters

__all__ = ["UnfitError", "load_json", "load_object", "schema_as_given", "schema_of_parameters", "schema_of_type"]


def schema_of_parameters(function: Callable[..., Any], place: str) -> Parameters:
    """Return the parameters of a function. Raises MissingExtraError, and InvalidRequestError that names ``place``."""
    with _extra():
        from .parameters import Parameters
    return Parameters(function, place)


def schema_of_type(kind: Any, place: str) -> Adapted:
    """Return the schema of a type or of a ``TypeAdapter``. Raises MissingExtraError, and InvalidRequestError that
    names ``place``.
    """
    with _extra():
        from .adapted import Adapted
    return Adapted(kind, place)


def schema_as_given(schema: Mapping[str, Any], place: str) -> Mapped:
    """Return a JSON schema as given. Raises MissingExtraError, and InvalidRequestError that names ``place``."""
    with _extra():
        from .mapped import Mapped
    return Mapped(schema, place)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name
    else:
        return
    message = f"schemas need the package {missing}: pip install 'hf_text[schema]'"
    raise MissingExtraError(message, package=missing, extra="schema") from None
