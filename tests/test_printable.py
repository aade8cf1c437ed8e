"""Text from outside cannot control a terminal, log or editor that shows it."""

from __future__ import annotations

import copy
import pickle
import unicodedata

import pytest

from hf_text import HFTextError, RateLimitError
from hf_text.printable import one_line, printable

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größer, 天空 😀 👩‍👩‍👧\n\tx", "plain, größer, 天空 😀 👩‍👩‍👧\n\tx"),
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("\x9b31mred\x9b0m", r"\x9b31mred\x9b0m"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf", r"a\u2028b\u2029c\x85d\x0be\x0cf"),
        ("\x00\x08\x7f", r"\x00\x08\x7f"),
    ],
)
def test_control_characters_are_shown_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


def test_every_control_character_is_covered() -> None:
    for code in range(0x110000):
        character = chr(code)
        acts = unicodedata.category(character) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(character) in BIDI
        assert (printable(character) != character) == (
            (acts and character not in "\n\t") or code in (0x61C, 0x200E, 0x200F) or 0xD800 <= code <= 0xDFFF
        )


def test_one_line_never_makes_a_second_line() -> None:
    assert one_line("a\r\nb\tc") == r"a\r\nb\tc"
    assert one_line("plain, größer") == "plain, größer"


def test_error_messages_contain_no_control_characters() -> None:
    error = RateLimitError("wait\x1b[2J", status_code=429, body={"error": "wait\x1b[2J"})
    error.add_advice("Or \u202ethis")
    assert str(error) == r"wait\x1b[2J. Or \u202ethis"
    assert error.body == {"error": "wait\x1b[2J"}
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (str(twin), twin.status_code, twin.body) == (str(error), 429, error.body)
    assert str(HFTextError("a\nb")) == "a\nb"
