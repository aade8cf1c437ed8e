"""What one answer is asked with: the request itself, and the client's side that all its calls share."""

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
    """What all calls of a client share.

    Attributes:
        endpoint: the addresses of the server.
        connect: gives what to send with.
        catalogue: the models and the providers that serve them.
        breaker: the targets that failed recently.
        max_retries: how often the same target is asked again.
        tuning: pauses between retries, bounds of lookups.
        max_event_bytes: the longest event of a stream.
    """

    endpoint: Endpoint
    connect: Callable[[], Http]
    catalogue: Catalogue
    breaker: Breaker
    max_retries: int
    tuning: Tuning
    max_event_bytes: int


class Request:
    """One request for an answer, encoded once; only the model in it changes from one provider to the next.

    Args:
        payload: the body, without the model. What cannot be sent raises InvalidRequestError.
        model: the model; None for the first that the server lists.
        providers: for Hugging Face: policies and names of providers, in the order to try.
        headers: headers for this request.
        fallback_models: tried in order if no provider serves the model.

    Attributes:
        has_media: whether there is media in the messages.
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
        """The body for a model at an address. The model comes first: a proxy may route by the body's beginning."""
        head = b'{"model":' + json.dumps(model).encode() + b","
        if self._format is not None:
            head += encode_payload({"response_format": format_for(url, self._format)})[1:-1] + b","
        return head + self._rest
