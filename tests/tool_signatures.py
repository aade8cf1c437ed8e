"""Functions of many signatures, for the schemas that are made of them."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import pydantic
import typing_extensions


class Unit(enum.Enum):
    """How warmth is measured."""

    CELSIUS = "C"
    FAHRENHEIT = "F"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Point:
    """A place on a map."""

    x: float
    y: float = 0.0


@dataclass
class Track:
    name: str
    points: list[Point] = field(default_factory=list)
    closed: bool = False


@dataclass
class Tree:
    label: str
    children: list[Tree] = field(default_factory=list)


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    street: str = pydantic.Field(description="Street and number.")
    zip_code: str = pydantic.Field(pattern=r"^\d{5}$")
    country: Literal["de", "fr"] = "de"


class Person(pydantic.BaseModel):
    name: str
    age: Annotated[int, pydantic.Field(ge=0, le=150)]
    address: Optional[Address] = None  # noqa: UP045


class Options(typing_extensions.TypedDict):
    """What may be chosen."""

    size: int
    colour: typing_extensions.NotRequired[str]


def plain(city: str, days: int = 3, exact: bool = False, factor: float = 1.5) -> str:
    """Look up the weather."""
    return ""


def no_docstring(a: int, b: str):  # type: ignore[no-untyped-def]
    return a


def no_annotations(a, b=2):  # type: ignore[no-untyped-def]
    """Take anything."""


def nothing() -> None:
    """Ask nothing."""


def google(city: str, unit: Literal["C", "F"] = "C") -> str:
    """Tell the weather.

    It asks a service that knows.

    Args:
        city: The name of the city,
            as it is written there.
        unit (str): How warmth is measured.

    Returns:
        A sentence.

    Raises:
        ValueError: There is no such city.
    """
    return ""


def numpy(city: str, days: int = 3) -> str:
    """Tell the weather.

    Parameters
    ----------
    city : str
        The name of the city.
    days : int, optional
        How many days to tell of.

    Returns
    -------
    str
        A sentence.
    """
    return ""


def sphinx(city: str, days: int = 3) -> str:
    """Tell the weather.

    :param city: The name of the city.
    :param days: How many days to tell of.
    :returns: A sentence.
    """
    return ""


def literals(mode: Literal["fast", "slow"], level: Literal[1, 2, 3] = 1, flag: Literal[True] = True) -> None:
    """Choose."""


def enums(unit: Unit, level: Level = Level.LOW) -> None:
    """Choose a unit."""


def annotated(
    city: Annotated[str, pydantic.Field(description="The city.", min_length=2)],
    count: Annotated[int, pydantic.Field(gt=0, multiple_of=5)] = 5,
) -> None:
    """Look somewhere."""


def defaults_of_field(city: str = pydantic.Field("Paris", description="The city."), n: int = 2) -> None:
    """Look somewhere."""


def unions(value: Union[int, str, None], other: float | list[str] = 1.0, when: Optional[str] = None) -> None:  # noqa: UP007, UP045
    """Take one of many."""


def containers(
    names: list[str],
    sizes: dict[str, int],
    pair: tuple[int, str],
    many: tuple[float, ...] = (),
    unique: set[int] = frozenset(),  # type: ignore[assignment]
    points: Sequence[Point] = (),
    table: Mapping[str, list[Point]] = {},
) -> None:
    """Take containers."""


def nested(track: Track, start: Point, note: str = "") -> None:
    """Follow a track.

    Args:
        track: What to follow.
        start: Where to begin.
        note: What to remember.
    """


def models(person: Person, friends: list[Person] = []) -> None:  # noqa: B006
    """Greet somebody."""


def recursive(tree: Tree, depth: int = 1) -> None:
    """Climb."""


def single_model(person: Person) -> None:
    """Greet somebody."""


def single_dataclass(point: Point) -> None: ...


def single_typed_dict(options: Options) -> None:
    """Choose."""


def single_recursive(tree: Tree) -> None:
    """Climb."""


def typed_dict(options: Options, more: Options | None = None) -> None:
    """Choose."""


def times(
    day: datetime.date, moment: datetime.datetime, wait: datetime.timedelta, price: Decimal, where: Path = Path("/")
) -> None:
    """Plan."""


def keywords_only(*, a: int, b: str = "x") -> None:
    """Name them."""


def positions_only(a: int, b: str = "x", /) -> None:
    """Place them."""


def more_keywords(a: int, **rest: int) -> None:
    """Take more.

    Args:
        a: The first.
        **rest: The others.
    """


def odd_names(_private: int, model_config: str, schema: bool = True, json: Any = None) -> None:
    """Take names that pydantic has plans for."""


FUNCTIONS = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__ and not isinstance(value, type)
]
