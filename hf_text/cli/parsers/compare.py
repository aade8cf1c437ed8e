"""The parser of ``hf-text compare``."""

from __future__ import annotations

from ..parsing import Parser, add_server_options

__all__ = ["COMPARE_PROMPT", "build_parser"]

COMPARE_PROMPT = "Explain in one paragraph why the sky is blue."

_DESCRIPTION = "Ask every provider that serves a model now, and compare speed and cost."

_EPILOG = f"""\
FIRST is the time to the first token in seconds. The providers and the highest likely cost are shown
before anything is sent. The default prompt: {COMPARE_PROMPT}

examples:
  hf-text compare openai/gpt-oss-120b --demo
  hf-text compare openai/gpt-oss-120b "Write a haiku." --max-tokens 100 --yes
  hf-text compare openai/gpt-oss-120b --yes --plot speed.svg"""


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text compare", "[options] MODEL [PROMPT ...]", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("name", metavar="MODEL", help="the model, such as openai/gpt-oss-120b")
    add("words", nargs="*", metavar="PROMPT", help="what to ask")
    add("--max-tokens", metavar="N", type=int, default=300, help="the longest answer (default: %(default)s)")
    add("--yes", action="store_true", help="do not ask whether to continue")
    add("--json", action="store_true", help="write one JSON object per provider and line")
    add("--plot", metavar="FILE", help="draw speed and time to the first token (.svg; .png with the extra plot)")
    add_server_options(parser)
    return parser
