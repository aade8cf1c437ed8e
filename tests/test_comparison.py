"""The comparison page is the one that the script generates, and its claims about this library are true."""

from __future__ import annotations

import re

import pytest
from pages import DOCS

from benchmarks.comparison import FAULTS, ask
from hf_text.emulator import FAULTS as KNOWN
from hf_text.emulator import Emulator

PAGE = (DOCS / "comparison.rst").read_text("utf-8")
ROWS = [re.findall(r"- (.*)", row) for row in re.split(r"^   \* ", PAGE, flags=re.MULTILINE)[1:]]
AT_ONCE = [fault for fault in FAULTS if not fault.startswith(("stall", "keep-alive"))]


def test_the_page_has_a_row_for_each_fault_in_the_script() -> None:
    assert set(FAULTS) <= set(KNOWN)
    heading, *rows = ROWS[: len(FAULTS) + 1]
    assert [row[0] for row in rows] == list(FAULTS.values())
    assert {row[1] for row in rows} == {"error"}
    assert heading[1] == "hf_text"
    assert len(heading) >= 5
    assert re.search(rf"Read on \d{{4}}-\d\d-\d\d with Python .*: {re.escape(heading[1])} \d", PAGE)


@pytest.mark.parametrize("fault", AT_ONCE[:2])
def test_this_library_does_what_the_page_says(fault: str) -> None:
    with Emulator() as server:
        server.always(fault)
        outcome = ask("hf_text_sync", f"{server.url}/v1", 50)
    assert outcome.kind == "error"
    assert f"``{outcome.error}``" in PAGE
