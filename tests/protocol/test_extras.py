"""What providers send beyond the protocol, and the log probabilities of tokens."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from hf_text.completion import Logprob
from hf_text.protocol.chunks import Assembler


def chunk(delta: Any = None, choice: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": "chat-1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": None, **(choice or {})}],
        **fields,
    }


def read(*chunks: Any) -> Assembler:
    assembler, events = Assembler(), []  # type: ignore[var-annotated]
    for each in chunks:
        assembler.feed(each, events)
    assembler.finish(events)
    return assembler


def extra(*chunks: Any) -> dict[str, Any]:
    return read(*chunks).extra


TEXT = chunk({"content": "a"})


@pytest.mark.parametrize(
    ("odd", "kept"),
    [
        (chunk({"content": "b"}, citations=["https://example.com"]), {"citations": ["https://example.com"]}),
        (chunk({"content": "b"}, {"content_filter_results": {"hate": {}}}), {"content_filter_results": {"hate": {}}}),
        (chunk({"annotations": [{"type": "url_citation"}]}), {"annotations": [{"type": "url_citation"}]}),
        (chunk({"something_new": {"a": 1}}), {"something_new": {"a": 1}}),
        ({"choices": [], "search_results": [{"title": "t"}]}, {"search_results": [{"title": "t"}]}),
        (chunk({}, service_tier="default", provider="X"), {"service_tier": "default", "provider": "X"}),
    ],
    ids=str,
)
def test_unknown_fields_are_kept_by_name(odd: Any, kept: Any) -> None:
    assert extra(odd) == extra(TEXT, TEXT, odd, TEXT) == kept


@pytest.mark.parametrize(
    "plain",
    [
        TEXT,
        chunk({"role": "assistant", "content": "b", "refusal": None}, {"logprobs": None}, system_fingerprint="fp"),
        chunk({"content": "b"}, obfuscation="xxxx", citations=[], images=None, usage=None, empty={}, blank=""),
    ],
    ids=str,
)
def test_known_and_empty_fields_are_not_kept(plain: Any) -> None:
    assert extra(TEXT, plain) == {}


def test_a_repeated_field_replaces_the_earlier_value() -> None:
    chunks = [chunk({"content": "a"}, citations=["x"] * number) for number in (1, 2)]
    assert extra(*chunks, chunk({}, {"finish_reason": "stop"}, citations=["x"] * 3)) == {"citations": ["x"] * 3}


def test_lists_in_deltas_grow_without_duplicates() -> None:
    pictures = [{"type": "image_url", "index": number} for number in range(3)]
    assert extra(*(chunk({"images": [picture]}) for picture in pictures)) == {"images": pictures}
    assert extra(*(chunk({"images": pictures[:end]}) for end in (1, 2, 3))) == {"images": pictures}


def test_audio_is_joined_from_its_pieces() -> None:
    chunks = [
        chunk({"audio": {"id": "audio_1"}}),
        chunk({"audio": {"data": "AAAA", "transcript": "Bl"}}),
        chunk({"audio": {"data": "AAAAAA==", "transcript": "ue"}}),
        chunk({"audio": {"expires_at": 5}}),
    ]
    assert extra(*chunks) == {"audio": {"id": "audio_1", "data": "AAAAAAAAAA==", "transcript": "Blue", "expires_at": 5}}


def test_an_answer_of_audio_or_images_is_not_empty() -> None:
    assert not read(chunk({"audio": {"data": "AAAA"}})).empty
    assert not read(chunk({"content": "", "images": [{"type": "image_url"}]})).empty
    assert read(chunk({"something_new": "a"}), chunk({}, citations=["x"])).empty


def test_the_system_fingerprint_is_kept() -> None:
    assert (
        read(chunk({}, system_fingerprint="fp_1"), TEXT, chunk({}, system_fingerprint="")).system_fingerprint == "fp_1"
    )


@pytest.mark.timeout(20)
def test_very_many_pieces_take_no_quadratic_time() -> None:
    assembler = Assembler()
    for number in range(50_000):
        assembler.feed(chunk({"reasoning_details": [{"type": "reasoning.text", "text": "words ", "index": 0}]}), [])
        assembler.feed(chunk({"annotations": [{"n": number}]}), [])
    assert len(assembler.extra["reasoning_details"][0]["text"]) == 300_000
    assert len(assembler.extra["annotations"]) == 50_000


def test_hostile_values_can_be_shown_copied_and_pickled() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": [deep]}
    kept = extra(chunk({"odd": deep, "half": "a\ud83d", "huge": 10**4000}))
    assert kept["half"] == "a\ufffd"
    assert pickle.loads(pickle.dumps(kept)) == copy.deepcopy(kept) == kept
    assert json.loads(json.dumps(kept)) == kept
    assert len(repr(kept)) < 10_000


class TestLogprobs:
    BLUE = {"token": "Blue", "logprob": -0.5, "bytes": [66]}  # noqa: RUF012
    RED = {"token": "Red", "logprob": -2, "bytes": [82]}  # noqa: RUF012

    def logprobs(self, *values: Any) -> tuple[Logprob, ...]:
        return read(TEXT, *(chunk({"content": "b"}, {"logprobs": value}) for value in values)).logprobs

    def test_each_token_has_its_logprob_and_the_alternatives(self) -> None:
        told = {"content": [{**self.BLUE, "top_logprobs": [self.BLUE, self.RED]}], "refusal": None}
        assert self.logprobs(told) == (Logprob("Blue", -0.5, (("Blue", -0.5), ("Red", -2.0))),)

    def test_logprobs_are_collected_over_all_chunks(self) -> None:
        values = [{"content": [self.BLUE]}, None, {"content": [self.RED, self.BLUE]}, {"content": []}]
        assert [each.token for each in self.logprobs(*values)] == ["Blue", "Red", "Blue"]

    def test_logprobs_are_read_from_a_json_answer(self) -> None:
        choice = {"index": 0, "message": {"content": "Blue"}, "logprobs": {"content": [self.BLUE]}}
        assert read({"choices": [choice]}).logprobs == (Logprob("Blue", -0.5),)

    def test_logprobs_of_a_refusal_are_read(self) -> None:
        assert self.logprobs({"content": None, "refusal": [self.BLUE]}) == (Logprob("Blue", -0.5),)

    def test_the_text_completions_form_is_read(self) -> None:
        told = {"tokens": ["Blue", "!"], "token_logprobs": [-0.5, -1], "top_logprobs": [{"Blue": -0.5, "Red": -2}]}
        assert self.logprobs(told) == (Logprob("Blue", -0.5, (("Blue", -0.5), ("Red", -2.0))), Logprob("!", -1.0))

    @pytest.mark.parametrize(
        "nothing",
        [
            None,
            [],
            "x",
            5,
            {"content": "x"},
            {"content": [None, 5, {}, {"token": "a"}]},
            {"tokens": "abc"},
            {"tokens": ["a"]},
            {"content": [{"token": 5, "logprob": -1}]},
            {"content": [{"token": "a", "logprob": "x"}]},
            {"content": [{"token": "a", "logprob": 10**400}]},
            {"content": [{"token": "a", "logprob": float("nan")}]},
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_unreadable_logprobs_are_skipped(self, nothing: Any) -> None:
        assert self.logprobs(nothing) == ()

    def test_logprobs_default_to_none(self) -> None:
        assert read(TEXT, TEXT).logprobs == ()
