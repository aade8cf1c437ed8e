"""``hf-text emulate``: a made-up Hugging Face on this machine."""

from __future__ import annotations

import argparse

from ..emulator.__main__ import serve
from .parsing import Fail

__all__ = ["main"]


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    return serve(values)
