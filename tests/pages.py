"""The documentation pages and the code blocks in them.

A comment before a block defines how to run it and what it prints; readers do not see it::

    .. Meets: "cut-mid-stream", Response.text("One")     the emulator's answers, in order
    .. Prints: "One two", BUILT_IN                       text that the output contains
    .. Needs: ray                                        a required package; without it the block is skipped
    .. First: hf-text batch questions.jsonl out.jsonl    a command to run before
    .. File: conftest.py                                 not run, but saved as a file for the other blocks of the page
    .. Until: listening                                  runs until it prints this, then is stopped
    .. All elsewhere: tests/test_x.py                    the same for every block of the page, from any place on it
    .. Elsewhere: .ci/run                                run by this script or test file instead
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

from hf_text.emulator import Response

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
PAGES = [PROJECT / "README.rst", *sorted(DOCS.rglob("*.rst"))]

BUILT_IN = "This is the hf_text emulator, not a real model."
SKY = "Why is the sky blue?"
ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6360000000020001e221bc33"
    "0000000049454e44ae426082"
)

_DIRECTIVE = re.compile(r"( *)\.\. (?:code-block|code|sourcecode)::(?: ([\w-]+))?$")
_COMMENT = re.compile(r" *\.\. ([A-Z][a-z]+): (.+)$")


@dataclass(frozen=True)
class Block:
    """A code block: its language, code, page, first line, and notes."""

    language: str
    code: str
    page: Path = PROJECT
    line: int = 0
    notes: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"

    def values(self, note: str) -> tuple[Any, ...]:
        """The values of a note. ``eval`` is safe: the project's own documents are trusted."""
        given = self.notes.get(note, "")
        return eval(f"({given},)", {"Response": Response, "BUILT_IN": BUILT_IN, "SKY": SKY}) if given else ()


_ALL_ELSEWHERE = re.compile(r"^\.\. All elsewhere: (\S+)$", re.MULTILINE)


def find_blocks(text: str, page: Path = PROJECT) -> Iterator[Block]:
    """The ``.. code-block::`` and ``::`` blocks, in order."""
    lines = text.split("\n")
    elsewhere = _ALL_ELSEWHERE.search(text)
    common = {"Elsewhere": elsewhere[1]} if elsewhere else {}
    for number, line in enumerate(lines):
        directive = _DIRECTIVE.match(line)
        if directive is None and not (line.endswith("::") and not line.lstrip().startswith("..")):
            continue
        indent = " " * (len(line) - len(line.lstrip()) + 1)
        end = number + 1
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith(indent)):
            end += 1
        code = dedent("\n".join(lines[number + 1 : end])).strip() + "\n"
        yield Block(
            directive[2] or "" if directive else "", code, page, number + 1, common | _find_notes(lines[:number])
        )


def _find_notes(before: list[str]) -> dict[str, str]:
    """The notes in the comments right before a block."""
    notes: dict[str, str] = {}
    for line in reversed(before):
        comment = _COMMENT.match(line)
        if comment:
            notes[comment[1]] = comment[2]
        elif line.strip():
            break
    return notes


def read_blocks(page: Path) -> list[Block]:
    return list(find_blocks(page.read_text("utf-8"), page))


BLOCKS = [block for page in PAGES for block in read_blocks(page)]
