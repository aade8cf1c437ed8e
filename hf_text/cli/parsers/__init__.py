"""The parsers of the commands, one module each.

They are separate from the commands, so that help, usage errors and shell completion import nothing else.
"""

from __future__ import annotations

from importlib import import_module

from ..parsing import Parser

__all__ = ["parser_of"]


def parser_of(name: str) -> Parser:
    """Build the parser of a command."""
    parser: Parser = import_module(f"{__name__}.{name}").build_parser()
    return parser
