"""``hf-text models [SEARCH]``: what a server has."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from ..protocol.catalog import Model
from ..tables import number, yes_or_no
from .listing import answered_by, connected
from .output import Output
from .parsing import Parser, add_server_options
from .tables import bars, table

__all__ = ["build_parser", "main"]

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


def main(words: Sequence[str]) -> int:
    """Show the models. Returns the exit status."""
    parser = build_parser()
    values = parser.parse(words)
    return answered_by(lambda: _list(values, parser))


def build_parser() -> Parser:
    """The parser of ``hf-text models``."""
    parser = Parser("hf-text models", "[options] [SEARCH]", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("search", nargs="?", metavar="SEARCH", help="a part of the name")
    add("--provider", dest="served_by", metavar="NAME", help="only what this provider serves")
    add("--vision", action="store_true", help="only what sees pictures")
    add("--tools", action="store_true", help="only what calls tools")
    add("--schema", action="store_true", help="only what keeps to a JSON schema")
    add("--min-context", metavar="N", type=int, help="tokens that the context must have room for")
    add("--max-price", metavar="USD", type=float, help="the most that a million tokens of output may cost")
    add("--sort", choices=_SORTS, help="the order (default: the server's)")
    add("--json", action="store_true", help="write a JSON object for each model, in a line of its own")
    add_server_options(parser)
    return parser


def _list(values: argparse.Namespace, parser: Parser) -> int:
    with connected(values, parser) as client:
        models = client.models(
            search=values.search,
            provider=values.served_by,
            vision=values.vision or None,
            tools=values.tools or None,
            structured_output=values.schema or None,
            min_context=values.min_context,
            max_output_price=values.max_price,
            sort=values.sort,
        )
    out = Output(sys.stdout, vital=True)
    lines = [json.dumps(asdict(model)) for model in models] if values.json else _table(models)
    for line in lines if models else []:
        out.write_line(line)
    if not models:
        Output(sys.stderr, vital=False).write_line("hf-text: no model fits; hf-text models without options lists all")
    return 0 if models else 1


def _table(models: Sequence[Model]) -> list[str]:
    heads = ("MODEL", "PROVIDERS", "$ OUT", "TOKENS/S", "", "CONTEXT", "SEES", "TOOLS")
    speed = bars([model.throughput for model in models])
    rows = [
        (
            model.id,
            str(len(model.offers)),
            number(model.price, 2),
            number(model.throughput),
            bar,
            number(model.context_length),
            yes_or_no(model.vision),
            yes_or_no(model.tools),
        )
        for model, bar in zip(models, speed, strict=True)
    ]
    return table(heads, rows)
