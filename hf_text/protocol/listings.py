"""Displays models and providers: one line each, and tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..printable import one_line
from ..tables import Table, Tabular, TabularList, number, price, yes_or_no

if TYPE_CHECKING:
    from .catalog import HubModel, Model, ModelProvider, ProviderMapping

__all__ = ["Models", "Providers", "describe_hub_model", "describe_model", "describe_provider", "model_table"]


class Models(TabularList["Model"]):
    """The models of a server: a list that notebooks show as a table."""

    __slots__ = ()

    def _table(self) -> Table:
        heads = ("model", "providers", "context", "$/M in", "$/M out", "tokens/s", "first token", "sees", "tools")
        return Table(_count(len(self), "model"), heads, [_model_row(model) for model in self])


class Providers(Tabular, dict[str, "ProviderMapping"]):
    """The providers of a model: a dict that notebooks show as a table."""

    __slots__ = ()

    def _table(self) -> Table:
        heads = ("provider", "status", "task", "its name there", *_OFFER_HEADS)
        rows = [
            (provider, entry.status, entry.task, entry.provider_id, *_offer_cells(entry))
            for provider, entry in self.items()
        ]
        return Table(_count(len(rows), "provider"), heads, rows)


_OFFER_HEADS = ("context", "$/M in", "$/M out", "tokens/s", "first token", "tools", "schema")


def model_table(model: Model) -> Table:
    """Return a table of a model's providers."""
    offers = (model.direct,) if model.direct else model.providers
    rows = [(offer.provider, offer.status, *_offer_cells(offer)) for offer in offers if offer]
    return Table(
        ": ".join(filter(None, (model.id, ", ".join(_facts(model))))), ("provider", "status", *_OFFER_HEADS), rows
    )


def describe_model(model: Model) -> str:
    """Describe a model in one line."""
    return _line("Model", model.id, _facts(model))


def describe_provider(offer: ModelProvider | ProviderMapping) -> str:
    """Describe a model's provider in one line."""
    facts = (
        offer.status,
        getattr(offer, "task", ""),
        f"{offer.context_length:,} tokens" if offer.context_length else "",
        " + ".join(filter(None, (price(offer.input_price), price(offer.output_price)))),
    )
    return _line(type(offer).__name__, offer.provider, facts)


def describe_hub_model(model: HubModel) -> str:
    """Describe a Hub model in one line."""
    facts = (model.pipeline_tag or "", _count(len(model.mapping), "provider"))
    return _line("HubModel", model.id, facts)


def _facts(model: Model) -> list[str]:
    return [
        *([] if model.direct else [_count(len(model.offers), "live provider")]),
        *([f"{model.context_length:,} tokens"] if model.context_length else []),
        *([f"from {price(model.price)}"] if model.price is not None else []),
        *(["sees"] if model.vision else []),
    ]


def _model_row(model: Model) -> tuple[str, ...]:
    inputs = [offer.input_price for offer in model.offers if offer.input_price is not None]
    return (
        model.id,
        "" if model.direct else str(len(model.offers)),
        number(model.context_length),
        price(min(inputs, default=None)),
        price(model.price),
        number(model.throughput),
        _seconds(model.latency),
        yes_or_no(model.vision),
        yes_or_no(model.tools),
    )


def _offer_cells(offer: ModelProvider | ProviderMapping) -> tuple[str, ...]:
    return (
        number(offer.context_length),
        price(offer.input_price),
        price(offer.output_price),
        number(offer.throughput),
        _seconds(offer.first_token_latency),
        yes_or_no(offer.supports_tools),
        yes_or_no(offer.supports_structured_output),
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _count(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _line(kind: str, name: str, facts: Iterable[str]) -> str:
    told = ", ".join(filter(None, facts))
    return one_line(f"<{kind} {name}{told and f': {told}'}>")
