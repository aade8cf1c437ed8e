"""User-facing prose: docstrings, messages, help texts and pages use field terms, not literal translations."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A form that a native engineer would not write, and its replacement.
FORMS = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bheed(s|ed|ing)?\b": "follow, obey",
    r"\blately\b": "recently",
    r"\blest\b": "so that … not",
    r"\bbesides\b": "also, in addition",
    r"\bby the way\b": "auxiliary",
    r"\bin any case\b": "case-insensitive; always",
    r"\bpart(s|ed|ing)? with\b": "release",
    r"\bwho (failed|answers|answered|reads|serves)\b": "the provider that …",
    r"(?<!there )\b(is|are|was|were) no (?!longer|more|less)": "is not a",
    r"\bso many\b": "this many",
    r"\bnow and then\b": "sometimes; after 64 KiB",
    r"\bat the fault\b": "where it failed",
    r"\bwants to be paid\b": "payment is required",
    r"\bby (its|the) square\b": "quadratic",
    r"\b(could|would) help\b": "is retryable",
    r"\ball else\b": "everything else",
    r"\bin the midst\b": "in the middle, during",
    r"\bgoes on\b": "continues",
    r"\bno matter\b": "whatever",
    r"\bsuch as stands\b": "as in",
    r"\bfor whole\b": "as complete",
    r"\btells\b(?! (you|apart)\b)": "says, shows, reports",
    r"\b(upper and lower case|in (upper|lower) case) alike\b": "case-insensitive",
}


def read_texts() -> Iterator[tuple[str, str]]:
    """The strings of the package, including docstrings, and the paragraphs of the pages, each with its place."""
    for path in sorted((ROOT / "hf_text").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in (*sorted((ROOT / "docs").rglob("*.rst")), *sorted(ROOT.glob("*.rst"))):
        for paragraph in path.read_text("utf-8").split("\n\n"):
            yield str(path.relative_to(ROOT)), paragraph


TEXTS = [(place, " ".join(text.split())) for place, text in read_texts()]


def find(form: str) -> list[str]:
    """Where a form occurs, with the surrounding words."""
    pattern = re.compile(form, re.IGNORECASE)
    return [
        f"{place}: …{text[max(0, found.start() - 40) : found.end() + 40]}…"
        for place, text in TEXTS
        for found in pattern.finditer(text)
    ]


@pytest.mark.parametrize("form", FORMS)
def test_no_text_contains_a_listed_form(form: str) -> None:
    assert find(form) == [], f"write: {FORMS[form]}"


def test_all_texts_are_checked() -> None:
    places = " ".join(place for place, _ in TEXTS)
    assert all(name in places for name in ("client.py", "cli/parsers/chat.py", "reliability.rst", "README.rst"))
    assert find("reset before a response")
