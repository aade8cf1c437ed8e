"""Frozen, slotted dataclasses, as the standard library makes them, for a tenth of the time.

``dataclasses`` writes and compiles six methods for each class, and imports ``inspect`` first: for the classes that the
first answer needs, that took as long as half of requests. Here only ``__init__`` is compiled; ``dataclasses`` is
imported when somebody asks for the fields (``fields()``, ``asdict()``, ``replace()``), and tells them then. All else is
the same, and ``tests/test_records.py`` holds it equal.
"""

from __future__ import annotations

import sys
from importlib import import_module
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, fields, is_dataclass

__all__ = ["asdict", "dataclass", "field", "fields", "is_dataclass"]

if not TYPE_CHECKING:

    def dataclass(*, frozen: bool, slots: bool) -> Any:
        """As the standard library's; both arguments must be True."""
        if not (frozen and slots):
            raise TypeError("records are frozen and have slots")
        return _make

    def field(**options: Any) -> _Field:
        """As the standard library's, with ``default``, ``default_factory``, ``hash`` and ``repr``."""
        return _Field(options)

    def is_dataclass(value: Any) -> bool:
        """Whether it is a dataclass, or an object of one."""
        return hasattr(value if isinstance(value, type) else type(value), "__dataclass_fields__")

    def fields(value: Any) -> Any:
        """As the standard library's."""
        return _dataclasses().fields(value)

    def asdict(value: Any) -> Any:
        """As the standard library's."""
        return _dataclasses().asdict(value)


def _dataclasses() -> Any:
    return import_module("dataclasses")


class _Field:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options


class _Factory:
    """The default of an argument whose value is made for each call."""

    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()


class _Told:
    """``__dataclass_fields__`` or ``__dataclass_params__``: made by the standard library when somebody looks."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, _: Any, owner: type) -> Any:
        library = _dataclasses()
        options = {name: library.field(**value.options) for name, value in self._body.items() if type(value) is _Field}
        twin = type(self._owner.__name__, (), {**self._body, **options})
        told = getattr(library.dataclass(frozen=True, slots=True)(twin), self._name)
        setattr(self._owner, self._name, told)
        return told


def _make(cls: type) -> type:
    annotations: dict[str, Any] = cls.__annotations__
    names = tuple(annotations)
    namespace = dict(cls.__dict__)
    for name in ("__dict__", "__weakref__", *(["__hash__"] if namespace.get("__hash__") is None else [])):
        namespace.pop(name, None)  # a class that has __eq__ alone has None for __hash__
    defaults = {name: namespace.pop(name) for name in names if name in namespace}
    body = {"__annotations__": annotations, "__module__": cls.__module__, "__doc__": cls.__doc__, **defaults}
    options = {name: default.options for name, default in defaults.items() if isinstance(default, _Field)}
    own = {
        **_methods(names, options),
        **namespace,
        "__qualname__": cls.__qualname__,
        "__slots__": names,
        "__match_args__": names,
        "__dataclass_fields__": _Told(body),
        "__dataclass_params__": _Told(body),
    }
    made = type(cls)(cls.__name__, cls.__bases__, own)
    made.__init__ = _init(made, annotations, defaults, options)  # type: ignore[misc]
    return made


def _methods(names: tuple[str, ...], options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What every such class has, unless it has its own."""
    hashed = _getter([name for name in names if options.get(name, {}).get("hash", True)])
    shown = [name for name in names if options.get(name, {}).get("repr", True)]
    compared = _getter(names)

    @recursive_repr()
    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __eq__(self: Any, other: object) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(hashed(self))

    def __setattr__(self: Any, name: str, value: Any) -> None:
        _refuse("assign to", name, names)
        object.__setattr__(self, name, value)  # of a class that was derived

    def __delattr__(self: Any, name: str) -> None:
        _refuse("delete", name, names)
        object.__delattr__(self, name)

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def __setstate__(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    def __replace__(self: Any, /, **changes: Any) -> Any:
        return _dataclasses().replace(self, **changes)

    methods = (__repr__, __eq__, __hash__, __setattr__, __delattr__, __getstate__, __setstate__, __replace__)
    return {method.__name__: method for method in methods}


def _getter(names: Any) -> Any:
    """What gives the values of these fields, as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _refuse(what: str, name: str, names: tuple[str, ...]) -> None:
    if name in names:
        raise _dataclasses().FrozenInstanceError(f"cannot {what} field {name!r}")


def _init(cls: type, annotations: dict[str, Any], defaults: dict[str, Any], options: dict[str, dict[str, Any]]) -> Any:
    """``__init__``, compiled."""
    arguments, lines = [], []
    known: dict[str, Any] = {"_factory": _FACTORY}
    for name in annotations:
        known[f"_set_{name}"] = cls.__dict__[name].__set__
        value = name
        if "default_factory" in options.get(name, {}):
            known[f"_make_{name}"] = options[name]["default_factory"]
            value = f"_make_{name}() if {name} is _factory else {name}"
            arguments.append(f"{name}=_factory")
        elif name in defaults:
            known[f"_default_{name}"] = options[name]["default"] if name in options else defaults[name]
            arguments.append(f"{name}=_default_{name}")
        else:
            arguments.append(name)
        lines.append(f" _set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    known["__builtins__"] = sys.modules["builtins"].__dict__
    exec(f"def __init__(self, {', '.join(arguments)}):\n" + "\n".join(lines), known)
    init = known["__init__"]
    init.__annotations__ = {**annotations, "return": None}
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init
