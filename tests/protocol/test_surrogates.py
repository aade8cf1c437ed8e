from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.protocol.surrogates import SurrogateJoiner, join_surrogates

HIGH, LOW, LOST = "\ud83d", "\ude00", "\ufffd"


def feed(*pieces: str) -> list[str]:
    """The output for each piece, and at the end."""
    joiner = SurrogateJoiner()
    return [joiner.feed(piece) for piece in pieces] + [joiner.flush()]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("plain", "plain"),
        ("天é😀", "天é😀"),
        (HIGH + LOW, "😀"),
        (f"a{HIGH}{LOW}b😀", "a😀b😀"),
        (f"{HIGH}a", f"{LOST}a"),
        (f"a{LOW}b", f"a{LOST}b"),
        (LOW + HIGH, LOST + LOST),
        (HIGH + HIGH + LOW, f"{LOST}😀"),
        (HIGH, LOST),
        (f"{HIGH}\n{LOW}", f"{LOST}\n{LOST}"),
        ("\ud800\udc00\udbff\udfff", "\U00010000\U0010ffff"),
        ("\ud7ff\ue000", "\ud7ff\ue000"),
    ],
)
def test_adjacent_halves_are_joined_and_others_replaced(text: str, whole: str) -> None:
    assert join_surrogates(text) == whole


def test_text_without_surrogates_is_returned_unchanged() -> None:
    text = "the sky 天 😀" * 2
    assert join_surrogates(text) is text


@pytest.mark.parametrize(
    ("pieces", "given_out"),
    [
        ([HIGH, LOW], ["", "😀", ""]),
        ([f"a{HIGH}", f"{LOW}b"], ["a", "😀b", ""]),
        ([HIGH, "", LOW], ["", "", "😀", ""]),
        ([HIGH, "a"], ["", f"{LOST}a", ""]),
        ([HIGH, HIGH, LOW], ["", LOST, "😀", ""]),
        ([f"a{HIGH}"], ["a", LOST]),
        ([LOW, "a"], [LOST, "a", ""]),
        (["😀", "a"], ["😀", "a", ""]),
    ],
)
def test_the_first_half_is_buffered(pieces: list[str], given_out: list[str]) -> None:
    assert feed(*pieces) == given_out


def test_flush_returns_a_lone_half_once() -> None:
    joiner = SurrogateJoiner()
    joiner.feed(HIGH)
    assert joiner.held == HIGH
    assert joiner.flush() == LOST
    assert joiner.flush() == ""


@given(st.lists(st.text(alphabet="a😀天\ud800\udbff\udc00\udfff\ud83d\ude00\n", max_size=4), max_size=10))
def test_any_text_in_any_pieces_is_complete_and_encodable(pieces: list[str]) -> None:
    pairs = re.compile("[\ud800-\udbff][\udc00-\udfff]")
    joined = pairs.sub(lambda pair: json.loads(json.dumps(pair[0])), "".join(pieces))
    expected = re.sub("[\ud800-\udfff]", LOST, joined)
    assert "".join(feed(*pieces)) == expected
    expected.encode()
