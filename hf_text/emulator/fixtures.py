"""A pytest fixture. In a ``conftest.py``: ``from hf_text.emulator.fixtures import emulator``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .emulator import Emulator

__all__ = ["emulator"]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A running `Emulator`; ``HF_ENDPOINT`` and ``HF_TEXT_ROUTER_URL`` point to it during the test."""
    with Emulator() as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        yield running
