"""Records are the standard library's frozen, slotted dataclasses, made at a fraction of the price."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import Any

import pytest

from hf_text import records
from hf_text.completion import Attempt, Completion, Timings
from hf_text.events import Reasoning, ToolCall, Usage


def make(library: Any) -> Any:
    """The same classes, by the one library or the other."""

    class Base:
        __slots__ = ()

        def __str__(self) -> str:
            return "base"

    @library.dataclass(frozen=True, slots=True)
    class Point(Base):
        """A point."""

        x: int
        y: float | None = None
        tags: dict[str, int] = library.field(default_factory=dict, hash=False)
        secret: str = library.field(default="s", repr=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "x", self.x * 2)

        @property
        def double(self) -> int:
            return self.x * 2

    @library.dataclass(frozen=True, slots=True)
    class One:
        text: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, One)

    return Point, One


OURS, THEIRS = make(records), make(dataclasses)


def outcome(action: Any, *args: Any) -> Any:
    try:
        return action(*args)
    except Exception as error:
        return type(error), str(error).replace("make.<locals>.", "")


@pytest.mark.parametrize(
    "action",
    [
        lambda Point, One: repr(Point(1, 2.5, {"a": 1}, "hidden")),
        lambda Point, One: str(Point(1)),
        lambda Point, One: Point(1).double,
        lambda Point, One: Point(1) == Point(1) and Point(1) != Point(2) and Point(1) != (2, None, {}, "s"),
        lambda Point, One: hash(Point(1, None, {"a": 1})) == hash(Point(1, None, {"b": 1})),
        lambda Point, One: hash(Point([])),
        lambda Point, One: hash(One("a")),
        lambda Point, One: One("a") == One("b"),
        lambda Point, One: Point(1).tags is Point(1).tags,
        lambda Point, One: Point(),
        lambda Point, One: Point(1, 2, {}, "s", 5),
        lambda Point, One: Point(1, z=2),
        lambda Point, One: setattr(Point(1), "x", 2),
        lambda Point, One: delattr(Point(1), "x"),
        lambda Point, One: Point(1).__dict__,
        lambda Point, One: str(inspect.signature(Point)),
        lambda Point, One: (Point.__match_args__, Point.__slots__, Point.__doc__, Point.__name__),
        lambda Point, One: dataclasses.is_dataclass(Point) and dataclasses.is_dataclass(Point(1)),
        lambda Point, One: [
            (f.name, f.type, f.repr, f.hash, f.init, f.compare, f.kw_only) for f in dataclasses.fields(Point)
        ],
        lambda Point, One: repr(dataclasses.fields(Point)[2].default_factory),
        lambda Point, One: repr(Point.__dataclass_params__),
        lambda Point, One: dataclasses.asdict(Point(1, 2, {"a": 1})),
        lambda Point, One: dataclasses.astuple(Point(1)),
        lambda Point, One: repr(dataclasses.replace(Point(1), y=3.0)),
        lambda Point, One: dataclasses.replace(Point(1), z=3.0),
        lambda Point, One: repr(copy.copy(Point(1))),
        lambda Point, One: copy.deepcopy(Point(1, None, {"a": 1})).tags,
    ],
)
def test_a_record_does_what_the_standard_librarys_dataclass_does(action: Any):
    assert outcome(action, *OURS) == outcome(action, *THEIRS)


def test_a_record_that_holds_itself_has_a_repr():
    held: dict[str, Any] = {}
    point = OURS[0](1, None, held)
    held["self"] = point
    assert repr(point).endswith("tags={'self': ...})")


def test_a_record_matches_by_position():
    match Reasoning("why"):
        case Reasoning(text):
            assert text == "why"


def test_records_travel_in_a_pickle():
    whole = Completion(
        "hi",
        tool_calls=(ToolCall("1", "f", "{}", {"a": 1}),),
        usage=Usage(1, 2, 3),
        attempts=(Attempt("x", 200, 0.5),),
        timings=Timings(0.1, 0.2),
    )
    assert pickle.loads(pickle.dumps(whole)) == whole


def test_a_dataclass_can_be_derived_from_a_record():
    @dataclasses.dataclass(frozen=True)
    class Counted(Usage):
        cost: float = 0.0

    counted = Counted(1, 2, 3, cost=0.5)
    assert (counted.total_tokens, counted.cost, str(counted)) == (3, 0.5, "")
    assert [field.name for field in dataclasses.fields(counted)][-1] == "cost"
    with pytest.raises(dataclasses.FrozenInstanceError):
        counted.cost = 1.0  # type: ignore[misc]


def test_a_class_derived_from_a_record_may_have_attributes_of_its_own():
    class Named(Reasoning):
        pass

    named = Named("why")
    named.name = "mine"
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'text'"):
        named.text = "other"  # type: ignore[misc]
    assert (named.text, named.name) == ("why", "mine")


def test_records_are_frozen_and_have_slots_or_are_refused():
    with pytest.raises(TypeError, match="frozen"):
        records.dataclass(frozen=True, slots=False)


def test_the_first_use_of_the_client_loads_nothing_that_a_plain_answer_does_not_need():
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['orjson'] = None; import requests; before = set(sys.modules); import hf_text;"
            "hf_text.Client; print(*(set(sys.modules) - before))",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    rare = {"dataclasses", "inspect", "platform", "asyncio", "anyio", "difflib", "html", "uuid"}
    rare |= {f"hf_text.protocol.{name}" for name in ("catalog", "selection", "prices")}
    rare |= {"hf_text.tools.functions", "hf_text.conversation", "hf_text.structured", "hf_text.markdown"}
    assert rare.isdisjoint(loaded)
