"""Selects models of a catalogue by capabilities and price, and suggests names similar to a misspelt one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import plain_number, refusal
from .catalog import Model, ModelProvider, any_known, best
from .tasks import is_named_for_another_task
from .values import as_number

__all__ = ["SORT_KEYS", "first_chat_model", "nearest_names", "select_models"]

# Sort keys: a model's value for the matching offers. Lowest first.
_SORT_VALUES: dict[str, Callable[[Model, Sequence[ModelProvider]], Any]] = {
    "context": lambda model, offers: _negative(best(max, (offer.context_length for offer in offers))),
    "created": lambda model, offers: _negative(model.created),
    "latency": lambda model, offers: best(min, (offer.first_token_latency for offer in offers)),
    "name": lambda model, offers: model.id.casefold(),
    "price": lambda model, offers: best(min, (offer.output_price for offer in offers)),
    "throughput": lambda model, offers: _negative(best(max, (offer.throughput for offer in offers))),
}

SORT_KEYS = tuple(_SORT_VALUES)


@dataclass(frozen=True, slots=True)
class _Criteria:
    """The validated criteria of ``select_models``."""

    search: str | None
    provider: str | None
    vision: bool | None
    tools: bool | None
    structured_output: bool | None
    min_context: float | None
    max_output_price: float | None

    def __post_init__(self) -> None:
        for name in ("search", "provider"):
            if not isinstance(value := getattr(self, name), (str, type(None))):
                raise refusal(name, "a str or None", value)
        for name in ("vision", "tools", "structured_output"):
            if not isinstance(value := getattr(self, name), (bool, type(None))):
                raise refusal(name, "True, False or None", value)
        for name in ("min_context", "max_output_price"):
            value = getattr(self, name)
            if value is not None and as_number(value) is None:
                raise refusal(name, "a number from 0 up or None", value)

    @property
    def narrows(self) -> bool:
        """Whether a model needs a matching offer."""
        criteria = (self.provider, self.min_context, self.max_output_price, self.tools, self.structured_output)
        return any(value is not None for value in criteria)

    def fits_offer(self, offer: ModelProvider) -> bool:
        return (
            self.provider in (None, offer.provider)
            and (not self.tools or offer.supports_tools is True)
            and (not self.structured_output or offer.supports_structured_output is True)
            and (self.min_context is None or (offer.context_length or -1) >= self.min_context)
            and (
                self.max_output_price is None
                or (offer.output_price is not None and offer.output_price <= self.max_output_price)
            )
        )

    def fits(self, model: Model, offers: Sequence[ModelProvider]) -> bool:
        """Whether the model matches by its own data and by its matching offers."""
        name = model.id.casefold()
        return (
            all(word in name for word in (self.search or "").casefold().split())
            and self.vision in (None, model.vision)
            and (bool(offers) or not self.narrows)
            and self.tools in (None, any_known(offer.supports_tools for offer in offers))
            and self.structured_output in (None, any_known(offer.supports_structured_output for offer in offers))
        )


def select_models(
    models: Iterable[Model],
    *,
    search: str | None = None,
    provider: str | None = None,
    vision: bool | None = None,
    tools: bool | None = None,
    structured_output: bool | None = None,
    min_context: float | None = None,
    max_output_price: float | None = None,
    sort: str | None = None,
) -> list[Model]:
    """Return the models that match; with no criteria, all.

    Args:
        search: words that must all occur in the id; case is ignored.
        provider: the name of a provider that must serve it now.
        vision: True for models that read pictures, False for those that do not.
        tools: True for models that can call tools, False for those that cannot.
        structured_output: True for models that can enforce a JSON schema, False for those that cannot.
        min_context: the minimum context length, in tokens.
        max_output_price: the maximum price in USD per million tokens of the answer.
        sort: ``"price"`` and ``"latency"`` (lowest first), ``"throughput"`` and ``"context"`` (highest first),
            ``"created"`` (newest first), ``"name"``; None keeps the server's order.

    A single live provider must meet all provider criteria, and models are sorted by the providers that do:
    ``provider="novita", sort="price"`` sorts by Novita's prices. Unknown values do not match, and are sorted last.
    Raises InvalidRequestError for an invalid argument.
    """
    least, most = plain_number(min_context), plain_number(max_output_price)
    criteria = _Criteria(search, provider, vision, tools, structured_output, least, most)
    if sort is not None and (not isinstance(sort, str) or sort not in SORT_KEYS):
        raise refusal("sort", f"one of {', '.join(SORT_KEYS)}, or None", sort)
    pairs = ((model, [offer for offer in model.offers if criteria.fits_offer(offer)]) for model in models)
    selected = [(model, offers) for model, offers in pairs if criteria.fits(model, offers)]
    if sort is not None:
        value_of = _SORT_VALUES[sort]
        selected.sort(key=lambda pair: _unknown_last(value_of(*pair)))
    return [model for model, _ in selected]


def first_chat_model(models: Sequence[Model]) -> Model | None:
    """Return the first model that can chat according to the server or its name; else the first model; None if empty.

    Servers also list embedding models, rerankers and speech models, and not always last.
    """
    fitting = (
        model for model in models if model.chat or (model.chat is None and not is_named_for_another_task(model.id))
    )
    return next(fitting, models[0] if models else None)


def nearest_names(name: str, names: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to ``limit`` names similar to ``name``, best first; empty if none is similar.

    Case is ignored. The part after the slash is also compared alone, so the organisation may be missing or wrong;
    names that contain ``name`` come first.
    """
    # Imported here: only error messages need it, and `import requests` does not load it.
    from difflib import SequenceMatcher

    folded = name.casefold()
    wanted = {folded, folded.rpartition("/")[2]} - {""}
    matchers = [SequenceMatcher(b=form) for form in wanted]

    def likeness(candidate: str) -> float:
        best = 0.0
        for form in {candidate, candidate.rpartition("/")[2]}:
            for matcher in matchers:
                matcher.set_seq1(form)
                # The quick ratios are upper bounds, and rule out most names.
                if matcher.real_quick_ratio() > max(best, 0.6) and matcher.quick_ratio() > max(best, 0.6):
                    best = max(best, matcher.ratio())
        return best + any(len(form) > 2 and form in candidate for form in wanted)

    scored = [(likeness(candidate.casefold()), candidate) for candidate in dict.fromkeys(names)]
    close = sorted((pair for pair in scored if pair[0] > 0.6), key=lambda pair: -pair[0])
    return [candidate for _, candidate in close[:limit]]


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _unknown_last(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)
