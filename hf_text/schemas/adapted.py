"""Types that pydantic handles: their JSON schema for a model, and their values from JSON."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from ..errors import InvalidRequestError
from .unfit import NESTED, UnfitError

__all__ = ["Adapted"]


class _Generator(GenerateJsonSchema):
    """Omits titles that only repeat a field's name: a model has no use for them."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Ignore the warning about a default that JSON cannot represent: the schema omits it."""


class Adapted:
    """A type, or a ``TypeAdapter``, with its JSON schema.

    Args:
        kind: the type.
        place: its name in errors.

    Attributes:
        schema: the JSON schema of the values to load.

    Raises InvalidRequestError for a type that pydantic does not support, or that has no JSON schema.
    """

    def __init__(self, kind: Any, place: str) -> None:
        try:
            self._adapter: TypeAdapter[Any] = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
            self.schema: dict[str, Any] = _resolve_root(self._adapter.json_schema(schema_generator=_Generator))
        except (PydanticUserError, NameError) as error:
            raise InvalidRequestError(f"{place}: {_explain(error)}") from None

    def load(self, value: Any) -> Any:
        """Convert a JSON value to the type. Raises UnfitError."""
        try:
            return self._adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            problems: list[Any] = error.errors(include_url=False, include_context=False)
        except RecursionError:
            problems = [NESTED]
        raise UnfitError(problems)


def _resolve_root(schema: dict[str, Any]) -> dict[str, Any]:
    """Replace a reference at the root, which a recursive type has there, with the definition itself."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    definitions = schema.get("$defs", {})
    return {**definitions[name], "$defs": definitions} if name in definitions else schema


def _explain(error: Exception) -> str:
    """Return the first sentence of pydantic's message; for an unsupported class, with supported alternatives."""
    if isinstance(error, PydanticSchemaGenerationError):
        return f"{' '.join(error.message.split()).split('. ')[0]}. Use a dataclass, a TypedDict or a pydantic model"
    text = getattr(error, "message", None) or str(error)
    return " ".join(str(text).split()).split(". ")[0].rstrip(".")
