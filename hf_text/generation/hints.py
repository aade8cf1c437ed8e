"""Uses of the live catalogue: reject a text-only model before sending media, name alternatives in an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import protocol
from ..errors import HFTextError, ModelNotSupportedError
from ..protocol.names import RETIRED_ALIASES
from ..protocol.suffixes import split_suffix
from ..transport.call import Call
from .request import Backend

if TYPE_CHECKING:
    from ..protocol.catalog import Model

__all__ = ["Hints"]

_MAX_NAMES = 5  # models or providers in a message


class Hints:
    """Auxiliary lookups in the catalogue; failed lookups are ignored. For a call that blocks.

    Args:
        backend: the settings shared by the client's calls.
        call: the call.
    """

    def __init__(self, backend: Backend, call: Call) -> None:
        self._backend = backend
        self._call = call

    def reject_text_only_model(self, model: str) -> None:
        """Raise ModelNotSupportedError for a model that accepts only text: some providers silently drop pictures, and
        the model invents an answer (Together).
        """
        models = self._look_up()
        name = split_suffix(model)[0]
        if any(known.id == name and known.vision is False for known in models):
            seeing = tuple(known.id for known in models if known.vision)[:_MAX_NAMES]
            message = f"{name} accepts only text, and there is media; nothing was sent."
            raise ModelNotSupportedError(
                f"{message} Models that accept pictures: {', '.join(seeing)}", model=name, suggestions=seeing
            )

    def name_alternatives(self, failure: ModelNotSupportedError, model: str) -> None:
        """Add the providers that serve the model to the error, or served models with a similar name."""
        name = split_suffix(model)[0]
        if name in RETIRED_ALIASES:
            failure.add_advice(
                f"{name!r} used to mean {RETIRED_ALIASES[name]}, which no provider serves for chat any more."
            )
        models = self._look_up()
        serving = [known for known in models if known.id == name]
        if serving:
            failure.providers = tuple(offer.provider for offer in serving[0].offers)
        else:
            failure.suggestions = tuple(protocol.selection.nearest_names(name, [known.id for known in models]))
        if failure.providers:
            failure.add_advice(f"It is served by: {', '.join(failure.providers[:_MAX_NAMES])}.")
        elif failure.suggestions:
            failure.add_advice(f"Served models with a similar name: {', '.join(failure.suggestions)}.")

    def _look_up(self) -> list[Model]:
        try:
            with self._call.at_most(self._backend.tuning.lookup_seconds):
                return self._backend.catalogue.models(self._call)
        except HFTextError:
            return []
