"""Fixtures: an output path, the prompts that were sent, and the rows that were recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_helpers import chats

from hf_text.emulator import Emulator

Recorded = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.fixture
def recorded(output: Path) -> Recorded:
    """Return a function that reads the output's lines by custom_id, and fails if a row has two."""

    def read() -> dict[str, dict[str, Any]]:
        lines = [json.loads(line) for line in output.read_bytes().splitlines()]
        found = {line["custom_id"]: line for line in lines}
        assert len(found) == len(lines)
        return found

    return read


@pytest.fixture
def asked(emulator: Emulator) -> Callable[[], list[str]]:
    """Return a function that returns the prompts that arrived at the server, sorted."""
    return lambda: sorted(request.json["messages"][-1]["content"] for request in chats(emulator))
