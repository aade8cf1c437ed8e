"""``hf-text providers MODEL``: list the providers of a model."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict

from ..protocol.catalog import Model, ModelProvider
from ..tables import number, yes_or_no
from .listing import connected
from .output import Output, open_errors
from .parsing import Fail
from .tables import bars, table

__all__ = ["main"]

_SORTS: dict[str, Callable[[ModelProvider], float]] = {
    "price": lambda offer: _or_last(offer.output_price),
    "latency": lambda offer: _or_last(offer.first_token_latency),
    "throughput": lambda offer: _or_last(offer.throughput, -1),
    "context": lambda offer: _or_last(offer.context_length, -1),
}


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Show the providers. Returns the exit status."""
    with connected(values, fail) as client:
        offers = _choose(client.model(values.name), values)
    out = Output(sys.stdout, vital=True)
    for line in [json.dumps(asdict(offer)) for offer in offers] if values.json else _table(offers) if offers else []:
        out.write_line(line)
    if not offers:
        open_errors().write_line("hf-text: no provider matches; leave out options to see all")
    return 0 if offers else 1


def _choose(model: Model, values: argparse.Namespace) -> list[ModelProvider]:
    offers = [
        offer
        for offer in model.providers or model.offers
        if (offer.live or not values.live)
        and (offer.supports_tools or not values.tools)
        and (offer.supports_structured_output or not values.schema)
    ]
    return sorted(offers, key=_SORTS[values.sort]) if values.sort else offers


def _or_last(value: float | None, sign: int = 1) -> float:
    return float("inf") if value is None else sign * value


def _table(offers: Sequence[ModelProvider]) -> list[str]:
    heads = ("PROVIDER", "STATUS", "$ IN", "$ OUT", "", "FIRST", "", "TOKENS/S", "", "CONTEXT", "TOOLS", "SCHEMA")
    measured = zip(
        offers,
        bars([offer.output_price for offer in offers]),
        bars([offer.first_token_latency for offer in offers]),
        bars([offer.throughput for offer in offers]),
        strict=True,
    )
    rows = [
        (
            offer.provider,
            offer.status,
            number(offer.input_price, 2),
            number(offer.output_price, 2),
            price,
            number(offer.first_token_latency, 2),
            latency,
            number(offer.throughput),
            speed,
            number(offer.context_length),
            yes_or_no(offer.supports_tools),
            yes_or_no(offer.supports_structured_output),
        )
        for offer, price, latency, speed in measured
    ]
    return table(heads, rows)
