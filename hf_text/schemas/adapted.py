"""Types by pydantic: their JSON schema as it is told to a model, and values of them from JSON."""

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
    """Without what is of no use to a model: titles that only repeat a field's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """A default that JSON cannot write is left out of the schema; there is nothing to warn of."""


class Adapted:
    """A type, or a ``TypeAdapter``, with its JSON schema.

    Args:
        kind: the type.
        place: what it is called in errors.

    Attributes:
        schema: the JSON schema of what is read.

    Raises InvalidRequestError for a type that pydantic cannot read, or that has no JSON schema.
    """

    def __init__(self, kind: Any, place: str) -> None:
        try:
            self._adapter: TypeAdapter[Any] = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
            self.schema: dict[str, Any] = _resolve_root(self._adapter.json_schema(schema_generator=_Generator))
        except (PydanticUserError, NameError) as error:
            raise InvalidRequestError(f"{place}: {_explain(error)}") from None

    def load(self, value: Any) -> Any:
        """The value of the type that a JSON value stands for. Raises UnfitError."""
        try:
            return self._adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            problems: list[Any] = error.errors(include_url=False, include_context=False)
        except RecursionError:
            problems = [NESTED]
        raise UnfitError(problems)


def _resolve_root(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema itself in the place of a reference to it, which a type that contains itself has at the root."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    definitions = schema.get("$defs", {})
    return {**definitions[name], "$defs": definitions} if name in definitions else schema


def _explain(error: Exception) -> str:
    """The first sentence of pydantic's message; for a class without fields that it knows, what would do."""
    if isinstance(error, PydanticSchemaGenerationError):
        return f"{' '.join(error.message.split()).split('. ')[0]}. Use a dataclass, a TypedDict or a pydantic model"
    text = getattr(error, "message", None) or str(error)
    return " ".join(str(text).split()).split(". ")[0].rstrip(".")
