"""How one answer comes about: whom to ask, whom to ask next, until one begins to answer.

The commit point is the first text, reasoning or tool call that is handed to the caller. Before it, what failed is
tried again or elsewhere; after it, never.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from ..catalogue import Catalogue
from ..completion import Attempt
from ..endpoint import Endpoint
from ..errors import (
    APIStatusError,
    HFTextError,
    ModelNotSupportedError,
    RequestTimeoutError,
    StreamCancelledError,
    StreamError,
)
from ..events import Event
from ..protocol.catalog import ProviderMapping, chat_providers, split_suffix
from ..protocol.media import has_media
from ..protocol.payload import encode_payload
from ..protocol.selection import nearest_names
from ..transport.call import Call, Interrupted, WouldBlock
from ..transport.failures import explain_timeout
from ..transport.response import Response
from ..transport.session import Http
from .breaker import Breaker
from .failover import POLICIES, Route, Target, trips_breaker
from .reader import read_answer
from .transcript import Transcript

__all__ = ["UNNAMED_MODEL", "Generation"]

UNNAMED_MODEL = "default"  # for a server that serves one model, lists none, and heeds no name

_LOOKUP_TIMEOUT = 5.0  # for what is asked by the way: to refuse early, or to advise
_NAMED = 5  # how many models or providers a message names


class Generation:
    """The course of one call.

    Args:
        server: who is asked.
        connect: gives what to send with.
        directory: what models there are and who serves them.
        breaker: who failed lately.
        call: the clocks and the off switch.
        answer: what grows.
        payload: the body of the request.
        body: the same, encoded.
        model: the model; None for the first that the server lists.
        providers: policies and names of providers in the order to try, for Hugging Face.
        max_retries: how often to try again.
        max_event_bytes: the longest event of the stream.
    """

    def __init__(
        self,
        server: Endpoint,
        connect: Callable[[], Http],
        directory: Catalogue,
        breaker: Breaker,
        call: Call,
        answer: Transcript,
        payload: dict[str, Any],
        body: bytes,
        model: str | None,
        providers: tuple[str, ...],
        max_retries: int,
        max_event_bytes: int,
    ) -> None:
        self._server = server
        self._connect = connect
        self._directory = directory
        self._breaker = breaker
        self._call = call
        self._answer = answer
        self._payload = payload
        self._body = body
        self._model = model
        self._providers = providers
        self._max_retries = max_retries
        self._max_event_bytes = max_event_bytes

    def run(self) -> Iterator[list[Event]]:
        """The events of the answer, all that have arrived at a time. Raises what the caller is to see."""
        self._call.begin()
        try:
            yield from self._try_all()
        except Interrupted as interruption:  # between two attempts; within one it was explained there
            failure = self._explain(interruption)
        except HFTextError as error:
            failure = error
        else:
            return
        finally:
            self._answer.end()
        raise self._complete(failure)

    def _try_all(self) -> Iterator[list[Event]]:
        try:
            route = self._prepare()
        except WouldBlock:
            yield from self._call.before_blocking()
            route = self._prepare()
        model = self._answer.model
        while True:
            try:
                yield from self._try(route.target)
                self._breaker.reset(split_suffix(model)[0], self._who_answered(route.target))
                return
            except HFTextError as error:
                if self._answer.committed or isinstance(error, StreamCancelledError):
                    raise
                yield from self._call.before_blocking()
                if trips_breaker(error, route.target):
                    self._breaker.trip(self._who_answered(route.target))
                pause = route.go_on(error, self._call.total_left(), self._call.paced)
            self._call.pause(pause)

    def _try(self, target: Target) -> Iterator[list[Event]]:
        """One request and its answer, noted among the attempts."""
        answer, started = self._answer, self._call.seconds()
        answer.provider = status = failure = None
        try:
            with (yield from self._post(target)) as reply:
                status = reply.status
                answer.begin(reply, target.provider)
                if status >= 300:
                    yield from self._call.before_blocking()
                    raise self._error_of(reply, target)
                yield from read_answer(reply, answer, self._max_event_bytes)
        except Interrupted as interruption:
            error = self._explain(interruption)
            failure = str(error)
            raise error from None
        except HFTextError as error:
            failure = str(error)
            raise
        except GeneratorExit:
            failure = "the reader left before the end"
            raise
        finally:
            seconds = self._call.seconds() - started
            answer.attempts.append(Attempt(answer.provider or target.provider, status, seconds, failure))

    def _post(self, target: Target) -> Generator[list[Event], None, Response]:
        if target.model == self._payload["model"]:
            body = self._body
        else:
            body = encode_payload({**self._payload, "model": target.model})
        return self._connect().send(self._call, "POST", target.url, body, "text/event-stream")

    def _error_of(self, reply: Response, target: Target) -> APIStatusError | ModelNotSupportedError:
        return self._connect().error_of(
            reply,
            provider=target.provider if target.own_route else None,
            model=self._answer.model,
            hugging_face=self._server.hugging_face,
        )

    def _explain(self, interruption: Interrupted) -> HFTextError:
        if interruption.clock is None:
            return StreamCancelledError("the stream was cancelled before an answer came")
        return explain_timeout(interruption.clock, self._call, self._server.host)

    def _complete(self, failure: HFTextError) -> HFTextError:
        """Put into an error all that is known when it leaves."""
        failure.attempts = tuple(self._answer.attempts)
        if isinstance(failure, StreamError) or (isinstance(failure, RequestTimeoutError) and self._answer.committed):
            failure.partial = self._answer.completion()
        if isinstance(failure, ModelNotSupportedError) and failure.status_code and self._server.hugging_face:
            self._name_alternatives(failure)
        return failure

    # Whom to ask.

    def _prepare(self) -> Route:
        """Find out what is not known: the model, whether it can be asked that, by whom it is served."""
        model = self._answer.model = self._model or self._first_listed_model()
        if self._server.hugging_face and has_media(self._payload["messages"]):
            self._reject_text_only_model(model)
        return self._plan(model)

    def _plan(self, model: str) -> Route:
        """The targets for a model. A suffix of its name wins; a provider that the caller named is not replaced
        by another.
        """
        if not self._server.hugging_face:
            return Route(iter([Target(self._server.completions(), model)]), self._max_retries)
        name, suffix = split_suffix(model)
        providers = (suffix,) if suffix else self._providers
        targets = [self._target(name, provider) for provider in providers]
        if any(provider in POLICIES for provider in providers):
            return Route(self._breaker.sort(self._all_targets(name, targets)), self._max_retries)
        return Route(self._breaker.sort(targets), self._max_retries)

    def _all_targets(self, model: str, targets: list[Target]) -> Iterator[Target]:
        """Whoever may serve the model: the override, these targets, everybody else; first a stand-in where one
        is needed.
        """
        override = chat_providers(self._directory.override(model))
        targets = [*(self._target_of(model, entry) for entry in override), *targets]
        stand_in = self._breaker.stand_in(model, targets[0])
        if stand_in is not None:
            yield stand_in
        yield from targets
        if self._max_retries:
            yield from self._other_targets(model)

    def _target(self, model: str, provider: str) -> Target:
        if "/" in provider:
            return Target(self._server.completions(provider), model, provider)
        suffixed = model if provider == "auto" else f"{model}:{provider}"
        return Target(self._server.completions(), suffixed, None if provider in POLICIES else provider)

    def _target_of(self, model: str, entry: ProviderMapping) -> Target:
        return self._target(entry.provider_id if "/" in entry.provider else model, entry.provider)

    def _who_answered(self, target: Target) -> list[Target]:
        """The target of an attempt, and the provider that the router chose for it, as a target of its own."""
        provider = self._answer.provider
        if target.provider is not None or provider is None or not self._server.hugging_face:
            return [target]
        return [target, self._target(split_suffix(self._answer.model)[0], provider)]

    def _other_targets(self, model: str) -> Iterator[Target]:
        """Everybody who serves the model, in the account's order. The Hub is asked when the first of them is needed."""
        try:
            mapping = self._directory.mapping(self._call, model)
        except HFTextError:  # the error that made us ask tells more
            return
        for entry in chat_providers(mapping):
            yield self._target_of(model, entry)

    def _first_listed_model(self) -> str:
        """The model of a server that need not be told which; most serve one. ``UNNAMED_MODEL`` where it lists none."""
        try:
            models = self._directory.models(self._call)
        except APIStatusError:
            return UNNAMED_MODEL
        return models[0].id if models else UNNAMED_MODEL

    # What is asked by the way.

    def _catalogue(self) -> list[Any]:
        try:
            with self._call.at_most(_LOOKUP_TIMEOUT):
                return self._directory.models(self._call)
        except HFTextError:
            return []

    def _reject_text_only_model(self, model: str) -> None:
        """Some providers drop a picture that their model cannot see, and invent an answer (Together)."""
        models = self._catalogue()
        name = split_suffix(model)[0]
        if any(known.id == name and known.vision is False for known in models):
            seeing = tuple(known.id for known in models if known.vision)[:_NAMED]
            message = f"{name} takes text only, and there is media; nothing was sent."
            raise ModelNotSupportedError(
                f"{message} Models that see: {', '.join(seeing)}", model=name, suggestions=seeing
            )

    def _name_alternatives(self, failure: ModelNotSupportedError) -> None:
        """Add to the error who does serve the model, or which names are like it."""
        name = split_suffix(self._answer.model)[0]
        models = self._catalogue()
        serving = [known for known in models if known.id == name]
        if serving:
            failure.providers = tuple(offer.provider for offer in serving[0].offers)
            advice = f"It is served by: {', '.join(failure.providers[:_NAMED])}."
        else:
            failure.suggestions = tuple(nearest_names(name, [known.id for known in models]))
            advice = f"Served models with a similar name: {', '.join(failure.suggestions)}."
        if failure.providers or failure.suggestions:
            failure.add_advice(advice)
