"""What can be asked for, and who serves it: model lists and provider mappings, from JSON to values.

Three documents are read: the model list of the router or of any OpenAI-compatible server (``GET {base}/models``); the
mapping of one model (``GET {hub}/api/models/{id}?expand[]=inferenceProviderMapping``), a dict by provider; and the
Hub's listing (``GET {hub}/api/models``), where the same mapping is a list.

Their fields come and go, so every field but a name may be missing, null or of a wrong type, and is then None: unknown.
Only a document that is not of the right shape as a whole raises, a plain ValueError that shows what it is.
Units are the same everywhere: USD per million tokens, seconds, tokens per second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .messages import refusal, show

__all__ = [
    "SORT_KEYS",
    "HubModel",
    "Model",
    "ModelProvider",
    "ProviderMapping",
    "chat_providers",
    "nearest_names",
    "parse_hub_models",
    "parse_mapping",
    "parse_models",
    "select_models",
    "split_suffix",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelProvider:
    """One provider's offer of a model. None means that the server does not tell.

    Attributes:
        provider: its name, such as ``"novita"``.
        status: ``"live"``, ``"staging"`` or ``"error"`` in the server's word; ``""`` if it gives none.
        context_length: tokens that prompt and answer may have together.
        input_price: USD per million tokens of the prompt.
        output_price: USD per million tokens of the answer.
        supports_tools: whether it can call tools.
        supports_structured_output: whether it holds to a JSON schema.
        first_token_latency: seconds to the first token, as Hugging Face last measured it.
        throughput: tokens per second, likewise.
        is_model_author: whether the provider made the model.
    """

    provider: str
    status: str = ""
    context_length: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    supports_tools: bool | None = None
    supports_structured_output: bool | None = None
    first_token_latency: float | None = None
    throughput: float | None = None
    is_model_author: bool | None = None

    @property
    def live(self) -> bool:
        """Whether it can be used now. Every status but ``"live"``, known or not, means no."""
        return self.status == "live"


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a server's list. ``str()`` gives its id.

    Attributes:
        id: the name to ask for.
        owned_by: the author, or what the server calls so; None if it does not tell.
        created: Unix time in seconds; None if the server does not tell.
        input_modalities: such as ``("text", "image")``; empty if the server does not tell.
        output_modalities: such as ``("text",)``; empty if the server does not tell.
        providers: who serves it, live or not; empty on a server that has no providers.
        direct: what such a server tells of its own service of the model; None where there are providers.
    """

    id: str
    owned_by: str | None = None
    created: int | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    providers: tuple[ModelProvider, ...] = ()
    direct: ModelProvider | None = None

    def __str__(self) -> str:
        return self.id

    @property
    def offers(self) -> tuple[ModelProvider, ...]:
        """The ways to this model now: its live providers, or the server itself where it has no providers."""
        return (self.direct,) if self.direct else tuple(offer for offer in self.providers if offer.live)

    @property
    def vision(self) -> bool | None:
        """Whether it reads pictures; None if the server does not tell."""
        return "image" in self.input_modalities if self.input_modalities else None

    @property
    def tools(self) -> bool | None:
        """Whether a live provider can call tools with it; None if none of them tells."""
        return _any_known(offer.supports_tools for offer in self.offers)

    @property
    def structured_output(self) -> bool | None:
        """Whether a live provider holds to a JSON schema with it; None if none of them tells."""
        return _any_known(offer.supports_structured_output for offer in self.offers)

    @property
    def context_length(self) -> int | None:
        """The largest context among the live providers, in tokens; None if none of them tells."""
        return _best(max, (offer.context_length for offer in self.offers))

    @property
    def price(self) -> float | None:
        """The cheapest output among the live providers, in USD per million tokens; None if none of them tells."""
        return _best(min, (offer.output_price for offer in self.offers))

    @property
    def throughput(self) -> float | None:
        """The best throughput among the live providers, in tokens per second; None if none of them tells."""
        return _best(max, (offer.throughput for offer in self.offers))

    @property
    def latency(self) -> float | None:
        """The shortest time to the first token among the live providers, in seconds; None if none of them tells."""
        return _best(min, (offer.first_token_latency for offer in self.offers))


@dataclass(frozen=True, slots=True)
class ProviderMapping:
    """How one provider serves a model, as the Hub maps it. None means that the Hub does not tell.

    Attributes:
        provider: its name, such as ``"novita"``.
        provider_id: the provider's own name of the model.
        task: ``"conversational"`` for chat (with pictures too), ``"text-generation"``, ``"text-to-image"`` …
        status: ``"live"``; ``"staging"``, seen by its partner only; ``"error"``, failed the last check; or ``""``.
        adapter_weights_path: the file of the adapter's weights, for a LoRA.

    The others are those of ModelProvider.
    """

    provider: str
    provider_id: str
    task: str = ""
    status: str = ""
    is_model_author: bool | None = None
    context_length: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    supports_tools: bool | None = None
    supports_structured_output: bool | None = None
    first_token_latency: float | None = None
    throughput: float | None = None
    adapter_weights_path: str | None = None

    @property
    def live(self) -> bool:
        """Whether it can be used now. Every status but ``"live"``, known or not, means no."""
        return self.status == "live"

    @property
    def conversational(self) -> bool:
        """Whether it serves the model for chat."""
        return self.task == "conversational"

    def to_dict(self) -> dict[str, Any]:
        """The entry in the Hub's own spelling and units, without what is unknown, for ``parse_mapping``."""
        latency = None if self.first_token_latency is None else round(self.first_token_latency * 1000, 6)
        pricing = _drop_none({"input": self.input_price, "output": self.output_price})
        optional = {
            "isModelAuthor": self.is_model_author,
            "features": _drop_none(
                {"structuredOutput": self.supports_structured_output, "toolCalling": self.supports_tools}
            ),
            "performance": _drop_none({"firstTokenLatencyMs": latency, "tokensPerSecond": self.throughput}),
            "providerDetails": _drop_none({"context_length": self.context_length, "pricing": pricing}),
            "adapterWeightsPath": self.adapter_weights_path,
        }
        return {
            "task": self.task,
            "providerId": self.provider_id,
            "status": self.status,
            **(_drop_none(optional) or {}),
        }


@dataclass(frozen=True, slots=True)
class HubModel:
    """One model of the Hub's listing. ``str()`` gives its id. None means that the listing does not tell.

    Attributes:
        id: its name on the Hub, ``"organisation/name"``.
        pipeline_tag: its task, such as ``"text-generation"``.
        tags: such as ``"conversational"``; empty if the listing does not tell.
        likes: how many people like it.
        downloads: how often it was downloaded in the last 30 days.
        gated: False, or ``"auto"`` or ``"manual"`` where its files must be asked for. Says nothing about inference.
        private: whether only its owners see it.
        created_at: ISO 8601, as the Hub writes it.
        mapping: who serves it; empty if nobody does or the listing was made without mappings.
    """

    id: str
    pipeline_tag: str | None = None
    tags: tuple[str, ...] = ()
    likes: int | None = None
    downloads: int | None = None
    gated: bool | str | None = None
    private: bool | None = None
    created_at: str | None = None
    mapping: Mapping[str, ProviderMapping] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.id

    @property
    def chat(self) -> bool:
        """Whether a provider serves it for chat now."""
        return bool(chat_providers(self.mapping))


def parse_models(value: Any) -> list[Model]:
    """The models of a server's list: ``{"data": […]}``, ``{"models": […]}`` or a bare array, in the server's order.

    Items without an id are skipped. Raises ValueError if there is no list.
    """
    # llama.cpp sends both keys; its "models" are in Ollama's form, without an id.
    key = next((key for key in ("data", "models") if isinstance(value, dict) and key in value), None)
    items = value if key is None else value[key]
    if items is None and key is not None:  # Ollama without models: {"object": "list", "data": null}
        return []
    if not isinstance(items, list):
        raise ValueError(f'a model list must be an array, or an object with one in "data"; got {show(value)}')
    return [_parse_model(item) for item in items if isinstance(item, dict) and _text(item.get("id"))]


def parse_mapping(value: Any, *, default_status: str = "") -> dict[str, ProviderMapping]:
    """Who serves a model: by provider, in the Hub's order, which is the account's own where the request had a key.

    Takes a model's info or its ``inferenceProviderMapping`` alone, as a dict by provider or as a list. Null, absent and
    empty mean that nobody does. Malformed entries are skipped. Of several entries for one provider, the first that is
    live for chat is taken, else the first. ``default_status`` is for entries without a status, such as overrides have.
    Raises ValueError for anything that is neither an object, an array nor null.
    """
    if not isinstance(value, (dict, list, type(None))):
        raise ValueError(f"a provider mapping must be an object or an array; got {show(value)}")
    mapping: dict[str, ProviderMapping] = {}
    for provider, item in _mapping_items(value):
        entry = _parse_mapping_entry(provider, item, default_status)
        if entry and (provider not in mapping or (_serves_chat(entry) and not _serves_chat(mapping[provider]))):
            mapping[provider] = entry
    return mapping


def chat_providers(mapping: Mapping[str, ProviderMapping]) -> list[ProviderMapping]:
    """The entries of a mapping that serve the model for chat now, in its order."""
    return [entry for entry in mapping.values() if _serves_chat(entry)]


def parse_hub_models(value: Any) -> list[HubModel]:
    """The models of one page of the Hub's listing. Items without an id are skipped. Raises ValueError for no array."""
    if not isinstance(value, list):
        raise ValueError(f"a Hub listing must be an array; got {show(value)}")
    return [_parse_hub_model(item) for item in value if isinstance(item, dict) and _text(item.get("id"))]


# What to sort by: a model's value in the light of the offers that fit. Small values come first.
_SORT_VALUES: dict[str, Callable[[Model, Sequence[ModelProvider]], Any]] = {
    "context": lambda model, offers: _negative(_best(max, (offer.context_length for offer in offers))),
    "created": lambda model, offers: _negative(model.created),
    "latency": lambda model, offers: _best(min, (offer.first_token_latency for offer in offers)),
    "name": lambda model, offers: model.id.casefold(),
    "price": lambda model, offers: _best(min, (offer.output_price for offer in offers)),
    "throughput": lambda model, offers: _negative(_best(max, (offer.throughput for offer in offers))),
}

SORT_KEYS = tuple(_SORT_VALUES)


@dataclass(frozen=True, slots=True)
class _Criteria:
    """What ``select_models`` was asked for, checked."""

    search: str | None
    provider: str | None
    vision: bool | None
    tools: bool | None
    structured_output: bool | None
    min_context: float | None
    max_price: float | None

    def __post_init__(self) -> None:
        for name in ("search", "provider"):
            if not isinstance(value := getattr(self, name), (str, type(None))):
                raise refusal(name, "a str or None", value)
        for name in ("vision", "tools", "structured_output"):
            if not isinstance(value := getattr(self, name), (bool, type(None))):
                raise refusal(name, "True, False or None", value)
        for name in ("min_context", "max_price"):
            value = getattr(self, name)
            if value is not None and _number(value) is None:
                raise refusal(name, "a number from 0 up or None", value)

    @property
    def narrows(self) -> bool:
        """Whether a model needs an offer that fits."""
        criteria = (self.provider, self.min_context, self.max_price, self.tools, self.structured_output)
        return any(value is not None for value in criteria)

    def fits_offer(self, offer: ModelProvider) -> bool:
        return (
            self.provider in (None, offer.provider)
            and (not self.tools or offer.supports_tools is True)
            and (not self.structured_output or offer.supports_structured_output is True)
            and (self.min_context is None or (offer.context_length or -1) >= self.min_context)
            and (self.max_price is None or (offer.output_price is not None and offer.output_price <= self.max_price))
        )

    def fits(self, model: Model, offers: Sequence[ModelProvider]) -> bool:
        """Whether the model fits by its own data and by those of its offers that fit."""
        name = model.id.casefold()
        return (
            all(word in name for word in (self.search or "").casefold().split())
            and self.vision in (None, model.vision)
            and (bool(offers) or not self.narrows)
            and self.tools in (None, _any_known(offer.supports_tools for offer in offers))
            and self.structured_output in (None, _any_known(offer.supports_structured_output for offer in offers))
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
    max_price: float | None = None,
    sort: str | None = None,
) -> list[Model]:
    """The models that fit; with no criteria, all.

    Args:
        search: words that must all occur in the id; case does not matter.
        provider: the name of a provider that must serve it now.
        vision: True for models that read pictures, False for those that do not.
        tools: True for models that can call tools, False for those that cannot.
        structured_output: True for models that hold to a JSON schema, False for those that do not.
        min_context: tokens that the context must have at least.
        max_price: USD per million tokens of the answer, at most.
        sort: ``"price"`` and ``"latency"`` (lowest first), ``"throughput"`` and ``"context"`` (highest first),
            ``"created"`` (newest first), ``"name"``; None keeps the server's order.

    One and the same live provider must meet all that is asked of providers, and the order goes by the providers that
    do: with ``provider="novita", sort="price"`` by what Novita asks. What is unknown does not fit, and is sorted last.
    Raises InvalidRequestError for an argument that is not what it must be.
    """
    criteria = _Criteria(search, provider, vision, tools, structured_output, min_context, max_price)
    if sort is not None and (not isinstance(sort, str) or sort not in SORT_KEYS):
        raise refusal("sort", f"one of {', '.join(SORT_KEYS)}, or None", sort)
    pairs = ((model, [offer for offer in model.offers if criteria.fits_offer(offer)]) for model in models)
    selected = [(model, offers) for model, offers in pairs if criteria.fits(model, offers)]
    if sort is not None:
        value_of = _SORT_VALUES[sort]
        selected.sort(key=lambda pair: _unknown_last(value_of(*pair)))
    return [model for model, _ in selected]


def nearest_names(name: str, names: Iterable[str], limit: int = 3) -> list[str]:
    """The names most like ``name``, at most ``limit`` of them, best first; empty if none is like it.

    Case does not matter. What stands after the slash is compared on its own too, so the organisation may be missing or
    wrong; names that contain ``name`` come first.
    """
    # Only error messages need it, and nothing else that `import requests` loads does.
    from difflib import SequenceMatcher

    folded = name.casefold()
    wanted = {folded, folded.rpartition("/")[2]} - {""}
    matchers = [SequenceMatcher(b=form) for form in wanted]

    def likeness(candidate: str) -> float:
        best = 0.0
        for form in {candidate, candidate.rpartition("/")[2]}:
            for matcher in matchers:
                matcher.set_seq1(form)
                # The quick ratios are upper bounds: most names need no more than them.
                if matcher.real_quick_ratio() > max(best, 0.6) and matcher.quick_ratio() > max(best, 0.6):
                    best = max(best, matcher.ratio())
        return best + any(len(form) > 2 and form in candidate for form in wanted)

    scored = [(likeness(candidate.casefold()), candidate) for candidate in dict.fromkeys(names)]
    close = sorted((pair for pair in scored if pair[0] > 0.6), key=lambda pair: -pair[0])
    return [candidate for _, candidate in close[:limit]]


def split_suffix(model: str) -> tuple[str, str | None]:
    """``"org/name:novita"`` is ``("org/name", "novita")``: the model, and a provider or policy; None without one."""
    name, colon, suffix = model.rpartition(":")
    return (name, suffix) if colon and name and suffix and "/" not in suffix else (model, None)


def _parse_model(item: dict[str, Any]) -> Model:
    architecture = _object(item.get("architecture"))
    providers = item.get("providers")
    created = _number(item.get("created"))
    return Model(
        id=item["id"],
        owned_by=_text(item.get("owned_by")),
        created=None if created is None else int(created),
        input_modalities=_strings(architecture.get("input_modalities")),
        output_modalities=_strings(architecture.get("output_modalities")),
        providers=tuple(_parse_providers(providers)),
        direct=None if isinstance(providers, list) else _parse_direct(item),
    )


def _parse_providers(items: Any) -> Iterator[ModelProvider]:
    """The router's providers of one model. featherless-ai has a name and a status only, fireworks-ai no price."""
    for item in items if isinstance(items, list) else ():
        entry = _object(item)
        name = _text(entry.get("provider"))
        if name:
            pricing = _object(entry.get("pricing"))
            yield ModelProvider(
                provider=name,
                status=_text(entry.get("status")) or "",
                context_length=_count(entry.get("context_length")),
                input_price=_number(pricing.get("input")),
                output_price=_number(pricing.get("output")),
                supports_tools=_flag(entry.get("supports_tools")),
                supports_structured_output=_flag(entry.get("supports_structured_output")),
                first_token_latency=_seconds(entry.get("first_token_latency_ms")),
                throughput=_number(entry.get("throughput")),
                is_model_author=_flag(entry.get("is_model_author")),
            )


# Where servers without providers write the context: vLLM, OpenRouter and Together, Groq, LM Studio and Mistral.
_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length")


def _parse_direct(item: dict[str, Any]) -> ModelProvider:
    """What a server tells of itself in an entry of its list."""
    meta = _object(item.get("meta"))
    # llama.cpp: n_ctx is what it was started with, n_ctx_train what the model was made for; older ones tell only that.
    lengths = [*(item.get(key) for key in _CONTEXT_KEYS), meta.get("n_ctx"), meta.get("n_ctx_train")]
    pricing = _object(item.get("pricing"))
    parameters = _strings(item.get("supported_parameters"))  # OpenRouter
    return ModelProvider(
        provider="",
        status="live",
        context_length=next((count for count in map(_count, lengths) if count), None),
        input_price=_per_million(pricing.get("prompt"), pricing.get("input")),
        output_price=_per_million(pricing.get("completion"), pricing.get("output")),
        supports_tools="tools" in parameters if parameters else None,
        supports_structured_output="structured_outputs" in parameters if parameters else None,
    )


def _mapping_items(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(provider, entry) from every form of a mapping."""
    if isinstance(value, dict) and "inferenceProviderMapping" in value:
        value = value["inferenceProviderMapping"]
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        entries = value if isinstance(value, list) else []
        pairs = [(entry.get("provider"), entry) for entry in entries if isinstance(entry, dict)]
    yield from ((name, entry) for name, entry in pairs if _text(name) and isinstance(entry, dict))


def _parse_mapping_entry(provider: str, entry: dict[str, Any], default_status: str) -> ProviderMapping | None:
    provider_id = _text(entry.get("providerId"))
    if provider_id is None:
        return None
    features = _object(entry.get("features"))
    performance = _object(entry.get("performance"))
    details = _object(entry.get("providerDetails"))
    pricing = _object(details.get("pricing"))
    return ProviderMapping(
        provider=provider,
        provider_id=provider_id,
        task=_text(entry.get("task")) or "",
        status=(_text(entry["status"]) or "") if "status" in entry else default_status,
        is_model_author=_flag(entry.get("isModelAuthor")),
        context_length=_count(details.get("context_length")),
        input_price=_number(pricing.get("input")),
        output_price=_number(pricing.get("output")),
        supports_tools=_flag(features.get("toolCalling")),
        supports_structured_output=_flag(features.get("structuredOutput")),
        first_token_latency=_seconds(performance.get("firstTokenLatencyMs")),
        throughput=_number(performance.get("tokensPerSecond")),
        adapter_weights_path=_text(entry.get("adapterWeightsPath")),
    )


def _parse_hub_model(item: dict[str, Any]) -> HubModel:
    gated = item.get("gated")
    likes, downloads = _number(item.get("likes")), _number(item.get("downloads"))
    return HubModel(
        id=item["id"],
        pipeline_tag=_text(item.get("pipeline_tag")),
        tags=_strings(item.get("tags")),
        likes=None if likes is None else int(likes),
        downloads=None if downloads is None else int(downloads),
        gated=gated if isinstance(gated, bool) else _text(gated),
        private=_flag(item.get("private")),
        created_at=_text(item.get("createdAt")),
        mapping=parse_mapping({"inferenceProviderMapping": item.get("inferenceProviderMapping")}),
    )


def _serves_chat(entry: ProviderMapping) -> bool:
    return entry.live and entry.conversational


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _number(value: Any) -> float | None:
    """A JSON number that can be an amount. Not a bool, which Python counts as an int, and not negative, NaN or huge."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e15:
        return None
    return float(value)


def _count(value: Any) -> int | None:
    """A number of tokens; 0 is what servers write that do not know."""
    return int(_number(value) or 0) or None


def _seconds(milliseconds: Any) -> float | None:
    number = _number(milliseconds)
    return None if number is None else round(number / 1000, 9)


def _per_million(per_token: Any, per_million: Any) -> float | None:
    """A price. OpenRouter writes USD per token in a string, "-1" for "it depends"; Together does as the router does."""
    try:
        number = _number(float(per_token)) if isinstance(per_token, str) else None
    except ValueError:
        number = None
    return _number(per_million) if number is None else round(number * 1e6, 6)


def _best(pick: Callable[[list[T]], T], values: Iterable[T | None]) -> T | None:
    """The lowest or highest of the known values."""
    known = [value for value in values if value is not None]
    return pick(known) if known else None


def _any_known(flags: Iterable[bool | None]) -> bool | None:
    known = [flag for flag in flags if flag is not None]
    return any(known) if known else None


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _unknown_last(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def _drop_none(values: dict[str, Any]) -> dict[str, Any] | None:
    """Without the keys whose value is None; None if no key is left."""
    return {key: value for key, value in values.items() if value is not None} or None
