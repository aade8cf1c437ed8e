"""What a model can do, in LangChain's words."""

from __future__ import annotations

from ..protocol.catalog import Model, any_known, best
from . import importing

with importing("langchain_core", "langchain"):
    from langchain_core.language_models import ModelProfile

__all__ = ["build_profile"]


def build_profile(model: Model, provider: str | None) -> ModelProfile:
    """What the catalogue tells of the model, with this provider where it serves it."""
    offers = [offer for offer in model.offers if offer.provider == provider] or list(model.offers)
    told = {
        "name": model.id,
        "max_input_tokens": best(max, (offer.context_length for offer in offers)),
        "image_inputs": model.vision,
        "image_url_inputs": model.vision,
        "audio_inputs": "audio" in model.input_modalities if model.input_modalities else None,
        "tool_calling": any_known(offer.supports_tools for offer in offers),
        "structured_output": any_known(offer.supports_structured_output for offer in offers),
    }
    profile: ModelProfile = {key: value for key, value in told.items() if value is not None}
    return profile
