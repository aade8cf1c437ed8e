from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.protocol.think_tags import ThinkSplitter, find_lone_close


def split(*pieces: str, opened: bool = False) -> tuple[str, str]:
    """The joined output of the pieces and of the end, as ``(reasoning, answer)``."""
    splitter = ThinkSplitter(opened)
    parts = [splitter.feed(piece) for piece in pieces] + [splitter.flush()]
    return "".join(reasoning for reasoning, _ in parts), "".join(answer for _, answer in parts)


def cuts(text: str) -> list[tuple[str, ...]]:
    """The text in two pieces, split at every place, and in single characters."""
    return [(text[:place], text[place:]) for place in range(len(text) + 1)] + [tuple(text)]


ANSWERS = {
    "<think>Two and two.</think>Four.": ("Two and two.", "Four."),
    "<think>\nTwo and two.\n</think>\n\nFour.": ("\nTwo and two.\n", "\n\nFour."),
    "<think></think>Four.": ("", "Four."),
    "<think>1 < 2, a </thin line, </think >, <//think>": ("1 < 2, a </thin line, </think >, <//think>", ""),
    "<think>a <</think>b": ("a <", "b"),
    "<think>a </</think>b": ("a </", "b"),
    "<think>a </think</think>b": ("a </think", "b"),
    "<think>a <think> b</think>c": ("a <think> b", "c"),
    "<think>a</think>b <think>c</think> d": ("a", "b <think>c</think> d"),
    "<think>a</think>b</think>": ("a", "b</think>"),
    " \n\t<think>a</think> b": ("a", " \n\t b"),
    "\u2028<think>天</think>空": ("天", "\u2028空"),
    "<think>never closed": ("never closed", ""),
    "<think>cut in the tag</thi": ("cut in the tag</thi", ""),
    "<think>": ("", ""),
    "</think>": ("", ""),
    "</think>Four.": ("", "Four."),
    "</think>\n\nFour.": ("", "\n\nFour."),
    " \n</think>Four.</think>": ("", " \nFour.</think>"),
    "</think><think>Four.": ("", "<think>Four."),
}

# Text that only looks like a tag, or a tag in a place where it has no meaning.
PLAIN = (
    "",
    " \n ",
    "Four.",
    "  Four.",
    "<",
    "<think",
    "\n<thi",
    "<thin air>",
    "<thinking>a</thinking>",
    "<Think>a</Think>",
    "< think>a</think>",
    "<<think>a</think>",
    "</thinks>Four.",
    "</thi",
    "Four. <think>a</think>",
    "a</think>b",
    "&lt;think>",
)


@pytest.mark.parametrize("text", ANSWERS)
def test_reasoning_in_tags_is_split_off_however_the_text_is_split(text: str) -> None:
    assert {split(*pieces) for pieces in cuts(text)} == {ANSWERS[text]}


@pytest.mark.parametrize("text", PLAIN)
def test_text_that_is_not_a_tag_is_kept_however_the_text_is_split(text: str) -> None:
    assert {split(*pieces) for pieces in cuts(text)} == {("", text)}


def test_reasoning_is_returned_as_it_arrives() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("<think>") == ("", "")
    assert splitter.feed("Two") == ("Two", "")
    assert splitter.feed(" and </") == (" and ", "")
    assert splitter.feed("two") == ("</two", "")
    assert splitter.feed("</think>Four") == ("", "Four")
    assert splitter.feed(".") == ("", ".")


def test_only_a_possible_tag_is_buffered() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("\n") == ("", "")
    assert splitter.feed("<th") == ("", "")
    assert splitter.feed("e>") == ("", "\n<the>")


def test_an_answer_that_starts_with_text_is_returned_at_once() -> None:
    assert ThinkSplitter().feed("Four") == ("", "Four")


def test_white_space_before_the_tag_is_returned_once() -> None:
    splitter = ThinkSplitter()
    splitter.feed("\n")
    assert splitter.feed("<think>a") == ("a", "\n")
    assert splitter.feed("</think>b") == ("", "b")
    assert splitter.flush() == ("", "")


def test_done_is_set_when_only_answer_can_follow() -> None:
    splitter = ThinkSplitter()
    states = []
    for piece in ("", " ", "<think>", "a", "</think", ">", "b"):
        splitter.feed(piece)
        states.append(splitter.done)
    assert states == [False, False, False, False, False, True, True]
    plain = ThinkSplitter()
    plain.feed("Four")
    assert plain.done


def test_flush_returns_buffered_text_once() -> None:
    splitter = ThinkSplitter()
    splitter.feed("<thi")
    assert splitter.flush() == ("", "<thi")
    assert splitter.flush() == ("", "")


@pytest.mark.timeout(10)
def test_very_much_white_space_takes_no_quadratic_time() -> None:
    """A model stuck in repetition sends hundreds of thousands of line feeds."""
    pieces = ["\n" * 100] * 200_000
    assert split(*pieces) == ("", "\n" * 20_000_000)


@pytest.mark.timeout(10)
def test_very_long_reasoning_takes_no_quadratic_time() -> None:
    pieces = ["<think>", *["so <"] * 300_000, "</think>", "Four."]
    assert split(*pieces) == ("so <" * 300_000, "Four.")


def reference(text: str) -> tuple[str, str]:
    start = text.lstrip()
    if start.startswith("</think>"):
        return "", text.replace("</think>", "", 1)
    if not start.startswith("<think>"):
        return "", text
    reasoning, _, answer = start.removeprefix("<think>").partition("</think>")
    return reasoning, text[: len(text) - len(start)] + answer


# The output of a model whose prompt ends with the opening tag.
CLOSED_ONLY = {
    "Two and two.</think>Four.": ("Two and two.", "Four."),
    "\nTwo and two.\n</think>\n\nFour.": ("\nTwo and two.\n", "\n\nFour."),
    "<think>Two and two.</think>Four.": ("Two and two.", "Four."),
    "a <think> b</think>c": ("a <think> b", "c"),
    "</think>Four.": ("", "Four."),
    "a</think>b</think>": ("a", "b</think>"),
    "never closed": ("never closed", ""),
    "cut</thi": ("cut</thi", ""),
    "  <b": ("  <b", ""),
    "": ("", ""),
}


@pytest.mark.parametrize("text", CLOSED_ONLY)
def test_text_before_a_closing_tag_is_reasoning_if_the_prompt_opened_it(text: str) -> None:
    assert {split(*pieces, opened=True) for pieces in cuts(text)} == {CLOSED_ONLY[text]}


@pytest.mark.parametrize(
    ("text", "unclosed", "closed_only"),
    [
        ("a", True, False),
        ("a</think>b", False, True),
        ("</think>b", False, True),
        ("<think>a", False, False),
        ("<think>a</think>b", False, False),
        ("", False, False),
    ],
)
def test_closed_only_is_set_if_the_model_only_closed_the_tag(text: str, unclosed: bool, closed_only: bool) -> None:
    splitter = ThinkSplitter(opened=True)
    splitter.feed(text)
    assert (splitter.unclosed, splitter.closed_only) == (unclosed, closed_only)


def test_reasoning_in_a_field_cancels_the_expectation() -> None:
    splitter = ThinkSplitter(opened=True)
    splitter.expect_none()
    assert splitter.feed("Four.") == ("", "Four.")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a</think>b", ("a", "b")),
        ("a\n</think>\n\nb", ("a\n", "\n\nb")),
        ("a", None),
        ("", None),
        ("<think>a</think>b", None),
        ("a</think>b</think>c", None),
        ("The tag `</think>` ends it.", None),
        ("The tag '</think>' ends it.", None),
        ('"</think>"', None),
    ],
)
def test_a_lone_closing_tag_is_found_unless_the_text_is_about_it(text: str, parts: tuple[str, str] | None) -> None:
    assert find_lone_close(text) == parts


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", ["</think>", "</think", "`</think>`", "<think>"])
def test_very_many_tags_take_no_quadratic_time(part: str) -> None:
    assert find_lone_close(part * 500_000) is None


PIECES = st.one_of(
    st.sampled_from(["<think>", "</think>", "<", "</", "thi", "nk>", "think", ">", " ", "\n", "a", "天", ""]),
    st.text(max_size=5),
)


@given(st.lists(PIECES, max_size=20))
def test_only_tags_are_removed_however_the_text_is_split(pieces: list[str]) -> None:
    assert split(*pieces) == reference("".join(pieces))
