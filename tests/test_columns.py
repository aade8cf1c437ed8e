"""The width of text on a terminal."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from hf_text.columns import columns_of, continues, cut, pad
from hf_text.tables import aligned

TEXTS = [
    "plain",
    "日本語",
    "e\u0301",
    "か\u3099",
    "한글",
    "\u1112\u1161\u11ab",
    "☔⚡",
    "👍\U0001f3fd",
    "👩\u200d👩\u200d👧 x",
    "❤\ufe0f!",
    "ﾊﾝ",
    "a\u200bb",
    "\uff21",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_text_width_matches_rich(text):
    assert columns_of(text) == cell_len(text)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_cut_and_padded_text_has_the_exact_width(text):
    for columns in range(columns_of(text) + 3):
        assert columns_of(cut(text, columns)) in (min(columns_of(text), columns), columns - 1)
        assert columns_of(pad(cut(text, columns), columns, right=True)) == columns
    assert cut(text, 99) == text
    assert cut(text, -1) == ""


def test_a_character_is_never_separated_from_its_modifiers():
    assert cut("e\u0301x", 1) == "e\u0301"
    assert not continues("", "\u0301")
    assert continues("👩\u200d", "👧")


def test_table_columns_align_for_any_names():
    lines = aligned(["NAME", "N"], [["千問/模型", "1"], ["a/b", "23"], ["👍\U0001f3fd", "4"]])
    assert lines == ["NAME        N", "千問/模型   1", "a/b        23", "👍\U0001f3fd          4"]
    assert len({columns_of(line) for line in lines}) == 1
