"""Conversations: the requests of a turn, the messages kept from it, and the state after a failure."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

import hf_text
from hf_text import (
    FinishReason,
    InvalidRequestError,
    ProviderInfo,
    StreamCancelledError,
    StreamError,
    ToolCall,
    ToolCalls,
    ToolResult,
    TruncatedStreamError,
    Usage,
)
from hf_text.emulator import Emulator, Response

pytestmark = pytest.mark.every_client

Converse = Callable[..., Any]


def get_weather(city: str) -> str:
    """The weather now."""
    return f"sunny in {city}"


CALL = Response.text(tool_calls=[("get_weather", {"city": "Paris"})])
TWO_CALLS = Response.text(tool_calls=[("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})])
SAVED = {
    "format": "hf_text conversation",
    "version": 1,
    "model": None,
    "messages": [],
    "answers": [],
    "unanswered": [],
}
FOREIGN = {"type": "function", "function": {"name": "ask_user", "parameters": {"type": "object", "properties": {}}}}


def text(words: str, **fields: Any) -> Response:
    return Response.text(words, usage=(10, 5), **fields)


def sent(hf: Emulator) -> list[list[tuple[str, Any]]]:
    """Return the role and content of each request's messages."""
    chats = [request.json["messages"] for request in hf.requests if request.method == "POST"]
    return [[(message["role"], message["content"]) for message in messages] for messages in chats]


def said(chat: Any) -> list[tuple[str, Any]]:
    return [(message["role"], message["content"]) for message in chat.messages]


class TestTurns:
    def test_each_request_contains_the_history(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), text("two"))
        chat = converse(system="Be brief.")
        assert [chat.generate("First?").text, chat.generate("Second?").text] == ["one", "two"]
        first = [("system", "Be brief."), ("user", "First?")]
        assert sent(emulator) == [first, [*first, ("assistant", "one"), ("user", "Second?")]]
        assert said(chat) == [*first, ("assistant", "one"), ("user", "Second?"), ("assistant", "two")]

    def test_a_stream_yields_text_as_it_arrives_and_the_completion_at_the_end(
        self, emulator: Emulator, converse: Converse
    ) -> None:
        emulator.reply(Response.text("one ", "two"))
        chat = converse()
        stream = chat.stream("Hi")
        assert emulator.requests == []
        assert list(stream) == ["one ", "two"]
        assert stream.completion.text == "one two"
        with pytest.raises(InvalidRequestError, match="read only once"):
            list(stream)

    def test_the_options_and_the_model_go_with_each_request(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse(model="emulator/small", temperature=0.5, max_tokens=9, provider="novita")
        chat.generate("Hi")
        chat.model = "openai/gpt-oss-20b"
        with pytest.raises(hf_text.ModelNotSupportedError):  # novita does not serve this model
            chat.generate("Hi")
        first, second = (request.json for request in emulator.requests if request.method == "POST")
        assert (first["model"], first["temperature"], first["max_tokens"]) == ("emulator/small:novita", 0.5, 9)
        assert second["model"] == "openai/gpt-oss-20b:novita"

    def test_media_belongs_to_its_turn(self, emulator: Emulator, converse: Converse) -> None:
        converse(model="google/gemma-4-31B-it").generate("What is it?", media="https://example.org/cat.png")
        (content,) = [message["content"] for message in emulator.requests[-1].json["messages"]]
        assert [part["type"] for part in content] == ["text", "image_url"]

    def test_a_turn_can_be_a_list_of_messages(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse()
        chat.generate([{"role": "user", "content": "One."}, {"role": "user", "content": "Two."}])
        assert sent(emulator) == [[("user", "One."), ("user", "Two.")]]

    def test_starting_early_reveals_the_provider_and_loses_nothing(
        self, emulator: Emulator, converse: Converse
    ) -> None:
        emulator.reply(text("one"))
        stream = converse().stream("Hi").start()
        assert stream.info.provider is None
        assert len(emulator.requests) == 1
        kinds = [type(event) for event in stream.events()]
        assert kinds == [ProviderInfo, str, Usage, FinishReason]

    def test_only_one_turn_at_a_time(self, emulator: Emulator, converse: Converse) -> None:
        emulator.always(Response.text("one", "two"))
        chat = converse()
        with chat.stream("Hi") as stream:
            texts = iter(stream)
            next(texts)
            for use in (lambda: chat.generate("Ho"), chat.undo, lambda: setattr(chat, "messages", [])):
                with pytest.raises(InvalidRequestError, match="is answering another turn"):
                    use()
        assert chat.generate("Ho").text == "onetwo"
        assert said(chat) == [("user", "Ho"), ("assistant", "onetwo")]


class TestTools:
    def test_tool_calls_run_in_rounds_until_the_model_answers(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(TWO_CALLS, CALL, text("Sunny."))
        chat = converse(tools=[get_weather])
        answer = chat.generate("Weather?")
        assert (answer.text, answer.tool_calls) == ("Sunny.", ())
        results = [("tool", "sunny in Paris"), ("tool", "sunny in Rome")]
        assert said(chat)[2:4] == results
        assert [len(messages) for messages in sent(emulator)] == [1, 4, 6]
        assert sent(emulator)[1][2:] == results
        ids = [message["tool_call_id"] for message in chat.messages if message["role"] == "tool"]
        assert ids == [call["id"] for message in chat.messages for call in message.get("tool_calls", ())]

    def test_each_round_has_its_events_and_each_call_its_result(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(CALL, text("Sunny."))
        events = list(converse(tools=[get_weather]).stream("Weather?").events())
        kinds = [ProviderInfo, ToolCalls, FinishReason, ToolResult, ProviderInfo, str, Usage, FinishReason]
        assert [type(event) for event in events] == kinds
        result = events[3]
        assert (result.result, result.error, result.content) == ("sunny in Paris", None, "sunny in Paris")
        assert result.call == ToolCall("call_1", "get_weather", '{"city":"Paris"}')
        assert "".join(map(str, events)) == "Sunny."

    @pytest.mark.parametrize(
        ("called", "error", "told"),
        [
            (("explode", {}), ZeroDivisionError, "Error: ZeroDivisionError: division by zero"),
            (("nothing", {}), LookupError, "Error: unknown tool 'nothing'; the tools are: explode, get_weather"),
            (("get_weather", {}), ValueError, "Error: invalid arguments:\ncity: Field required"),
            (("get_weather", {"city": 1}), ValueError, "city: Input should be a valid string"),
            (("get_weather", {"city": "x", "day": 1}), ValueError, "day: is not a parameter"),
            (("get_weather", '{"city": "Par'), ValueError, "not valid JSON"),
            (("get_weather", "[1]"), ValueError, "must be a JSON object, not an array"),
        ],
        ids=str,
    )
    def test_a_failed_call_is_reported_to_the_model_and_the_caller(
        self, emulator: Emulator, converse: Converse, called: Any, error: type[Exception], told: str
    ) -> None:
        def explode() -> float:
            return 1 / 0

        emulator.reply(Response.text(tool_calls=[called]), text("So be it."))
        chat = converse(tools=[get_weather, explode])
        (result,) = [event for event in chat.stream("Go").events() if isinstance(event, ToolResult)]
        assert isinstance(result.error, error)
        assert result.result is None
        assert told in result.content
        assert sent(emulator)[1][2] == ("tool", result.content)

    def test_arguments_are_converted_before_the_call(self, emulator: Emulator, converse: Converse) -> None:
        seen: list[Any] = []

        def note(day: date, *numbers: int, scale: float = 2.0, **more: int) -> None:
            seen.extend([day, numbers, scale, more])

        arguments = {"day": "2026-01-02", "numbers": [1, 2], "other": 3}
        emulator.reply(Response.text(tool_calls=[("note", arguments)]), text("ok"))
        chat = converse(tools=[note])
        chat.generate("Go")
        assert seen == [date(2026, 1, 2), (1, 2), 2.0, {"other": 3}]
        assert said(chat)[2] == ("tool", "null")

    def test_max_rounds_ends_the_turn_and_keeps_finished_rounds(self, emulator: Emulator, converse: Converse) -> None:
        emulator.always(CALL)
        chat = converse(tools=[get_weather], max_rounds=2)
        with pytest.raises(StreamError, match="max_rounds") as caught:
            chat.generate("Weather?")
        assert len(caught.value.partial.tool_calls) == 1
        assert [role for role, _ in said(chat)] == ["user", "assistant", "tool", "assistant", "tool"]
        emulator.always(text("Sunny."))
        assert chat.retry().text == "Sunny."
        assert len(sent(emulator)[-1]) == 5

    def test_tool_choice_applies_to_the_first_request_of_a_turn(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse(tools=[get_weather], tool_choice="required")
        chat.generate("Weather?")  # the emulator calls the required tool
        first, second = (request.json for request in emulator.requests)
        assert first["tool_choice"] == "required"
        assert "tool_choice" not in second
        assert second["tools"] == first["tools"]

    def test_a_truncated_tool_call_is_an_error_and_runs_nothing(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(Response.text(tool_calls=[("run", {})], finish="length"))
        ran: list[int] = []

        def run() -> None:
            ran.append(1)

        chat = converse(tools=[run])
        with pytest.raises(TruncatedStreamError, match=r"within a tool call .finish reason length"):
            chat.generate("Go")
        assert (ran, chat.messages) == ([], [])

    def test_an_external_tool_ends_the_turn_and_its_result_continues_it(
        self, emulator: Emulator, converse: Converse
    ) -> None:
        both = [("ask_user", {}), ("get_weather", {"city": "Paris"})]
        emulator.reply(Response.text(tool_calls=both), text("Thanks."))
        chat = converse(tools=[get_weather, FOREIGN])
        asked, _ran = chat.generate("Go").tool_calls
        assert [role for role, _ in said(chat)] == ["user", "assistant", "tool"]
        with pytest.raises(InvalidRequestError, match=f"tool calls are waiting for results: .'{asked.id}'"):
            chat.generate("Well?")
        assert chat.generate([{"role": "tool", "tool_call_id": asked.id, "content": "42"}]).text == "Thanks."
        assert [role for role, _ in sent(emulator)[-1]] == ["user", "assistant", "tool", "tool"]

    def test_undo_removes_a_call_without_result(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(Response.text(tool_calls=[("ask_user", {})]))
        chat = converse(tools=[FOREIGN])
        chat.generate("Go")
        assert [message["role"] for message in chat.undo()] == ["user", "assistant"]
        assert chat.generate("Hi").text

    def test_provider_specific_fields_are_not_sent_to_another_provider(
        self, emulator: Emulator, converse: Converse
    ) -> None:
        def thinking(provider: str) -> Response:
            return Response.text(
                reasoning=["hm"], tool_calls=[("get_weather", {"city": "Paris"})], provider=provider, style=provider
            )

        emulator.reply(thinking("novita"), thinking("groq"), text("Sunny.", provider="groq"))
        converse(tools=[get_weather]).generate("Go")
        _, second, third = (request.json["messages"] for request in emulator.requests)
        assert second[1]["reasoning_content"] == "hm"
        assert "reasoning_content" not in third[1]
        assert third[3]["reasoning"] == "hm"


class TestApproval:
    @pytest.mark.parametrize(
        ("verdict", "told"),
        [
            (True, "sunny in Paris"),
            (False, "The user did not allow this call."),
            (None, "The user did not allow this call."),
            ("Ask again tomorrow.", "Ask again tomorrow."),
        ],
    )
    def test_approval_is_requested_before_each_call(
        self, emulator: Emulator, converse: Converse, verdict: Any, told: str
    ) -> None:
        emulator.reply(CALL, text("ok"))
        asked: list[ToolCall] = []

        def approve(call: ToolCall) -> Any:
            asked.append(call)
            return verdict

        chat = converse(tools=[get_weather], approve=approve)
        (result,) = [event for event in chat.stream("Go").events() if isinstance(event, ToolResult)]
        assert [call.name for call in asked] == ["get_weather"]
        assert (result.content, isinstance(result.error, PermissionError)) == (told, verdict is not True)
        assert sent(emulator)[1][2] == ("tool", told)

    def test_approval_is_not_requested_for_an_invalid_call(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(Response.text(tool_calls=[("get_weather", {}), ("nothing", {})]), text("ok"))
        asked: list[ToolCall] = []
        converse(tools=[get_weather], approve=asked.append).generate("Go")
        assert asked == []

    def test_an_approval_error_before_any_call_leaves_nothing(self, emulator: Emulator, converse: Converse) -> None:
        def approve(call: ToolCall) -> bool:
            raise EOFError("no terminal")

        emulator.always(CALL)
        chat = converse(tools=[get_weather], approve=approve)
        with pytest.raises(EOFError):
            chat.generate("Go")
        assert chat.messages == []

    def test_an_approval_error_after_a_call_keeps_the_call(self, emulator: Emulator, converse: Converse) -> None:
        verdicts = iter([True])
        emulator.reply(TWO_CALLS)
        chat = converse(tools=[get_weather], approve=lambda call: next(verdicts, None) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            chat.generate("Go")
        assert said(chat)[2:] == [("tool", "sunny in Paris"), ("tool", "The call was cancelled before it started.")]


class TestFailures:
    @pytest.mark.parametrize("fault", ["cut-mid-stream", "server-error", "bad-key", "error-in-stream"])
    def test_a_failed_turn_leaves_nothing_and_can_be_retried(
        self, emulator: Emulator, converse: Converse, fault: str
    ) -> None:
        emulator.reply(text("one"))
        chat = converse(provider="novita")
        chat.generate("First?")
        before = chat.messages
        emulator.always(fault)
        with pytest.raises(hf_text.HFTextError):
            chat.generate("Second?")
        assert chat.messages == before
        emulator.always(text("two"))
        assert chat.retry().text == "two"
        assert sent(emulator)[-1] == [("user", "First?"), ("assistant", "one"), ("user", "Second?")]

    def test_a_truncated_turn_is_not_in_the_next_request(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply("cut-mid-stream", text("two"))
        chat = converse(provider="novita")
        with pytest.raises(TruncatedStreamError):
            chat.generate("First?")
        chat.generate("Second?")
        assert sent(emulator)[-1] == [("user", "Second?")]

    def test_finished_rounds_are_kept_and_tools_do_not_run_again(self, emulator: Emulator, converse: Converse) -> None:
        ran: list[str] = []

        def note(what: str) -> str:
            ran.append(what)
            return "noted"

        emulator.reply(Response.text(tool_calls=[("note", {"what": "x"})]), "cut-mid-stream", text("Done."))
        chat = converse(tools=[note], provider="novita")
        with pytest.raises(TruncatedStreamError):
            chat.generate("Go")
        assert [role for role, _ in said(chat)] == ["user", "assistant", "tool"]
        assert chat.retry().text == "Done."
        assert ran == ["x"]
        assert [role for role, _ in sent(emulator)[-1]] == ["user", "assistant", "tool"]

    def test_abandoning_an_answer_leaves_nothing(self, emulator: Emulator, converse: Converse) -> None:
        emulator.always(Response.text("one ", "two "))
        chat = converse()
        with chat.stream("Hi") as stream:
            for _ in stream:
                break
        assert chat.messages == []
        with pytest.raises(StreamError, match="was not answered"):
            stream.completion  # noqa: B018

    def test_leaving_between_two_calls_keeps_what_ran(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(TWO_CALLS)
        chat = converse(tools=[get_weather])
        with chat.stream("Go") as stream:
            for event in stream.events():
                if isinstance(event, ToolResult):
                    break
        assert said(chat)[2:] == [("tool", "sunny in Paris"), ("tool", "The call was cancelled before it started.")]
        assert len(emulator.requests) == 1

    def test_cancelled_during_a_tool_nothing_more_is_sent(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(TWO_CALLS)

        def stop(city: str) -> str:
            stream.cancel()
            return f"stopped in {city}"

        chat = converse(tools=[hf_text.tool(stop, name="get_weather")])
        stream = chat.stream("Go")
        with pytest.raises(StreamCancelledError):
            list(stream)
        assert said(chat)[2:] == [("tool", "stopped in Paris"), ("tool", "The call was cancelled before it started.")]
        assert len(emulator.requests) == 1
        with pytest.raises(StreamError):
            stream.completion  # noqa: B018

    def test_cancelled_before_a_request_it_is_not_sent(self, emulator: Emulator, converse: Converse) -> None:
        class Headers(dict[str, str]):
            def items(self) -> Any:
                stream.cancel()
                return super().items()

        stream = converse(extra_headers=Headers({"X-Mine": "yes"})).stream("Hi")
        with pytest.raises(StreamCancelledError):
            list(stream)
        assert emulator.requests == []

    def test_cancelled_during_an_answer_it_ends_at_once(self, emulator: Emulator, converse: Converse) -> None:
        emulator.always(Response.text("one ", finish=None, done=False, end="stall"))
        chat = converse()
        stream = chat.stream("Hi")
        texts = iter(stream)
        assert next(texts) == "one "
        timer = threading.Timer(0.05, stream.cancel)
        timer.start()
        with pytest.raises(StreamCancelledError) as caught:
            next(texts)
        timer.join()
        assert (caught.value.partial.text, chat.messages) == ("one ", [])


class TestUndoAndRetry:
    def test_undo_removes_the_last_turn(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), CALL, text("two"))
        chat = converse(system="S", tools=[get_weather])
        chat.generate("First?")
        chat.generate("Second?")
        assert [message["role"] for message in chat.undo()] == ["user", "assistant", "tool", "assistant"]
        assert said(chat) == [("system", "S"), ("user", "First?"), ("assistant", "one")]
        assert len(chat.undo()) == 2
        assert chat.undo() == []
        assert said(chat) == [("system", "S")]

    def test_undo_after_a_failure_removes_the_failed_turn(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), "bad-key")
        chat = converse()
        chat.generate("First?")
        with pytest.raises(hf_text.AuthenticationError):
            chat.generate("Second?")
        assert [message["content"] for message in chat.undo()] == ["Second?"]
        assert said(chat) == [("user", "First?"), ("assistant", "one")]
        emulator.reply(text("another"))
        assert chat.retry().text == "another"

    def test_retry_answers_the_last_turn_again(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), text("two"))
        chat = converse()
        chat.generate("First?")
        assert chat.retry().text == "two"
        assert sent(emulator) == [[("user", "First?")], [("user", "First?")]]
        assert said(chat) == [("user", "First?"), ("assistant", "two")]

    def test_a_retry_can_be_streamed(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), text("two"))
        chat = converse()
        chat.generate("First?")
        assert list(chat.stream()) == ["two"]

    def test_a_failed_retry_keeps_the_earlier_answer(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), "bad-key")
        chat = converse()
        chat.generate("First?")
        with pytest.raises(hf_text.AuthenticationError):
            chat.retry()
        assert said(chat) == [("user", "First?"), ("assistant", "one")]

    @pytest.mark.parametrize("settings", [{}, {"system": "Be brief."}])
    def test_an_empty_conversation_cannot_be_retried(
        self, emulator: Emulator, converse: Converse, settings: Any
    ) -> None:
        with pytest.raises(InvalidRequestError, match="nothing to answer"):
            converse(**settings).retry()
        assert emulator.requests == []


class TestWhatIsKept:
    def test_usage_includes_undone_answers(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(text("one"), text("two"), Response.text("three"))
        chat = converse()
        assert chat.usage is None
        chat.generate("First?")
        chat.retry()
        chat.undo()
        chat.generate("Third?")
        assert chat.usage == Usage(20, 10, 30)
        assert [answer.text for answer in chat.completions] == ["one", "two", "three"]

    def test_the_messages_can_be_replaced(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse(system="Be brief.")
        chat.messages.append({"role": "user", "content": "lost"})
        assert said(chat) == [("system", "Be brief.")]
        chat.messages = [{"role": "user", "content": "First?"}, {"role": "assistant", "content": "one"}]
        chat.generate("Second?")
        assert len(sent(emulator)[0]) == 3
        chat.messages = []
        assert chat.messages == []
        with pytest.raises(InvalidRequestError, match=r"messages\[0\]"):
            chat.messages = [3]

    def test_the_system_message_can_be_changed(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse()
        assert chat.system is None
        chat.generate("Hi")
        chat.system = "Be brief."
        chat.system = "Be kind."
        assert [role for role, _ in said(chat)] == ["system", "user", "assistant"]
        assert chat.system == "Be kind."
        chat.system = None
        assert [role for role, _ in said(chat)] == ["user", "assistant"]

    def test_its_repr_shows_no_content(self, converse: Converse) -> None:
        chat = converse(system="secret")
        assert repr(chat) in ("<Conversation of 1 message>", "<AsyncConversation of 1 message>")
        assert repr(chat.stream("secret")).endswith("ConversationStream, open>")


class TestBudget:
    @staticmethod
    def count(messages: list[dict[str, Any]]) -> int:
        return len(messages)

    def test_the_oldest_turns_are_dropped_and_the_system_message_kept(
        self, emulator: Emulator, converse: Converse
    ) -> None:
        chat = converse(system="S", max_input_tokens=4, count_tokens=self.count)
        for number in range(4):
            chat.generate(f"{number}?")
        assert [content for _, content in sent(emulator)[-1] if content.endswith("?") or content == "S"] == [
            "S",
            "2?",
            sent(emulator)[-1][2][1],
            "3?",
        ]
        assert len(chat.messages) == 9

    def test_a_call_is_never_separated_from_its_result(self, emulator: Emulator, converse: Converse) -> None:
        emulator.reply(CALL, CALL, CALL, text("ok"))
        chat = converse(tools=[get_weather], max_input_tokens=4, count_tokens=self.count)
        chat.generate("Go")  # the emulator rejects a call without its result
        assert [role for role, _ in sent(emulator)[-1]] == ["user", "assistant", "tool"]
        assert len(chat.messages) == 8

    def test_an_oversized_turn_is_refused_before_sending(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse(max_input_tokens=5, count_tokens=lambda messages: sum(len(m["content"]) for m in messages))
        with pytest.raises(InvalidRequestError, match="the last turn has 6 tokens, and max_input_tokens is 5"):
            chat.generate("longer")
        assert emulator.requests == []

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"max_input_tokens": 3}, "go together"),
            ({"count_tokens": len}, "go together"),
            ({"max_input_tokens": 0, "count_tokens": len}, "max_input_tokens must be"),
            ({"max_input_tokens": 3, "count_tokens": 5}, "count_tokens must be a function"),
        ],
    )
    def test_an_invalid_budget_is_refused(self, converse: Converse, settings: Any, words: str) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            converse(**settings)

    def test_an_invalid_token_counter_is_refused(self, emulator: Emulator, converse: Converse) -> None:
        chat = converse(max_input_tokens=3, count_tokens=lambda messages: "many")
        with pytest.raises(InvalidRequestError, match="what count_tokens returns"):
            chat.generate("Hi")
        assert emulator.requests == []


class TestFiles:
    @pytest.fixture
    def load(self, client: Any) -> Callable[..., Any]:
        return getattr(client, "load", lambda path, **settings: hf_text.Conversation.load(path, client, **settings))

    def test_a_saved_conversation_round_trips(
        self, emulator: Emulator, converse: Converse, load: Callable[..., Any], tmp_path: Any
    ) -> None:
        emulator.reply(CALL, text("Sunny \N{SUN BEHIND CLOUD}."), text("one"))
        chat = converse(model="emulator/small", system="S", tools=[get_weather])
        chat.generate("Weather?")
        chat.retry()
        chat.save(tmp_path / "chat.json")
        loaded = load(tmp_path / "chat.json", tools=[get_weather])
        assert loaded.messages == chat.messages
        assert (loaded.usage, loaded.completions, loaded.model) == (chat.usage, chat.completions, "emulator/small")
        emulator.reply(text("two"))
        loaded.generate("More?")
        assert sent(emulator)[-1][:5] == [(role, content) for role, content in said(chat)]

    def test_a_failed_turn_can_be_retried_after_loading(
        self, emulator: Emulator, converse: Converse, load: Callable[..., Any], tmp_path: Any
    ) -> None:
        emulator.reply("bad-key", text("one"))
        chat = converse()
        with pytest.raises(hf_text.AuthenticationError):
            chat.generate("First?")
        chat.save(tmp_path / "chat.json")
        assert load(str(tmp_path / "chat.json")).retry().text == "one"

    def test_loading_may_change_settings(self, converse: Converse, load: Callable[..., Any], tmp_path: Any) -> None:
        converse(model="emulator/small", system="S").save(tmp_path / "chat.json")
        loaded = load(tmp_path / "chat.json", model="openai/gpt-oss-20b", system="T")
        assert (loaded.model, loaded.system) == ("openai/gpt-oss-20b", "T")

    def test_the_file_is_private_and_written_atomically(
        self, converse: Converse, load: Callable[..., Any], tmp_path: Any
    ) -> None:
        path = tmp_path / "chat.json"
        converse(system="first").save(path)
        assert path.stat().st_mode & 0o077 == 0
        chat = converse(system="second")
        chat.messages = [{"role": "user", "content": "Hi", "extra": object()}]
        with pytest.raises(InvalidRequestError, match="extra"):
            chat.save(path)
        assert load(path).system == "first"
        assert [file.name for file in tmp_path.iterdir()] == ["chat.json"]

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "[]",
            "{}",
            json.dumps({**SAVED, "messages": [{"answer": 5}]}),
            json.dumps({**SAVED, "messages": [{"role": "x"}]}),
            json.dumps({**SAVED, "version": 99}),
        ],
    )
    def test_a_foreign_file_is_refused_by_name(self, load: Callable[..., Any], tmp_path: Any, content: str) -> None:
        path = tmp_path / "other.json"
        path.write_text(content)
        with pytest.raises(InvalidRequestError, match=r"other.json is not a conversation"):
            load(path)

    def test_a_missing_file_is_an_oserror(self, load: Callable[..., Any], tmp_path: Any) -> None:
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tools": get_weather}, "tools must be a list"),
        ({"tools": ["get_weather"]}, r"tools\[0\] must be a function or a mapping"),
        ({"tools": [{"name": "x"}]}, r"tools\[0\] must be a function, or"),
        ({"tools": [get_weather, get_weather]}, r"tools\[1\]: there is another tool named get_weather"),
        ({"tools": [lambda: 1]}, "the name of a tool must be"),
        ({"max_rounds": 0}, "max_rounds must be"),
        ({"approve": True}, "approve must be a function"),
        ({"system": 3}, "system must be a str"),
    ],
)
def test_an_invalid_setting_is_refused_by_name(converse: Converse, settings: Any, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        converse(**settings)


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (("",), "messages must not be empty"),
        ((3,), "messages must be a str or a list"),
        ((None, "cat.png"), "media needs a user message"),
    ],
)
def test_an_invalid_turn_is_refused_before_sending(
    emulator: Emulator, converse: Converse, turn: Any, words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        converse().stream(*turn)
    assert emulator.requests == []
