"""Calculates the cost of an answer from its tokens and the prices of the provider that served it."""

from __future__ import annotations

from collections.abc import Iterable

from ..events import Usage
from .catalog import Model, ModelProvider
from .suffixes import split_suffix

__all__ = ["cost_of", "find_offers"]

_PER = 1e6  # prices are USD per million tokens


def cost_of(usage: Usage | None, offer: ModelProvider | None) -> float | None:
    """Return the cost in USD at the prices of this offer; None, never 0, if the usage or a price is unknown.

    Cached prompt tokens cost the offer's own price for them if it has one, else the normal price.
    """
    if usage is None or offer is None or offer.input_price is None or offer.output_price is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.prompt_tokens) if offer.cached_input_price is not None else 0
    prompt = (usage.prompt_tokens - cached) * offer.input_price + cached * (offer.cached_input_price or 0.0)
    return (prompt + usage.completion_tokens * offer.output_price) / _PER


def find_offers(models: Iterable[Model], name: str, provider: str | None = None) -> tuple[ModelProvider, ...]:
    """Return the offers available for a model: those of the named provider, also if named by the suffix; else all.

    A suffix that is a policy (``:fastest``) does not name a provider.
    """
    base, suffix = split_suffix(name)
    known = {model.id: model for model in models}
    model = known.get(name) or known.get(base)
    if model is None:
        return ()
    provider = provider or (None if name in known else suffix)
    named = tuple(offer for offer in model.providers if offer.provider == provider)
    return named or model.offers
