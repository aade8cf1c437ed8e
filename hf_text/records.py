"""Frozen dataclasses with slots, at a small part of what those of the standard library cost at import.

``dataclasses`` imports ``inspect``, and compiles six functions for each class: together a seventh of what
``import requests`` takes. A record compiles one, and works with ``dataclasses`` all the same: what that keeps of a
class is made when something asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

__all__ = ["asdict", "dataclass", "field", "fields", "is_dataclass"]


class _Field(NamedTuple):
    options: dict[str, Any]


class _Factory:
    """The default of an argument whose value is made anew for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


def _make(cls: type) -> type:
    annotations = cls.__dict__["__annotations__"]  # noqa: RUF063  # inspect is what this spares
    names = tuple(annotations)
    options = {name: _options_of(cls, name) for name in names}
    left_out = {*names, "__dict__", "__weakref__"}
    views = ("__dataclass_fields__", "__dataclass_params__")
    body = {
        "__init__": _make_init(cls, annotations, options),
        "__repr__": _make_repr([name for name in names if options[name].get("repr", True)]),
        **_make_comparison(names, [name for name in names if options[name].get("hash") is not False]),
        **_make_frozen(names),
        **{name: value for name, value in cls.__dict__.items() if name not in left_out},
        "__slots__": names,
        "__match_args__": names,
        **{name: _View(name, annotations, options) for name in views},
    }
    return type(cls)(cls.__name__, cls.__bases__, body)


def _options_of(cls: type, name: str) -> dict[str, Any]:
    if name not in cls.__dict__:
        return {}
    value = cls.__dict__[name]
    return value.options if isinstance(value, _Field) else {"default": value}


def _make_init(cls: type, annotations: dict[str, Any], options: dict[str, dict[str, Any]]) -> Any:
    scope: dict[str, Any] = {"_set": object.__setattr__, "_FACTORY": _FACTORY}
    arguments, lines = ["self"], []
    for name in annotations:
        value = name
        if "default_factory" in options[name]:
            scope[f"_make_{name}"] = options[name]["default_factory"]
            value = f"_make_{name}() if {name} is _FACTORY else {name}"
            arguments.append(f"{name}=_FACTORY")
        elif "default" in options[name]:
            scope[f"_default_{name}"] = options[name]["default"]
            arguments.append(f"{name}=_default_{name}")
        else:
            arguments.append(name)
        lines.append(f"_set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(arguments)}):\n " + "\n ".join(lines), scope)
    init = scope["__init__"]
    init.__annotations__ = {**annotations, "return": None}
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init


def _make_repr(names: list[str]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _make_comparison(names: tuple[str, ...], hashed: list[str]) -> dict[str, Any]:
    def __eq__(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __hash__(self: Any) -> int:
        return hash(tuple(getattr(self, name) for name in hashed))

    return {"__eq__": __eq__, "__hash__": __hash__}


def _make_frozen(names: tuple[str, ...]) -> dict[str, Any]:
    def __setattr__(self: Any, name: str, value: Any) -> None:
        raise _library().FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self: Any, name: str) -> None:
        raise _library().FrozenInstanceError(f"cannot delete field {name!r}")

    def __replace__(self: Any, /, **changes: Any) -> Any:
        return _library().replace(self, **changes)

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return {each.__name__: each for each in (__setattr__, __delattr__, __replace__, __getstate__, __setstate__)}


class _View:
    """``__dataclass_fields__`` or ``__dataclass_params__`` of a record: made by ``dataclasses`` when asked for."""

    def __init__(self, name: str, annotations: dict[str, Any], options: dict[str, dict[str, Any]]) -> None:
        self._name = name
        self._annotations = annotations
        self._options = options
        self._made: Any = None

    def __get__(self, instance: object, owner: type) -> Any:
        if self._made is None:
            library = _library()
            fields = [(name, kind, library.field(**self._options[name])) for name, kind in self._annotations.items()]
            self._made = getattr(library.make_dataclass(owner.__name__, fields, frozen=True), self._name)
        return self._made


def _library() -> Any:
    return import_module("dataclasses")


if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, is_dataclass
else:

    def asdict(value: Any) -> dict[str, Any]:
        """As that of the standard library."""
        return _library().asdict(value)

    def dataclass(*, frozen: Literal[True], slots: Literal[True]) -> Callable[[type], type]:
        """As that of the standard library, for classes whose bases have no fields."""
        return _make

    def fields(value: Any) -> Any:
        """As that of the standard library."""
        return _library().fields(value)

    def is_dataclass(value: Any) -> bool:
        """As that of the standard library."""
        return hasattr(value if isinstance(value, type) else type(value), "__dataclass_fields__")

    def field(**options: Any) -> _Field:
        """As that of the standard library, with ``default``, ``default_factory``, ``repr`` and ``hash``."""
        return _Field(options)
