"""JSON schemas: of the parameters of functions, of types, and as such. What a model wrote is held against them.

Behind these functions stand pydantic, docstring_parser and jsonschema (the extra ``schema``); they are imported when
the first schema is needed, and only here.
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
    """The parameters of a function. Raises MissingExtraError, and InvalidRequestError that names ``place``."""
    with _extra():
        from .parameters import Parameters
    return Parameters(function, place)


def schema_of_type(kind: Any, place: str) -> Adapted:
    """The schema of a type, or of a ``TypeAdapter``. Raises MissingExtraError, and InvalidRequestError that names
    ``place``.
    """
    with _extra():
        from .adapted import Adapted
    return Adapted(kind, place)


def schema_as_given(schema: Mapping[str, Any], place: str) -> Mapped:
    """A JSON schema as such. Raises MissingExtraError, and InvalidRequestError that names ``place``."""
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
