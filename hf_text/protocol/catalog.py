"""Parses model lists and provider mappings.

Three documents are supported: the model list of the router or of any OpenAI-compatible server (``GET {base}/models``);
the mapping of one model (``GET {hub}/api/models/{id}?expand[]=inferenceProviderMapping``), a dict by provider; and the
Hub's listing (``GET {hub}/api/models``), where the same mapping is a list.

Their fields change often, so every field except the name may be missing, null or of the wrong type; it is then None
(unknown). Only a document whose overall shape is wrong raises, with a plain ValueError.
Units are the same everywhere: USD per million tokens, seconds, tokens per second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..checks import is_plain_path
from ..tables import Table, Tabular
from .listings import describe_hub_model, describe_model, describe_provider, model_table
from .model_lists import find_entries
from .tasks import can_chat
from .values import as_count, as_flag, as_number, as_object, as_seconds, as_strings, as_text, parse_number

__all__ = [
    "HubModel",
    "Model",
    "ModelProvider",
    "ProviderMapping",
    "any_known",
    "best",
    "chat_providers",
    "parse_hub_models",
    "parse_mapping",
    "parse_model",
    "parse_models",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelProvider:
    """One provider's offer of a model. None means that the server does not report the value.

    Attributes:
        provider: its name, such as ``"novita"``.
        status: ``"live"``, ``"staging"`` or ``"error"``, as the server reports it; ``""`` if it does not.
        context_length: the limit in tokens for prompt and answer together.
        input_price: USD per million tokens of the prompt.
        output_price: USD per million tokens of the answer.
        supports_tools: whether it can call tools.
        supports_structured_output: whether it can enforce a JSON schema.
        first_token_latency: seconds to the first token, as last measured by Hugging Face.
        throughput: tokens per second, measured in the same way.
        is_model_author: whether the provider made the model.
        cached_input_price: USD per million prompt tokens read from the provider's cache.
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
    cached_input_price: float | None = None

    def __repr__(self) -> str:
        return describe_provider(self)

    @property
    def live(self) -> bool:
        """Whether it can be used now. Every status but ``"live"``, known or not, means no."""
        return self.status == "live"


@dataclass(frozen=True, slots=True)
class Model(Tabular):
    """One model of a server's list. ``str()`` gives its id.

    Values derived from the live providers are None if no live provider reports them. All attributes are fields, so
    ``pandas.DataFrame(client.models())`` has a column for each.

    Attributes:
        id: the name to use in requests.
        owned_by: the owner that the server reports, usually the author; None if unknown.
        created: Unix time in seconds; None if unknown.
        input_modalities: such as ``("text", "image")``; empty if unknown.
        output_modalities: such as ``("text",)``; empty if unknown.
        providers: the providers that serve it, live or not; empty on a server without providers.
        direct: the offer of a server without providers; None if there are providers.
        chat: whether it can chat; None if unknown.
        vision: whether it reads pictures; None if unknown.
        tools: whether a live provider can call tools with it.
        structured_output: whether a live provider can enforce a JSON schema with it.
        context_length: the largest context among the live providers, in tokens.
        price: the cheapest output among the live providers, in USD per million tokens.
        throughput: the best throughput among the live providers, in tokens per second.
        latency: the shortest time to the first token among the live providers, in seconds.
    """

    id: str
    owned_by: str | None = None
    created: int | None = None
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()
    providers: tuple[ModelProvider, ...] = ()
    direct: ModelProvider | None = None
    chat: bool | None = None
    vision: bool | None = field(init=False, compare=False)
    tools: bool | None = field(init=False, compare=False)
    structured_output: bool | None = field(init=False, compare=False)
    context_length: int | None = field(init=False, compare=False)
    price: float | None = field(init=False, compare=False)
    throughput: float | None = field(init=False, compare=False)
    latency: float | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        offers = self.offers
        derived = {
            "vision": "image" in self.input_modalities if self.input_modalities else None,
            "tools": any_known(offer.supports_tools for offer in offers),
            "structured_output": any_known(offer.supports_structured_output for offer in offers),
            "context_length": best(max, (offer.context_length for offer in offers)),
            "price": best(min, (offer.output_price for offer in offers)),
            "throughput": best(max, (offer.throughput for offer in offers)),
            "latency": best(min, (offer.first_token_latency for offer in offers)),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return describe_model(self)

    def _table(self) -> Table:
        return model_table(self)

    _repr_pretty_ = Tabular._repr_pretty_  # IPython prefers a class's own __repr__ to inherited methods

    @property
    def offers(self) -> tuple[ModelProvider, ...]:
        """The offers available now: the live providers, or the server itself if it has no providers."""
        return (self.direct,) if self.direct else tuple(offer for offer in self.providers if offer.live)


@dataclass(frozen=True, slots=True)
class ProviderMapping:
    """The Hub's mapping of a model to one provider. None means that the Hub does not report the value.

    Attributes:
        provider: its name, such as ``"novita"``.
        provider_id: the provider's own name for the model.
        task: ``"conversational"`` for chat (also with pictures), ``"text-generation"``, ``"text-to-image"`` …
        status: ``"live"``; ``"staging"``, visible to its partner only; ``"error"``, failed the last check; or ``""``.
        adapter_weights_path: the file with the adapter's weights, for a LoRA.

    The other attributes are those of ModelProvider.
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

    def __repr__(self) -> str:
        return describe_provider(self)

    @property
    def live(self) -> bool:
        """Whether it can be used now. Every status but ``"live"``, known or not, means no."""
        return self.status == "live"

    @property
    def conversational(self) -> bool:
        """Whether it serves the model for chat."""
        return self.task == "conversational"

    def to_dict(self) -> dict[str, Any]:
        """Return the entry with the Hub's own keys and units, without unknown values, for ``parse_mapping``."""
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
    """One model of the Hub's listing. ``str()`` gives its id. None means that the listing does not report the value.

    Attributes:
        id: its name on the Hub, ``"organisation/name"``.
        pipeline_tag: its task, such as ``"text-generation"``.
        tags: such as ``"conversational"``; empty if unknown.
        likes: the number of likes.
        downloads: the number of downloads in the last 30 days.
        gated: False, or ``"auto"`` or ``"manual"`` if access to its files must be requested. Unrelated to inference.
        private: whether only its owners can see it.
        created_at: ISO 8601, as the Hub writes it.
        mapping: the providers that serve it; empty if there are none, or if the listing was fetched without mappings.
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

    def __repr__(self) -> str:
        return describe_hub_model(self)

    def __str__(self) -> str:
        return self.id

    @property
    def chat(self) -> bool:
        """Whether a provider serves it for chat now."""
        return bool(chat_providers(self.mapping))


def parse_models(value: Any) -> list[Model]:
    """Parse a server's model list (``{"data": […]}``, ``{"models": […]}``, a bare array …) in the server's order.

    Items without a name are skipped. Raises ValueError without a list, or without a single name in it.
    """
    return [_parse_model(entry) for entry in find_entries(value)]


def parse_model(value: Any) -> Model:
    """Parse the description of one model (``GET {base}/models/{id}``). Raises ValueError for anything else."""
    if not isinstance(value, dict) or not as_text(value.get("id")):
        raise ValueError("a model must be an object with an id")
    return _parse_model(value)


def parse_mapping(value: Any, *, default_status: str = "") -> dict[str, ProviderMapping]:
    """Parse the providers of a model, in the Hub's order (the account's preferred order if the request had a key).

    Accepts a model's info or only its ``inferenceProviderMapping``, as a dict by provider or as a list. Null, absent
    and empty mean no providers. Malformed entries are skipped. If one provider has several entries, the first that is
    live for chat is used, or else the first. ``default_status`` applies to entries without a status, such as overrides.
    Raises ValueError for anything that is neither an object, an array nor null.
    """
    if not isinstance(value, (dict, list, type(None))):
        raise ValueError("a provider mapping must be an object or an array")
    mapping: dict[str, ProviderMapping] = {}
    for provider, item in _mapping_items(value):
        entry = _parse_mapping_entry(provider, item, default_status)
        if entry and (provider not in mapping or (_serves_chat(entry) and not _serves_chat(mapping[provider]))):
            mapping[provider] = entry
    return mapping


def chat_providers(mapping: Mapping[str, ProviderMapping]) -> list[ProviderMapping]:
    """Return the entries of a mapping that serve the model for chat now, in order."""
    return [entry for entry in mapping.values() if _serves_chat(entry)]


def parse_hub_models(value: Any) -> list[HubModel]:
    """Parse one page of the Hub's listing. Items without an id are skipped. Raises ValueError if it is not an array."""
    if not isinstance(value, list):
        raise ValueError("a Hub listing must be an array")
    return [_parse_hub_model(item) for item in value if isinstance(item, dict) and as_text(item.get("id"))]


def _parse_model(item: dict[str, Any]) -> Model:
    architecture = as_object(item.get("architecture"))
    providers = item.get("providers")
    created = as_number(item.get("created"))
    return Model(
        id=item["id"],
        owned_by=as_text(item.get("owned_by")),
        created=None if created is None else int(created),
        input_modalities=as_strings(architecture.get("input_modalities")),
        output_modalities=as_strings(architecture.get("output_modalities")),
        providers=tuple(_parse_providers(providers)),
        direct=None if isinstance(providers, list) else _parse_direct(item),
        chat=can_chat(item),
    )


def _parse_providers(items: Any) -> Iterator[ModelProvider]:
    """Parse the router's providers of one model. featherless-ai sends only name and status, fireworks-ai no price."""
    for item in items if isinstance(items, list) else ():
        entry = as_object(item)
        name = as_text(entry.get("provider"))
        if name:
            pricing = as_object(entry.get("pricing"))
            yield ModelProvider(
                provider=name,
                status=as_text(entry.get("status")) or "",
                context_length=as_count(entry.get("context_length")),
                input_price=parse_number(pricing.get("input")),
                output_price=parse_number(pricing.get("output")),
                supports_tools=as_flag(entry.get("supports_tools")),
                supports_structured_output=as_flag(entry.get("supports_structured_output")),
                first_token_latency=as_seconds(entry.get("first_token_latency_ms")),
                throughput=parse_number(entry.get("throughput")),
                is_model_author=as_flag(entry.get("is_model_author")),
                cached_input_price=parse_number(pricing.get("cached_input")),
            )


# Context length keys of servers without providers: vLLM, OpenRouter and Together, Groq, LM Studio and Mistral.
_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length")


def _parse_direct(item: dict[str, Any]) -> ModelProvider:
    """Parse the offer of a server without providers from an entry of its model list."""
    meta = as_object(item.get("meta"))
    # llama.cpp: n_ctx is the configured context, n_ctx_train the trained one; older versions send only the latter.
    lengths = [*(item.get(key) for key in _CONTEXT_KEYS), meta.get("n_ctx"), meta.get("n_ctx_train")]
    pricing = as_object(item.get("pricing"))
    parameters = as_strings(item.get("supported_parameters"))  # OpenRouter
    return ModelProvider(
        provider="",
        status="live",
        context_length=next(filter(None, map(as_count, lengths)), None),
        input_price=_per_million(pricing.get("prompt"), pricing.get("input")),
        cached_input_price=_per_million(pricing.get("input_cache_read"), pricing.get("cached_input")),
        output_price=_per_million(pricing.get("completion"), pricing.get("output")),
        supports_tools="tools" in parameters if parameters else None,
        supports_structured_output="structured_outputs" in parameters if parameters else None,
    )


def _mapping_items(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (provider, entry) pairs from any form of a mapping."""
    if isinstance(value, dict) and "inferenceProviderMapping" in value:
        value = value["inferenceProviderMapping"]
    if isinstance(value, dict):
        pairs = list(value.items())
    else:
        entries = value if isinstance(value, list) else []
        pairs = [(entry.get("provider"), entry) for entry in entries if isinstance(entry, dict)]
    # The name becomes part of a URL, so it must be a plain path.
    yield from (
        (name, entry) for name, entry in pairs if as_text(name) and is_plain_path(name) and isinstance(entry, dict)
    )


def _parse_mapping_entry(provider: str, entry: dict[str, Any], default_status: str) -> ProviderMapping | None:
    provider_id = as_text(entry.get("providerId"))
    if provider_id is None:
        return None
    features = as_object(entry.get("features"))
    performance = as_object(entry.get("performance"))
    details = as_object(entry.get("providerDetails"))
    pricing = as_object(details.get("pricing"))
    return ProviderMapping(
        provider=provider,
        provider_id=provider_id,
        task=as_text(entry.get("task")) or "",
        status=(as_text(entry["status"]) or "") if "status" in entry else default_status,
        is_model_author=as_flag(entry.get("isModelAuthor")),
        context_length=as_count(details.get("context_length")),
        input_price=parse_number(pricing.get("input")),
        output_price=parse_number(pricing.get("output")),
        supports_tools=as_flag(features.get("toolCalling")),
        supports_structured_output=as_flag(features.get("structuredOutput")),
        first_token_latency=as_seconds(performance.get("firstTokenLatencyMs")),
        throughput=parse_number(performance.get("tokensPerSecond")),
        adapter_weights_path=as_text(entry.get("adapterWeightsPath")),
    )


def _parse_hub_model(item: dict[str, Any]) -> HubModel:
    gated = item.get("gated")
    likes, downloads = as_number(item.get("likes")), as_number(item.get("downloads"))
    return HubModel(
        id=item["id"],
        pipeline_tag=as_text(item.get("pipeline_tag")),
        tags=as_strings(item.get("tags")),
        likes=None if likes is None else int(likes),
        downloads=None if downloads is None else int(downloads),
        gated=gated if isinstance(gated, bool) else as_text(gated),
        private=as_flag(item.get("private")),
        created_at=as_text(item.get("createdAt")),
        mapping=parse_mapping({"inferenceProviderMapping": item.get("inferenceProviderMapping")}),
    )


def _serves_chat(entry: ProviderMapping) -> bool:
    return entry.live and entry.conversational


def _per_million(per_token: Any, per_million: Any) -> float | None:
    """Parse a price. OpenRouter sends USD per token as a string, "-1" if it varies; Together uses the router's form."""
    try:
        price = as_number(float(per_token)) if isinstance(per_token, str) else None
    except ValueError:
        price = None
    return parse_number(per_million) if price is None else round(price * 1e6, 6)


def best(pick: Callable[[list[T]], T], values: Iterable[T | None]) -> T | None:
    """Return the lowest or highest of the known values; None if none is known."""
    known = [value for value in values if value is not None]
    return pick(known) if known else None


def any_known(flags: Iterable[bool | None]) -> bool | None:
    """Whether one of the known flags is True; None if none is known."""
    known = [flag for flag in flags if flag is not None]
    return any(known) if known else None


def _drop_none(values: dict[str, Any]) -> dict[str, Any] | None:
    """Drop the keys whose value is None; return None if no key is left."""
    return {key: value for key, value in values.items() if value is not None} or None
