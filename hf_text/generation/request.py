"""The request for one answer, and the client's settings that all its calls share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..catalogue import Catalogue
from ..endpoint import Endpoint
from ..protocol.formats import format_for
from ..protocol.media import has_media
from ..protocol.payload import encode_payload
from ..transport.session import Http
from ..tuning import Tuning
from .breaker import Breaker

__all__ = ["Backend", "Request"]


class Backend(NamedTuple):
    """The settings and the state shared by all calls of a client.

    Attributes:
        endpoint: the addresses of the server.
        connect: returns the object that sends requests.
        catalogue: the models and the providers that serve them.
        breaker: the targets that failed recently.
        max_retries: how often the same target is retried.
        tuning: pauses between retries, time limits of lookups.
        max_event_bytes: the maximum size of an event in a stream.
    """

    endpoint: Endpoint
    connect: Callable[[], Http]
    catalogue: Catalogue
    breaker: Breaker
    max_retries: int
    tuning: Tuning
    max_event_bytes: int


class Request:
    """One request for an answer, encoded once. Only the model differs between providers.

    Args:
        payload: the body, without the model. A value that cannot be encoded raises InvalidRequestError.
        model: the model; None for the first that the server lists.
        providers: for Hugging Face: policies and names of providers, in the order to try.
        headers: headers for this request.
        fallback_models: tried in order if no provider serves the model.

    Attributes:
        has_media: whether the messages contain media.
    """

    def __init__(
        self,
        payload: Mapping[str, Any],
        model: str | None,
        providers: tuple[str, ...],
        headers: Mapping[str, str],
        fallback_models: Sequence[str] = (),
    ) -> None:
        self.model = model
        self.providers = providers
        self.headers = headers
        self.fallback_models = fallback_models
        self.has_media: bool = has_media(payload["messages"])
        self._format = payload.get("response_format")
        self._rest = encode_payload({key: value for key, value in payload.items() if key != "response_format"})[1:]

    def body_for(self, model: str, url: str) -> bytes:
        """The body for a model at an address. The model comes first: a proxy may route by the beginning of a body."""
        head = b'{"model":' + json.dumps(model).encode() + b","
        if self._format is not None:
            head += encode_payload({"response_format": format_for(url, self._format)})[1:-1] + b","
        return head + self._rest
