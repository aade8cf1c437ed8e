"""A JSON schema as given; jsonschema validates a model's output against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from ..errors import InvalidRequestError
from .unfit import NESTED, UnfitError

__all__ = ["Mapped"]


class Mapped:
    """A JSON schema of the draft that it names; by default, of 2020-12.

    Args:
        schema: the schema. References to other documents are not followed: nothing is fetched.
        place: its name in errors.

    Attributes:
        schema: the schema as given.

    Raises InvalidRequestError for an invalid JSON schema.
    """

    def __init__(self, schema: Mapping[str, Any], place: str) -> None:
        self.schema: dict[str, Any] = dict(schema)
        kind = validator_for(self.schema, default=Draft202012Validator)
        try:
            kind.check_schema(self.schema)
        except SchemaError as error:
            where = "".join(f"[{key!r}]" for key in error.absolute_path)
            raise InvalidRequestError(f"{place}{where} is not a JSON schema: {error.message:.200}") from None
        self._validator = kind(self.schema, registry=Registry())  # an empty one: the default one fetches references
        self._place = place

    def load(self, value: Any) -> Any:
        """Validate a JSON value and return it. Raises UnfitError; InvalidRequestError for an unresolvable reference."""
        try:
            problems = sorted(self._validator.iter_errors(value), key=lambda problem: list(map(str, problem.path)))
        except Unresolvable as error:
            raise InvalidRequestError(f"{self._place} refers to {error.ref!r}, which is not in it") from None
        except RecursionError:
            raise UnfitError([NESTED]) from None
        if problems:
            raise UnfitError([{"type": p.validator, "loc": tuple(p.absolute_path), "msg": p.message} for p in problems])
        return value
