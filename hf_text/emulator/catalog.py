"""The models that the emulator serves, in two views: the router's and the Hub's.

An entry has the shape of the router's ``/v1/models``. It also contains the Hub's own fields of a model or provider
(``pipeline_tag``, ``tags``, ``gated``, ``task``, ``providerId`` …), which the router's view omits.
Some names are real, others are invented; all numbers are invented.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "build_catalogue",
    "build_hub_model",
    "build_mapping_dict",
    "build_mapping_list",
    "build_model",
    "build_object_id",
    "build_router_model",
    "is_chat_provider",
    "live_providers",
]

Model = dict[str, Any]

_HUB_ONLY = {"pipeline_tag", "tags", "gated", "likes", "downloads", "private", "library_name"}
_HIDDEN_OF_PROVIDER = {"task", "providerId", "ignores_response_format"}
_CREATED = 1_780_000_000


def build_model(
    id: str,
    *providers: str | Mapping[str, Any],
    vision: bool = False,
    pipeline_tag: str | None = None,
    tags: Sequence[str] = ("transformers", "safetensors", "conversational"),
    **fields: Any,
) -> Model:
    """An entry of the catalogue.

    Args:
        id: the Hub id, ``"org/name"``.
        providers: its providers, in order: a name (live, with tools, structured output and made-up numbers), or a
            mapping with ``provider`` and the fields that differ: ``status``, ``task``, ``providerId``, ``pricing``,
            ``supports_tools``, ``supports_structured_output`` (if False, such requests are answered with 400) …; a
            value of None removes the key. With ``ignores_response_format`` it always answers in prose.
        vision: whether it accepts pictures.
        pipeline_tag: its task on the Hub; None: ``"image-text-to-text"`` with vision, else ``"text-generation"``.
        tags: its tags on the Hub.
        fields: further keys of the entry.
    """
    return {
        "id": id,
        "object": "model",
        "created": _CREATED,
        "owned_by": id.split("/")[0],
        "architecture": {
            "input_modalities": ["text", "image"] if vision else ["text"],
            "output_modalities": ["text"],
        },
        "providers": [_build_provider(id, given, rank) for rank, given in enumerate(providers)],
        "pipeline_tag": pipeline_tag or ("image-text-to-text" if vision else "text-generation"),
        "tags": list(tags),
        **fields,
    }


def _build_provider(id: str, given: str | Mapping[str, Any], rank: int) -> dict[str, Any]:
    given = {"provider": given} if isinstance(given, str) else given
    usual = {
        "provider": given["provider"],
        "status": "live",
        "context_length": 131072,
        "pricing": {"input": round(0.1 + rank / 20, 2), "output": round(0.4 + rank / 10, 2)},
        "is_free": False,
        "supports_tools": True,
        "supports_structured_output": True,
        "first_token_latency_ms": 300.0 + 50 * rank,
        "throughput": 100.0 + 20 * rank,
        "is_model_author": False,
        "task": "conversational",
        "providerId": _provider_id(given["provider"], id),
    }
    return {key: value for key, value in {**usual, **given}.items() if value is not None}


def _provider_id(provider: str, id: str) -> str:
    """The provider's own name for a model, in the provider's naming scheme."""
    if provider == "novita":
        return id.lower()
    if provider == "fireworks-ai":
        return f"accounts/fireworks/models/{id.split('/')[-1].lower()}"
    if provider == "cerebras":
        return id.split("/")[-1].lower()
    return id


def build_catalogue() -> list[Model]:
    """The default catalogue of an emulator."""
    bare = {"provider": "featherless-ai", **dict.fromkeys(_MEASURED)}  # an entry without the optional keys
    return [
        build_model("openai/gpt-oss-120b", "novita", "groq", "cerebras", "fireworks-ai", "together", bare),
        build_model("openai/gpt-oss-20b", "groq", "together", "ovhcloud"),
        build_model("google/gemma-4-31B-it", "novita", "cerebras", bare, vision=True),
        build_model("Qwen/Qwen3.8-27B", "novita", bare, "ovhcloud", vision=True),
        build_model("meta-llama/Llama-3.1-8B-Instruct", "novita", bare, "nscale", gated="manual"),
        build_model("meta-llama/Llama-3.3-70B-Instruct", "together", "groq", {"provider": "novita", "status": "error"}),
        build_model("deepseek-ai/DeepSeek-R1", "together", "novita"),
        build_model("zai-org/GLM-5.2", {"provider": "zai-org", "is_model_author": True}, "baseten", "together"),
        build_model("CohereLabs/command-a", {"provider": "cohere", "is_model_author": True}),
        build_model("emulator/small", "novita"),
        build_model("emulator/small-vision", "novita", "together", vision=True),
        build_model("emulator/no-tools", {"provider": "novita", "supports_tools": False}),
        build_model("emulator/error-only", {"provider": "novita", "status": "error"}),
        build_model("emulator/staging-only", {"provider": "nscale", "status": "staging"}),
        build_model("emulator/nobody"),
        build_model(
            "emulator/painter",
            {"provider": "fal-ai", "task": "text-to-image"},
            pipeline_tag="text-to-image",
            tags=("diffusers", "text-to-image"),
        ),
        build_model(
            "emulator/embedder",
            {"provider": "hf-inference", "task": "feature-extraction"},
            pipeline_tag="feature-extraction",
            tags=("sentence-transformers",),
        ),
    ]


_MEASURED = (
    "context_length",
    "pricing",
    "supports_tools",
    "supports_structured_output",
    "first_token_latency_ms",
    "throughput",
)


def is_chat_provider(provider: Mapping[str, Any]) -> bool:
    """Whether this entry is for chat. An entry without a task is: the router's entries have none."""
    return bool(provider.get("task", "conversational") == "conversational")


def live_providers(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The providers that serve this model for chat now, in the catalogue's order."""
    return [p for p in model.get("providers", ()) if p.get("status") == "live" and is_chat_provider(p)]


def build_router_model(model: Mapping[str, Any]) -> Model:
    """The model as ``/v1/models`` lists it: with the chat providers that are live or failed their last test."""
    providers = [
        {key: value for key, value in p.items() if key not in _HIDDEN_OF_PROVIDER}
        for p in model.get("providers", ())
        if is_chat_provider(p) and p.get("status") in ("live", "error")
    ]
    return {**{key: value for key, value in model.items() if key not in _HUB_ONLY}, "providers": providers}


def build_mapping_dict(model: Mapping[str, Any]) -> dict[str, Any]:
    """``inferenceProviderMapping`` in the form of the model info: by provider."""
    return {
        p["provider"]: {
            "status": p.get("status", "live"),
            "providerId": p.get("providerId", model["id"]),
            "task": p.get("task", "conversational"),
            "isModelAuthor": p.get("is_model_author", False),
        }
        for p in model.get("providers", ())
    }


def build_mapping_list(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``inferenceProviderMapping`` in the form of listings: a list that includes measurements."""
    return [_build_list_entry(model, provider) for provider in model.get("providers", ())]


def _build_list_entry(model: Mapping[str, Any], provider: Mapping[str, Any]) -> dict[str, Any]:
    name = provider["provider"]
    entry: dict[str, Any] = {
        "_id": build_object_id(f"{model['id']}:{name}"),
        "provider": name,
        **build_mapping_dict({**model, "providers": [provider]})[name],
        "type": "single-model",
    }
    if "supports_tools" in provider:
        features = {
            "toolCalling": provider["supports_tools"],
            "structuredOutput": provider.get("supports_structured_output"),
        }
        entry["features"] = {key: value for key, value in features.items() if value is not None}
    if "throughput" in provider:
        latency = provider.get("first_token_latency_ms")
        entry["performance"] = {"firstTokenLatencyMs": latency, "tokensPerSecond": provider["throughput"]}
    if "context_length" in provider:
        pricing = {"pricing": provider["pricing"]} if "pricing" in provider else {}
        entry["providerDetails"] = {"context_length": provider["context_length"], **pricing}
    return entry


def build_object_id(text: str) -> str:
    """An id of 24 hexadecimal digits, derived from the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def build_hub_model(model: Mapping[str, Any]) -> Model:
    """The model in the form of the Hub's listing, without its mapping."""
    return {
        "_id": build_object_id(model["id"]),
        "id": model["id"],
        "likes": model.get("likes", 100),
        "trendingScore": model.get("trendingScore", 10),
        "private": model.get("private", False),
        "downloads": model.get("downloads", 1000),
        "tags": list(model.get("tags", ())),
        "pipeline_tag": model.get("pipeline_tag", "text-generation"),
        "library_name": model.get("library_name", "transformers"),
        "createdAt": "2026-06-01T00:00:00.000Z",
        "modelId": model["id"],
    }
