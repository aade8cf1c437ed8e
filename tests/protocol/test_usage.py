"""Token counts, in all known places and under all known names."""

from __future__ import annotations

from typing import Any

import pytest

from hf_text.events import Event, Usage
from hf_text.protocol.chunks import Assembler
from hf_text.protocol.usage import parse_usage

COUNTED = Usage(12, 7, 19)
NO_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
HUGE = 10**4000


def usage(prompt: int, completion: int, **fields: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, **fields}


def text(content: str, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}], **fields}


def read(*chunks: Any) -> tuple[Usage | None, list[Event]]:
    assembler, events = Assembler(), []  # type: ignore[var-annotated]
    for each in chunks:
        assembler.feed(each, events)
    assembler.finish(events)
    return assembler.usage, events


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        (usage(12, 7), Usage(12, 7, 19)),
        ({"prompt_tokens": 12}, Usage(12, 0, 12)),
        ({"completion_tokens": 7}, Usage(0, 7, 7)),
        ({"total_tokens": 19}, Usage(0, 0, 19)),
        ({"prompt_tokens": 12, "completion_tokens": None, "total_tokens": None}, Usage(12, 0, 12)),
        ({"prompt_tokens": 12.0, "completion_tokens": 7.0}, Usage(12, 7, 19)),
        (usage(12, 7, completion_tokens_details={"reasoning_tokens": 3}), Usage(12, 7, 19, reasoning_tokens=3)),
        (usage(12, 7, prompt_tokens_details={"cached_tokens": 8}), Usage(12, 7, 19, cached_tokens=8)),
        (usage(12, 7, cached_tokens=4, reasoning_tokens=2), Usage(12, 7, 19, 2, 4)),
        (usage(12, 7, cached_tokens=4, prompt_tokens_details={"cached_tokens": 8}), Usage(12, 7, 19, None, 8)),
        (usage(12, 7, prompt_tokens_details={"cached_tokens": 0}), Usage(12, 7, 19, cached_tokens=0)),
        (usage(12, 7, prompt_tokens_details=None, completion_tokens_details=[]), Usage(12, 7, 19)),
        (NO_USAGE, Usage(0, 0, 0)),
        ({**NO_USAGE, "prompt_tokens": "12", "total_tokens": True}, Usage(12, 0, 12)),
        ({"prompt_tokens": "12", "completion_tokens": " 7.0 ", "total_tokens": "19"}, Usage(12, 7, 19)),
        (usage(12, 7, completion_tokens_details={"reasoning_tokens": "3"}), Usage(12, 7, 19, reasoning_tokens=3)),
    ],
)
def test_token_counts_are_read(value: Any, counted: Usage) -> None:
    assert parse_usage(value) == counted


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "12",
        5,
        {"queue_time": 0.2},
        {"prompt_tokens": "", "completion_tokens": "n/a", "total_tokens": "-3"},
        {"prompt_tokens": "0x1f", "completion_tokens": "1e9", "total_tokens": "9" * 5000},
        {"prompt_tokens": "١٢", "completion_tokens": "7.5"},
        {"prompt_tokens": None, "total_tokens": True},
        {"prompt_tokens": float("nan"), "completion_tokens": float("inf")},
        {"total_tokens": 1.5},
    ],
)
def test_an_object_without_counts_is_none(value: Any) -> None:
    assert parse_usage(value) is None


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        ({"input_tokens": 12, "output_tokens": 7}, COUNTED),
        ({"input_tokens": 12, "output_tokens": 7, "cache_read_input_tokens": 4}, Usage(12, 7, 19, cached_tokens=4)),
        (
            {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19, "input_tokens_details": {"cached_tokens": 4}}
            | {"output_tokens_details": {"reasoning_tokens": 3}},
            Usage(12, 7, 19, 3, 4),
        ),
        ({"promptTokens": 12, "completionTokens": 7}, COUNTED),
        ({"inputTokens": 12, "outputTokens": 7, "totalTokens": 19}, COUNTED),
        (usage(12, 7, num_cached_tokens=8), Usage(12, 7, 19, cached_tokens=8)),
        (usage(12, 7, completion_tokens_details={"thinking_tokens": 3}), Usage(12, 7, 19, 3)),
        (usage(12, 7, prompt_cache_hit_tokens=8, prompt_cache_miss_tokens=4), Usage(12, 7, 19, cached_tokens=8)),
        (usage(12, 7, prompt_cache_hit_tokens=0, prompt_cache_miss_tokens=12), Usage(12, 7, 19, cached_tokens=0)),
        (
            usage(12, 7, prompt_tokens_details={"cached_tokens": 5}, prompt_cache_hit_tokens=5),
            Usage(12, 7, 19, None, 5),
        ),
        (
            {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 22, "thoughtsTokenCount": 3},
            Usage(12, 7, 22, reasoning_tokens=3),
        ),
    ],
)
def test_counts_are_read_under_the_names_of_other_servers(value: Any, counted: Usage) -> None:
    assert parse_usage(value) == counted


@pytest.mark.parametrize("number", [-1, -1.0, -HUGE, HUGE, 10**15, 1e300, float("inf")])
def test_huge_and_negative_counts_are_none(number: Any) -> None:
    assert parse_usage(usage(12, 7) | {"prompt_tokens": number, "total_tokens": number}) == Usage(0, 7, 7)
    assert parse_usage({"prompt_tokens": number, "completion_tokens": number}) is None
    assert parse_usage(usage(12, 7, cached_tokens=number)) == COUNTED
    assert "19" in repr(parse_usage(usage(12, 7, reasoning_tokens=number)))


@pytest.mark.parametrize(
    "last",
    [
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": usage(12, 7)}]},
        {"choices": [{"index": 0, "delta": {"usage": usage(12, 7)}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "message": {"content": "a", "usage": usage(12, 7)}}]},
        {"choices": [], "x_groq": {"id": "req", "usage": usage(12, 7)}},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "x_groq": {"usage": usage(12, 7)}},
        {"choices": [], "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19}},
        {"choices": [], "amazon-bedrock-invocationMetrics": {"inputTokenCount": 12, "outputTokenCount": 7}},
        {"usage": usage(12, 7)},
        {"choices": None, "usage": usage(12, 7)},
    ],
    ids=str,
)
def test_usage_is_found_in_every_position(last: Any) -> None:
    counted, events = read(text("a"), text("a"), last)
    assert counted == COUNTED
    assert [event for event in events if isinstance(event, Usage)] == [COUNTED]


def test_zeros_at_the_end_do_not_replace_counts() -> None:
    assert read(text("a", usage=usage(12, 7)), {"choices": [], "usage": usage(0, 0)})[0] == COUNTED
    assert read(text("a", usage=usage(0, 0)))[0] == Usage(0, 0, 0)


@pytest.mark.parametrize("nothing", [None, {}, [], "", "12", 5, True])
def test_an_invalid_usage_does_not_replace_a_valid_one(nothing: Any) -> None:
    chunks = (text("a", usage=usage(12, 7)), text("b", usage=nothing), {"choices": [], "usage": nothing})
    assert read(*chunks)[0] == COUNTED


def test_the_last_usage_counts_and_usages_are_not_summed() -> None:
    _, events = read(*(text("a", usage=usage(12, number)) for number in range(8)))
    assert [event for event in events if isinstance(event, Usage)] == [COUNTED]


def test_counts_beside_a_wrapped_chunk() -> None:
    assembler = Assembler()
    choice = {"message": {"content": "One"}, "finish_reason": "stop"}
    assembler.feed({"output": {"choices": [choice]}, "usage": {"input_tokens": 12, "output_tokens": 7}}, [])
    assert assembler.usage == Usage(12, 7, 19)
