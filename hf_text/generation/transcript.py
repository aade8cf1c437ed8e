"""An answer as it grows, and its metadata."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..completion import Attempt, Completion, Timings
from ..events import Event, ProviderInfo
from ..protocol.chunks import Assembler
from ..protocol.headers import request_id
from ..protocol.names import PROVIDER_LABELS
from ..transport.call import Call
from ..transport.mask import Mask
from ..transport.response import Response

__all__ = ["Transcript"]

_MAX_CLOSERS = 1000


class Transcript:
    """An answer as it grows, across all attempts.

    Args:
        closers: the models of this client that close a ``<think>`` tag without opening it, because their chat template
            puts the opening tag into the prompt.

    Attributes:
        call: the call.
        model: the requested model.
        provider: the provider that answers, once known.
        request_id: the server's id of the request, once known.
        attempts: the requests made so far.
        info: the provider that answers; set when the first part of the answer is yielded, after which there are no
            further attempts.
        whole: whether the answer has ended and is complete.
        failure: the message of the error that ended the answer, if any.
    """

    def __init__(self, call: Call, model: str, closers: set[str] | None = None) -> None:
        self.call = call
        self.model = model
        self._closers: set[str] = set() if closers is None else closers
        self.provider: str | None = None
        self.request_id: str | None = None
        self.attempts: list[Attempt] = []
        self.info: ProviderInfo | None = None
        self.whole = False
        self.failure: str | None = None
        self.assembler: Assembler = Assembler()
        self._mask: Mask | None = None
        self._first_token: float | None = None
        self._total: float | None = None

    def begin(self, response: Response, provider: str | None) -> None:
        """Begin a new response. Content of earlier responses is dropped; it was never yielded."""
        opened = self.model in self._closers
        if opened or self._mask is not None:  # not the first response
            self.assembler = Assembler(opened)
        self._mask = response.mask
        self.provider = response.mask(response.headers.get("x-inference-provider", "")) or provider
        self.request_id = response.mask(request_id(response.headers) or "") or None

    def learn(self) -> None:
        """After a complete answer, remember whether the model closes a ``<think>`` tag that its prompt opens."""
        closes = self.assembler.closed_only
        if closes and len(self._closers) < _MAX_CLOSERS:
            self._closers.add(self.model)
        elif closes is False:
            self._closers.discard(self.model)

    @property
    def response_id(self) -> str | None:
        """The id of the answer (``id`` of its chunks), once known."""
        return self._masked(self.assembler.id)

    @property
    def response_model(self) -> str | None:
        """The name of the model in the answer, once known."""
        return self._masked(self.assembler.model)

    def _masked(self, text: str | None) -> str | None:
        return text if text is None or self._mask is None else self._mask(text)

    @property
    def committed(self) -> bool:
        """Whether a part of the answer was yielded."""
        return self.info is not None

    def commit(self, events: list[Event], url: str) -> None:
        """Note that these events are about to be yielded. The first time, insert the ``ProviderInfo`` before them."""
        if self.info is None:
            self._first_token = self.call.seconds()
            label = PROVIDER_LABELS.get(self.provider or "") or self.provider or urlsplit(url).netloc
            self.info = ProviderInfo(self.provider, self.model, url, label)
            events.insert(0, self.info)

    def end(self) -> None:
        """Stop measuring the time."""
        if self._total is None:
            self._total = self.call.seconds()

    def completion(self) -> Completion:
        """The answer received so far."""
        assembler = self.assembler
        extra = {**assembler.extra, **self._other_model()}
        return Completion(
            text=assembler.text,
            reasoning=assembler.reasoning,
            tool_calls=assembler.tool_calls,
            finish_reason=assembler.finish_reason if self.whole else self._masked(assembler.finish_reason),
            usage=assembler.usage,
            model=self.model,
            provider=self.provider,
            request_id=self.request_id,
            timings=Timings(self._first_token, self.call.seconds() if self._total is None else self._total),
            attempts=tuple(self.attempts),
            system_fingerprint=assembler.system_fingerprint,
            logprobs=assembler.logprobs,
            extra=extra if self.whole or self._mask is None else self._mask.in_value(extra),
            reasoning_key=assembler.reasoning_key,
        )

    def _other_model(self) -> dict[str, str]:
        """The server's name of the model, if the server ignored the requested one.

        Inference providers have their own names for the same model, so these do not count.
        """
        name = self.assembler.model
        if name is None or self.provider is not None or not self.model:
            return {}
        asked, answered = (each.rpartition("/")[2].lower() for each in (self.model, name))
        return {} if asked in answered or answered in asked else {"model": name}
