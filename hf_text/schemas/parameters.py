"""The parameters of a function: their JSON schema, and the arguments of a call from JSON.

The schema is that of a ``TypedDict`` with a key for each parameter, so a parameter may have any name. ``*args`` is an
array in it; the arguments of ``**kwargs`` are additional properties. A function with a single structured parameter (a
pydantic model, a dataclass, a ``TypedDict``) has the schema of that parameter, so that a model need not wrap it again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import is_dataclass
from inspect import Parameter
from typing import Annotated, Any, get_origin, get_type_hints

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo
from typing_extensions import NotRequired, TypedDict, is_typeddict

from ..errors import InvalidRequestError
from .adapted import Adapted
from .docstrings import read_docstring
from .unfit import UnfitError, load_object
from .written import written_function

__all__ = ["Parameters"]


class Parameters:
    """The parameters and the purpose of a function.

    Args:
        function: any callable whose signature Python can read.
        place: its name in errors.

    Attributes:
        schema: the JSON schema of its arguments, an object.
        description: its purpose according to the docstring.

    Raises InvalidRequestError for a parameter that cannot be described to a model.
    """

    def __init__(self, function: Callable[..., Any], place: str) -> None:
        written = written_function(function)
        self._parameters = _parameters_of(function, place)
        self.description, self._described = read_docstring(written)
        self._hints = _hints_of(written, place)
        self._single = self._find_single()
        self._adapted = self._adapt(place)
        self.schema = dict(self._adapted.schema)
        self.schema.pop("title", None)
        if self._single is not None and not self.description:
            self.description = str(self.schema.pop("description", ""))
        self._rest = self._name_of(Parameter.VAR_KEYWORD)
        if self._single is None:
            self.schema = _spread(self.schema, self._rest)

    def load(self, text: str) -> tuple[list[Any], dict[str, Any]]:
        """Return a call's positional and keyword arguments from the JSON that a model wrote. Raises UnfitError."""
        value = load_object(text)
        if self._single is not None:
            wrapped = set(value) == {self._single} and self._single not in self.schema.get("properties", {})
            return self._arrange({self._single: self._adapted.load(value[self._single] if wrapped else value)})
        named = self.schema["properties"]
        unknown = {name: item for name, item in value.items() if name not in named}
        if unknown and self._rest is None:
            raise UnfitError([{"type": "unexpected", "loc": (name,), "msg": "is not a parameter"} for name in unknown])
        own = {name: item for name, item in value.items() if name in named}
        return self._arrange(self._adapted.load({**own, **({self._rest: unknown} if self._rest else {})}))

    def _arrange(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Arrange the values into positional and keyword arguments."""
        positional: set[Any] = {Parameter.POSITIONAL_ONLY}
        if self._name_of(Parameter.VAR_POSITIONAL) is not None:
            positional.add(Parameter.POSITIONAL_OR_KEYWORD)
        args: list[Any] = []
        named: dict[str, Any] = {}
        for name, parameter in self._parameters.items():
            if parameter.kind is Parameter.VAR_POSITIONAL:
                args.extend(values.get(name, ()))
            elif parameter.kind is Parameter.VAR_KEYWORD:
                named.update(values.get(name, {}))
            elif parameter.kind in positional:
                args.append(values[name])
            else:
                named[name] = values[name]
        return args, named

    def _adapt(self, place: str) -> Adapted:
        if self._single is not None:
            return Adapted(self._hints[self._single], f"{place}, parameter {self._single}")
        try:
            return self._adapt_all(self._parameters, place)
        except InvalidRequestError:
            for name in self._parameters:  # find the one that fails
                self._adapt_all([name], f"{place}, parameter {name}")
            raise

    def _adapt_all(self, names: Iterable[str], place: str) -> Adapted:
        # The TypedDict itself does not forbid extra keys: dataclasses in it would inherit its configuration.
        return Adapted(TypedDict("Parameters", {name: self._field(name) for name in names}), place)  # type: ignore[operator]

    def _field(self, name: str) -> Any:
        """Return the type of one key, with the parameter's default and description."""
        parameter = self._parameters[name]
        hint: Any = self._hints.get(name, Any)
        if parameter.kind is Parameter.VAR_POSITIONAL:
            return NotRequired[Annotated[list[hint], self._describe(name, hint)]]
        if parameter.kind is Parameter.VAR_KEYWORD:
            return NotRequired[Annotated[dict[str, hint], self._describe(name, hint)]]
        default = parameter.default
        if isinstance(default, FieldInfo):
            described = Annotated[hint, self._describe(name, Annotated[hint, default]), default]
            return described if default.is_required() else NotRequired[described]
        if default is Parameter.empty:
            return Annotated[hint, self._describe(name, hint)]
        return NotRequired[Annotated[hint, self._describe(name, hint), Field(default=default)]]

    def _describe(self, name: str, hint: Any) -> Any:
        """Return the description of a parameter: from ``Field``, else from a str or ``Doc`` in ``Annotated``, else
        from the docstring.
        """
        if FieldInfo.from_annotation(hint).description is not None:
            return Field()
        notes = [getattr(note, "documentation", note) for note in getattr(hint, "__metadata__", ())]
        texts = (note for note in notes if isinstance(note, str))
        return Field(description=next(texts, self._described.get(name)))

    def _find_single(self) -> str | None:
        """Return the function's only parameter, if it is structured and required."""
        name, *others = [*self._parameters, ""]
        parameter = self._parameters.get(name)
        if others[:-1] or parameter is None or parameter.default is not Parameter.empty:
            return None
        alone = parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        return name if alone and _is_structured(self._hints.get(name)) else None

    def _name_of(self, kind: Any) -> str | None:
        return next((name for name, parameter in self._parameters.items() if parameter.kind is kind), None)


def _parameters_of(function: Callable[..., Any], place: str) -> dict[str, Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        refusal = (
            f"{place}: it has no signature that Python can read; describe it: hf_text.tool(function, parameters=…)"
        )
        raise InvalidRequestError(refusal) from None


def _hints_of(function: Callable[..., Any], place: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise InvalidRequestError(
            f"{place}: {error}. Types in the annotations of a tool must be defined at the top of its module"
        ) from None


def _is_structured(hint: Any) -> bool:
    """Whether the hint is a type with fields."""
    if not isinstance(hint, type) or get_origin(hint):  # before Python 3.11 list[int] is a type too
        return bool(is_typeddict(hint))
    return issubclass(hint, BaseModel) or is_dataclass(hint) or bool(is_typeddict(hint))


def _spread(schema: dict[str, Any], rest: str | None) -> dict[str, Any]:
    """Replace the mapping ``rest`` by additional properties of the same type; without it, allow no others."""
    properties = dict(schema.get("properties", {}))
    more = False if rest is None else properties.pop(rest).get("additionalProperties", True)
    return {**schema, "properties": properties, "additionalProperties": more}
