"""The parser of ``hf-text providers``."""

from __future__ import annotations

from ..parsing import Parser, add_server_options

__all__ = ["build_parser"]

_DESCRIPTION = "The providers of a model: whether they are live, what they support and how fast they are."

_EPILOG = """\
Prices are in USD per million tokens of the prompt (IN) and of the answer (OUT); FIRST is the time to
the first token in seconds. Latency and throughput are Hugging Face's latest measurements.

examples:
  hf-text providers openai/gpt-oss-120b
  hf-text providers openai/gpt-oss-120b --sort throughput
  hf-text providers openai/gpt-oss-120b --demo"""


def build_parser() -> Parser:
    """Build the parser."""
    parser = Parser("hf-text providers", "[options] MODEL", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("name", metavar="MODEL", help="the model, such as openai/gpt-oss-120b")
    add("--live", action="store_true", help="only those that can be used now")
    add("--tools", action="store_true", help="only those that call tools")
    add("--schema", action="store_true", help="only those that follow a JSON schema")
    add("--sort", choices=("price", "latency", "throughput", "context"), help="the order (default: the server's)")
    add("--json", action="store_true", help="write one JSON object per provider and line")
    add_server_options(parser)
    return parser
