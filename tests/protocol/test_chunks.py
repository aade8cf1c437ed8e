from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.events import Event, FinishReason, Reasoning, ToolCall, ToolCalls, Usage
from hf_text.protocol.chunks import Assembler

Chunk = dict[str, Any]

HEAD = {"id": "chat-1", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "acme/Scribe-8B"}


def chunk(delta: Any = None, /, *, choice: Any = None, **fields: Any) -> Chunk:
    """A chunk whose choice holds this delta; without one, a chunk without choices."""
    if delta is None and choice is None:
        return {**HEAD, "choices": [], **fields}
    return {**HEAD, "choices": [{"index": 0, "delta": delta, **(choice or {})}], **fields}


def text(content: Any, **fields: Any) -> Chunk:
    """The most common chunk of all."""
    return chunk({"content": content}, choice={"finish_reason": None}, **fields)


def finish(reason: str = "stop", delta: Any = None, **fields: Any) -> Chunk:
    return chunk(delta or {}, choice={"finish_reason": reason}, **fields)


def usage(prompt: int, completion: int, **fields: Any) -> Chunk:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **fields}


def read(*chunks: Any) -> tuple[Assembler, list[Event]]:
    """The assembler and all events of a complete answer."""
    assembler = Assembler()
    events: list[Event] = []
    for each in chunks:
        assembler.feed(each, events)
    assembler.finish(events)
    return assembler, events


def texts(*chunks: Any) -> list[str]:
    return [event for event in read(*chunks)[1] if isinstance(event, str)]


def thoughts(*chunks: Any) -> list[str]:
    return [event.text for event in read(*chunks)[1] if isinstance(event, Reasoning)]


def name_of(each: Chunk) -> str:
    return json.dumps(each.get("choices"))[:60]


@dataclass
class Transcript:
    """A provider's chunks and their expected content."""

    chunks: list[Chunk]
    text: str = "Blue light scatters."
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish: str | None = "stop"


COUNTED = Usage(12, 7, 19)
CALL = ToolCall("call_a", "weather", '{"city":"Paris"}')

NOVITA_FILTER = {"content_filter_results": {"hate": {"filtered": False}}}
BASETEN_DETAILS = {"prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 3}}
GROQ_USAGE = usage(12, 7, queue_time=0.17, total_time=0.12, completion_tokens_details={"reasoning_tokens": 3})
TOGETHER = {"role": "assistant", "token_id": 7, "reasoning": None, "tool_calls": []}


def together(content: str, **choice: Any) -> Chunk:
    delta = {**TOGETHER, "content": content}
    return chunk(delta, choice={"text": content, "seed": None, "finish_reason": None, **choice}, usage=None, prompt=[])


ANSWERS = {
    "usage on every chunk, and more chunks after stop (Novita in 2025)": Transcript(
        [
            chunk({"role": "assistant"}, choice={"finish_reason": None, **NOVITA_FILTER}, usage=usage(12, 0)),
            text("Blue light", usage=usage(12, 3)),
            text(" scatters.", usage=usage(12, 6)),
            finish("stop", {"role": "assistant"}),
            chunk({"role": "assistant"}, choice={"finish_reason": None, **NOVITA_FILTER}),
            chunk({"role": "assistant"}, choice={"finish_reason": None}, usage=usage(12, 7)),
        ],
        usage=COUNTED,
    ),
    "usage on every chunk and on one without choices, no finish_reason key (Baseten)": Transcript(
        [
            chunk({"role": "assistant", "reasoning_content": "Sky"}, usage=usage(12, 1, **BASETEN_DETAILS)),
            chunk({"reasoning_content": " is air."}, usage=usage(12, 3, **BASETEN_DETAILS)),
            chunk({"content": "Blue light scatters."}, usage=usage(12, 7, **BASETEN_DETAILS)),
            finish("stop", usage=usage(12, 7, **BASETEN_DETAILS)),
            chunk(usage=usage(12, 7, **BASETEN_DETAILS)),
        ],
        reasoning="Sky is air.",
        usage=Usage(12, 7, 19, reasoning_tokens=3, cached_tokens=8),
    ),
    "usage twice, a role and an empty content first, reasoning with a channel (Groq)": Transcript(
        [
            chunk({"role": "assistant", "content": ""}, choice={"logprobs": None}, x_groq={"id": "req_1", "seed": 5}),
            chunk({"reasoning": "Sky", "channel": "analysis"}, choice={"finish_reason": None}),
            chunk({"reasoning": " is air.", "channel": "analysis"}, choice={"finish_reason": None}),
            text("Blue light scatters."),
            finish("stop", usage=GROQ_USAGE, x_groq={"id": "req_1", "usage": GROQ_USAGE}),
            chunk(usage=GROQ_USAGE, service_tier="on_demand"),
        ],
        reasoning="Sky is air.",
        usage=Usage(12, 7, 19, reasoning_tokens=3),
    ),
    "think tags as tokens of their own, flat cached_tokens (Together)": Transcript(
        [
            together("<think>"),
            together("\n"),
            together("Sky is air.\n"),
            together("</think>"),
            together("\n\nBlue light"),
            together(" scatters."),
            chunk(
                {**TOGETHER, "content": ""},
                choice={"text": "", "finish_reason": "stop"},
                usage=usage(12, 7, cached_tokens=4),
            ),
        ],
        text="\n\nBlue light scatters.",
        reasoning="\nSky is air.\n",
        usage=Usage(12, 7, 19, cached_tokens=4),
    ),
    "usage on the finish chunk, with times (Cerebras)": Transcript(
        [
            chunk({"role": "assistant"}),
            chunk({"content": "Blue light scatters."}),
            chunk({"content": ""}),
            finish("stop", usage=usage(12, 7, image_tokens=0), time_info={"queue_time": 0.02}),
        ],
        usage=COUNTED,
    ),
    "usage on a chunk without choices (Novita in 2026, TGI 3)": Transcript(
        [
            chunk({"role": "assistant"}, sla_metrics={"ttft_ms": 274}),
            text("Blue light scatters.", system_fingerprint=""),
            finish(),
            chunk(usage=usage(12, 7)),
        ],
        usage=COUNTED,
    ),
    "no usage at all (Nebius)": Transcript(
        [
            chunk({"role": "assistant", "content": ""}, choice={"logprobs": None, "finish_reason": None}),
            text("Blue light scatters."),
            finish("stop", {"content": ""}),
        ]
    ),
    "a tool call without id and finish reason (Nebius)": Transcript(
        [
            chunk({"role": "assistant", "content": ""}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}", "name": "now"}, "type": "function"}]}),
            chunk(usage=usage(12, 7)),
        ],
        text="",
        calls=(ToolCall("call_0", "now", "{}"),),
        usage=COUNTED,
        finish=None,
    ),
    "the end token as the last text (TGI 2)": Transcript(
        [
            chunk({"role": "assistant", "content": "Blue"}, object="text_completion", id=""),
            chunk({"role": "assistant", "content": " light scatters."}, object="text_completion"),
            chunk({"role": "assistant", "content": "</s>"}, choice={"finish_reason": "eos_token"}),
        ],
    ),
    "nothing but [DONE]": Transcript([], text="", finish=None),
    "usage null on each chunk, content null first (Fireworks)": Transcript(
        [
            chunk({"role": "assistant", "content": None}, usage=None),
            chunk({"reasoning_content": "Sky is air."}, choice={"finish_reason": None, "raw_output": None}, usage=None),
            text("Blue light scatters.", usage=None),
            finish("stop", usage=None),
            chunk(usage=usage(12, 7)),
        ],
        reasoning="Sky is air.",
        usage=COUNTED,
    ),
    "cut by max_tokens inside the reasoning (Fireworks)": Transcript(
        [
            chunk({"role": "assistant"}),
            chunk({"reasoning_content": "Sky is"}, choice={"finish_reason": None}),
            finish("length", usage=usage(12, 7)),
        ],
        text="",
        reasoning="Sky is",
        usage=COUNTED,
        finish="length",
    ),
    "cut by max_tokens inside the think tags": Transcript(
        [text("<think>"), text("Sky is </th"), finish("length")],
        text="",
        reasoning="Sky is </th",
        finish="length",
    ),
    "a whole tool call in one chunk (Groq)": Transcript(
        [
            chunk({"role": "assistant", "content": None}),
            chunk({"tool_calls": [{"index": 0, **CALL.to_dict()}]}),
            finish("tool_calls", usage=GROQ_USAGE),
            chunk(usage=GROQ_USAGE),
        ],
        text="",
        calls=(CALL,),
        usage=Usage(12, 7, 19, reasoning_tokens=3),
        finish="tool_calls",
    ),
    "a tool call with the finish reason on its last piece (Baseten)": Transcript(
        [
            chunk({"role": "assistant", "tool_calls": [{"index": 0, **ToolCall("call_a", "weather", "").to_dict()}]}),
            chunk({"tool_calls": [{"index": 0, "id": "call_a", "function": {"arguments": '{"city":'}}]}),
            chunk(
                {"tool_calls": [{"index": 0, "id": "call_a", "function": {"arguments": '"Paris"}'}}]},
                choice={"finish_reason": "tool_calls", "stop_reason": 154829},
            ),
        ],
        text="",
        calls=(CALL,),
        finish="tool_calls",
    ),
    "text before a tool call": Transcript(
        [
            text("Blue light scatters."),
            chunk({"content": "", "tool_calls": [{"index": 0, **CALL.to_dict()}]}),
            finish("tool_calls"),
        ],
        calls=(CALL,),
        finish="tool_calls",
    ),
    "a tool call written as text (Nebius)": Transcript(
        [text('{"type": "function",'), text(' "name": "now"}'), finish()],
        text='{"type": "function", "name": "now"}',
    ),
    "the older function_call": Transcript(
        [
            chunk({"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": ""}}),
            chunk({"function_call": {"arguments": '{"city":'}}),
            chunk({"function_call": {"arguments": '"Paris"}'}}),
            finish("function_call"),
        ],
        text="",
        calls=(ToolCall("call_0", "weather", '{"city":"Paris"}'),),
        finish="function_call",
    ),
    "tool_calls and the older function_call together": Transcript(
        [chunk({"tool_calls": [CALL.to_dict()], "function_call": CALL.to_dict()["function"]}), finish("tool_calls")],
        text="",
        calls=(CALL,),
        finish="tool_calls",
    ),
    "reasoning_text": Transcript(
        [chunk({"reasoning_text": "Sky is air."}), text("Blue light scatters."), finish()], reasoning="Sky is air."
    ),
    "the same reasoning under two names (vLLM)": Transcript(
        [chunk({"reasoning": "Sky", "reasoning_content": "Sky"}), text("Blue light scatters."), finish()],
        reasoning="Sky",
    ),
    "reasoning as typed parts of a content list (Mistral)": Transcript(
        [
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Sky is "}]}]}),
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "air."}], "closed": True}]}),
            chunk({"content": [{"type": "text", "text": "Blue light"}]}),
            text(" scatters."),
            finish(),
        ],
        reasoning="Sky is air.",
    ),
    "thinking as a text": Transcript(
        [chunk({"content": [{"type": "thinking", "thinking": "Sky"}, "Blue light", {"text": " scatters."}]}), finish()],
        reasoning="Sky",
    ),
    "a refusal": Transcript(
        [chunk({"content": None, "refusal": "I can"}), chunk({"content": "", "refusal": "not."}), finish()],
        text="I cannot.",
    ),
    "a refusal as a part": Transcript(
        [chunk({"content": [{"type": "refusal", "refusal": "I cannot."}]}), finish()], text="I cannot."
    ),
    "an answer in one piece": Transcript(
        [
            {
                **HEAD,
                "object": "chat.completion",
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "Blue.",
                            "reasoning_content": "Sky",
                            "tool_calls": [],
                        },
                        "finish_reason": "stop",
                    }
                ],
                "usage": usage(12, 7),
            }
        ],
        text="Blue.",
        reasoning="Sky",
        usage=COUNTED,
    ),
    "an answer in one piece with tags and a tool call": Transcript(
        [
            {
                "choices": [
                    {
                        "message": {"content": "<think>Sky</think>Blue.", "tool_calls": [CALL.to_dict()]},
                        "finish_reason": "tool_calls",
                    }
                ]
            }
        ],
        text="Blue.",
        reasoning="Sky",
        calls=(CALL,),
        finish="tool_calls",
    ),
    "text completions": Transcript(
        [
            {"object": "text_completion", "choices": [{"index": 0, "text": "Blue light", "finish_reason": None}]},
            {"object": "text_completion", "choices": [{"index": 0, "text": " scatters.", "finish_reason": "stop"}]},
        ]
    ),
    "the finish reason together with the last text": Transcript(
        [text("Blue light"), finish("stop", {"content": " scatters."})]
    ),
    "two finish reasons: the last one counts": Transcript(
        [text("Blue light scatters."), finish("tool_calls"), finish("stop")],
    ),
    "text after the finish reason": Transcript([text("Blue light"), finish(), text(" scatters.")]),
    "an empty finish reason is none": Transcript([text("Blue light scatters."), finish("")], finish=None),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_provider_is_understood(name: str) -> None:
    answer = ANSWERS[name]
    assembler, events = read(*answer.chunks)
    assert (assembler.text, assembler.reasoning, assembler.tool_calls, assembler.usage, assembler.finish_reason) == (
        answer.text,
        answer.reasoning,
        answer.calls,
        answer.usage,
        answer.finish,
    )
    assert "".join(map(str, events)) == answer.text
    assert "".join(event.text for event in events if isinstance(event, Reasoning)) == answer.reasoning


@pytest.mark.parametrize("name", ANSWERS)
def test_final_events_come_at_most_once_and_last(name: str) -> None:
    answer = ANSWERS[name]
    _, events = read(*answer.chunks)
    ending = [event for event in events if not isinstance(event, (str, Reasoning))]
    calls = [ToolCalls(answer.calls)] if answer.calls else []
    counted = [answer.usage] if answer.usage else []
    reason = [FinishReason(answer.finish)] if answer.finish else []
    assert ending == [*calls, *counted, *reason]
    assert events[len(events) - len(ending) :] == ending


@pytest.mark.parametrize("name", ANSWERS)
def test_no_event_is_empty(name: str) -> None:
    _, events = read(*ANSWERS[name].chunks)
    assert "" not in events
    assert Reasoning("") not in events


class TestTheText:
    def test_text_is_yielded_chunk_by_chunk(self) -> None:
        assembler = Assembler()
        for piece in ("Blue", " light", " ", "\n"):
            events: list[Event] = []
            assembler.feed(text(piece), events)
            assert events == [piece]

    def test_pieces_are_appended_to_the_given_list(self) -> None:
        events: list[Event] = ["before"]
        Assembler().feed(text("Blue"), events)
        assert events == ["before", "Blue"]

    @pytest.mark.parametrize("content", ["Blue", "天空 😀", "\u2028", "\x00", "é", "x" * 5_000_000])
    def test_any_text_passes_through_unchanged(self, content: str) -> None:
        assert texts(text("a"), text(content), chunk({"role": "assistant", "content": content})) == [
            "a",
            content,
            content,
        ]

    @pytest.mark.parametrize("place", range(8))
    def test_a_partial_tag_is_buffered_until_the_end(self, place: int) -> None:
        beginning = "\n<think"[:place]
        assembler, events = Assembler(), []
        assembler.feed(text(beginning), events)
        assert events == []
        assembler.flush(events)
        assert events == [beginning][: len(beginning)]
        assembler.finish(events)
        assert "".join(map(str, events)) == assembler.text == beginning

    def test_a_tag_later_in_the_text_is_kept(self) -> None:
        assert texts(text("Write "), text("<think>"), text("a</think>")) == ["Write ", "<think>", "a</think>"]

    def test_a_closing_tag_without_an_opening_one_is_kept(self) -> None:
        assert "".join(texts(text("Sky"), text("</think>"), text("Blue"))) == "Sky</think>Blue"

    @pytest.mark.parametrize("token", ["</s>", "<eos>", "<end_of_turn>", "<|im_end|>", "<|eot_id|>"])
    def test_an_end_token_is_dropped_only_where_the_finish_reason_names_it(self, token: str) -> None:
        assert texts(text("a"), finish("eos_token", {"content": token})) == ["a"]
        assert texts(text("a"), finish("stop", {"content": token})) == ["a", token]
        assert texts(text("a"), text(token), finish("eos_token", {"content": "b"})) == ["a", token, "b"]
        assert texts(text("a"), finish("eos_token", {"content": f"b{token}"})) == ["a", f"b{token}"]

    def test_only_the_first_choice_is_read(self) -> None:
        both = {"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}
        assert texts(both) == ["a"]

    def test_other_keys_of_a_delta_do_not_affect_the_text(self) -> None:
        delta = {"content": "b", "role": "assistant", "token_id": 5, "reasoning": None, "refusal": None}
        assert texts(text("a"), chunk(delta), chunk({"content": "c", "token_id": 5})) == ["a", "b", "c"]

    def test_text_and_a_tool_call_in_one_delta_are_both_read(self) -> None:
        for role in ({}, {"role": "assistant"}):
            both = chunk({**role, "content": "b", "tool_calls": [CALL.to_dict()]})
            assembler, _ = read(text("a"), both)
            assert (assembler.text, assembler.tool_calls) == ("ab", (CALL,))

    def test_text_and_reasoning_in_one_delta_are_both_read(self) -> None:
        for role in ({}, {"role": "assistant"}):
            both = chunk({**role, "content": "b", "reasoning": "r"})
            assembler, events = read(text("a"), both)
            assert events == ["a", Reasoning("r"), "b"]
            assert (assembler.text, assembler.reasoning) == ("ab", "r")

    def test_unreadable_calls_are_kept_next_to_the_text(self) -> None:
        assembler, events = read(chunk({"content": "Blue", "tool_calls": "now"}))
        assert (assembler.text, events) == ("Blue", ["Blue"])
        assert assembler.extra == {"tool_calls": "now"}

    def test_the_shape_of_chunks_can_change_at_any_time(self) -> None:
        """The common form of chunk takes a faster path."""
        bare = {"choices": [{"delta": {"content": "d"}}]}
        shapes = [text("a"), text("b", usage=usage(12, 7)), text("c"), bare, {**bare, "citations": ["x"]}, text("e")]
        assembler, _ = read(*shapes)
        assert (assembler.text, assembler.usage) == ("abcdde", COUNTED)
        assert assembler.extra == {"citations": ["x"]}


class TestHalfCharacters:
    """JSON may encode an emoji as two escapes, and a server may send them in different chunks."""

    HIGH, LOW, LOST = "\ud83d", "\ude00", "\ufffd"

    @pytest.fixture(params=["content", "reasoning"])
    def kind(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def pieces(self, kind: str, *pieces: str) -> list[str]:
        """The texts of these pieces, after other text of the same kind."""
        read_kind = texts if kind == "content" else thoughts
        first, *found = read_kind(*(chunk({kind: piece}) for piece in ("a", *pieces)))
        assert first == "a"
        return found

    def test_two_halves_in_two_chunks_are_one_character(self, kind: str) -> None:
        assert self.pieces(kind, self.HIGH, self.LOW) == ["😀"]
        assert self.pieces(kind, f"b{self.HIGH}", f"{self.LOW}c") == ["b", "😀c"]

    def test_two_halves_in_one_chunk_are_one_character(self, kind: str) -> None:
        assert self.pieces(kind, self.HIGH + self.LOW) == ["😀"]

    def test_a_half_without_its_partner_is_replaced(self, kind: str) -> None:
        assert self.pieces(kind, self.HIGH, "b") == [f"{self.LOST}b"]
        assert self.pieces(kind, self.LOW, "b") == [self.LOST, "b"]
        assert self.pieces(kind, self.HIGH, self.HIGH, self.LOW) == [self.LOST, "😀"]
        assert self.pieces(kind, f"b{self.LOW}c{self.HIGH}d") == [f"b{self.LOST}c{self.LOST}d"]

    def test_a_half_at_the_very_end_is_replaced(self, kind: str) -> None:
        assert self.pieces(kind, "b", self.HIGH) == ["b", self.LOST]

    def test_reasoning_in_between_does_not_separate_halves(self) -> None:
        chunks = (
            text(f"a{self.HIGH}"),
            chunk({"reasoning": f"r{self.HIGH}"}),
            text(self.LOW),
            chunk({"reasoning": self.LOW}),
        )
        assembler, events = read(*chunks)
        assert (assembler.text, assembler.reasoning) == ("a😀", "r😀")
        assert events == ["a", Reasoning("r"), "😀", Reasoning("😀")]

    def test_empty_chunks_in_between_do_not_separate_halves(self) -> None:
        assert texts(text(f"a{self.HIGH}"), text(""), chunk(), chunk({}), text(self.LOW)) == ["a", "😀"]

    def test_halves_are_joined_inside_think_tags(self) -> None:
        chunks = (text(f"<think>{self.HIGH}"), text(f"{self.LOW}</think>{self.HIGH}"), text(self.LOW))
        assembler, _ = read(*chunks)
        assert (assembler.text, assembler.reasoning) == ("😀", "😀")

    def test_a_lone_half_inside_think_tags_is_reasoning(self) -> None:
        assembler, _ = read(text(f"<think>a{self.HIGH}"))
        assert (assembler.text, assembler.reasoning) == ("", f"a{self.LOST}")

    def test_a_lone_half_after_a_partial_tag_keeps_its_order(self) -> None:
        assert "".join(texts(text(f"<thi{self.HIGH}"))) == f"<thi{self.LOST}"

    def test_a_half_character_counts_as_progress(self) -> None:
        assembler = Assembler()
        assembler.feed(text("a"), [])
        assert assembler.feed(text(self.HIGH), [])

    def test_text_is_yielded_at_once_after_the_half_is_resolved(self) -> None:
        assert texts(text("a"), text(self.HIGH), text(self.LOW), text("b"), text("c")) == ["a", "😀", "b", "c"]


class TestProgress:
    """Keep-alive chunks must not count as progress: the timeout between tokens continues to run."""

    @pytest.mark.parametrize(
        "quiet",
        [
            {},
            {"choices": None},
            {"choices": []},
            {"choices": {}},
            {"choices": ""},
            chunk(),
            chunk(usage=usage(1, 1)),
            chunk({}),
            chunk({"role": "assistant"}),
            chunk({"role": "assistant", "content": ""}),
            text(""),
            text(None),
            chunk({"content": []}),
            chunk({"content": [{"type": "text", "text": ""}]}),
            chunk({"reasoning": ""}),
            chunk({"reasoning_content": None}),
            chunk({"tool_calls": []}),
            chunk({"tool_calls": None}),
            chunk({"function_call": None}),
            chunk({"refusal": None}),
            chunk(choice={"delta": None}),
            chunk(choice={"delta": "", "text": None}),
            chunk(choice={"delta": []}),
            finish(""),
        ],
        ids=name_of,
    )
    def test_an_empty_chunk_is_not_progress(self, quiet: Chunk) -> None:
        for start in ([], [text("a")]):
            assembler = Assembler()
            events: list[Event] = []
            for each in start:
                assembler.feed(each, events)
            before = list(events)
            assert assembler.feed(quiet, events) is False
            assert events == before
            assert assembler.chunks == len(start) + 1

    def test_what_is_new_in_a_choice_makes_some_and_the_same_again_does_not(self) -> None:
        assembler = Assembler()
        told = [assembler.feed(chunk({}, choice={"token_ids": ids}), []) for ids in ([1], [1], [2])]
        assert told == [True, False, True]

    def test_tokens_that_are_counted_but_not_shown_make_some(self) -> None:
        assembler = Assembler()
        told = [assembler.feed(chunk({}, usage=usage(5, completion)), []) for completion in (1, 2, 2, 3)]
        assert told == [False, True, False, True]

    def test_log_probabilities_of_a_token_without_text_make_some(self) -> None:
        logprobs = {"content": [{"token": "", "logprob": -1.0}]}
        assert Assembler().feed(chunk({}, choice={"logprobs": logprobs}), [])

    @pytest.mark.parametrize(
        "telling",
        [
            text("a"),
            text(" "),
            text("天"),
            text("<thi"),
            text("<think>"),
            chunk({"role": "assistant", "content": "a"}),
            chunk({"content": [{"type": "text", "text": "a"}]}),
            chunk({"reasoning": "a"}),
            chunk({"reasoning_content": "a"}),
            chunk({"refusal": "a"}),
            chunk({"tool_calls": [{"index": 0, "function": {"name": "now"}}]}),
            chunk({"function_call": {"name": "now"}}),
            chunk(choice={"message": {"content": "ab"}}),
            chunk(choice={"text": "a"}),
            finish("stop"),
            finish("eos_token", {"content": "</s>"}),
            chunk({"something_new": "a"}),
            chunk({"role": "assistant", "content": "", "token_id": 5}),
            {"choices": [{"index": 1, "delta": {"content": "b"}}]},
        ],
        ids=name_of,
    )
    def test_a_meaningful_chunk_is_progress(self, telling: Chunk) -> None:
        for start in ([], [text("a")]):
            assembler = Assembler()
            for each in start:
                assembler.feed(each, [])
            assert assembler.feed(telling, []) is True


class TestEmpty:
    @pytest.mark.parametrize(
        "quiet",
        [
            *(chunk(), chunk({"role": "assistant"}), text(""), chunk(usage=usage(1, 1)), finish(), chunk({"odd": "a"})),
            chunk({"tool_calls": [{"index": 0, "function": {"name": "", "arguments": ""}}]}),
        ],
    )
    def test_an_answer_without_content_is_empty(self, quiet: Chunk) -> None:
        assembler = Assembler()
        assert assembler.empty
        assembler.feed(quiet, [])
        assembler.flush([])
        assert assembler.empty

    @pytest.mark.parametrize(
        "telling",
        [
            text("a"),
            text("\n"),
            text("<thi"),
            text("\ud83d"),
            chunk({"reasoning": "a"}),
            chunk({"images": [{"type": "image_url"}]}),
            chunk({"audio": {"data": "UklGRg=="}}),
        ],
    )
    def test_an_answer_with_content_is_not_empty(self, telling: Chunk) -> None:
        assembler = Assembler()
        assembler.feed(telling, [])
        assembler.flush([])
        assert not assembler.empty

    def test_a_tool_call_counts_as_an_answer(self) -> None:
        assembler = Assembler()
        assembler.feed(chunk({"tool_calls": [{"function": {"name": "now"}}]}), [])
        assert not assembler.empty


class TestShapesThatCannotBeRead:
    @pytest.mark.parametrize("value", [None, [], "text", 5, 1.5, True, [{"choices": []}]])
    def test_a_chunk_that_is_not_an_object_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueError, match="a chunk is not an object"):
            Assembler().feed(value, [])

    @pytest.mark.parametrize("choices", ["text", 5, True, ["text"], [5], [None, 5]])
    def test_choices_without_objects_are_refused(self, choices: Any) -> None:
        for start in ([], [text("a")]):
            assembler = Assembler()
            for each in start:
                assembler.feed(each, [])
            with pytest.raises(ValueError, match="choices holds no object"):
                assembler.feed({"choices": choices}, [])

    @pytest.mark.parametrize("delta", [5, True])
    def test_a_delta_that_is_a_number_is_refused(self, delta: Any) -> None:
        with pytest.raises(ValueError, match="a delta is not an object"):
            Assembler().feed(chunk(delta), [])

    def test_the_message_quotes_only_the_start(self) -> None:
        for value in ({"choices": "x" * 10_000}, ["x" * 10_000]):
            with pytest.raises(ValueError, match="object") as caught:
                Assembler().feed(value, [])
            assert len(str(caught.value)) < 200


@dataclass
class Split:
    """An answer in pieces of text and reasoning, with other chunks between them."""

    chunks: list[Chunk] = field(default_factory=list)
    content: str = ""
    reasoning: str = ""


CONTENT = st.one_of(
    st.sampled_from(["<think>", "</think>", "<", "</thi", "nk>", " ", "\n", "a", "天", "\ud83d", "\ude00", ""]),
    st.text(st.characters(), max_size=4),
)
SHAPES = {
    "text": lambda piece: text(piece),
    "role": lambda piece: chunk({"role": "assistant", "content": piece}),
    "parts": lambda piece: chunk({"content": [{"type": "text", "text": piece}]}),
    "more keys": lambda piece: chunk({"content": piece, "token_id": 5, "tool_calls": None}),
    "completion": lambda piece: chunk(choice={"text": piece}),
    "delta": lambda piece: chunk(piece),
    "object": lambda piece: chunk({"content": {"type": "text", "text": piece}}),
}
BETWEEN = [chunk(), chunk({}), chunk({"role": "assistant"}), {}, chunk(usage=usage(1, 1)), finish("stop")]


@st.composite
def splits(draw: st.DrawFn) -> Split:
    split = Split()
    for _ in range(draw(st.integers(0, 15))):
        what = draw(st.sampled_from([*SHAPES, "reasoning", "between"]))
        if what == "between":
            split.chunks.append(draw(st.sampled_from(BETWEEN)))
            continue
        piece = draw(CONTENT)
        if what == "reasoning":
            split.reasoning += piece
            split.chunks.append(chunk({"reasoning": piece}))
        else:
            split.content += piece
            split.chunks.append(SHAPES[what](piece))
    return split


def whole(content: str) -> str:
    """The text with surrogate halves joined or replaced."""
    return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@given(splits())
def test_only_tags_are_removed_however_the_answer_is_sent(split: Split) -> None:
    content = whole(split.content)
    thought = ""
    if content.lstrip().startswith("</think>"):
        content = content.replace("</think>", "", 1)
    elif content.lstrip().startswith("<think>"):
        before, _, rest = content.partition("<think>")
        thought, _, answer = rest.partition("</think>")
        content = before + answer
    assembler, events = read(*split.chunks)
    assert assembler.text == content == "".join(map(str, events))
    assert sorted(assembler.reasoning) == sorted(whole(split.reasoning) + thought)
    if not thought:
        assert assembler.reasoning == whole(split.reasoning)
    assert assembler.reasoning == "".join(event.text for event in events if isinstance(event, Reasoning))
    (assembler.text + assembler.reasoning).encode()
