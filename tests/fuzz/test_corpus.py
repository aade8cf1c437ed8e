"""Run every input that fuzzing found, and the initial samples, through its target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import targets

CORPUS = Path(__file__).parent / "corpus"
INPUTS = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.fixture
def shared() -> Iterator[None]:
    """Close the shared server and client after each test."""
    yield
    targets.close()


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_corpus_inputs_keep_every_promise(path: Path) -> None:
    targets.TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    assert {path.parent.name for path in INPUTS} == set(targets.TARGETS)
