"""An answer while it grows, and what is known of it."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..completion import Attempt, Completion, Timings
from ..events import Event, ProviderInfo
from ..protocol.chunks import Assembler
from ..protocol.names import PROVIDER_LABELS
from ..protocol.replies import request_id
from ..transport.call import Call
from ..transport.response import Response

__all__ = ["Transcript"]


class Transcript:
    """An answer while it grows, over all the attempts to get it.

    Attributes:
        call: the call that it answers.
        model: the model, as it was asked for.
        provider: the provider that answers, once known.
        request_id: the server's id of the request, once known.
        attempts: the requests that were made for it.
        info: which provider answers; set when the first part of the answer is handed out, so that there can be no other
            attempt.
        whole: whether the answer has ended and is complete.
        failure: why it never will be, for a message.
    """

    def __init__(self, call: Call, model: str) -> None:
        self.call = call
        self.model = model
        self.provider: str | None = None
        self.request_id: str | None = None
        self.attempts: list[Attempt] = []
        self.info: ProviderInfo | None = None
        self.whole = False
        self.failure: str | None = None
        self.assembler = Assembler()
        self._first_token: float | None = None
        self._total: float | None = None

    def begin(self, response: Response, provider: str | None) -> None:
        """This response is read from now on; what an earlier one may have brought was never handed out."""
        self.provider = response.headers.get("x-inference-provider") or provider
        self.request_id = request_id(response.headers)
        self.assembler = Assembler()

    @property
    def committed(self) -> bool:
        """Whether a part of the answer was handed out."""
        return self.info is not None

    def commit(self, events: list[Event], url: str) -> None:
        """These events are about to be handed out; the first time, which provider answers comes before them."""
        if self.info is None:
            self._first_token = self.call.seconds()
            label = PROVIDER_LABELS.get(self.provider or "") or self.provider or urlsplit(url).netloc
            self.info = ProviderInfo(self.provider, self.model, url, label)
            events.insert(0, self.info)

    def end(self) -> None:
        """Stop counting the time."""
        if self._total is None:
            self._total = self.call.seconds()

    def completion(self) -> Completion:
        """All that arrived so far."""
        assembler = self.assembler
        return Completion(
            assembler.text,
            assembler.reasoning,
            assembler.tool_calls,
            assembler.finish_reason,
            assembler.usage,
            self.model,
            self.provider,
            self.request_id,
            Timings(self._first_token, self.call.seconds() if self._total is None else self._total),
            tuple(self.attempts),
        )
