"""The parser of ``hf-text models``."""

from __future__ import annotations

from ..parsing import Parser, add_server_options

__all__ = ["build_parser"]

_DESCRIPTION = "The models of Hugging Face Inference Providers, or of another server, as they are now."

_EPILOG = """\
Prices are in USD per million tokens, of the cheapest provider; tokens/s are those of the fastest.

examples:
  hf-text models
  hf-text models qwen --tools --sort price
  hf-text models --vision --max-price 1
  hf-text models --api-base http://localhost:8080/v1
  hf-text models --demo"""

_SORTS = ("price", "throughput", "latency", "context", "name", "created")


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text models", "[options] [SEARCH]", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("search", nargs="?", metavar="SEARCH", help="a part of the name")
    add("--provider", dest="served_by", metavar="NAME", help="only models that this provider serves")
    add("--vision", action="store_true", help="only models that accept pictures")
    add("--tools", action="store_true", help="only models that call tools")
    add("--schema", action="store_true", help="only models that follow a JSON schema")
    add("--min-context", metavar="N", type=int, help="the smallest context, in tokens")
    add("--max-price", metavar="USD", type=float, help="the highest price of a million output tokens")
    add("--sort", choices=_SORTS, help="the order (default: the server's)")
    add("--json", action="store_true", help="write one JSON object per model and line")
    add_server_options(parser)
    return parser
