"""What a run will likely cost, before it is started."""

from __future__ import annotations

from itertools import islice
from typing import Any

from ..errors import HFTextError
from ..operations import resolve_alias
from ..protocol.names import DEFAULT_MODEL
from ..protocol.prices import find_offers
from .generate import make_plan
from .index import Index
from .inputs import Inputs, Source
from .rows import RowParser

__all__ = ["estimate_cost"]

_ROWS = 1000
_CHARACTERS_PER_TOKEN = 4.0  # of English; other languages take more tokens
_RUN_ONLY = ("stale", "only", "retry_failed", "shard", "drain", "progress")


def estimate_cost(inputs: Inputs, **arguments: Any) -> str | None:
    """What a run with these arguments will likely cost, in words, by the length of its first rows and the dearest live
    provider; None where that cannot be told: inputs that can be read once only, no prices, or rows that are refused.
    """
    plan = make_plan({name: value for name, value in arguments.items() if name not in _RUN_ONLY})
    source = Source(inputs)
    count = plan.count(source)
    if not source.repeatable or not count:
        return None
    characters = rows = 0
    parser = RowParser(plan.defaults, plan.shape, Index())
    name = resolve_alias(plan.defaults.get("model") or DEFAULT_MODEL)
    for place, value in islice(source, _ROWS):
        for known in parser.parse(value, place):
            rows += 1
            characters += len(str(known.row.own["messages"]))
    try:
        models = plan.client.models()
    except HFTextError:  # no list, no prices; what else is wrong, the run will tell
        models = []
    offers = [
        offer for offer in find_offers(models, name) if offer.input_price is not None and offer.output_price is not None
    ]
    if not rows or not offers:
        return None
    million = count / 1e6
    prompts = million * characters / rows / _CHARACTERS_PER_TOKEN * max(offer.input_price or 0.0 for offer in offers)
    price = max(offer.output_price or 0.0 for offer in offers)
    longest = plan.defaults.get("max_tokens")
    if longest is None:
        each = f"each 100 tokens of an answer ${100 * million * price:.3g} more (no --max-tokens is given)"
        return f"{count:,} rows of {name}: about ${prompts:.3g} for the prompts, and for {each}"
    return f"{count:,} rows of {name}: at most about ${prompts + million * longest * price:.3g}"
