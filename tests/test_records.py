"""The classes that are made without the module ``dataclasses`` are dataclasses to whoever asks."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from hf_text import Completion, ToolCall, Usage
from hf_text.completion import Timings
from hf_text.records import dataclass, field


@dataclass(frozen=True, slots=True)
class Own:
    """A record."""

    name: str
    size: int = 3
    parts: list[str] = field(default_factory=list, hash=False, repr=False)


def test_the_first_use_of_the_client_loads_neither_dataclasses_nor_inspect() -> None:
    program = "import sys; from hf_text import Client; print({'dataclasses', 'inspect'} & set(sys.modules))"
    orjson = "import sys; sys.modules['orjson'] = None; "
    done = subprocess.run([sys.executable, "-S", "-c", orjson + program], capture_output=True, text=True, env=path())
    assert done.stdout.strip() == "set()", done.stderr


def path() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}


def test_dataclasses_knows_the_fields_and_makes_variants() -> None:
    call = ToolCall("call_1", "add", "{}")
    assert dataclasses.is_dataclass(call)
    assert dataclasses.replace(call, name="subtract") == ToolCall("call_1", "subtract", "{}")
    assert dataclasses.asdict(Usage(1, 2, 3)) == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "reasoning_tokens": None,
        "cached_tokens": None,
    }
    own = {each.name: each for each in dataclasses.fields(Own)}  # type: ignore[arg-type,unused-ignore]
    assert own["size"].default == 3
    assert own["parts"].default_factory is list
    assert [each.name for each in dataclasses.fields(Completion)][:2] == ["text", "reasoning"]


def test_a_record_behaves_as_the_dataclass_of_the_same_fields() -> None:
    one = Own("a")
    assert repr(one) == "Own(name='a', size=3)"
    assert one == Own("a", 3, [])
    assert one != Own("a", parts=["x"])
    assert one != ("a", 3, [])
    assert hash(one) == hash(Own("a", parts=["x"]))
    assert one.parts is not Own("a").parts
    match one:
        case Own(name, size):
            assert (name, size) == ("a", 3)
    with pytest.raises(TypeError, match="__init__"):
        Own()  # type: ignore[call-arg]


def test_a_record_cannot_be_changed_and_is_copied_and_pickled() -> None:
    timings = Timings(1.0, 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        timings.total = 3.0  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del timings.total
    assert pickle.loads(pickle.dumps(timings)) == copy.deepcopy(timings) == timings
