"""The capabilities of a model as a LangChain profile."""

from __future__ import annotations

import time
from weakref import WeakKeyDictionary

from ..errors import RequestTimeoutError, TransportError
from ..operations import Operations, resolve_alias
from ..protocol.catalog import Model, any_known, best
from ..protocol.suffixes import split_suffix
from ..transport.call import Timeouts
from . import importing

with importing("langchain_core", "langchain"):
    from langchain_core.language_models import ModelProfile

__all__ = ["find_profile"]

_LOOKUP = Timeouts(connect=2, first=2, gap=2, total=2)
_ASK_AGAIN = 300.0  # seconds before an unreachable catalogue is queried again
_unreached: WeakKeyDictionary[Operations, float] = WeakKeyDictionary()


def find_profile(operations: Operations, name: str) -> ModelProfile | None:
    """The model's profile from the catalogue; None if the catalogue was recently unreachable. Raises HFTextError."""
    if time.monotonic() - _unreached.get(operations, float("-inf")) < _ASK_AGAIN:
        return None
    model, suffix = split_suffix(resolve_alias(name))
    try:
        return _build_profile(operations.model(operations.new_call(_LOOKUP), model), suffix)
    except (RequestTimeoutError, TransportError):
        _unreached[operations] = time.monotonic()  # model objects are created often, sometimes per call
        raise


def _build_profile(model: Model, provider: str | None) -> ModelProfile:
    """The profile of a catalogue entry: for this provider if it serves the model, else for all its providers."""
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
