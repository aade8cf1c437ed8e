from __future__ import annotations

import copy
import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.errors import InvalidRequestError
from hf_text.protocol.payload import build_payload, encode_payload

MESSAGES = [{"role": "user", "content": "hi"}]
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


def build(**options: Any) -> dict[str, Any]:
    return build_payload(**{"model": "org/name", "messages": MESSAGES, **options})


def refuse(**options: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        build(**options)
    assert len(str(caught.value)) < 400
    return str(caught.value)


class TestBuildPayload:
    def test_only_what_was_asked_for_is_in_it_and_model_is_first(self) -> None:
        assert list(build().items()) == [("model", "org/name"), ("messages", MESSAGES), ("stream", True)]

    def test_every_option_has_its_place(self) -> None:
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
            ({"stop": ""}, "stop must be a str that is not empty, or up to four of them, not list: ['']"),
            ({"stop": ["a"] * 5}, "stop must be"),
            ({"stop": ["a", 1]}, "stop must be"),
            ({"stop": ["a", "\udc00"]}, "stop[1] has a lone surrogate"),
            ({"seed": 1.0}, "seed must be an int of 64 bits, not float: 1.0"),
            ({"seed": 2**64}, "seed must be an int of 64 bits"),
            ({"seed": True}, "seed must be"),
            ({"reasoning_effort": 1}, "reasoning_effort must be a str that is not empty, not int: 1"),
            ({"tools": []}, "tools must be a list of at least one function tool, not list: []"),
            ({"tools": TOOL}, "tools must be a list of at least one function tool, not dict: "),
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
            (
                {"tools": [TOOL], "tool_choice": "time"},
                "tool_choice must be a mapping or one of auto, none, required, weather, not str: 'time'",
            ),
            ({"tools": [TOOL], "tool_choice": 1}, "not int: 1"),
            ({"tools": [TOOL], "tool_choice": {}}, "not dict: {}"),
            (
                {"response_format": "json_schema"},
                "response_format must be a mapping with \"type\", or one of text, json_object, not str: 'json_schema'",
            ),
            ({"response_format": {}}, "response_format must be"),
            ({"extra_body": []}, "extra_body must be a mapping, not list: []"),
            ({"extra_body": {"messages": []}}, "extra_body must not hold 'messages'"),
            ({"extra_body": {"stream": False}}, "extra_body must not hold 'stream'"),
            ({"extra_body": {"model": "x"}}, "extra_body must not hold 'model'"),
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
    def test_what_no_server_accepts_is_refused_with_its_place_and_value(
        self, options: dict[str, Any], words: str
    ) -> None:
        assert words in refuse(**options)

    def test_what_contains_itself_is_refused(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        assert "levels deep, or contains itself" in refuse(extra_body={"x": loop})

    @pytest.mark.parametrize(("stop", "sent"), [("a", ["a"]), (["a", "b"], ["a", "b"]), (("a",), ["a"])])
    def test_stop_is_sent_as_a_list(self, stop: Any, sent: list[str]) -> None:
        assert build(stop=stop)["stop"] == sent

    def test_no_stop_is_left_out(self) -> None:
        assert "stop" not in build(stop=[])

    def test_usage_is_asked_for_in_a_stream_only(self) -> None:
        assert build(include_usage=True)["stream_options"] == {"include_usage": True}
        assert "stream_options" not in build(include_usage=True, stream=False)

    def test_the_name_of_a_tool_is_a_choice(self) -> None:
        assert build(tools=[TOOL], tool_choice="weather")["tool_choice"] == {
            "type": "function",
            "function": {"name": "weather"},
        }

    def test_a_mapping_is_a_choice_as_it_is(self) -> None:
        choice = {"function": {"name": "weather"}}
        assert build(tools=[TOOL], tool_choice=choice)["tool_choice"] == choice

    @pytest.mark.parametrize("form", ["text", "json_object"])
    def test_a_response_format_of_one_word_gets_its_form(self, form: str) -> None:
        assert build(response_format=form)["response_format"] == {"type": form}

    def test_extra_body_replaces_what_was_there(self) -> None:
        payload = build(max_tokens=5, extra_body={"max_tokens": 6, "stream_options": {"x": 1}}, include_usage=True)
        assert payload["max_tokens"] == 6
        assert payload["stream_options"] == {"x": 1}
        assert next(iter(payload)) == "model"

    def test_any_mapping_is_accepted(self) -> None:
        payload = build(extra_body=MappingProxyType({"x": MappingProxyType({"y": (1, 2)})}))
        assert payload["x"] == {"y": [1, 2]}


class TestNone:
    def test_it_is_dropped_from_options_but_never_from_lists(self) -> None:
        payload = build(
            tools=[{**TOOL, "strict": None}],
            response_format={"type": "json_schema", "json_schema": {"name": "x", "description": None}},
            extra_body={"a": None, "b": {"c": None, "d": [None, {"e": None}]}},
        )
        assert payload["tools"] == [TOOL]
        assert payload["response_format"] == {"type": "json_schema", "json_schema": {"name": "x"}}
        assert "a" not in payload
        assert payload["b"] == {"d": [None, {}]}

    def test_it_is_kept_in_a_schema_where_null_is_a_value(self) -> None:
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

    def test_it_is_dropped_from_a_schema_where_null_says_nothing(self) -> None:
        schema = {"description": None, "properties": {"a": {"type": "string", "enum": None, "title": None}}}
        (tool,) = build(tools=[{"type": "function", "function": {"name": "x", "parameters": schema}}])["tools"]
        assert tool["function"]["parameters"] == {"properties": {"a": {"type": "string"}}}

    def test_it_is_dropped_from_messages_and_their_parts_and_calls(self) -> None:
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
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "x", "arguments": "{}"}}],
            },
        ]
        assert messages == before

    def test_it_is_kept_where_a_message_holds_what_is_not_known(self) -> None:
        message = {"role": "user", "content": [{"type": "new", "new": {"x": None}}], "cache": {"y": None}}
        assert build(messages=[message])["messages"] == [message]


PICTURE = {"type": "image_url", "image_url": {"url": "https://x.y/z"}}


class TestEncodePayload:
    def test_it_is_compact_utf_8_that_begins_with_the_model(self) -> None:
        payload = build(messages=[{"role": "user", "content": "Füße 👋"}])
        text = '{"model":"org/name","messages":[{"role":"user","content":"Füße 👋"}],"stream":true}'
        assert encode_payload(payload) == text.encode()

    def test_with_a_picture_it_is_the_same(self) -> None:
        payload = build(
            messages=[{"role": "user", "name": "Ann", "content": [{"type": "text", "text": "👋"}, PICTURE], "x": []}],
            max_tokens=5,
        )
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        assert encode_payload(payload) == text.encode()

    def test_long_texts_beside_a_picture_are_the_same(self) -> None:
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
    def test_what_json_cannot_hold_is_refused_with_its_place(self, content: Any, value: Any, words: str) -> None:
        payload = build(messages=[{"role": "user", "content": content, "x": value}])
        with pytest.raises(InvalidRequestError) as caught:
            encode_payload(payload)
        assert words in str(caught.value)

    def test_an_int_too_long_to_be_written_is_refused_with_its_place(self) -> None:
        with pytest.raises(
            InvalidRequestError, match=r"^messages\[0\]\[\"x\"\] must be a JSON value .*not int: <an int of"
        ):
            encode_payload(build(messages=[{"role": "user", "content": "a", "x": 10**5000}]))

    @pytest.mark.parametrize("depth", [500, 100_000])
    def test_what_is_nested_too_deeply_or_in_itself_is_refused(self, depth: int) -> None:
        value: list[Any] = [float("nan")]
        for _ in range(depth):
            value = [value]
        with pytest.raises(InvalidRequestError, match=r"^messages\[0\]\[\"x\"\].* levels deep, or contains itself$"):
            encode_payload(build(messages=[{"role": "user", "content": "a", "x": value}]))
        value.append(value)
        with pytest.raises(InvalidRequestError, match="contains itself"):
            encode_payload(build(messages=[{"role": "user", "content": "a", "x": value}]))

    def test_a_mapping_that_is_no_dict_is_written_as_one(self) -> None:
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
    def test_what_goes_over_the_wire_says_what_was_built(self, messages: list[dict[str, Any]]) -> None:
        payload = build(messages=messages)
        assert json.loads(encode_payload(payload)) == payload
