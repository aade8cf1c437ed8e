"""The events of a stream: immutable, and only text events add to the text."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
from typing import Any, get_args

import pytest

import hf_text
from hf_text import events
from hf_text.events import Event, FinishReason, ProviderInfo, Reasoning, ToolCall, ToolCalls, Usage

CALL = ToolCall("call_a", "weather", '{"city": "Paris"}')

VALUES = [
    ProviderInfo("novita", "acme/x", "https://example.com/v1/chat/completions", "Novita"),
    ProviderInfo(None, "acme/x", "http://localhost:8080/v1/chat/completions", "localhost:8080"),
    Reasoning("Sky is air."),
    ToolCalls((CALL, ToolCall("call_b", "now", ""))),
    ToolCalls(()),
    Usage(12, 7, 19),
    Usage(12, 7, 19, reasoning_tokens=3, cached_tokens=4),
    FinishReason("stop"),
]


def name_of(value: Any) -> str:
    return type(value).__name__


def test_the_set_of_events_is_closed() -> None:
    assert set(get_args(Event)) == {str, *(type(value) for value in VALUES)}
    defined = {
        name for name, value in vars(events).items() if inspect.isclass(value) and dataclasses.is_dataclass(value)
    }
    assert defined | {"ConversationEvent", "Event"} == set(events.__all__)
    assert events.__all__ == sorted(events.__all__)


@pytest.mark.parametrize("name", events.__all__)
def test_every_name_is_exported_by_the_package(name: str) -> None:
    assert getattr(hf_text, name) is getattr(events, name)


@pytest.mark.parametrize("value", VALUES, ids=name_of)
class TestEveryEventThatIsNoText:
    def test_str_of_it_is_empty(self, value: Any) -> None:
        assert str(value) == ""
        assert f"{value}" == ""

    def test_its_repr_shows_its_fields(self, value: Any) -> None:
        assert repr(value).startswith(f"{type(value).__name__}(")
        for field in dataclasses.fields(value):
            assert f"{field.name}={getattr(value, field.name)!r}" in repr(value)

    def test_it_is_frozen(self, value: Any) -> None:
        for field in dataclasses.fields(value):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, field.name, None)
            with pytest.raises(dataclasses.FrozenInstanceError):
                delattr(value, field.name)

    def test_it_is_slotted(self, value: Any) -> None:
        assert not hasattr(value, "__dict__")
        with pytest.raises((AttributeError, TypeError)):
            value.colour = "red"

    def test_it_is_comparable_and_hashable(self, value: Any) -> None:
        twin = copy.deepcopy(value)
        assert twin == value
        assert len({twin, value}) == 1
        assert value != ""
        assert value != dataclasses.astuple(value)

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_it_pickles_and_copies(self, value: Any, protocol: int) -> None:
        twin = pickle.loads(pickle.dumps(value, protocol))
        assert (type(twin), twin) == (type(value), value)
        assert copy.copy(value) == value

    def test_it_has_a_docstring(self, value: Any) -> None:
        assert not (type(value).__doc__ or "").startswith(f"{type(value).__name__}(")


def test_joined_events_are_the_answer() -> None:
    stream: list[Event] = ["Blue ", VALUES[0], Reasoning("Sky"), "light", *VALUES, " scatters."]
    assert "".join(map(str, stream)) == "Blue light scatters."


def test_events_of_different_kinds_differ() -> None:
    assert Reasoning("stop") != FinishReason("stop")
    assert len(set(VALUES)) == len(VALUES)


def test_events_can_be_distinguished_by_match() -> None:
    match VALUES[2]:
        case Reasoning(text=text):
            assert text == "Sky is air."
        case _:
            pytest.fail("no match")


class TestToolCall:
    def test_it_is_frozen_and_slotted(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            CALL.name = "now"  # type: ignore[misc]
        assert not hasattr(CALL, "__dict__")

    def test_its_arguments_are_parsed(self) -> None:
        assert CALL.parse() == {"city": "Paris"}

    @pytest.mark.parametrize("arguments", ["", " ", "\n", "null", " null"])
    def test_no_arguments_are_an_empty_object(self, arguments: str) -> None:
        assert ToolCall("a", "now", arguments).parse() == {}

    def test_double_encoded_arguments_are_parsed(self) -> None:
        assert ToolCall("a", "now", json.dumps(CALL.arguments)).parse() == CALL.parse()
        assert ToolCall("a", "now", '"Paris"').parse() == "Paris"

    @pytest.mark.parametrize("arguments", ["{", "city: Paris", '{"a": 1}{"b": 2}', '"{"', '"{a"'])
    def test_invalid_arguments_raise_a_value_error(self, arguments: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011
            ToolCall("a", "now", arguments).parse()

    def test_to_dict_has_protocol_form(self) -> None:
        assert CALL.to_dict() == {
            "id": "call_a",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
        }
        json.dumps(CALL.to_dict())

    def test_it_pickles(self) -> None:
        assert pickle.loads(pickle.dumps(CALL)) == CALL
