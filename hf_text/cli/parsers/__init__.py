"""The parsers of the commands, a module each.

They are apart from the commands, so that help, a wrong option and the completion of a shell wait for nothing else.
"""

from __future__ import annotations

from importlib import import_module

from ..parsing import Parser

__all__ = ["parser_of"]


def parser_of(name: str) -> Parser:
    """The parser of a command."""
    parser: Parser = import_module(f"{__name__}.{name}").build_parser()
    return parser
