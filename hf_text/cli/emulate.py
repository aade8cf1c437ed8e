"""``hf-text emulate``: a made-up Hugging Face on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from ..emulator.__main__ import main as serve

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    return serve(list(words), "hf-text emulate")
