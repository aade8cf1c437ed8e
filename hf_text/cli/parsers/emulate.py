"""The parser of ``hf-text emulate``."""

from __future__ import annotations

from ...emulator.arguments import DESCRIPTION, EPILOG, add_arguments
from ..parsing import Parser

__all__ = ["build_parser"]

_EXAMPLES = """

examples:
  hf-text emulate
  hf-text emulate --port 8099 --pace 0.05
  hf-text emulate --fault-once rate-limited"""


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text emulate", "[options]", DESCRIPTION, EPILOG + _EXAMPLES)
    add_arguments(parser)
    return parser
