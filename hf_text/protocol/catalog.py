"""The models, and which providers serve them: model lists and provider mappings, from JSON to values.

Three documents are read: the model list of the router or of any OpenAI-compatible server (``GET {base}/models``); the
mapping of one model (``GET {hub}/api/models/{id}?expand[]=inferenceProviderMapping``), a dict by provider; and the
Hub's listing (``GET {hub}/api/models``), where the same mapping is a list.

Their fields come and go, so every field but a name may be missing, null or of a wrong type, and is then None: unknown.
Only a document that is not of the right shape as a whole raises, a plain ValueError.
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
from .values import as_count, as_flag, as_number, as_object, as_seconds, as_strings, as_text, plain_number

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
        throughput: tokens per second, measured in the same way.
        is_model_author: whether the provider made the model.
        cached_input_price: USD per million tokens of the prompt that come out of the provider's cache.
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

    What only its live providers report is None where none of them does, or there are none. All attributes are fields,
    so ``pandas.DataFrame(client.models())`` has a column for each.

    Attributes:
        id: the name to ask for.
        owned_by: the author, or what the server calls so; None if it does not tell.
        created: Unix time in seconds; None if the server does not tell.
        input_modalities: such as ``("text", "image")``; empty if the server does not tell.
        output_modalities: such as ``("text",)``; empty if the server does not tell.
        providers: those that serve it, live or not; empty on a server that has no providers.
        direct: what such a server says about its own service of the model; None where there are providers.
        chat: whether it can chat; None if the server does not tell.
        vision: whether it reads pictures; None if the server does not tell.
        tools: whether a live provider can call tools with it.
        structured_output: whether a live provider holds to a JSON schema with it.
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

    _repr_pretty_ = Tabular._repr_pretty_  # IPython prefers the __repr__ of a class to what its bases have

    @property
    def offers(self) -> tuple[ModelProvider, ...]:
        """The ways to this model now: its live providers, or the server itself where it has no providers."""
        return (self.direct,) if self.direct else tuple(offer for offer in self.providers if offer.live)


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
        mapping: the providers that serve it; empty if there is none, or if the listing was made without mappings.
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
    """The models of a server's list: ``{"data": […]}``, ``{"models": […]}``, a bare array …, in the server's order.

    Items without a name are skipped. Raises ValueError without a list, or if no item has a name.
    """
    return [_parse_model(entry) for entry in find_entries(value)]


def parse_model(value: Any) -> Model:
    """One model, as a server describes it alone (``GET {base}/models/{id}``). Raises ValueError for anything else."""
    if not isinstance(value, dict) or not as_text(value.get("id")):
        raise ValueError("a model must be an object with an id")
    return _parse_model(value)


def parse_mapping(value: Any, *, default_status: str = "") -> dict[str, ProviderMapping]:
    """The providers of a model, in the Hub's order, which is the account's own where the request had a key.

    Takes a model's info or its ``inferenceProviderMapping`` alone, as a dict by provider or as a list. Null, absent and
    empty mean that there is none. Malformed entries are skipped. Of several entries for one provider, the first that is
    live for chat is taken, else the first. ``default_status`` is for entries without a status, such as overrides have.
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
    """The entries of a mapping that serve the model for chat now, in its order."""
    return [entry for entry in mapping.values() if _serves_chat(entry)]


def parse_hub_models(value: Any) -> list[HubModel]:
    """The models of one page of the Hub's listing. Items without an id are skipped. Raises ValueError for no array."""
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
    """The router's providers of one model. featherless-ai has a name and a status only, fireworks-ai no price."""
    for item in items if isinstance(items, list) else ():
        entry = as_object(item)
        name = as_text(entry.get("provider"))
        if name:
            pricing = as_object(entry.get("pricing"))
            yield ModelProvider(
                provider=name,
                status=as_text(entry.get("status")) or "",
                context_length=as_count(plain_number(entry.get("context_length"))),
                input_price=as_number(plain_number(pricing.get("input"))),
                output_price=as_number(plain_number(pricing.get("output"))),
                supports_tools=as_flag(entry.get("supports_tools")),
                supports_structured_output=as_flag(entry.get("supports_structured_output")),
                first_token_latency=as_seconds(entry.get("first_token_latency_ms")),
                throughput=as_number(entry.get("throughput")),
                is_model_author=as_flag(entry.get("is_model_author")),
                cached_input_price=as_number(plain_number(pricing.get("cached_input"))),
            )


# Where servers without providers write the context: vLLM, OpenRouter and Together, Groq, LM Studio and Mistral.
_CONTEXT_KEYS = ("max_model_len", "context_length", "context_window", "max_context_length")


def _parse_direct(item: dict[str, Any]) -> ModelProvider:
    """What a server says about its own service in an entry of its list."""
    meta = as_object(item.get("meta"))
    # llama.cpp: n_ctx is what it was started with, n_ctx_train what the model was made for; older ones tell only that.
    lengths = [*(item.get(key) for key in _CONTEXT_KEYS), meta.get("n_ctx"), meta.get("n_ctx_train")]
    pricing = as_object(item.get("pricing"))
    parameters = as_strings(item.get("supported_parameters"))  # OpenRouter
    return ModelProvider(
        provider="",
        status="live",
        context_length=next((count for length in lengths if (count := as_count(plain_number(length)))), None),
        input_price=_per_million(pricing.get("prompt"), pricing.get("input")),
        cached_input_price=_per_million(pricing.get("input_cache_read"), pricing.get("cached_input")),
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
    # A name becomes a part of an address, so it must not lead elsewhere.
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
        context_length=as_count(plain_number(details.get("context_length"))),
        input_price=as_number(plain_number(pricing.get("input"))),
        output_price=as_number(plain_number(pricing.get("output"))),
        supports_tools=as_flag(features.get("toolCalling")),
        supports_structured_output=as_flag(features.get("structuredOutput")),
        first_token_latency=as_seconds(performance.get("firstTokenLatencyMs")),
        throughput=as_number(performance.get("tokensPerSecond")),
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
    """A price. OpenRouter writes USD per token in a string, "-1" for "it depends"; Together does as the router does."""
    try:
        price = as_number(float(per_token)) if isinstance(per_token, str) else None
    except ValueError:
        price = None
    return as_number(plain_number(per_million)) if price is None else round(price * 1e6, 6)


def best(pick: Callable[[list[T]], T], values: Iterable[T | None]) -> T | None:
    """The lowest or highest of the known values."""
    known = [value for value in values if value is not None]
    return pick(known) if known else None


def any_known(flags: Iterable[bool | None]) -> bool | None:
    """Whether one of the known flags is True; None if none is known."""
    known = [flag for flag in flags if flag is not None]
    return any(known) if known else None


def _drop_none(values: dict[str, Any]) -> dict[str, Any] | None:
    """Without the keys whose value is None; None if no key is left."""
    return {key: value for key, value in values.items() if value is not None} or None
