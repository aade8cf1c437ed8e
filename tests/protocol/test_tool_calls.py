from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.events import ToolCall
from hf_text.protocol.tool_calls import ToolCallAssembler

Fragment = dict[str, Any]

PARIS = '{"city":"Paris","days":[1,2]}'
OSLO = '{"city":"Oslo"}'


def assemble(*deltas: list[Any]) -> tuple[ToolCall, ...]:
    """The calls in the ``tool_calls`` of these deltas."""
    assembler = ToolCallAssembler()
    for fragments in deltas:
        assembler.feed(fragments)
    return assembler.calls()


def fragment(arguments: Any = None, name: str | None = None, **fields: Any) -> Fragment:
    """A fragment with only the given fields."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**fields, "function": function}


def pieces(text: str, size: int = 4) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


WEATHER = ToolCall("call_a", "weather", PARIS)
TIME = ToolCall("call_b", "time", OSLO)


class TestOneCall:
    """How providers send a single call."""

    def test_complete_in_one_chunk(self) -> None:
        """Groq, and every server that does not stream."""
        assert assemble([fragment(PARIS, "weather", id="call_a", type="function", index=0)]) == (WEATHER,)

    def test_id_and_name_first_and_the_arguments_in_fragments(self) -> None:
        """OpenAI, Z.ai, Cerebras."""
        first = fragment("", "weather", id="call_a", type="function", index=0)
        assert assemble([first], *([fragment(piece, index=0)] for piece in pieces(PARIS))) == (WEATHER,)

    def test_a_first_fragment_without_arguments_and_later_ones_with_a_null_id(self) -> None:
        """Fireworks."""
        first = {"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather"}}
        rest = ([{"index": 0, "id": None, "function": {"arguments": piece}}] for piece in pieces(PARIS))
        assert assemble([first], *rest) == (WEATHER,)

    def test_the_id_in_every_fragment(self) -> None:
        """Baseten."""
        first, *rest = pieces(PARIS)
        deltas = ([fragment(piece, index=0, id="call_a", type="function")] for piece in rest)
        assert assemble([fragment(first, "weather", index=0, id="call_a")], *deltas) == (WEATHER,)

    def test_null_as_the_text_of_the_arguments_says_nothing_before_the_real_ones(self) -> None:
        deltas = [[fragment("null", "weather", id="call_a", index=0)], [fragment(PARIS, index=0)]]
        assert assemble(*deltas) == (WEATHER,)
        (call,) = assemble([fragment("null", "now", id="call_b")])
        assert call.parse() == {}

    def test_null_within_the_arguments_is_a_value(self) -> None:
        (call,) = assemble(
            *([fragment(piece, "f" * (not n), index=0)] for n, piece in enumerate(['{"a": ', "null", "}"]))
        )
        assert call.parse() == {"a": None}

    def test_id_zero_and_a_null_name_in_every_fragment(self) -> None:
        """TGI."""
        deltas = [
            [{"index": 0, "id": "0", "type": "function", "function": {"name": name, "arguments": piece}}]
            for name, piece in [("weather", ""), *((None, piece) for piece in pieces(PARIS))]
        ]
        assert assemble(*deltas) == (ToolCall("0", "weather", PARIS),)

    def test_index_minus_one(self) -> None:
        """Together."""
        assert assemble([fragment(PARIS, "weather", id="call_a", index=-1)]) == (WEATHER,)

    def test_index_minus_one_in_fragments(self) -> None:
        first = fragment("", "weather", id="call_a", index=-1)
        assert assemble([first], *([fragment(piece, index=-1)] for piece in pieces(PARIS))) == (WEATHER,)

    def test_an_index_in_the_first_fragment_only(self) -> None:
        first = fragment("", "weather", id="call_a", index=0)
        assert assemble([first], [fragment(PARIS, id="call_a", index=-1)]) == (WEATHER,)

    def test_an_index_in_the_later_fragments_only(self) -> None:
        first = fragment("", "weather", id="call_a", index=-1)
        assert assemble([first], [fragment(PARIS, id="call_a", index=0)]) == (WEATHER,)

    def test_no_id(self) -> None:
        """Nebius: an id is generated, because the result cannot be returned without one."""
        assert assemble([fragment("{}", "weather", index=0, type="function")]) == (ToolCall("call_0", "weather", "{}"),)

    def test_neither_id_nor_index(self) -> None:
        deltas = ([fragment(piece)] for piece in pieces(PARIS))
        assert assemble([fragment("", "weather")], *deltas) == (ToolCall("call_0", "weather", PARIS),)

    def test_a_late_id(self) -> None:
        deltas = [[fragment("", "weather", index=0)], [fragment(PARIS, index=0, id="call_a")]]
        assert assemble(*deltas) == (WEATHER,)

    def test_a_new_id_in_every_fragment(self) -> None:
        """The first id counts."""
        deltas = ([fragment(piece, index=0, id=f"call_{piece}")] for piece in pieces(PARIS))
        assert assemble([fragment("", "weather", index=0, id="call_a")], *deltas) == (WEATHER,)

    def test_a_new_id_in_every_fragment_and_the_name_too(self) -> None:
        deltas = ([fragment(piece, "weather", index=0, id=f"call_{piece}")] for piece in pieces(PARIS))
        assert assemble([fragment("", "weather", index=0, id="call_a")], *deltas) == (WEATHER,)

    def test_a_late_name(self) -> None:
        assert assemble([fragment(index=0, id="call_a")], [fragment(PARIS, "weather", index=0)]) == (WEATHER,)

    def test_a_missing_name(self) -> None:
        assert assemble([fragment('{"a":')], [fragment("1}")]) == (ToolCall("call_0", "", '{"a":1}'),)

    @pytest.mark.parametrize(
        "fields", [{"id": "call_a", "index": 0}, {"index": 0}, {"id": "call_a"}, {"index": -1}, {}]
    )
    def test_the_name_in_every_fragment(self, fields: Fragment) -> None:
        (call,) = assemble(*([fragment(piece, "weather", **fields)] for piece in pieces(PARIS)))
        assert (call.name, call.arguments) == ("weather", PARIS)

    def test_string_arguments_in_fragments(self) -> None:
        """Against the protocol, but no reason to see two calls."""
        (call,) = assemble([fragment('"Pa', "weather", index=0)], [fragment('ris"', "weather", index=0)])
        assert call.arguments == '"Paris"'

    @pytest.mark.parametrize("value", [{"city": "Paris", "days": [1, 2]}, {}, [1], "", 5, False])
    def test_arguments_given_as_a_value_become_json(self, value: Any) -> None:
        """TGI and Ollama send values."""
        (call,) = assemble([fragment(value, "weather")])
        assert call.arguments == ("" if value == "" else json.dumps(value))

    def test_arguments_given_as_a_value_keep_non_ascii_letters(self) -> None:
        (call,) = assemble([fragment({"city": "Zürich 天"}, "weather")])
        assert call.arguments == '{"city": "Zürich 天"}'

    def test_no_arguments_at_all(self) -> None:
        (call,) = assemble([{"index": 0, "id": "call_a", "function": {"name": "now", "arguments": None}}])
        assert call == ToolCall("call_a", "now", "")
        assert call.parse() == {}

    def test_a_numeric_id_becomes_text(self) -> None:
        (call,) = assemble([fragment("{}", "now", id=7)])
        assert call.id == "7"

    def test_a_character_split_into_surrogates_is_joined(self) -> None:
        deltas = [[fragment('{"a":"\ud83d', "now", index=0)], [fragment('\ude00"}', index=0)]]
        (call,) = assemble(*deltas)
        assert call.parse() == {"a": "😀"}

    def test_a_lone_surrogate_is_replaced(self) -> None:
        (call,) = assemble([fragment('{"a":"\ud83d"}', "now")])
        assert call.arguments == '{"a":"\ufffd"}'


class TestParallelCalls:
    """How providers send several calls."""

    def test_two_complete_calls_in_one_chunk(self) -> None:
        first = fragment(PARIS, "weather", id="call_a", index=0)
        assert assemble([first, fragment(OSLO, "time", id="call_b", index=1)]) == (WEATHER, TIME)

    def test_one_after_the_other(self) -> None:
        deltas = [
            [fragment("", "weather", id="call_a", index=0)],
            *([fragment(piece, index=0)] for piece in pieces(PARIS)),
            [fragment("", "time", id="call_b", index=1)],
            *([fragment(piece, index=1)] for piece in pieces(OSLO)),
        ]
        assert assemble(*deltas) == (WEATHER, TIME)

    @pytest.mark.parametrize(
        ("first", "second", "later"),
        [
            ({"id": "call_a", "index": 0}, {"id": "call_b", "index": 1}, ("index",)),
            ({"id": "call_a", "index": 0}, {"id": "call_b", "index": 1}, ("id", "index")),
            ({"id": "call_a", "index": 0}, {"id": "call_b", "index": 0}, ("id", "index")),
            ({"id": "call_a", "index": -1}, {"id": "call_b", "index": -1}, ("id", "index")),
            ({"id": "call_a"}, {"id": "call_b"}, ("id",)),
        ],
        ids=["index", "both", "index always 0", "index always -1", "id"],
    )
    def test_interleaved(self, first: Fragment, second: Fragment, later: tuple[str, ...]) -> None:
        deltas = [[fragment("", "weather", **first)], [fragment("", "time", **second)]]
        ours, theirs = ({key: fields[key] for key in later} for fields in (first, second))
        for one, other in zip(pieces(PARIS, 8), [*pieces(OSLO, 8), "", ""], strict=True):
            deltas += [[fragment(other, **theirs), fragment(one, **ours)]]
        assert assemble(*deltas) == (WEATHER, TIME)

    def test_interleaved_calls_of_the_same_function_with_index_zero_for_both(self) -> None:
        deltas = [[fragment("", "time", id=id, index=0)] for id in ("call_a", "call_b")]
        deltas += [[fragment(part, id=id, index=0)] for part in pieces(OSLO) for id in ("call_a", "call_b")]
        assert assemble(*deltas) == (ToolCall("call_a", "time", OSLO), ToolCall("call_b", "time", OSLO))

    def test_interleaved_with_late_separate_ids(self) -> None:
        deltas = [[fragment("", "weather", index=0)], [fragment("", "time", index=1)]]
        deltas += [[fragment("", index=0, id="call_a")], [fragment("", index=1, id="call_b")]]
        deltas += [[fragment(PARIS, id="call_a")], [fragment(OSLO, id="call_b")]]
        assert assemble(*deltas) == (WEATHER, TIME)

    def test_interleaved_with_id_zero_for_both(self) -> None:
        deltas = [[fragment("", "weather", id="0", index=0)], [fragment("", "time", id="0", index=1)]]
        for one, other in zip(pieces(PARIS, 8), [*pieces(OSLO, 8), "", ""], strict=True):
            deltas += [[fragment(one, id="0", index=0)], [fragment(other, id="0", index=1)]]
        calls = assemble(*deltas)
        assert [(call.name, call.arguments) for call in calls] == [("weather", PARIS), ("time", OSLO)]

    def test_calls_with_the_same_id_are_distinguished(self) -> None:
        """TGI: every call has the id "0", but results are matched by id."""
        calls = assemble(*([fragment("{}", name, id="0", index=n)] for n, name in enumerate(("a", "b", "a"))))
        assert calls[0].id == "0"
        assert len({call.id for call in calls}) == 3

    def test_a_generated_id_is_unique(self) -> None:
        deltas = [[fragment("{}", "a", id="call_1", index=0)], [fragment("{}", "b", index=1)]]
        calls = assemble(*deltas)
        assert [call.name for call in calls] == ["a", "b"]
        assert len({call.id for call in calls}) == 2

    def test_index_zero_for_all_with_different_ids(self) -> None:
        deltas = [[fragment(PARIS, "weather", id="call_a", index=0)], [fragment(OSLO, "time", id="call_b", index=0)]]
        assert assemble(*deltas) == (WEATHER, TIME)

    def test_index_zero_for_all_with_different_ids_in_fragments_without_ids(self) -> None:
        """A fragment without an id belongs to the latest call."""
        deltas = [
            [fragment("", "weather", id="call_a", index=0)],
            *([fragment(piece, index=0)] for piece in pieces(PARIS)),
            [fragment("", "time", id="call_b", index=0)],
            *([fragment(piece, index=0)] for piece in pieces(OSLO)),
        ]
        assert assemble(*deltas) == (WEATHER, TIME)

    @pytest.mark.parametrize("fields", [{"index": 0}, {"index": -1}, {}, {"id": "0", "index": 0}, {"id": "0"}])
    @pytest.mark.parametrize("names", [("weather", "time"), ("weather", "weather")])
    def test_complete_calls_without_id_and_index(self, fields: Fragment, names: tuple[str, str]) -> None:
        """Complete arguments end a call."""
        calls = assemble(*([fragment(text, name, **fields)] for name, text in zip(names, (PARIS, OSLO), strict=True)))
        assert [(call.name, call.arguments) for call in calls] == [(names[0], PARIS), (names[1], OSLO)]

    def test_a_second_call_with_a_late_name(self) -> None:
        deltas = [[fragment(PARIS, "weather", id="call_a", index=0)], [fragment("", id="call_b", index=1)]]
        assert assemble(*deltas, [fragment(OSLO, "time", index=1)]) == (WEATHER, TIME)

    def test_white_space_after_the_arguments_is_ignored(self) -> None:
        deltas = [[fragment(piece, "time", index=0)] for piece in ("{}", OSLO)]
        deltas.insert(1, [fragment(" ", index=0)])
        assert [call.arguments for call in assemble(*deltas)] == ["{} ", OSLO]

    def test_another_name_starts_another_call(self) -> None:
        deltas = [[fragment("", "now", index=0)], [fragment(OSLO, "time", index=0)]]
        assert [(call.name, call.arguments) for call in assemble(*deltas)] == [("now", ""), ("time", OSLO)]

    def test_calls_are_in_the_order_they_started(self) -> None:
        deltas = [[fragment(OSLO, "time", id="call_b", index=1)], [fragment(PARIS, "weather", id="call_a", index=0)]]
        assert assemble(*deltas) == (TIME, WEATHER)

    @pytest.mark.parametrize(
        "text",
        [
            '{"a":"}"}',
            '{"a":"\\""}',
            '{"a":"\\\\"}',
            '{"a":"{","b":[{}]}',
            '["]",[]]',
            '{"a":"\\\\\\"}"}',
            ' {"a": 1} ',
        ],
    )
    @pytest.mark.parametrize("size", [1, 2, 3, 100])
    def test_the_end_of_the_arguments_is_found_however_they_are_split(self, text: str, size: int) -> None:
        """A name in every fragment, no ids: only the end of the arguments shows where the next call begins."""
        deltas = [[fragment(piece, "a", index=0)] for piece in [*pieces(text.rstrip(), size), OSLO]]
        assert [call.arguments for call in assemble(*deltas)] == [text.rstrip(), OSLO]


class TestRepeatedArguments:
    """Repeated arguments are assembled once, and never from two calls."""

    def arguments(self, *told: str, **fields: Any) -> str:
        first, *rest = told
        deltas = [[fragment(first, "f", **fields)], *([fragment(text, **fields)] for text in rest)]
        (call,) = assemble(*deltas)
        return call.arguments

    @pytest.mark.parametrize("fields", [{"index": 0, "id": "call_a"}, {"index": 0}, {"id": "call_a"}, {}])
    @pytest.mark.parametrize(
        "told",
        [
            ["{}", '{"a":', "1}"],
            ["{}", '{"a":1}'],
            ["{}", "", '{"a"', ":1", "}"],
            ['{}{"a":1}'],
            ['{"a":', "1}", '{"a":1}'],
            ['{"a":', "1}", '{"a":', "1}"],
            ['{"a":1}', "{}"],
            ['{"a":1}{"a":1}'],
            ['{"a":1}', '{"a":1}', '{"a":1}'],
            ['{"a"', '{"a":', '{"a":1', '{"a":1}'],
            ["{", '{"a"', '{"a":1}'],
            ['{"a":', "1", '{"a":1}'],
            ['{"a":1}', '{"a": 1}'],
        ],
        ids=str,
    )
    def test_repeated_arguments_are_yielded_once(self, told: list[str], fields: Fragment) -> None:
        assert json.loads(self.arguments(*told, **fields)) == {"a": 1}

    def test_a_growing_object_is_taken_in_its_last_form(self) -> None:
        assert self.arguments('{"a":"Pa"}', '{"a":"Paris"}', '{"a":"Paris","b":[1]}') == '{"a":"Paris","b":[1]}'

    def test_the_same_key_nested_deeper_is_not_a_repetition(self) -> None:
        assert self.arguments('{"a":', '{"a":', '{"a":1}', "}", "}") == '{"a":{"a":{"a":1}}}'
        assert self.arguments("[", "[1]", "]") == "[[1]]"

    def test_two_unrelated_values_are_left_unchanged(self) -> None:
        """The model's intention is unknown, so no tool may run."""
        call = ToolCall("call_a", "f", self.arguments('{"a":1}', '{"b":2}', id="call_a"))
        assert call.arguments == '{"a":1}{"b":2}'
        with pytest.raises(ValueError, match="Extra data"):
            call.parse()

    def test_truncated_arguments_are_left_unchanged(self) -> None:
        assert self.arguments('{"a":', '{"b":') == '{"a":{"b":'

    def test_hostile_arguments_are_handled_in_time(self) -> None:
        deep = '{"a":' * 20_000
        assert self.arguments(deep, deep, "}") == deep + deep + "}"
        assert self.arguments("[" * 5000 + "]" * 5000, "{}") == "[" * 5000 + "]" * 5000 + "{}"


class TestRepeatedCalls:
    """A tool must not run twice because a server repeats its call."""

    @pytest.mark.parametrize("again", ["", None, "{}", PARIS])
    def test_id_and_name_repeated_without_anything_new(self, again: str | None) -> None:
        whole = fragment(PARIS, "weather", id="call_a", index=0)
        assert assemble([whole], [fragment(again, "weather", id="call_a", index=0)]) == (WEATHER,)

    @pytest.mark.parametrize("fields", [{"index": 0}, {"index": 0, "id": "0"}, {}])
    def test_a_complete_call_repeated_without_id(self, fields: Fragment) -> None:
        (call,) = assemble(*([fragment(PARIS, "weather", **fields)] for _ in range(3)))
        assert (call.name, call.arguments) == ("weather", PARIS)

    def test_a_list_that_grows_by_complete_calls(self) -> None:
        first, second = fragment(PARIS, "weather"), fragment(OSLO, "time")
        calls = assemble([first], [first, second], [first, second])
        assert [(call.name, call.arguments) for call in calls] == [("weather", PARIS), ("time", OSLO)]

    def test_all_calls_repeated_in_the_final_message(self) -> None:
        """A message that is not a delta has no index."""
        deltas = [[fragment(PARIS, "weather", id="call_a", index=0)], [fragment(OSLO, "time", id="call_b", index=1)]]
        whole = [fragment(PARIS, "weather", id="call_a"), fragment(OSLO, "time", id="call_b")]
        assert assemble(*deltas, whole) == (WEATHER, TIME)

    @pytest.mark.parametrize(
        ("one", "other"),
        [({"id": "a"}, {"id": "b"}), ({"index": 0}, {"index": 1}), ({"id": "0", "index": 0}, {"id": "0", "index": 1})],
    )
    def test_equal_calls_with_different_ids_or_indexes_are_two(self, one: Fragment, other: Fragment) -> None:
        assert len(assemble([fragment(PARIS, "weather", **one)], [fragment(PARIS, "weather", **other)])) == 2

    def test_equal_calls_in_one_list_are_two(self) -> None:
        assert len(assemble([fragment("{}", "now"), fragment("{}", "now")])) == 2

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (fragment(PARIS, "weather", id="call_x"), True),
            (fragment('{"days":[1,2], "city":"Paris"}', "weather"), True),
            (fragment("", ""), True),
            (fragment(OSLO, "weather", id="call_a"), False),
            (fragment(PARIS, "time", id="call_a"), False),
        ],
    )
    def test_a_complete_call_seen_before_is_recognised(self, value: Fragment, said: bool) -> None:
        assembler = ToolCallAssembler()
        assembler.feed([fragment(PARIS, "weather", id="call_a", index=0)])
        assert assembler.has(value) is said

    def test_a_longer_call_under_the_same_id_is_the_same_call(self) -> None:
        deltas = [[fragment(text, "f", id="call_a", index=0)] for text in ('{"a":1}', '{"a":1,"b":2}')]
        assert assemble(*deltas) == (ToolCall("call_a", "f", '{"a":1,"b":2}'),)


class TestNamesInPieces:
    @pytest.mark.parametrize("id", ["call_a", None])
    def test_before_the_arguments(self, id: str | None) -> None:
        first = fragment(None, "wea", id=id, index=0)
        deltas = [[first], [fragment(None, "ther", index=0)], *([fragment(piece, index=0)] for piece in pieces(PARIS))]
        (call,) = assemble(*deltas)
        assert (call.name, call.arguments) == ("weather", PARIS)

    def test_together_with_pieces_of_the_arguments(self) -> None:
        deltas = [[fragment('{"city"', "ti", id="call_b", index=0)], [fragment(':"Oslo"}', "me", index=0)]]
        assert assemble(*deltas) == (TIME,)

    def test_the_second_piece_has_the_arguments(self) -> None:
        deltas = [[fragment("", "ti", id="call_b", index=0)], [fragment(OSLO, "me", index=0, id="call_b")]]
        assert assemble(*deltas) == (TIME,)

    def test_each_piece_repeats_the_earlier_ones(self) -> None:
        deltas = [[fragment("", name, id="call_b", index=0)] for name in ("t", "ti", "time")]
        assert assemble(*deltas, [fragment(OSLO, index=0)]) == (TIME,)

    def test_the_complete_name_after_its_pieces(self) -> None:
        deltas = [[fragment("", name, id="call_b", index=0)] for name in ("ti", "me", "time")]
        assert assemble(*deltas, [fragment(OSLO, index=0)]) == (TIME,)


class TestByPlace:
    """Fragments with neither id nor index, of several calls in one list."""

    def test_fragments_belong_to_the_call_at_their_position(self) -> None:
        deltas: list[list[Any]] = [[fragment("", "weather"), fragment("", "time")]]
        for one, other in zip(pieces(PARIS, 8), [*pieces(OSLO, 8), "", ""], strict=True):
            deltas.append([fragment(one), fragment(other)])
        calls = assemble(*deltas)
        assert [(call.name, call.arguments) for call in calls] == [("weather", PARIS), ("time", OSLO)]

    def test_fragments_that_repeat_the_name_belong_to_their_position(self) -> None:
        deltas: list[list[Any]] = []
        for one, other in zip(pieces(PARIS, 8), [*pieces(OSLO, 8), "", ""], strict=True):
            deltas.append([fragment(one, "f"), fragment(other, "f")])
        assert [call.arguments for call in assemble(*deltas)] == [PARIS, OSLO]

    def test_a_single_fragment_belongs_to_the_last_call(self) -> None:
        deltas = [[fragment(PARIS, "weather"), fragment("", "time")], [fragment(OSLO)]]
        assert [call.arguments for call in assemble(*deltas)] == [PARIS, OSLO]


class TestOtherForms:
    @pytest.mark.parametrize(
        "silent",
        [
            *(None, "text", 5, [], {}, {"index": 0}, {"function": None}, {"function": []}),
            *({"index": 0, "function": None}, {"function": {"name": None}}),
            {"index": 0, "type": "function", "function": {"name": "", "arguments": ""}},
        ],
        ids=str,
    )
    def test_an_empty_fragment_is_skipped(self, silent: Any) -> None:
        assert assemble([silent]) == ()
        assert assemble([fragment(PARIS, "weather", id="call_a", index=0)], [silent]) == (WEATHER,)

    @pytest.mark.parametrize(
        "silent", [{"id": "x"}, fragment("", "", id="x"), fragment("{}"), fragment(" ", " ")], ids=str
    )
    def test_a_call_without_name_and_arguments_is_dropped(self, silent: Any) -> None:
        """Snowflake sends such calls along with text."""
        assembler = ToolCallAssembler()
        assembler.feed([silent])
        assert assembler.calls() == ()
        assert not assembler

    def test_an_id_alone_and_the_rest_later(self) -> None:
        deltas = [[{"index": 0, "id": "call_a", "type": "function"}], [fragment(PARIS, "weather", index=0)]]
        assert assemble(*deltas) == (WEATHER,)

    @pytest.mark.parametrize("key", ["arguments", "parameters", "input", "args"])
    def test_name_and_arguments_without_a_function_object(self, key: str) -> None:
        assert assemble([{"id": "call_b", "name": "time", key: json.loads(OSLO)}])[0].parse() == json.loads(OSLO)

    def test_a_function_given_as_its_name(self) -> None:
        assert assemble([{"id": "call_b", "function": "time"}], [fragment(OSLO)]) == (TIME,)

    def test_a_custom_tool_keeps_its_type_and_its_text(self) -> None:
        deltas = [[{"index": 0, "id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT "}}]]
        deltas.append([{"index": 0, "custom": {"input": "1"}}])
        (call,) = assemble(*deltas)
        assert (call.name, call.arguments) == ("sql", "SELECT 1")
        assert call.to_dict() == {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}

    @pytest.mark.parametrize("name", [5, ["weather"], {"a": 1}])
    def test_a_name_that_is_not_a_string_is_ignored(self, name: Any) -> None:
        assert assemble([{"function": {"name": name, "arguments": OSLO}}]) == (ToolCall("call_0", "", OSLO),)

    @pytest.mark.parametrize("index", [0.0, None, [], True, -5])
    def test_an_index_that_is_not_a_number_is_ignored(self, index: Any) -> None:
        assert assemble([fragment("{", "now", index=index)], [fragment("}", index=index)])[0].arguments == "{}"

    def test_an_index_as_text_is_a_number(self) -> None:
        deltas = [[fragment("", "weather", index="0")], [fragment("", "time", index="1")]]
        deltas += [[fragment(PARIS, index=0), fragment(OSLO, index=1)]]
        assert [call.arguments for call in assemble(*deltas)] == [PARIS, OSLO]


class TestWhatIsBeyondTheProtocol:
    """Gemini rejects the next turn without the signature of the call."""

    SIGNED = {"extra_content": {"google": {"thought_signature": "c2lnbmVk"}}}  # noqa: RUF012

    def test_unknown_fields_are_kept_and_returned(self) -> None:
        (call,) = assemble([fragment(PARIS, "weather", id="call_a", **self.SIGNED)])
        assert call.extra == self.SIGNED
        assert call.to_dict() == {**WEATHER.to_dict(), **self.SIGNED}

    def test_unknown_fields_inside_the_function_are_kept(self) -> None:
        inside = {"name": "weather", "arguments": PARIS, "signature": "c2ln", "empty": None}
        (call,) = assemble([{"id": "call_a", "function": inside}])
        assert call.extra == {"function": {"signature": "c2ln"}}
        assert call.to_dict()["function"] == {"name": "weather", "arguments": PARIS, "signature": "c2ln"}

    def test_unknown_fields_of_later_fragments_are_kept(self) -> None:
        (call,) = assemble([fragment("", "weather", index=0)], [fragment(PARIS, index=0, **self.SIGNED)])
        assert call.extra == self.SIGNED

    def test_a_call_with_unknown_fields_can_be_hashed_pickled_and_serialized(self) -> None:
        (call,) = assemble([fragment(PARIS, "weather", id="call_a", **self.SIGNED)])
        assert {call: 1}[pickle.loads(pickle.dumps(call))] == 1
        assert json.loads(json.dumps(call.to_dict())) == call.to_dict()


@pytest.mark.parametrize(
    "deltas",
    [
        [[fragment("", "weather", index=0, id="a")], [fragment(OSLO, index=1)]],
        [[fragment("", "weather", index=0, id="a")], [fragment(OSLO[:5], index=1)], [fragment(OSLO[5:], index=2)]],
        [[fragment(OSLO[:5], "weather", index=0, id="a")], [fragment(OSLO[5:], index=7)]],
        [[fragment("", "weather", id="a")], [fragment(OSLO[:5], index=0)], [fragment(OSLO[5:], index=0)]],
    ],
    ids=["the pieces are the next", "each piece has the next", "a jump", "only the pieces are numbered"],
)
def test_pieces_with_an_unknown_index_continue_the_open_call(deltas: list[list[Fragment]]) -> None:
    assert assemble(*deltas) == (ToolCall("a", "weather", OSLO),)


def test_pieces_numbered_across_two_calls_reach_their_calls() -> None:
    first = [[fragment("", "weather", index=0, id="a")], [fragment(OSLO, index=1)]]
    second = [[fragment("", "weather", index=2, id="b")], [fragment(PARIS, index=3)]]
    assert assemble(*first, *second) == (ToolCall("a", "weather", OSLO), ToolCall("b", "weather", PARIS))


def test_pieces_with_an_index_only_go_to_the_call_at_that_position() -> None:
    begun = [fragment("", "weather", id="a"), fragment("", "weather", id="b")]
    calls = assemble(begun, [fragment(PARIS, index=1)], [fragment(OSLO, index=0)])
    assert calls == (ToolCall("a", "weather", OSLO), ToolCall("b", "weather", PARIS))


def test_an_assembler_is_true_once_there_is_a_call() -> None:
    assembler = ToolCallAssembler()
    assert not assembler
    assert assembler.calls() == ()
    assembler.feed([])
    assert not assembler
    assembler.feed([fragment("", "now")])
    assert assembler


@pytest.mark.parametrize("name", [None, "now"])
@pytest.mark.parametrize("fields", [{"index": 0}, {"id": "call_a"}])
@pytest.mark.timeout(10)
def test_very_many_fragments_take_no_quadratic_time(fields: Fragment, name: str | None) -> None:
    text = '{"a":"' + "}" * 50_000 + '"}'
    deltas = ([fragment(piece, name, **fields)] for piece in text)
    (call,) = assemble([fragment("", "now", **fields)], *deltas)
    assert call.arguments == text


@pytest.mark.timeout(10)
def test_very_many_empty_fragments_take_no_quadratic_time() -> None:
    (call,) = assemble(*([fragment("", "now", index=0)] for _ in range(100_000)))
    assert call.arguments == ""


@pytest.mark.timeout(10)
def test_very_many_calls_take_no_quadratic_time() -> None:
    calls = ([fragment(f'{{"n":{number}}}', "now", id="0")] for number in range(30_000))
    assert len(assemble(*calls)) == 30_000


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.text('a"\\{}[]\n', max_size=4), st.text('a"\\{}[]😀', max_size=6), max_size=3).map(
            json.dumps
        ),
    ),
    min_size=1,
    max_size=4,
)
STYLES = {
    "index": lambda number: ({"index": number, "id": f"x{number}"}, {"index": number}),
    "id": lambda number: ({"id": f"x{number}"}, {"id": f"x{number}"}),
    "both": lambda number: ({"index": number, "id": f"x{number}"}, {"index": number, "id": f"x{number}"}),
    "index without id": lambda number: ({"index": number}, {"index": number, "id": None}),
    "index 0": lambda number: ({"index": 0, "id": f"x{number}"}, {"index": 0}),
    "index -1": lambda number: ({"index": -1, "id": f"x{number}"}, {"index": -1}),
    "id 0": lambda number: ({"index": number, "id": "0"}, {"index": number, "id": "0"}),
    "nothing": lambda number: ({}, {}),
}


@given(CALLS, st.sampled_from(sorted(STYLES)), st.integers(1, 9))
def test_calls_in_any_style_and_any_pieces_round_trip(calls: list[tuple[str, str]], style: str, size: int) -> None:
    deltas = []
    for number, (name, arguments) in enumerate(calls):
        first, later = STYLES[style](number)
        deltas.append([fragment("", name, **first)])
        deltas += [[fragment(piece, **later)] for piece in pieces(arguments, size)]
    assert [(call.name, call.arguments) for call in assemble(*deltas)] == calls
