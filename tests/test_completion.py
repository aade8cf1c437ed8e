"""The completion: as text, as a message of the conversation, in a notebook, and in another process."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from IPython.lib.pretty import pretty

import hf_text
from hf_text import completion
from hf_text.completion import Attempt, Completion, Logprob, Timings
from hf_text.events import ToolCall, Usage
from hf_text.protocol.messages import check_messages

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
    system_fingerprint="fp_1",
    logprobs=(Logprob("Blue", -0.5, (("Blue", -0.5), ("Red", -2.0))),),
    extra={"citations": ["https://example.com"]},
    reasoning_key="reasoning_content",
)


@pytest.mark.parametrize("name", completion.__all__)
def test_every_name_is_exported_by_the_package(name: str) -> None:
    assert getattr(hf_text, name) is getattr(completion, name)


@pytest.mark.parametrize("text", ["", "Blue", "天空 😀\n", "\x00"])
def test_str_is_the_text(text: str) -> None:
    answer = Completion(text, reasoning="Sky")
    assert str(answer) == answer.text == text
    assert f"{answer}" == text


def test_repr_is_one_line() -> None:
    told = "calls weather, stop, acme/x, groq, 12 + 7 tokens, 1.5 s"
    assert repr(WHOLE) == f"<Completion 'Blue light scatters.', {told}>"
    long = repr(dataclasses.replace(WHOLE, text="\x1b]0;title\n" * 1000))
    assert long.isprintable()
    assert len(long) < 200
    assert repr(Completion("So", model="a/b")) == "<Completion 'So', not complete, a/b>"


def test_ipython_shows_text_and_provider() -> None:
    text = 'Blue light scatters.\n\ncalls weather({"city": "Paris"})\n\n[acme/x · groq · 12 + 7 tokens · 1.5 s]'
    assert pretty(WHOLE) == text
    assert pretty([WHOLE]) == f"[{WHOLE!r}]"


def test_a_notebook_shows_problems_and_tool_calls() -> None:
    cut = Completion("", tool_calls=WHOLE.tool_calls, finish_reason="length", model="a_b")
    shown = cut._repr_markdown_()
    assert shown.startswith("calls <code>weather(")
    assert shown.endswith("<sub>cut off at the largest number of tokens (max&#95;tokens) · a&#95;b</sub>")
    assert "not complete · a" in Completion("So", model="a")._repr_markdown_()


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
        "system_fingerprint": None,
        "logprobs": (),
        "extra": {},
        "reasoning_key": "",
    }


def test_its_values_can_be_serialized_as_json() -> None:
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
    def test_it_is_an_assistant_message(self) -> None:
        assert Completion("Blue").to_message() == {"role": "assistant", "content": "Blue"}

    def test_tool_calls_are_included_with_the_reasoning_under_its_name(self) -> None:
        """DeepSeek, Gemini and MiniMax reject tool results without it."""
        assert WHOLE.to_message() == {
            "role": "assistant",
            "content": "Blue light scatters.",
            "tool_calls": [CALL.to_dict()],
            "reasoning_content": "Sky is air.",
        }

    def test_text_is_optional_next_to_tool_calls(self) -> None:
        message = Completion(tool_calls=(CALL,)).to_message()
        assert message == {"role": "assistant", "content": None, "tool_calls": [CALL.to_dict()]}

    def test_extra_fields_of_a_call_are_returned(self) -> None:
        call = dataclasses.replace(CALL, extra={"extra_content": {"google": {"thought_signature": "c2ln"}}})
        (sent,) = Completion(tool_calls=(call,)).to_message()["tool_calls"]
        assert sent == {**CALL.to_dict(), "extra_content": {"google": {"thought_signature": "c2ln"}}}

    def test_reasoning_is_omitted_without_tool_calls(self) -> None:
        """Providers reject it, or the model treats it as its own answer."""
        plain = dataclasses.replace(WHOLE, tool_calls=())
        assert plain.to_message() == {"role": "assistant", "content": "Blue light scatters."}

    @pytest.mark.parametrize("key", ["reasoning", "reasoning_content", "reasoning_text", "thinking"])
    def test_reasoning_is_included_on_request(self, key: str) -> None:
        answer = Completion("Blue", "Sky", reasoning_key=key)
        assert answer.to_message(reasoning=True) == {"role": "assistant", "content": "Blue", key: "Sky"}

    def test_reasoning_is_omitted_on_request(self) -> None:
        assert "Sky" not in json.dumps(WHOLE.to_message(reasoning=False))

    def test_reasoning_has_a_default_name(self) -> None:
        assert Completion("Blue", "Sky").to_message(reasoning=True)["reasoning_content"] == "Sky"

    def test_think_tags_are_restored(self) -> None:
        answer = Completion("Blue", "Sky", (CALL,), reasoning_key="<think>")
        assert answer.to_message()["content"] == "<think>Sky</think>Blue"

    @pytest.mark.parametrize(
        ("key", "part"),
        [
            ("reasoning_details", {"type": "reasoning.encrypted", "data": "x"}),
            ("thinking_blocks", {"type": "thinking", "thinking": "Sky", "signature": "c2ln"}),
        ],
    )
    def test_details_are_returned_unchanged(self, key: str, part: Any) -> None:
        alone = Completion("", "Sky", (CALL,), reasoning_key=key, extra={key: [part]})
        assert alone.to_message() == {"role": "assistant", "content": None, "tool_calls": [CALL.to_dict()], key: [part]}
        beside = dataclasses.replace(alone, reasoning_key="reasoning")
        assert beside.to_message() == {**alone.to_message(), "reasoning": "Sky"}

    def test_content_parts_are_restored(self) -> None:
        answer = Completion("Blue", "Sky", (CALL,), reasoning_key="content")
        assert answer.to_message()["content"] == [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Sky"}]},
            {"type": "text", "text": "Blue"},
        ]

    @pytest.mark.parametrize("answer", [WHOLE, Completion("Blue"), Completion(tool_calls=(CALL,))], ids=range(3))
    def test_it_can_be_a_message_of_the_next_request(self, answer: Completion) -> None:
        assert check_messages([{"role": "user", "content": "Hi"}, answer])[1] == answer.to_message()


class TestTruncated:
    @pytest.mark.parametrize(
        ("reason", "truncated"),
        [("length", True), ("content_filter", True), ("stop", False), ("tool_calls", False), (None, False)],
    )
    def test_truncated_is_set_when_the_provider_cut_the_answer(self, reason: str | None, truncated: bool) -> None:
        assert Completion("Blue", finish_reason=reason).truncated is truncated


class TestDict:
    @pytest.mark.parametrize("answer", [WHOLE, Completion(), Completion("Blue", usage=Usage(1, 2, 3))], ids=range(3))
    def test_it_round_trips_through_json(self, answer: Completion) -> None:
        twin = Completion.from_dict(json.loads(json.dumps(answer.to_dict())))
        assert twin == answer
        assert (hash(twin), repr(twin)) == (hash(answer), repr(answer))
        assert twin.to_message(reasoning=True) == answer.to_message(reasoning=True)

    def test_it_round_trips_without_json(self) -> None:
        assert Completion.from_dict(WHOLE.to_dict()) == WHOLE

    def test_missing_and_unknown_keys_are_accepted(self) -> None:
        """A file written by another version."""
        assert Completion.from_dict({"text": "Blue", "later": 5}) == Completion("Blue")

    def test_the_result_shares_nothing_with_the_dict(self) -> None:
        WHOLE.to_dict()["extra"]["citations"].append("x")
        assert WHOLE.extra == {"citations": ["https://example.com"]}

    @pytest.mark.parametrize("wrong", [{"tool_calls": [{"x": 1}]}, {"usage": {"x": 1}}, {"attempts": 5}], ids=str)
    def test_an_invalid_dict_is_refused(self, wrong: Any) -> None:
        with pytest.raises(TypeError):
            Completion.from_dict(wrong)


def test_a_notebook_shows_the_text_with_collapsed_reasoning() -> None:
    assert Completion("**Blue**", "Sky is air.")._repr_markdown_() == (
        "<details><summary>Reasoning</summary>\n\n> Sky is air.\n\n</details>\n\n**Blue**"
    )


def test_nothing_shown_in_a_notebook_is_active() -> None:
    shown = Completion("<script>alert(1)</script> <b>", "</details><script>alert(2)</script>")._repr_markdown_()
    assert shown.count("<script") == 0
    assert shown.count("</details>") == 1
