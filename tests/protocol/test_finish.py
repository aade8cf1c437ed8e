"""Finish reasons: the values of many servers, early ones, and those that report a failure."""

from __future__ import annotations

from typing import Any

import pytest

from hf_text.events import Event, FinishReason, Reasoning
from hf_text.protocol.chunks import Assembler


def chunk(delta: Any = None, finish: Any = None, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish, **choice}]}


def text(content: str, finish: Any = None) -> dict[str, Any]:
    return chunk({"content": content}, finish)


def feed(*chunks: Any) -> tuple[Assembler, list[Event]]:
    assembler, events = Assembler(), []  # type: ignore[var-annotated]
    for each in chunks:
        assembler.feed(each, events)
    return assembler, events


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos_token", "stop"),
        ("stop_sequence", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("tool_calls", "tool_calls"),
        ("function_call", "function_call"),
        ("SAFETY", "content_filter"),
        ("sensitive", "content_filter"),
        ("FINISH_REASON_STOP", "stop"),
        ("FINISH_REASON_MAX_TOKENS", "length"),
        ("normal", "stop"),
        ("incomplete", "length"),
        ("refusal", "content_filter"),
        ("guardrail_intervened", "content_filter"),
        ("toolUse", "tool_calls"),
        ("end-turn", "stop"),
        ("maxTokens", "length"),
        ("finished", "stop"),
        ("blocked", "content_filter"),
        ("tired", "tired"),
    ],
)
def test_finish_reasons_are_normalised_and_the_original_kept(word: str, reason: str) -> None:
    assembler, events = feed(text("a"), chunk(finish=word))
    assembler.finish(events)
    assert events[-1] == FinishReason(reason)
    assert assembler.ending.failure is None
    assert assembler.extra == ({} if word == reason else {"finish_reason": word})


@pytest.mark.parametrize(
    "last",
    [
        chunk(finish=None, finishReason="stop"),
        chunk({"finish_reason": "stop"}),
        chunk(finish={"type": "stop", "matched": 5}),
        chunk(finish=["stop"]),
        chunk(finish=None, stop_reason="end_turn"),
        chunk({"stop_reason": "end_turn"}),
        {"choices": [], "finish_reason": "stop"},
        {"finish_reason": "stop"},
    ],
    ids=str,
)
def test_finish_reasons_are_found_in_other_places_and_forms(last: Any) -> None:
    assert feed(text("a"), text("a"), last)[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "none", [None, "", "null", "None", "FINISH_REASON_UNSPECIFIED", "not_finished", [], {}, False, 0]
)
def test_an_invalid_finish_reason_does_not_end_the_answer(none: Any) -> None:
    assembler, events = feed(text("a", none), text("b", none))
    assert (assembler.finish_reason, assembler.text) == (None, "ab")
    assembler.finish(events)
    assert not any(isinstance(event, FinishReason) for event in events)


@pytest.mark.parametrize(
    "word",
    [
        "error",
        "ERROR",
        "abort",
        "aborted",
        "killed",
        "terminated",
        "OOM",
        "cancelled",
        "failed",
        "network_error",
        "insufficient_system_resource",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "timeout",
        "overloaded",
        "tool_call_error",
        "interrupted",
        "rate_limit",
        "quota_exceeded",
        "no_capacity",
        "preempted",
        "FINISH_REASON_TOO_MANY_TOOL_CALLS",
    ],
)
def test_a_finish_reason_that_means_failure_is_a_failure(word: str) -> None:
    assert feed(text("a"), chunk(finish=word))[0].ending.failure == word


def test_a_stop_token_is_not_a_finish_reason() -> None:
    """vLLM's ``stop_reason``."""
    assert feed(text("a"), chunk(finish=None, stop_reason=151645))[0].finish_reason is None


def test_details_next_to_a_failure_are_included() -> None:
    last = chunk(finish="error", native_finish_reason="MALFORMED_FUNCTION_CALL", finish_message="no input to parse")
    assert feed(last)[0].ending.failure == "error: MALFORMED_FUNCTION_CALL: no input to parse"


class TestEarly:
    """Gateways of reasoning models send a finish reason before the answer, or with each chunk."""

    @pytest.mark.parametrize(
        "more",
        [
            text("b"),
            chunk({"reasoning": "b"}),
            chunk({"tool_calls": [{"index": 0, "function": {"name": "now", "arguments": "{}"}}]}),
            {"choices": [{"index": 0, "message": {"content": "ab"}}]},
        ],
        ids=str,
    )
    def test_later_text_withdraws_an_early_finish_reason(self, more: Any) -> None:
        assembler, _ = feed(text("a", "stop"), more)
        assert assembler.finish_reason is None
        assert assembler.ending.early

    @pytest.mark.parametrize(
        "nothing",
        [
            chunk(),
            text(""),
            chunk({"role": "assistant"}),
            {"choices": []},
            {"choices": [], "usage": {"total_tokens": 5}},
            chunk({"tool_calls": [{"index": 0, "function": None}]}),
            chunk({"odd": 5}),
        ],
        ids=str,
    )
    def test_empty_chunks_keep_an_early_finish_reason(self, nothing: Any) -> None:
        assembler, _ = feed(text("a"), chunk(finish="stop"), nothing)
        assert assembler.finish_reason == "stop"
        assert not assembler.ending.early

    def test_the_last_finish_reason_counts(self) -> None:
        assembler, _ = feed(chunk(finish="stop"), text("a"), chunk(finish="length"))
        assert assembler.finish_reason == "length"

    def test_a_withdrawn_finish_reason_is_used_if_there_is_no_other(self) -> None:
        assembler, events = feed(chunk(finish="stop"), text("a"))
        assembler.finish(events)
        assert events == ["a", FinishReason("stop")]

    def test_text_with_a_finish_reason_on_each_chunk_is_read_to_its_end(self) -> None:
        assembler, events = feed(text("a", "stop"), text("b", "stop"), text("c", "stop"))
        assert (events, assembler.finish_reason, assembler.ending.early) == (["a", "b", "c"], "stop", True)

    def test_later_text_withdraws_an_early_failure(self) -> None:
        assembler, _ = feed(chunk(finish="error"), text("a"), chunk(finish="stop"))
        assert assembler.ending.failure is None

    def test_an_end_token_does_not_withdraw_it(self) -> None:
        """TGI 2 sends the token that ended the answer as text."""
        assembler, events = feed(chunk({"reasoning": "r"}), text("a"), text("</s>", "eos_token"))
        assert events == [Reasoning("r"), "a"]
        assert assembler.finish_reason == "stop"
