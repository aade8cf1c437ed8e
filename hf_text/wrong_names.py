"""Decorators for public functions ("doors"): a wrong argument name raises a one-line error that suggests the right one,
and errors leave them with a short traceback.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import wraps
from types import CodeType, FunctionType
from typing import Any, TypeVar

from .errors import HFTextError, InvalidRequestError
from .tracebacks import shorten

__all__ = ["explain_wrong_names", "explain_wrong_names_of", "wrong_name"]

_CO_VARARGS, _CO_VARKEYWORDS, _CO_COROUTINE = 0x04, 0x08, 0x80  # as in inspect, which is slow to import

T = TypeVar("T", bound=Callable[..., Any])

_names: dict[str, Collection[str]] = {}
"""The arguments of the decorated functions, by the name of the function, or of the class for ``__init__``."""


def explain_wrong_names_of(door: str) -> Callable[[T], T]:
    """``explain_wrong_names`` for a function with a different public name, such as a qualified one."""
    return lambda function: _explain(function, door)


def explain_wrong_names(target: T) -> T:
    """Decorate a function, or the constructor and public methods of a class: a wrong keyword argument raises an error
    with a suggestion, and tracebacks are shortened. Signatures do not change.
    """
    if not isinstance(target, type):
        explained: T = _explain(target)
        return explained
    for name, value in list(vars(target).items()):
        if isinstance(value, FunctionType) and (name == "__init__" or not name.startswith("_")):
            setattr(target, name, _explain(value))
    return target


def _explain(function: Any, door: str | None = None) -> Any:
    door = door or function.__qualname__.removesuffix(".__init__")
    code = function.__code__
    names = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    takes_any = bool(code.co_flags & _CO_VARKEYWORDS)
    most = math.inf if code.co_flags & _CO_VARARGS else code.co_argcount
    if not takes_any:
        _names[door] = names

    @wraps(function)
    def checked(*args: Any, **arguments: Any) -> Any:
        known = takes_any or arguments.keys() <= names
        wrong = None if known else next(name for name in arguments if name not in names)
        extra = len(args) - most
        given: list[Any] = [args, arguments]
        del args, arguments  # a traceback that shows variables would show a key among them
        if wrong is not None:
            given.clear()
            raise wrong_name(f"{door}()", wrong, names)
        if extra > 0:
            given.clear()
            raise _too_many_positional(f"{door}()", code)
        try:
            return function(*given.pop(0), **given.pop())
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise

    @wraps(function)
    async def checked_coroutine(*args: Any, **arguments: Any) -> Any:
        given: list[Any] = [args, arguments]
        del args, arguments
        try:
            return await checked(*given.pop(0), **given.pop())
        except HFTextError as error:
            shorten(error)
            raise

    return checked_coroutine if code.co_flags & _CO_COROUTINE else checked


def wrong_name(door: str, name: str, names: Collection[str]) -> InvalidRequestError:
    """The error for an argument that does not exist.

    Args:
        door: the function that was called.
        name: the wrong name.
        names: the existing arguments.
    """
    return InvalidRequestError(f"{door} has no argument {name!r:.80}. {_advise(door, name, names)}")


def _too_many_positional(door: str, code: CodeType) -> InvalidRequestError:
    """The error for positional arguments that must be named."""
    positional = [name for name in code.co_varnames[: code.co_argcount] if name != "self"]
    named = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
    takes = f"only {', '.join(positional)} without a name" if positional else "no arguments without a name"
    return InvalidRequestError(
        f"{door} takes {takes}" + (f"; name the others: {', '.join(named[:3])} …" if named else "")
    )


def _advise(door: str, name: str, names: Collection[str]) -> str:
    from .other_names import ADVICE, ARGUMENTS, BODY_FIELDS  # imported only for an error

    meant = ARGUMENTS.get(name, ())
    if here := next((each for each in meant if each in names), None):
        return f"It is called {here!r} here"
    place = door.removesuffix("()").rpartition(".")[2].removeprefix("Async")
    for key in (f"{place}.{name}", *(f"{place}.{each}" for each in meant), name):
        if key in ADVICE:
            return ADVICE[key]
    into_body = f"Pass other fields of the request with extra_body={{{name!r:.80}: …}}"
    if name in BODY_FIELDS and "extra_body" in names:
        return into_body
    return _find_elsewhere(door, (*meant, name), names) or (
        into_body if "extra_body" in names else f"There are {', '.join(sorted(set(names) - {'self'}))}"
    )


def _find_elsewhere(door: str, meant: Sequence[str], names: Collection[str]) -> str:
    """Advice that names the intended argument: one of another function, or one whose name is similar to the last of
    these. ``""`` if there is none.
    """
    others = _others(door)
    for each in meant:
        for other, has in others.items():
            if each in has:
                return f"{each!r} is an argument of {other}()"
    from difflib import get_close_matches  # imported only when an error needs a suggestion

    for other, has in {"": names, **others}.items():
        if near := get_close_matches(meant[-1], sorted(set(has) - {"self"}), n=1, cutoff=0.75):
            return f"Did you mean {near[0]!r}{other and f', an argument of {other}()'}?"
    return ""


def _others(door: str) -> dict[str, Collection[str]]:
    """The other functions of the same client, by name. Module-level functions count as those of ``Client``."""
    family = door.removesuffix("()").partition(".")[0]
    if f"{family}.stream" not in _names:
        if family[:1].isupper() and family in _names:  # a class other than the clients, such as LocalServer
            return {}
        family = "Client"
    families = (family, "AsyncClient" if family.startswith("Async") else "Client")  # a conversation has a client
    return {
        other: names
        for each in families
        for other, names in _names.items()
        if other.partition(".")[0] == each and f"{other}()" != door
    }
