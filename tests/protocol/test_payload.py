from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, ClassVar

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hf_text.errors import InvalidRequestError
from hf_text.protocol.payload import build_payload, encode_payload

MESSAGES = [{"role": "user", "content": "hi"}]
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


class Color(Enum):
    RED = "red"


class City(BaseModel):
    name: str


@dataclass
class Function:
    name: str
    parameters: dict[str, Any] | None = None


@dataclass
class Tool:
    type: str
    function: Function


def build(**options: Any) -> dict[str, Any]:
    return build_payload(**{"model": "org/name", "messages": MESSAGES, **options})


def refuse(**options: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        build(**options)
    assert len(str(caught.value)) < 400
    return str(caught.value)


class TestBuildPayload:
    def test_only_given_options_are_sent_and_model_is_first(self) -> None:
        assert list(build().items()) == [("model", "org/name"), ("messages", MESSAGES), ("stream", True)]

    def test_every_option_is_sent_in_its_field(self) -> None:
        payload = build(
            stream=False,
            max_tokens=9,
            temperature=0,
            top_p=1,
            stop="END",
            seed=-1,
            tools=[TOOL],
            tool_choice="auto",
            response_format={"type": "json_object"},
            reasoning_effort="low",
            frequency_penalty=-2,
            presence_penalty=0.5,
            parallel_tool_calls=False,
            logprobs=True,
            top_logprobs=0,
            extra_body={"top_k": 5},
        )
        assert payload == {
            "model": "org/name",
            "messages": MESSAGES,
            "stream": False,
            "max_tokens": 9,
            "temperature": 0,
            "top_p": 1,
            "stop": ["END"],
            "seed": -1,
            "tools": [TOOL],
            "tool_choice": "auto",
            "response_format": {"type": "json_object"},
            "reasoning_effort": "low",
            "frequency_penalty": -2,
            "presence_penalty": 0.5,
            "parallel_tool_calls": False,
            "logprobs": True,
            "top_logprobs": 0,
            "top_k": 5,
        }

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"model": ""}, "model must be a str that is not empty, not str: ''"),
            ({"model": None}, "model must be a str that is not empty, not None"),
            ({"model": "\udc00"}, "model has a lone surrogate"),
            ({"stream": 1}, "stream must be a bool, not int: 1"),
            ({"max_tokens": 0}, "max_tokens must be an int of at least 1, not int: 0"),
            ({"max_tokens": True}, "max_tokens must be an int of at least 1, not bool: True"),
            ({"max_tokens": 9.0}, "max_tokens must be an int of at least 1, not float: 9.0"),
            ({"max_tokens": "9"}, "not str: '9'"),
            ({"temperature": 2.1}, "temperature must be a number from 0 to 2, not float: 2.1"),
            ({"temperature": -0.1}, "temperature must be"),
            ({"temperature": float("nan")}, "temperature must be a number from 0 to 2, not float: nan"),
            ({"temperature": False}, "not bool: False"),
            ({"temperature": "1"}, "not str: '1'"),
            ({"top_p": 0}, "top_p must be a number above 0 and up to 1, not int: 0"),
            ({"top_p": 1.01}, "top_p must be"),
            ({"frequency_penalty": 2.5}, "frequency_penalty must be a number from -2 to 2, not float: 2.5"),
            ({"presence_penalty": "1"}, "presence_penalty must be a number from -2 to 2, not str: '1'"),
            ({"logprobs": 1}, "logprobs must be a bool, not int: 1"),
            ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be an int from 0 to 20, not int: 21"),
            ({"logprobs": True, "top_logprobs": True}, "top_logprobs must be an int from 0 to 20, not bool: True"),
            ({"top_logprobs": 2}, "top_logprobs needs logprobs=True"),
            ({"logprobs": False, "top_logprobs": 2}, "top_logprobs needs logprobs=True"),
            ({"tools": [TOOL], "parallel_tool_calls": 0}, "parallel_tool_calls must be a bool, not int: 0"),
            ({"stop": ""}, "stop must be a str that is not empty, or a list of them, not list: ['']"),
            ({"stop": ["a", 1]}, "stop must be"),
            ({"stop": ["a", "\udc00"]}, "stop[1] has a lone surrogate"),
            ({"seed": 1.0}, "seed must be an int of 64 bits, not float: 1.0"),
            ({"seed": 2**64}, "seed must be an int of 64 bits"),
            ({"seed": True}, "seed must be"),
            ({"reasoning_effort": 1}, "reasoning_effort must be a str that is not empty, not int: 1"),
            ({"tools": TOOL}, "tools must be a list of tools, not dict: "),
            ({"tools": [{"type": "function", "name": "x"}]}, 'tools[0]["function"] must be a mapping {"name": …'),
            ({"tools": [TOOL, {"name": "x"}]}, 'tools[1] must be a function tool {"type": "function", '),
            (
                {"tools": [{"type": "function", "function": {}}]},
                'tools[0]["function"]["name"] must be a str that is not empty, not None',
            ),
            (
                {"tools": [{"type": "function", "function": {"name": "x", "parameters": []}}]},
                'tools[0]["function"]["parameters"] must be a mapping',
            ),
            ({"tool_choice": "auto"}, "tool_choice needs tools, and there are none: 'auto'"),
            ({"tools": [], "tool_choice": "required"}, "tool_choice needs tools, and there are none: 'required'"),
            (
                {"tools": [TOOL], "tool_choice": "time"},
                "tool_choice must be a mapping or one of auto, none, required, weather, not str: 'time'",
            ),
            ({"tools": [TOOL], "tool_choice": 1}, "not int: 1"),
            ({"tools": [TOOL], "tool_choice": {}}, "not dict: {}"),
            (
                {"response_format": "json_schema"},
                'response_format must be a mapping with "type", a JSON schema, or one of text, json_object, not str: ',
            ),
            ({"response_format": {}}, "response_format must be"),
            ({"extra_body": []}, "extra_body must be a mapping, not list: []"),
            ({"extra_body": {"messages": []}}, "extra_body must not contain 'messages'"),
            ({"extra_body": {"stream": False}}, "extra_body must not contain 'stream'"),
            ({"extra_body": {"model": "x"}}, "extra_body must not contain 'model'"),
            ({"extra_body": {1: "x"}}, "each key of extra_body must be a str, not int: 1"),
            ({"extra_body": {"\udc00": 1}}, "a key of extra_body has a lone surrogate"),
            (
                {"extra_body": {"x": [object()]}},
                'extra_body["x"][0] must be a JSON value (its numbers finite, its ints of 64 bits), not object',
            ),
            ({"extra_body": {"x": {"y": float("inf")}}}, 'extra_body["x"]["y"] must be a JSON value'),
            ({"extra_body": {"x": {1, 2}}}, 'extra_body["x"] must be'),
            ({"extra_body": {"x": b"a"}}, 'extra_body["x"] must be'),
            ({"extra_body": {"x": ["a", "\udc00"]}}, 'extra_body["x"][1] has a lone surrogate'),
            ({"tools": [{**TOOL, "strict": float("nan")}]}, 'tools[0]["strict"] must be'),
            ({"response_format": {"type": "text", "x": 10**30}}, 'response_format["x"] must be'),
        ],
    )
    def test_invalid_options_are_refused_with_name_and_value(self, options: dict[str, Any], words: str) -> None:
        assert words in refuse(**options)

    def test_recursive_values_are_refused(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        assert "levels deep, or contains itself" in refuse(extra_body={"x": loop})

    @pytest.mark.parametrize(("stop", "sent"), [("a", ["a"]), (["a", "b"], ["a", "b"]), (("a",), ["a"])])
    def test_stop_is_sent_as_a_list(self, stop: Any, sent: list[str]) -> None:
        assert build(stop=stop)["stop"] == sent

    def test_more_than_four_stops_are_passed_on(self) -> None:
        assert build(stop=list("abcdef"))["stop"] == list("abcdef")

    def test_an_empty_stop_is_omitted(self) -> None:
        assert "stop" not in build(stop=[])

    def test_usage_is_requested_only_for_streams(self) -> None:
        assert build(include_usage=True)["stream_options"] == {"include_usage": True}
        assert "stream_options" not in build(include_usage=True, stream=False)

    def test_a_tool_name_is_a_tool_choice(self) -> None:
        assert build(tools=[TOOL], tool_choice="weather")["tool_choice"] == {
            "type": "function",
            "function": {"name": "weather"},
        }

    def test_a_mapping_is_a_tool_choice_unchanged(self) -> None:
        choice = {"function": {"name": "weather"}}
        assert build(tools=[TOOL], tool_choice=choice)["tool_choice"] == choice

    @pytest.mark.parametrize("form", ["text", "json_object"])
    def test_a_one_word_response_format_is_expanded(self, form: str) -> None:
        assert build(response_format=form)["response_format"] == {"type": form}

    def test_extra_body_overrides_options(self) -> None:
        payload = build(max_tokens=5, extra_body={"max_tokens": 6, "stream_options": {"x": 1}}, include_usage=True)
        assert payload["max_tokens"] == 6
        assert payload["stream_options"] == {"x": 1}
        assert next(iter(payload)) == "model"

    def test_any_mapping_is_accepted(self) -> None:
        payload = build(extra_body=MappingProxyType({"x": MappingProxyType({"y": (1, 2)})}))
        assert payload["x"] == {"y": [1, 2]}

    def test_refusals_name_the_way_out(self) -> None:
        for name, value in (("temperature", 3), ("top_p", 0), ("stop", [1]), ("response_format", "grammar")):
            assert f"(If your server supports it: extra_body={{{name!r}: …}})" in refuse(**{name: value})
        assert "extra_body={'tools': …}" in refuse(tools=[{"googleSearch": {}}])

    def test_extra_body_passes_refused_values_unchanged(self) -> None:
        odd = {"temperature": 3, "tools": [{"googleSearch": {}}], "stop": [7], "top_logprobs": 99}
        assert build(extra_body=odd).items() >= odd.items()

    def test_top_logprobs_are_accepted_where_extra_body_sets_logprobs(self) -> None:
        assert build(top_logprobs=3, extra_body={"logprobs": True})["top_logprobs"] == 3


class TestNoTools:
    @pytest.mark.parametrize("choice", [None, "auto", "none"])
    @pytest.mark.parametrize("tools", [[], ()])
    def test_an_empty_tool_list_is_omitted_with_its_options(self, tools: Any, choice: str | None) -> None:
        assert build(tools=tools, tool_choice=choice, parallel_tool_calls=False) == build()

    def test_parallel_tool_calls_is_omitted_without_tools(self) -> None:
        assert "parallel_tool_calls" not in build(parallel_tool_calls=True)


class TestOtherTools:
    SEARCH: ClassVar[dict[str, Any]] = {"type": "web_search", "max_uses": 2}
    CUSTOM: ClassVar[dict[str, Any]] = {"type": "custom", "custom": {"name": "run"}}

    def test_other_tools_are_passed_on_unchanged(self) -> None:
        assert build(tools=[self.SEARCH, TOOL, self.CUSTOM])["tools"] == [self.SEARCH, TOOL, self.CUSTOM]

    def test_other_tools_cannot_be_chosen_by_name(self) -> None:
        words = "tool_choice must be a mapping or one of auto, none, required, weather, not str: 'run'"
        assert words in refuse(tools=[self.SEARCH, TOOL, self.CUSTOM], tool_choice="run")


class TestOneAnswer:
    @pytest.mark.parametrize("n", [2, 2.0, 1.5, "2", " 3 ", "2.0", 2**40, Decimal(2), numpy.int64(2)])
    def test_more_than_one_answer_is_refused(self, n: Any) -> None:
        assert 'extra_body["n"] must be 1, not ' in refuse(extra_body={"n": n})

    @pytest.mark.parametrize("n", [1, 1.0, "1", True, "many", [2]])
    def test_values_that_request_one_answer_are_passed_on(self, n: Any) -> None:
        assert build(extra_body={"n": n})["n"] == n


SCHEMA: dict[str, Any] = {
    "title": "A city, and more!",
    "type": "object",
    "properties": {"city": {"type": "string", "default": None}},
    "required": ["city"],
}


class TestSchemaAsResponseFormat:
    @pytest.mark.parametrize(
        "form",
        [
            SCHEMA,
            {"type": "json_schema", "json_schema": SCHEMA},
            {"name": "A_city_and_more", "schema": SCHEMA},
        ],
    )
    def test_a_schema_is_sent_in_protocol_form(self, form: dict[str, Any]) -> None:
        before = copy.deepcopy(form)
        assert build(response_format=form)["response_format"] == {
            "type": "json_schema",
            "json_schema": {"name": "A_city_and_more", "schema": SCHEMA},
        }
        assert form == before

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "array", "items": {"type": "string"}},
            {"type": ["string", "null"]},
            {"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}},
            {"anyOf": [{"type": "string"}, {"type": "number"}]},
            {"enum": ["yes", "no"]},
            {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "!?"},
        ],
    )
    def test_a_schema_of_any_kind_is_wrapped(self, schema: dict[str, Any]) -> None:
        sent = build(response_format=schema)["response_format"]
        assert sent == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}

    @pytest.mark.parametrize(
        "form",
        [
            {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}},
            {"type": "json_object", "schema": SCHEMA},  # llama.cpp, Fireworks
            {"type": "json", "value": SCHEMA},  # TGI
            {"type": "grammar", "grammar": "root ::= .*"},
        ],
    )
    def test_server_specific_forms_are_passed_on(self, form: dict[str, Any]) -> None:
        assert build(response_format=form)["response_format"] == form

    def test_a_class_is_refused_with_advice_to_pass_its_schema(self) -> None:
        assert "its schema is City.model_json_schema()" in refuse(response_format=City)
        assert build(response_format=City.model_json_schema())["response_format"]["json_schema"]["name"] == "City"


class TestTypesOfOtherLibraries:
    @pytest.mark.parametrize(
        ("options", "sent"),
        [
            ({"temperature": Decimal("0.7")}, {"temperature": 0.7}),
            ({"temperature": Fraction(1, 2)}, {"temperature": 0.5}),
            ({"temperature": numpy.float32(0.5)}, {"temperature": 0.5}),
            ({"temperature": numpy.float64(0.7)}, {"temperature": 0.7}),
            ({"top_p": numpy.array(0.5)}, {"top_p": 0.5}),
            ({"max_tokens": Decimal("512")}, {"max_tokens": 512}),
            ({"max_tokens": numpy.int32(512)}, {"max_tokens": 512}),
            ({"seed": numpy.array(7)}, {"seed": 7}),
            ({"logprobs": numpy.True_, "top_logprobs": numpy.uint8(3)}, {"logprobs": True, "top_logprobs": 3}),
            ({"extra_body": {"a": [Decimal("1.5")], "b": {"c": numpy.int64(2)}}}, {"a": [1.5], "b": {"c": 2}}),
            ({"extra_body": {"d": numpy.False_, "e": Color.RED, "f": City(name="Rome")}}, None),
        ],
        ids=repr,
    )
    def test_values_of_other_libraries_are_sent_as_json(
        self, options: dict[str, Any], sent: dict[str, Any] | None
    ) -> None:
        sent = sent or {"d": False, "e": "red", "f": {"name": "Rome"}}
        payload = build(**options)
        assert payload.items() >= sent.items()
        assert {type(payload[name]) for name in sent} <= {bool, int, float, str, list, dict}
        assert json.loads(encode_payload(payload)).items() >= sent.items()

    def test_messages_can_contain_them(self) -> None:
        message = {"role": "user", "content": "a", "weight": Decimal("0.5"), "at": [numpy.int64(3)]}
        sent = json.loads(encode_payload(build(messages=[message])))["messages"][0]
        assert sent == {"role": "user", "content": "a", "weight": 0.5, "at": [3]}

    @pytest.mark.parametrize(
        "value",
        [Decimal("NaN"), Decimal("sNaN"), Decimal("1E+999999999"), numpy.array([0.5]), numpy.float64("inf"), 1j],
    )
    def test_numbers_without_json_form_are_refused(self, value: Any) -> None:
        assert "temperature must be a number from 0 to 2, not " in refuse(temperature=value)
        assert 'extra_body["x"] must be a JSON value' in refuse(extra_body={"x": value})

    @pytest.mark.parametrize("value", [Decimal("1.5"), numpy.float64(2), numpy.True_])
    def test_a_fraction_is_refused_where_an_integer_is_needed(self, value: Any) -> None:
        assert "max_tokens must be an int of at least 1, not " in refuse(max_tokens=value)

    def test_tools_and_choices_can_be_models_and_dataclasses(self) -> None:
        payload = build(
            tools=[Tool("function", Function("weather"))], tool_choice=Tool("function", Function("weather"))
        )
        tool = {"type": "function", "function": {"name": "weather"}}
        assert (payload["tools"], payload["tool_choice"]) == ([tool], tool)


class TestNone:
    def test_none_is_dropped_from_options_but_never_from_lists(self) -> None:
        payload = build(
            tools=[{**TOOL, "strict": None}],
            response_format={"type": "json_schema", "json_schema": {"name": "x", "description": None}},
            extra_body={"a": None, "b": {"c": None, "d": [None, {"e": None}]}},
        )
        assert payload["tools"] == [TOOL]
        assert payload["response_format"] == {"type": "json_schema", "json_schema": {"name": "x"}}
        assert "a" not in payload
        assert payload["b"] == {"d": [None, {}]}

    def test_none_is_kept_in_a_schema_where_null_is_a_value(self) -> None:
        schema = {
            "type": "object",
            "properties": {
                "a": {"type": ["string", "null"], "default": None, "enum": ["x", None]},
                "b": {"const": None, "examples": [None, {"k": None}]},
                "c": {"default": {"k": None}, "example": None},
            },
        }
        tool = {"type": "function", "function": {"name": "x", "parameters": schema}}
        assert build(tools=[tool])["tools"] == [tool]

    def test_none_is_dropped_from_a_schema_where_null_is_meaningless(self) -> None:
        schema = {"description": None, "properties": {"a": {"type": "string", "enum": None, "title": None}}}
        (tool,) = build(tools=[{"type": "function", "function": {"name": "x", "parameters": schema}}])["tools"]
        assert tool["function"]["parameters"] == {"properties": {"a": {"type": "string"}}}

    def test_none_is_dropped_from_messages_parts_and_calls(self) -> None:
        parts = [
            {"type": "text", "text": "a", "image_url": None},
            {"type": "image_url", "text": None, "image_url": {"url": "https://x.y/z", "detail": None}},
        ]
        call = {
            "id": "1",
            "type": "function",
            "index": None,
            "function": {"name": "x", "arguments": "{}", "strict": None},
        }
        messages = [
            {"role": "user", "content": parts, "name": None},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ]
        before = copy.deepcopy(messages)
        assert build(messages=messages)["messages"] == [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "https://x.y/z"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "x", "arguments": "{}"}}],
            },
        ]
        assert messages == before

    def test_none_is_kept_in_unknown_message_fields(self) -> None:
        message = {"role": "user", "content": [{"type": "new", "new": {"x": None}}], "cache": {"y": None}}
        assert build(messages=[message])["messages"] == [message]


PICTURE = {"type": "image_url", "image_url": {"url": "https://x.y/z"}}


class TestEncodePayload:
    def test_the_body_is_compact_utf_8_starting_with_the_model(self) -> None:
        payload = build(messages=[{"role": "user", "content": "Füße 👋"}])
        text = '{"model":"org/name","messages":[{"role":"user","content":"Füße 👋"}],"stream":true}'
        assert encode_payload(payload) == text.encode()

    def test_the_body_is_the_same_with_a_picture(self) -> None:
        payload = build(
            messages=[{"role": "user", "name": "Ann", "content": [{"type": "text", "text": "👋"}, PICTURE], "x": []}],
            max_tokens=5,
        )
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        assert encode_payload(payload) == text.encode()

    def test_the_body_is_the_same_with_long_texts_and_a_picture(self) -> None:
        parts = [{"type": "text", "text": long} for long in ('\\"\n👋' * 2**19, "a" * (3 * 2**20), "")]
        payload = build(messages=[{"role": "user", "content": [*parts, PICTURE]}])
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        assert encode_payload(payload) == text.encode()

    @pytest.mark.parametrize("content", ["a", [PICTURE]])
    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (
                [0, float("nan")],
                'messages[0]["x"][1] must be a JSON value (its numbers finite, its ints of 64 bits), not float: nan',
            ),
            ({"y": object}, 'messages[0]["x"]["y"] must be a JSON value'),
            ({(1, 2): 3}, 'each key of messages[0]["x"] must be a str, not tuple: (1, 2)'),
            ("\ud800", 'messages[0]["x"] has a lone surrogate at index 0'),
        ],
    )
    def test_values_json_cannot_hold_are_refused_with_their_position(
        self, content: Any, value: Any, words: str
    ) -> None:
        payload = build(messages=[{"role": "user", "content": content, "x": value}])
        with pytest.raises(InvalidRequestError) as caught:
            encode_payload(payload)
        assert words in str(caught.value)

    def test_an_oversized_int_is_refused_with_its_position(self) -> None:
        with pytest.raises(
            InvalidRequestError, match=r"^messages\[0\]\[\"x\"\] must be a JSON value .*not int: <an int of"
        ):
            encode_payload(build(messages=[{"role": "user", "content": "a", "x": 10**5000}]))

    @pytest.mark.parametrize("depth", [500, 100_000])
    def test_too_deep_or_recursive_values_are_refused(self, depth: int) -> None:
        value: list[Any] = [float("nan")]
        for _ in range(depth):
            value = [value]
        with pytest.raises(InvalidRequestError, match=r"^messages\[0\]\[\"x\"\].* levels deep, or contains itself$"):
            encode_payload(build(messages=[{"role": "user", "content": "a", "x": value}]))
        value.append(value)
        with pytest.raises(InvalidRequestError, match="contains itself"):
            encode_payload(build(messages=[{"role": "user", "content": "a", "x": value}]))

    def test_any_mapping_is_encoded_like_a_dict(self) -> None:
        payload = build(messages=[{"role": "user", "content": "a", "x": MappingProxyType({"y": None})}])
        assert json.loads(encode_payload(payload))["messages"][0]["x"] == {"y": None}

    @given(
        st.lists(
            st.fixed_dictionaries(
                {"role": st.text()},
                optional={
                    "content": st.text() | st.lists(st.just(PICTURE) | st.dictionaries(st.text(), st.text())),
                    "x": st.floats(allow_nan=False, allow_infinity=False),
                },
            )
        )
    )
    def test_encoded_payloads_decode_to_what_was_built(self, messages: list[dict[str, Any]]) -> None:
        payload = build(messages=messages)
        assert json.loads(encode_payload(payload)) == payload
