"""``hf-text models [SEARCH]``: list the models of a server."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from ..protocol.catalog import Model
from ..tables import number, yes_or_no
from .listing import connected
from .output import Output, open_errors
from .parsing import Fail
from .tables import bars, table

__all__ = ["main"]


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Show the models. Returns the exit status."""
    with connected(values, fail) as client:
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
        open_errors().write_line("hf-text: no model matches; hf-text models without options lists all")
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
