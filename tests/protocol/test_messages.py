from __future__ import annotations

import copy
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from hf_text.checks import show
from hf_text.completion import Completion
from hf_text.errors import InvalidRequestError
from hf_text.events import ToolCall, ToolCalls
from hf_text.protocol.messages import check_messages, count_length, trim_messages

CALL = ToolCall(id="call_1", name="weather", arguments='{"city":"Paris"}')


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def calling(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [ToolCall(i, "weather", "{}").to_dict() for i in ids]}


def result(call_id: str, text: str = "sunny") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


class TestCheckMessages:
    def test_a_str_is_one_user_message(self) -> None:
        assert check_messages("Why?") == [{"role": "user", "content": "Why?"}]

    def test_a_list_is_returned_as_an_equal_copy(self) -> None:
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
        ]
        before = copy.deepcopy(messages)
        checked = check_messages(messages)
        assert checked == messages
        checked[0]["content"] = "changed"
        checked[1]["content"][0]["text"] = "changed"
        checked[1]["content"].append("new")
        assert messages == before

    def test_any_iterable_of_any_mappings_is_accepted(self) -> None:
        assert check_messages(MappingProxyType(user(text)) for text in "ab") == [user("a"), user("b")]

    def test_unknown_keys_and_part_types_pass_through(self) -> None:
        message = {
            "role": "user",
            "name": "Ann",
            "cache_control": {"type": "ephemeral"},
            "content": [{"type": "video_url", "video_url": {"url": "https://example.com/v.mp4"}}],
        }
        assert check_messages([message]) == [message]

    def test_a_str_in_a_content_list_becomes_a_text_part(self) -> None:
        assert check_messages([{"role": "user", "content": ["a"]}])[0]["content"] == [{"type": "text", "text": "a"}]

    @pytest.mark.parametrize(
        "image", ["https://example.com/a.png", {"url": "https://example.com/a.png", "detail": "low"}]
    )
    def test_a_picture_is_accepted_in_both_forms(self, image: object) -> None:
        part = {"type": "image_url", "image_url": image}
        assert check_messages([{"role": "user", "content": [part]}])[0]["content"] == [part]

    def test_a_completion_is_accepted_as_a_message(self) -> None:
        completion = Completion(text="Paris", tool_calls=(CALL,))
        assert check_messages([user("?"), completion])[1] == completion.to_message()

    @pytest.mark.parametrize("calls", [[CALL], (CALL,), ToolCalls((CALL,)), [CALL.to_dict()]])
    def test_tool_calls_are_accepted_as_objects_and_as_mappings(self, calls: object) -> None:
        (message,) = check_messages([{"role": "assistant", "tool_calls": calls}])
        assert message["tool_calls"] == [CALL.to_dict()]

    @pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}])
    def test_an_assistant_message_with_tool_calls_needs_no_content(self, content: dict[str, Any]) -> None:
        message = {"role": "assistant", "tool_calls": [CALL.to_dict()], **content}
        assert check_messages([message]) == [message]

    @pytest.mark.parametrize("empty", [[], (), None])
    def test_empty_content_next_to_calls_is_null(self, empty: Any) -> None:
        message = {"role": "assistant", "content": empty, "tool_calls": [CALL.to_dict()]}
        assert check_messages([message]) == [{**message, "content": None}]

    @pytest.mark.parametrize("content", [{}, {"content": None}, {"content": []}, {"content": ""}])
    @pytest.mark.parametrize(
        "reasoning",
        [
            {"reasoning": "Let me see"},
            {"reasoning_content": "Let me see"},
            {"reasoning_details": [{"type": "reasoning.text", "text": "Let me see"}]},
            {"thinking_blocks": [{"type": "thinking", "thinking": "Let me see"}]},
        ],
        ids=lambda value: next(iter(value), ""),
    )
    def test_a_reasoning_only_message_has_empty_content(
        self, reasoning: dict[str, Any], content: dict[str, Any]
    ) -> None:
        message = {"role": "assistant", **reasoning}
        assert check_messages([{**message, **content}]) == [{**message, "content": ""}]

    def test_reasoning_is_not_user_content(self) -> None:
        with pytest.raises(InvalidRequestError, match='has no "content"'):
            check_messages([{"role": "user", "reasoning": "Let me see"}])

    def test_an_empty_tool_result_is_accepted(self) -> None:
        assert check_messages([result("call_1", "")])[0]["content"] == ""

    def test_non_ascii_text_is_accepted(self) -> None:
        assert check_messages("Füße 👋 \u2028")[0]["content"] == "Füße 👋 \u2028"

    @pytest.mark.parametrize(
        ("messages", "words"),
        [
            (None, "messages must be a str or a list of messages, not None"),
            (b"hi", "messages must be a str or a list of messages, not bytes: b'hi'"),
            (42, "messages must be a str or a list of messages, not int: 42"),
            ("", "messages must not be empty: ''"),
            ([], "messages must not be empty: []"),
            (user("hi"), "messages is a single message; wrap it in a list: {'content': 'hi', 'role': 'user'}"),
            (Completion("hi"), "messages is a single message; wrap it in a list: <Completion 'hi'"),
            (["hi"], 'messages[0] must be a mapping with "role" and "content", not str: \'hi\'. For many'),
            ([user("a"), None], 'messages[1] must be a mapping with "role" and "content", not None'),
            ([{"content": "hi"}], "messages[0] has no \"role\": {'content': 'hi'}"),
            ([{"role": "bot", "content": "hi"}], 'messages[0]["role"] must be one of system, developer, user, '),
            ([{"role": ["user"], "content": "hi"}], "tool, function, not list: ['user']"),
            (
                [{"role": "user"}],
                "messages[0] has no \"content\", which must be a str or a list of parts: {'role': 'user'}",
            ),
            ([{"role": "user", "content": None}], 'messages[0] has no "content"'),
            ([{"role": "assistant", "content": None, "tool_calls": []}], 'messages[0] has no "content"'),
            ([{"role": "user", "content": 42}], 'messages[0]["content"] must be a str or a list of parts, not int: 42'),
            ([{"role": "user", "content": b"hi"}], "not bytes: b'hi'"),
            ([{"role": "user", "content": []}], 'messages[0]["content"] must not be an empty list'),
            (
                [{"role": "user", "content": [1]}],
                'messages[0]["content"][0] must be a str or a mapping with "type", not int: 1',
            ),
            ([{"role": "user", "content": [{"text": "a"}]}], 'messages[0]["content"][0] has no "type": '),
            (
                [{"role": "user", "content": [{"type": "text"}]}],
                'messages[0]["content"][0]["text"] must be a str, not None',
            ),
            (
                [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
                'messages[0]["content"][0]["image_url"] must be a mapping with "url", not dict: {}',
            ),
            (
                [{"role": "user", "content": [{"type": "image_url", "image_url": ""}]}],
                'messages[0]["content"][0]["image_url"] must be a mapping with "url", not str: \'\'',
            ),
            ([{"role": "tool", "content": "x"}], "messages[0] is a tool's result and needs the call's id"),
            ([{"role": "tool", "content": "x", "tool_call_id": 1}], "messages[0] is a tool's result"),
            (
                [{"role": "assistant", "tool_calls": CALL}],
                'messages[0]["tool_calls"] must be a list of tool calls, not ToolCall: ToolCall(id=',
            ),
            (
                [{"role": "assistant", "tool_calls": ["x"]}],
                "messages[0][\"tool_calls\"][0] must be a mapping or a ToolCall, not str: 'x'",
            ),
        ],
    )
    def test_invalid_messages_are_refused_with_position_and_value(self, messages: Any, words: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            check_messages(messages)
        assert words in str(caught.value)

    @pytest.mark.parametrize(
        ("messages", "place"),
        [
            ("ab\ud83d", "messages has a lone surrogate at index 2"),
            ([user("a"), user("\udc00")], 'messages[1]["content"] has a lone surrogate at index 0'),
            ([{"role": "user", "content": ["\udc00"]}], 'messages[0]["content"][0] has a lone surrogate'),
            (
                [{"role": "user", "content": [{"type": "text", "text": "\udc00"}]}],
                'messages[0]["content"][0]["text"] has a lone surrogate',
            ),
        ],
    )
    def test_text_that_utf_8_cannot_encode_is_refused_with_its_position(self, messages: Any, place: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            check_messages(messages)
        assert place in str(caught.value)
        str(caught.value).encode()

    @given(
        st.recursive(
            st.none() | st.integers() | st.text() | st.binary(),
            lambda v: (
                st.lists(v) | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "tool_calls"]), v)
            ),
        )
    )
    def test_any_value_is_accepted_or_refused_with_a_short_message(self, messages: Any) -> None:
        try:
            checked = check_messages(messages)
        except InvalidRequestError as error:
            sentence = str(error)
        else:
            sentence = show(checked)
        assert 0 < len(sentence) < 300


class Role(Enum):
    USER = "user"


@dataclass
class Turn:
    role: Any
    content: Any
    tool_calls: Any = None


class Part(BaseModel):
    type: str
    text: str | None = None
    image_url: dict[str, str] | None = None


class Say(BaseModel):
    role: Literal["user", "assistant"]
    content: str | list[Part]


class TestModelsAndDataclasses:
    def test_models_and_dataclasses_are_messages(self) -> None:
        checked = check_messages([Turn("user", "a"), Say(role="assistant", content="b"), Turn(Role.USER, "c")])
        assert [(m["role"], m["content"]) for m in checked] == [("user", "a"), ("assistant", "b"), ("user", "c")]

    def test_their_parts_and_calls_are_accepted(self) -> None:
        part = Part(type="text", text="a")
        checked = check_messages([Turn("user", [part, "b"]), Say(role="user", content=[part])])
        texts = [[each["text"] for each in message["content"]] for message in checked]
        assert texts == [["a", "b"], ["a"]]
        (message,) = check_messages([Turn("assistant", None, [CALL])])
        assert message["tool_calls"] == [CALL.to_dict()]

    def test_errors_in_them_have_their_position(self) -> None:
        for wrong, words in (
            ([Turn("bot", "a")], 'messages[0]["role"] must be one of system'),
            ([Turn("user", 5)], 'messages[0]["content"] must be a str'),
            ([Turn("user", [Part(type="image_url", image_url={})])], '[0]["image_url"] must be a mapping with "url"'),
            (Turn("user", "a"), "messages is a single message; wrap it in a list: Turn(role='user'"),
            (Say(role="user", content="a"), "messages is a single message; wrap it in a list: Say(role='user'"),
            ([Turn], 'messages[0] must be a mapping with "role" and "content", not type'),
        ):
            with pytest.raises(InvalidRequestError) as caught:
                check_messages(wrong)  # type: ignore[arg-type]
            assert words in str(caught.value)

    def test_their_length_is_counted(self) -> None:
        assert count_length([Turn("user", "abc"), Say(role="user", content=[Part(type="text", text="de")])]) == 5 + 32


class TestShow:
    @pytest.mark.parametrize(
        "value", ["x" * 10**7, b"x" * 10**7, bytearray(10**7), ["x" * 10**6] * 10**3, {"k": b"x" * 10**7}]
    )
    def test_a_large_value_is_abbreviated(self, value: object) -> None:
        assert len(show(value)) <= 80

    def test_a_small_value_is_shown_in_full(self) -> None:
        assert show({"a": [1, "b"]}) == "{'a': [1, 'b']}"


class TestCountLength:
    @pytest.mark.parametrize(
        ("messages", "length"),
        [
            ([], 0),
            ("four", 20),
            ([user("four")], 20),
            ([user("four"), user("")], 36),
            ([{"role": "assistant", "content": None}], 16),
            ([{"role": "assistant"}], 16),
            ([Completion("four")], 20),
            ([{"role": "user", "content": [{"type": "text", "text": "abc"}, "de"]}], 21),
            ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}, "text": "x"}]}], 16),
            ([{"role": "user", "content": [{"type": "text", "text": None}]}], 16),
        ],
    )
    def test_length_is_text_plus_16_per_message(self, messages: Any, length: int) -> None:
        assert count_length(messages) == length

    @pytest.mark.parametrize("messages", [None, b"hi", user("hi"), ["hi"]])
    def test_invalid_messages_are_refused(self, messages: Any) -> None:
        with pytest.raises(InvalidRequestError, match=r"^messages"):
            count_length(messages)


class TestTrimMessages:
    def test_a_conversation_that_fits_is_unchanged(self) -> None:
        messages = [user("a" * 4)] * 10
        assert trim_messages(messages, 200) == messages

    def test_a_conversation_one_over_keeps_its_first_and_last_three(self) -> None:
        messages = [user(f"{n}") for n in range(10)]
        assert trim_messages(messages, 169) == messages[:3] + messages[-3:]

    def test_six_messages_are_reduced_to_system_and_last_user(self) -> None:
        system, developer = {"role": "system", "content": "s"}, {"role": "developer", "content": "d"}
        messages = [system, user("a"), user("b" * 99), developer, user("c"), {"role": "assistant", "content": "x"}]
        assert trim_messages(messages, 100) == [system, developer, user("c")]

    def test_system_and_last_user_are_kept_where_the_ends_are_too_long(self) -> None:
        system = {"role": "system", "content": "s"}
        messages = [system, *(user("a" * 50) for _ in range(9)), user("last")]
        assert trim_messages(messages, 60) == [system, user("last")]

    def test_only_the_last_user_message_is_kept_where_the_system_message_is_too_long(self) -> None:
        assert trim_messages([{"role": "system", "content": "s" * 99}, user("a")], 60) == [user("a")]

    def test_a_single_message_that_is_too_long_is_kept(self) -> None:
        assert trim_messages([user("a" * 99)], 1) == [user("a" * 99)]

    def test_trailing_results_keep_their_call(self) -> None:
        call = [calling(*"1234"), *(result(call_id) for call_id in "1234")]
        messages = [user("a"), user("b"), user("c"), user("d" * 500), user("e"), *call]
        assert trim_messages(messages, 300) == [*messages[:3], user("e"), *call]

    def test_a_leading_call_is_dropped_with_its_results(self) -> None:
        messages = [
            user("q"),
            {"role": "assistant", "content": "w"},
            calling("1"),
            result("1", "r" * 500),
            *[user("x")] * 3,
        ]
        assert trim_messages(messages, 300) == messages[:2] + messages[-3:]

    def test_the_last_user_message_is_kept_before_many_calls(self) -> None:
        run = [message for n in "123" for message in (calling(n), result(n))]
        messages = [user("a"), {"role": "assistant", "content": "b"}, user("c"), user("d" * 500), user("e"), *run]
        assert trim_messages(messages, 300) == [*messages[:3], user("e"), *run[2:]]

    def test_a_conversation_without_user_keeps_a_valid_tail(self) -> None:
        answer = {"role": "assistant", "content": "answer"}
        assert trim_messages([answer, calling("1"), result("1", "r" * 99)], 50) == [answer]

    def test_overlapping_ends_do_not_duplicate_messages(self) -> None:
        messages = [user("a"), calling(*"123456"), *(result(n, "r" * 50) for n in "123456")]
        assert trim_messages(messages, 300) == [user("a")]

    def test_the_list_of_the_caller_is_not_modified(self) -> None:
        messages = [user(f"{n}") for n in range(10)]
        before = copy.deepcopy(messages)
        trimmed = trim_messages(messages, 1)
        assert messages == before
        assert trimmed is not messages

    @pytest.mark.parametrize("max_length", [0, -1, True, 1.5, "9", None])
    def test_an_invalid_length_is_refused(self, max_length: Any) -> None:
        with pytest.raises(InvalidRequestError, match="max_input_length must be an int of at least 1"):
            trim_messages([user("a")], max_length)

    @given(st.data())
    def test_calls_and_results_stay_together_and_the_result_never_grows(self, data: st.DataObject) -> None:
        turns = {
            "user": [user("u" * 20)],
            "assistant": [{"role": "assistant", "content": "x"}],
            "system": [{"role": "system", "content": "x"}],
            "call": [calling(*"ab"), result("a"), result("b")],
        }
        kinds = data.draw(st.lists(st.sampled_from(sorted(turns)), min_size=1, max_size=12))
        messages = [{**message, "index": n} for n, message in enumerate(m for kind in kinds for m in turns[kind])]
        max_length = data.draw(st.integers(1, 400))
        trimmed = trim_messages(messages, max_length)
        indexes = [message["index"] for message in trimmed]
        assert trimmed
        assert indexes == sorted(set(indexes))
        assert trimmed == messages or count_length(messages) > max_length
        for message in trimmed:
            if message["role"] == "tool":
                assert message["index"] - 1 in indexes
            if "tool_calls" in message:
                assert {message["index"] + 1, message["index"] + 2} <= set(indexes)
        users = [message for message in messages if message["role"] == "user"]
        assert not users or users[-1] in trimmed
