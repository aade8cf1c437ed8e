"""The parser of ``hf-text doctor``."""

from __future__ import annotations

from ..parsing import Parser, add_server_options

__all__ = ["build_parser"]

_DESCRIPTION = "Check everything that an answer depends on. The report contains no key, user name or home folder."

_EPILOG = """\
examples:
  hf-text doctor
  hf-text doctor --ask
  hf-text doctor --api-base http://localhost:8080/v1"""


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text doctor", "[options]", _DESCRIPTION, _EPILOG)
    parser.add_argument(
        "--ask",
        action="store_true",
        help="request a few tokens from a model without asking first; costs next to nothing",
    )
    parser.add_argument("-m", "--model", metavar="NAME", help="the model for --ask (HF_TEXT_MODEL)")
    parser.add_argument("--json", action="store_true", help="write one JSON object per finding and line")
    add_server_options(parser)
    return parser
