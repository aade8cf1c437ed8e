"""Where servers put text and reasoning in an answer, in all known formats."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from hf_text.events import Event, Reasoning
from hf_text.protocol.chunks import Assembler


def chunk(delta: Any = None, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}]}


def read(*chunks: Any, opened: bool = False) -> Assembler:
    assembler, events = Assembler(opened), []  # type: ignore[var-annotated]
    for each in chunks:
        assembler.feed(each, events)
    assembler.finish(events)
    assert "".join(map(str, events)) == assembler.text
    return assembler


def both(*chunks: Any) -> tuple[str, str]:
    assembler = read(*chunks)
    return assembler.reasoning, assembler.text


class TestContent:
    @pytest.mark.parametrize(
        "content",
        [
            "Blue",
            {"text": "Blue"},
            {"type": "text", "text": "Blue"},
            {"type": "text", "text": {"value": "Blue", "annotations": []}},
            {"content": "Blue"},
            {"parts": [{"text": "Bl"}, {"text": "ue"}]},
            ["Bl", "ue"],
            [{"type": "text", "text": "Bl"}, {"type": "output_text", "text": "ue"}],
            [{"type": "refusal", "refusal": "Blue"}],
            [None, 5, {}, [], {"type": "text", "text": "Blue"}],
        ],
        ids=str,
    )
    def test_content_is_read_in_every_form(self, content: Any) -> None:
        assert both(chunk({"content": content})) == ("", "Blue")
        assert both(chunk({"content": "a"}), chunk({"content": content})) == ("", "aBlue")

    @pytest.mark.parametrize(("number", "text"), [(5, "5"), (0, "0"), (1.5, "1.5")])
    def test_a_number_is_read_as_text(self, number: Any, text: str) -> None:
        assert both(chunk({"content": "a"}), chunk({"content": number})) == ("", f"a{text}")

    @pytest.mark.parametrize("nothing", [None, "", [], {}, True, False, [[]], [5], [None]], ids=str)
    def test_empty_reasoning_is_skipped(self, nothing: Any) -> None:
        assert both(chunk({"content": "a"}), chunk({"content": nothing})) == ("", "a")

    @pytest.mark.parametrize("delta", ["Blue", ["Blue"], [{"type": "text", "text": "Blue"}]], ids=str)
    def test_a_delta_that_is_a_string_is_text(self, delta: Any) -> None:
        assert both(chunk("a"), chunk(delta)) == ("", "aBlue")

    @pytest.mark.parametrize("nothing", [None, "", [], {}, {"role": "assistant"}, {"content": ""}, {"content": None}])
    def test_text_next_to_an_empty_delta_is_read(self, nothing: Any) -> None:
        assert both(chunk(nothing, text="Bl"), chunk(nothing, text="ue")) == ("", "Blue")

    def test_text_repeated_next_to_the_delta_counts_once(self) -> None:
        """Together."""
        assert both(*(chunk({"content": piece}, text=piece) for piece in ("Bl", "ue"))) == ("", "Blue")

    def test_text_under_another_name_in_the_delta_is_read(self) -> None:
        assert both(chunk({"text": "Bl"}), chunk({"content": "ue", "text": "ue"})) == ("", "Blue")

    def test_a_refusal_next_to_text_is_kept(self) -> None:
        assembler = read(chunk({"content": "Blue", "refusal": "No more."}), chunk({"refusal": "No."}))
        assert (assembler.text, assembler.extra) == ("BlueNo.", {"refusal": "No more."})

    def test_a_single_unknown_part_is_kept(self) -> None:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        assert read(chunk({"content": [picture]})).extra == {"content": [picture]}

    def test_unknown_parts_are_kept(self) -> None:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        assembler = read(chunk({"content": [{"type": "text", "text": "See"}, picture]}))
        assert assembler.text == "See"
        assert assembler.extra == {"content": [picture]}

    def test_choices_given_as_one_object_are_read(self) -> None:
        assert both({"choices": {"index": 0, "delta": {"content": "Blue"}}}) == ("", "Blue")

    @pytest.mark.parametrize("key", ["data", "result", "response", "output"])
    def test_a_chunk_wrapped_by_a_gateway_is_read(self, key: str) -> None:
        assert both({"code": 0, "message": "ok", key: chunk({"content": "Blue"})}) == ("", "Blue")

    def test_an_answer_spread_over_choices_of_the_same_index_is_joined(self) -> None:
        call = {"id": "a", "function": {"name": "now", "arguments": "{}"}}
        choices = [{"index": 0, "delta": {"content": "Blue"}}, {"index": 0, "delta": {"tool_calls": [call]}}]
        assembler = read({"choices": choices})
        assert (assembler.text, [call.name for call in assembler.tool_calls]) == ("Blue", ["now"])

    def test_calls_in_the_next_choice_belong_to_an_answer_ending_with_tool_calls(self) -> None:
        """GitHub Copilot."""
        call = {"id": "a", "function": {"name": "now", "arguments": "{}"}}
        others = [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "tool_calls"}] * 2
        for reason, calls in (("tool_calls", ["now"]), ("stop", [])):
            first = {"message": {"content": "Blue"}, "finish_reason": reason}
            assembler = read({"choices": [first, *others]})
            assert (assembler.text, [call.name for call in assembler.tool_calls]) == ("Blue", calls)


class TestToolUse:
    """Content parts that use a tool, as Anthropic writes them and gateways forward them."""

    USE: ClassVar[dict[str, Any]] = {"type": "tool_use", "id": "a", "name": "time", "input": {"city": "Oslo"}}

    @pytest.mark.parametrize(
        "deltas",
        [
            [{"content": [{"type": "text", "text": "Blue"}, USE]}],
            [{"content": "Blue", "content_list": [{"type": "text", "text": "Blue"}, USE]}],
            [{"content": "Blue", "content_list": [{"type": "tool_use", "tool_use": {**USE, "tool_use_id": "a"}}]}],
            [
                {"type": "text", "content": "Blue", "content_list": [{"type": "text", "text": "Blue"}], "text": "Blue"},
                {"type": "tool_use", "tool_use_id": "a", "name": "time"},
                {"type": "tool_use", "input": '{"city":'},
                {"type": "tool_use", "input": '"Oslo"}'},
            ],
        ],
        ids=["in the content", "in a list beside it", "in an object of its own", "in deltas"],
    )
    def test_tool_use_parts_are_calls(self, deltas: list[Any]) -> None:
        assembler = read(*map(chunk, deltas))
        (call,) = assembler.tool_calls
        assert (call.id, call.name, call.parse()) == ("a", "time", {"city": "Oslo"})
        assert (assembler.text, assembler.extra) == ("Blue", {})

    def test_tool_use_in_a_final_message_is_not_doubled(self) -> None:
        call = {"id": "b", "function": {"name": "time", "arguments": '{"city":"Oslo"}'}}
        last = {"message": {"content": "Blue", "tool_calls": [call]}, "finish_reason": "tool_calls"}
        assert [call.id for call in read(chunk({"content": [self.USE]}), chunk({}, **last)).tool_calls] == ["a"]


class TestMessages:
    """A message instead of a delta holds the whole answer, once or repeatedly."""

    @pytest.mark.parametrize("delta", [None, {}, "", {"content": ""}, {"role": "assistant", "content": None}], ids=str)
    @pytest.mark.parametrize("message", [{"role": "assistant", "content": "Blue light."}, "Blue light."], ids=str)
    def test_a_complete_message_next_to_an_empty_delta_is_read(self, delta: Any, message: Any) -> None:
        assert both(chunk(delta, message=message, finish_reason="stop")) == ("", "Blue light.")

    def test_cumulative_messages_next_to_deltas_add_nothing(self) -> None:
        """Perplexity."""
        pieces = ("Blue", " light", ".")
        chunks = [
            chunk({"content": piece}, message={"content": "".join(pieces[: number + 1])})
            for number, piece in enumerate(pieces)
        ]
        last = chunk({"content": ""}, message={"content": "".join(pieces)}, finish_reason="stop")
        assert both(*chunks, last) == ("", "Blue light.")

    def test_cumulative_messages_without_deltas_are_read_once(self) -> None:
        chunks = [chunk({}, message={"content": "Blue light."[:end]}) for end in (1, 4, 11, 11)]
        assert both(*chunks) == ("", "Blue light.")

    def test_message_pieces_are_joined(self) -> None:
        assert both(*(chunk(None, message={"content": piece}) for piece in ("Bl", "ue", " light."))) == (
            "",
            "Blue light.",
        )

    def test_the_final_message_adds_what_deltas_omitted(self) -> None:
        assert both(chunk({"content": "Blue"}), chunk({}, message={"content": "Blue light."})) == ("", "Blue light.")

    @pytest.mark.parametrize("whole", ["Blue", "\nBlue"])
    def test_a_final_message_with_other_white_space_adds_nothing(self, whole: str) -> None:
        assembler = read(chunk({"content": " Blue"}), chunk({}, message={"content": whole}))
        assert (assembler.text, assembler.extra) == (" Blue", {})

    def test_a_different_final_text_is_kept_but_not_appended(self) -> None:
        assembler = read(chunk({"content": "Blue"}), chunk({}, message={"content": "Red"}))
        assert (assembler.text, assembler.extra) == ("Blue", {"message": "Red"})

    def test_reasoning_in_messages_is_read_once(self) -> None:
        first = chunk({}, message={"reasoning_content": "Sky"})
        second = chunk({}, message={"reasoning_content": "Sky is air.", "content": "Bl"})
        third = chunk({}, message={"reasoning_content": "Sky is air.", "content": "Blue"})
        assert both(first, second, third) == ("Sky is air.", "Blue")

    def test_think_tags_in_cumulative_messages_are_split(self) -> None:
        whole = "<think>Sky is air.</think>Blue"
        chunks = [chunk({}, message={"content": whole[:end]}) for end in (3, 10, 22, 28, len(whole))]
        assert both(*chunks) == ("Sky is air.", "Blue")

    def test_a_message_after_deltas_with_think_tags_adds_nothing(self) -> None:
        whole = "<think>Sky</think>Blue"
        chunks = [chunk({"content": piece}) for piece in ("<thi", "nk>Sky</thi", "nk>Blue")]
        assert both(*chunks, chunk({}, message={"content": whole})) == ("Sky", "Blue")

    def test_a_complete_message_with_only_a_closing_tag_is_split(self) -> None:
        assembler = read(chunk(None, message={"content": "Sky.</think>Blue"}, finish_reason="stop"))
        assert (assembler.reasoning, assembler.text, assembler.reasoning_key) == ("Sky.", "Blue", "<think>")


REASONING = {
    "a text": "Sky is air.",
    "an object": {"text": "Sky is air."},
    "an object with content": {"content": "Sky is air."},
    "a summary": {"summary": [{"type": "summary_text", "text": "Sky is air."}]},
    "a list": [{"type": "text", "text": "Sky is"}, {"type": "text", "text": " air."}],
    "a list of texts": ["Sky is", " air."],
    "a thinking object": {"thinking": "Sky is air."},
}


class TestReasoning:
    @pytest.mark.parametrize(
        "key", ["reasoning_content", "reasoning", "reasoning_text", "thinking", "thinking_content"]
    )
    @pytest.mark.parametrize("form", REASONING)
    def test_reasoning_is_read_under_every_name_and_form(self, key: str, form: str) -> None:
        assembler = read(chunk({key: REASONING[form]}), chunk({"content": "Blue"}))
        assert (assembler.reasoning, assembler.text, assembler.reasoning_key) == ("Sky is air.", "Blue", key)

    @pytest.mark.parametrize(
        ("key", "parts"),
        [
            ("reasoning_details", [{"type": "reasoning.text", "text": "Sky is air.", "index": 0}]),
            ("reasoning_details", [{"type": "reasoning.summary", "summary": "Sky is air."}]),
            ("thinking_blocks", [{"type": "thinking", "thinking": "Sky is air.", "signature": "c2ln"}]),
        ],
    )
    def test_reasoning_details_are_read_and_kept(self, key: str, parts: Any) -> None:
        assembler = read(chunk({key: parts}), chunk({"content": "Blue"}))
        assert (assembler.reasoning, assembler.text, assembler.reasoning_key) == ("Sky is air.", "Blue", key)
        assert assembler.extra == {key: parts}

    def test_the_same_reasoning_under_several_names_counts_once(self) -> None:
        detail = [{"type": "reasoning.text", "text": "Sky"}]
        delta = {"reasoning": "Sky", "reasoning_content": "Sky", "reasoning_details": detail, "thinking_blocks": []}
        assert both(chunk(delta), chunk({"content": "Blue"})) == ("Sky", "Blue")

    def test_details_in_pieces_are_joined_by_their_index(self) -> None:
        pieces = [("Sky", 0), (" is air.", 0), ("So: blue.", 1)]
        chunks = [
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": text, "index": index}]})
            for text, index in pieces
        ]
        signed = {"type": "reasoning.encrypted", "data": "abc", "index": 2}
        assembler = read(*chunks, chunk({"reasoning_details": [signed]}))
        assert assembler.reasoning == "Sky is air.So: blue."
        assert assembler.extra["reasoning_details"] == [
            {"type": "reasoning.text", "text": "Sky is air.", "index": 0},
            {"type": "reasoning.text", "text": "So: blue.", "index": 1},
            signed,
        ]

    def test_cumulative_details_are_read_once(self) -> None:
        """MiniMax repeats all of it in each chunk."""
        chunks = [
            chunk({"reasoning_details": [{"type": "reasoning.text", "text": "Sky is air."[:n]}]}) for n in (3, 6, 11)
        ]
        assembler = read(*chunks, chunk({"content": "Blue"}))
        assert (assembler.reasoning, assembler.text) == ("Sky is air.", "Blue")
        assert assembler.extra["reasoning_details"] == [{"type": "reasoning.text", "text": "Sky is air."}]

    @pytest.mark.parametrize(
        "nothing", [None, "", [], {}, 5, True, {"effort": "low"}, [None], [{"type": "text"}]], ids=str
    )
    def test_empty_reasoning_is_skipped(self, nothing: Any) -> None:
        assert both(chunk({"reasoning": nothing}), chunk({"content": "Blue"})) == ("", "Blue")

    @pytest.mark.parametrize("kind", ["thinking", "reasoning", "reasoning.text"])
    def test_reasoning_parts_in_a_content_list_are_read(self, kind: str) -> None:
        parts = [{"type": kind, "text": "Sky"}, {"type": "text", "text": "Blue"}]
        assert both(chunk({"content": parts})) == ("Sky", "Blue")


class TestClosingTags:
    @pytest.mark.parametrize("pieces", [["</think>Blue"], ["</th", "ink>", "Blue"], ["</think>", "Blue"]], ids=str)
    def test_a_stray_closing_tag_after_reasoning_is_not_text(self, pieces: list[str]) -> None:
        chunks = [chunk({"content": piece}) for piece in pieces]
        assert both(chunk({"reasoning_content": "Sky"}), *chunks) == ("Sky", "Blue")
        assert both(*chunks) == ("", "Blue")

    def test_a_closing_tag_mid_text_shows_that_the_model_only_closes(self) -> None:
        assembler = read(*(chunk({"content": piece}) for piece in ("Sky is air.", "</thi", "nk>Blue")))
        assert (assembler.text, assembler.closed_only) == ("Sky is air.</think>Blue", True)

    def test_text_before_an_expected_closing_tag_is_reasoning(self) -> None:
        chunks = [chunk({"content": piece}) for piece in ("Sky is air.", "</thi", "nk>Blue")]
        assembler = read(*chunks, opened=True)
        assert (assembler.reasoning, assembler.text, assembler.closed_only) == ("Sky is air.", "Blue", True)

    def test_an_answer_without_the_expected_tag_is_text(self) -> None:
        assembler, events = Assembler(opened=True), []  # type: ignore[var-annotated]
        for piece in ("Bl", "ue"):
            assembler.feed(chunk({"content": piece}), events)
        assembler.feed(chunk({}, finish_reason="stop"), events)
        assembler.finish(events)
        assert [event for event in events if isinstance(event, (str, Reasoning))] == [
            Reasoning("Bl"),
            Reasoning("ue"),
            "Blue",
        ]
        assert (assembler.text, assembler.reasoning, assembler.closed_only) == ("Blue", "", False)

    def test_truncated_reasoning_before_an_expected_tag_stays_reasoning(self) -> None:
        assembler = read(chunk({"content": "Sky"}), chunk({}, finish_reason="length"), opened=True)
        assert (assembler.reasoning, assembler.text) == ("Sky", "")

    @pytest.mark.parametrize(
        ("chunks", "closed_only"),
        [
            ([chunk({"content": "Blue"})], None),
            ([chunk({"content": "<think>Sky</think>Blue"})], False),
            ([chunk({"reasoning": "Sky"}), chunk({"content": "a</think>b"})], False),
            ([chunk({"content": "The tag `</think>` ends it."})], None),
        ],
        ids=str,
    )
    def test_other_answers_do_not_show_that_the_model_only_closes(
        self, chunks: list[Any], closed_only: bool | None
    ) -> None:
        assert read(*chunks).closed_only is closed_only

    def test_reasoning_in_a_field_is_unaffected_by_closing_tags(self) -> None:
        assembler = read(chunk({"reasoning": "Sky"}), chunk({"content": "Blue"}), opened=True)
        assert (assembler.reasoning, assembler.text, assembler.closed_only) == ("Sky", "Blue", False)


class TestChoices:
    A, B = ({"index": number, "delta": {"content": letter}} for number, letter in enumerate("AB"))

    @pytest.mark.parametrize(
        "chunks",
        [
            [{"choices": [A, B]}],
            [{"choices": [B, A]}],
            [{"choices": [B]}, {"choices": [A]}, {"choices": [B]}],
            [{"choices": [A]}, {"choices": [B]}, {"choices": [B]}],
            [{"choices": [{}, None, A]}],
            [{"choices": [{"index": "0", "delta": {"content": "A"}}, {"index": "1", "delta": {"content": "B"}}]}],
            [{"choices": [{"delta": {"content": "A"}}, {"delta": {"content": "B"}}]}],
        ],
        ids=str,
    )
    def test_the_answer_is_choice_0_at_any_position(self, chunks: list[Any]) -> None:
        assert read(*chunks).text == "A"
        assert read({"choices": [self.A]}, {"choices": [self.A]}, *chunks).text == "AAA"

    def test_other_choices_count_as_progress(self) -> None:
        assembler = read({"choices": [self.A]})
        events: list[Event] = []
        assert assembler.feed({"choices": [self.B]}, events)
        assert events == []

    def test_a_finish_reason_of_another_choice_does_not_count(self) -> None:
        other = {"index": 1, "delta": {}, "finish_reason": "stop"}
        assert read({"choices": [self.A]}, {"choices": [other]}).finish_reason is None

    @pytest.mark.parametrize("index", [1, -1, "1", 7])
    def test_without_choice_0_the_first_choice_is_the_answer(self, index: Any) -> None:
        chunks = [{"choices": [{"index": index, "delta": {"content": letter}}]} for letter in "AB"]
        other = {"choices": [{"index": 9, "delta": {"content": "C"}}]}
        assert read(*chunks, other).text == "AB"
