"""The targets of one call, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import protocol
from ..errors import APIStatusError, AuthenticationError, HFTextError
from ..protocol.suffixes import split_suffix
from ..transport.call import Call
from ..transport.retries import Retries
from .failover import POLICIES, Route, Target
from .request import Backend, Request

if TYPE_CHECKING:
    from ..protocol.catalog import ProviderMapping

__all__ = ["UNNAMED_MODEL", "Plan"]

UNNAMED_MODEL = "default"  # for a server with a single model that lists no models and ignores the name


class Plan:
    """The targets that may serve the request.

    Args:
        backend: the settings shared by the client's calls.
        call: the call; it must block if a lookup is needed.
        request: the request.
    """

    def __init__(self, backend: Backend, call: Call, request: Request) -> None:
        self._backend = backend
        self._call = call
        self._request = request
        self._endpoint = backend.endpoint

    def find_model(self) -> str:
        """The requested model; if none is named, the first chat model that the server lists."""
        if self._request.model is not None:
            return self._request.model
        try:
            first = protocol.selection.first_chat_model(self._backend.catalogue.models(self._call))
        except AuthenticationError:
            raise
        except APIStatusError:
            first = None
        return first.id if first else UNNAMED_MODEL

    def route(self, model: str) -> Route:
        """The targets for a model, in order of preference. A suffix of its name overrides the providers of the request.
        A provider that the caller named is never replaced by another.
        """
        backend = self._backend
        retries = Retries(backend.max_retries, backend.tuning)
        if not self._endpoint.hugging_face:
            return Route(iter([Target(self._endpoint.completions(), model)]), retries)
        targets = self._all(model) if self._has_policy(model) else self._named(model)
        return Route(backend.breaker.sort(targets), retries)

    def is_known(self) -> bool:
        """Whether the model and the first target are known without a request."""
        if self._request.model is None:
            return self._backend.catalogue.has_models()
        return not self._has_policy(self._request.model) or not self._backend.breaker.is_open(
            self._preferred(self._request.model)[0]
        )

    def answered_by(self, target: Target, model: str, provider: str | None) -> list[Target]:
        """The target of an attempt, followed by a target for the provider that the router chose, if any."""
        if target.provider is not None or provider is None or not self._endpoint.hugging_face:
            return [target]
        return [target, self._target(split_suffix(model)[0], provider)]

    def _providers(self, model: str) -> tuple[str, ...]:
        suffix = split_suffix(model)[1]
        return (suffix,) if suffix else self._request.providers

    def _named(self, model: str) -> list[Target]:
        name = split_suffix(model)[0]
        return [self._target(name, provider) for provider in self._providers(model)]

    def _has_policy(self, model: str) -> bool:
        """Whether a policy chooses the provider, so any provider may be used."""
        return self._endpoint.hugging_face and any(provider in POLICIES for provider in self._providers(model))

    def _preferred(self, model: str) -> list[Target]:
        """The providers of the override, then those of the request."""
        name = split_suffix(model)[0]
        override = self._backend.catalogue.override(name)
        preferred = protocol.catalog.chat_providers(override) if override else []
        return [*(self._target_of(name, entry) for entry in preferred), *self._named(model)]

    def _all(self, model: str) -> Iterator[Target]:
        """Every target that may serve the model; a substitute comes first if the preferred target failed recently."""
        targets, name = self._preferred(model), split_suffix(model)[0]
        substitute = self._backend.breaker.substitute(name, targets[0])
        if substitute is not None:
            yield substitute
        yield from targets
        if self._backend.max_retries:
            yield from self._others(name)

    def _others(self, model: str) -> Iterator[Target]:
        """All targets that serve the model, in the account's order. Queries the Hub when the first one is needed."""
        try:
            mapping = self._backend.catalogue.mapping(self._call, model)
        except HFTextError:  # the error that caused the failover is more helpful
            return
        for entry in protocol.catalog.chat_providers(mapping):
            yield self._target_of(model, entry)

    def _target(self, model: str, provider: str) -> Target:
        if "/" in provider:
            return Target(self._endpoint.completions(provider), model, provider)
        suffixed = model if provider == "auto" else f"{model}:{provider}"
        return Target(self._endpoint.completions(), suffixed, None if provider in POLICIES else provider)

    def _target_of(self, model: str, entry: ProviderMapping) -> Target:
        return self._target(entry.provider_id if "/" in entry.provider else model, entry.provider)
