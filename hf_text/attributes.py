"""AttributeErrors that suggest the intended name.

Python itself suggests similar names only in the tracebacks that it prints, not in notebooks or logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["advise_attributes", "missing_attribute"]

C = TypeVar("C", bound=type)


def advise_attributes(kind: str, *, is_dict_elsewhere: bool = False) -> Callable[[C], C]:
    """A class decorator that adds advice to the error for a missing attribute.

    Args:
        kind: the key of the class in ``other_names.ATTRIBUTES``.
        is_dict_elsewhere: whether other libraries use a dict for it: ``object["name"]`` then gets the advice for
            ``object.content``.
    """

    def advise(name: str) -> str:
        if name.startswith("_"):  # copy, pickle, IPython and others look for such names
            return ""
        from .other_names import ATTRIBUTES  # imported only for an error

        return ATTRIBUTES[kind].get(name, "")

    def decorate(owner: C) -> C:
        def explain(self: object, name: str) -> Any:
            raise missing_attribute(f"{type(self).__name__!r} object", name, dir(type(self)), advise(name))

        def refuse_item(self: object, key: object) -> Any:
            raise TypeError(f"{type(self).__name__!r} object is not subscriptable. {advise('content')}")

        # Set here, because with __getattr__ in the class body type checkers would accept any attribute.
        setattr(owner, "__getattr__", explain)  # noqa: B010
        if is_dict_elsewhere:
            setattr(owner, "__getitem__", refuse_item)  # noqa: B010
        return owner

    return decorate


def missing_attribute(owner: str, name: str, names: Iterable[str], advice: str = "") -> AttributeError:
    """The error for a missing attribute.

    Args:
        owner: the object or module, as the message calls it.
        name: the missing name.
        names: the existing names.
        advice: what to use instead; by default the most similar name is suggested.
    """
    from difflib import get_close_matches  # imported only when an error needs a suggestion

    if not advice and not name.startswith("_"):
        public = [each for each in names if not each.startswith("_")]
        advice = "".join(f"Did you mean {near!r}?" for near in get_close_matches(name, public, n=1, cutoff=0.7))
    # obj= is not passed: with it, Python would add its own suggestion.
    return AttributeError(f"{owner} has no attribute {name!r}{advice and f'. {advice}'}", name=name)
