"""The whole answer: as text, as a message of the conversation, in a notebook, and in another process."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

import hf_text
from hf_text import completion
from hf_text.completion import Attempt, Completion, Timings
from hf_text.events import ToolCall, Usage

CALL = ToolCall("call_a", "weather", '{"city": "Paris"}')
ATTEMPTS = (Attempt("novita", 503, 0.5, "busy"), Attempt("groq", 200, 1.25))
WHOLE = Completion(
    text="Blue light scatters.",
    reasoning="Sky is air.",
    tool_calls=(CALL,),
    finish_reason="stop",
    usage=Usage(12, 7, 19, 3, 4),
    model="acme/x",
    provider="groq",
    request_id="Root=1-5",
    timings=Timings(0.25, 1.5),
    attempts=ATTEMPTS,
)


@pytest.mark.parametrize("name", completion.__all__)
def test_every_name_is_at_the_top_of_the_package(name: str) -> None:
    assert getattr(hf_text, name) is getattr(completion, name)


@pytest.mark.parametrize("text", ["", "Blue", "天空 😀\n", "\x00"])
def test_str_is_the_text(text: str) -> None:
    answer = Completion(text, reasoning="Sky")
    assert str(answer) == answer.text == text
    assert f"{answer}" == text


def test_repr_shows_what_it_holds() -> None:
    assert repr(WHOLE).startswith(
        "Completion(text='Blue light scatters.', reasoning='Sky is air.', tool_calls=(ToolCall("
    )


def test_an_empty_one_has_every_attribute() -> None:
    empty = Completion()
    assert dataclasses.asdict(empty) == {
        "text": "",
        "reasoning": "",
        "tool_calls": (),
        "finish_reason": None,
        "usage": None,
        "model": "",
        "provider": None,
        "request_id": None,
        "timings": {"first_token": None, "total": 0.0},
        "attempts": (),
    }


def test_its_values_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(dataclasses.asdict(WHOLE)))["usage"]["total_tokens"] == 19


@pytest.mark.parametrize(
    "value", [WHOLE, Completion(), ATTEMPTS[0], Attempt(None, None, 0.5), Timings(), Timings(1, 2)]
)
class TestEveryValue:
    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_it_pickles(self, value: Any, protocol: int) -> None:
        twin = pickle.loads(pickle.dumps(value, protocol))
        assert (type(twin), twin) == (type(value), value)

    def test_it_copies(self, value: Any) -> None:
        assert copy.copy(value) == copy.deepcopy(value) == value
        assert dataclasses.replace(value) == value

    def test_it_is_frozen_and_slotted(self, value: Any) -> None:
        for field in dataclasses.fields(value):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(value, field.name, None)
        assert not hasattr(value, "__dict__")


class TestMessage:
    def test_it_is_a_turn_of_the_assistant(self) -> None:
        assert Completion("Blue").to_message() == {"role": "assistant", "content": "Blue"}

    def test_tool_calls_go_along(self) -> None:
        assert WHOLE.to_message() == {
            "role": "assistant",
            "content": "Blue light scatters.",
            "tool_calls": [CALL.to_dict()],
        }

    def test_reasoning_does_not(self) -> None:
        """Providers refuse it, or the model takes it for what it said."""
        assert "reasoning" not in json.dumps(WHOLE.to_message())


def test_a_notebook_shows_the_text_with_the_reasoning_folded_away_above_it() -> None:
    assert Completion("**Blue**", "Sky is air.")._repr_markdown_() == (
        "<details><summary>Reasoning</summary>\n\n> Sky is air.\n\n</details>\n\n**Blue**"
    )


def test_nothing_that_a_notebook_shows_can_act() -> None:
    shown = Completion("<script>alert(1)</script> <b>", "</details><script>alert(2)</script>")._repr_markdown_()
    assert shown.count("<script") == 0
    assert shown.count("</details>") == 1
