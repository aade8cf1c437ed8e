"""Runs one call: plan, try, retry, fail over, until an answer begins.

The commit point is the first text, reasoning or tool call passed to the caller. Before it, a failed attempt is retried
or fails over to another target; after it, never.
"""

from __future__ import annotations

import logging
from collections.abc import Generator

from ..checks import warn
from ..completion import Attempt
from ..errors import (
    APIStatusError,
    HFTextError,
    ModelNotSupportedError,
    RequestTimeoutError,
    StreamCancelledError,
    StreamError,
)
from ..printable import one_line
from ..protocol.suffixes import split_suffix
from ..transport.call import Call, Interrupted, Wait
from ..transport.failures import explain_timeout
from ..transport.response import Response
from ..transport.retries import retry
from .failover import Route, Target, trips_breaker
from .hints import Hints
from .plan import Plan
from .reader import read_answer
from .request import Backend, Request
from .steps import Step
from .transcript import Transcript

__all__ = ["Generation"]

_log = logging.getLogger("hf_text")


class Generation:
    """Runs one call.

    Args:
        backend: the settings shared by the client's calls.
        call: the clocks and the cancellation.
        transcript: collects the answer.
        request: the request.
    """

    def __init__(self, backend: Backend, call: Call, transcript: Transcript, request: Request) -> None:
        self._backend = backend
        self._call = call
        self._transcript = transcript
        self._request = request
        self._plan = Plan(backend, call, request)
        self._fallbacks = iter(request.fallback_models)
        self._route: Route

    def run(self) -> Generator[Step, None, None]:
        """Yield the events of the answer, all available ones at a time. Raises the errors for the caller."""
        self._call.begin()
        try:
            yield from self._prepare()
            while True:
                try:
                    yield from retry(self._call, self._try, self._after)
                    return
                except ModelNotSupportedError as error:
                    self._fall_back(error)
        except Interrupted as interruption:  # between attempts; ``_try`` handles it within one
            failure = self._explain(interruption)
        except HFTextError as error:
            failure = error
        finally:
            self._transcript.end()
        raise self._enrich(failure)

    def _fall_back(self, error: ModelNotSupportedError) -> None:
        """Switch to the next fallback model, or raise the error. There are none if the caller named a model."""
        following = next(self._fallbacks, None)
        if following is None or self._transcript.committed:
            raise error
        message = (
            f"{self._transcript.model} is not served at present: {following} is used instead. Pass model= to choose one"
        )
        warn(message)
        self._transcript.model = following
        self._route = self._plan.route(following)

    def _prepare(self) -> Generator[Wait, None, None]:
        """Look up whatever is unknown: the model, whether it accepts media, and the providers that serve it."""
        sees = self._request.has_media and self._backend.endpoint.hugging_face
        if not self._plan.is_known() or (sees and not self._backend.catalogue.has_models()):
            yield from self._call.need_thread()
        model = self._transcript.model = self._plan.find_model()
        if sees:
            Hints(self._backend, self._call).reject_text_only_model(model)
        self._route = self._plan.route(model)

    def _try(self) -> Generator[Step, None, None]:
        """Send one request and read its answer; record it in the attempts."""
        transcript, target, started = self._transcript, self._route.target, self._call.seconds()
        transcript.provider = status = failure = None
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("POST %s (model %s)", target.url, one_line(target.model))
        try:
            with (yield from self._post(target)) as response:
                status = response.status
                transcript.begin(response, target.provider)
                if status >= 300:
                    yield from self._call.need_thread()
                    raise self._error_of(response, target)
                yield from read_answer(response, transcript, self._backend.max_event_bytes)
            self._backend.breaker.reset(split_suffix(transcript.model)[0], self._answered_by(target))
        except Interrupted as interruption:
            error = self._explain(interruption)
            failure = str(error)
            raise error from None
        except HFTextError as error:
            failure = str(error)
            raise
        except GeneratorExit:
            failure = "the reader stopped before the end"
            raise
        finally:
            seconds = self._call.seconds() - started
            transcript.attempts.append(Attempt(transcript.provider or target.provider, status, seconds, failure))

    def _after(self, error: HFTextError) -> float:
        """Choose the next attempt after a failed one and return the seconds to wait before it; or raise the error."""
        if self._transcript.committed or isinstance(error, StreamCancelledError):
            raise error
        failed = self._route.target
        if trips_breaker(error, failed):
            self._backend.breaker.trip(self._answered_by(failed))
        pause = self._route.advance(error, self._call.total_left(), self._call.paced)
        target = self._route.target
        what = "retry" if target == failed else "failover"
        model, why = one_line(target.model), type(error).__name__
        _log.info("%s in %.2f s: %s (model %s) after %s", what, pause, target.url, model, why)
        return pause

    def _post(self, target: Target) -> Generator[Wait, None, Response]:
        body = self._request.body_for(target.model, target.url)
        http = self._backend.connect()
        return http.send(self._call, "POST", target.url, body, "text/event-stream", self._request.headers)

    def _error_of(self, response: Response, target: Target) -> APIStatusError | ModelNotSupportedError:
        return self._backend.connect().error_of(
            response,
            provider=target.provider if target.own_route else None,
            model=self._transcript.model,
            hugging_face=self._backend.endpoint.hugging_face,
        )

    def _answered_by(self, target: Target) -> list[Target]:
        return self._plan.answered_by(target, self._transcript.model, self._transcript.provider)

    def _explain(self, interruption: Interrupted) -> HFTextError:
        if interruption.clock is None:
            return StreamCancelledError("the stream was cancelled before an answer arrived")
        return explain_timeout(interruption.clock, self._call, self._backend.endpoint.host)

    def _enrich(self, failure: HFTextError) -> HFTextError:
        """Complete the error with the attempts, the partial answer and advice before it is raised to the caller."""
        transcript = self._transcript
        failure.attempts = tuple(transcript.attempts)
        self._backend.endpoint.advise(failure, anonymous=self._backend.connect().anonymous)
        if isinstance(failure, StreamError) or (isinstance(failure, RequestTimeoutError) and transcript.committed):
            failure.partial = transcript.completion()
        looks_up = self._backend.endpoint.hugging_face and self._backend.max_retries
        if isinstance(failure, ModelNotSupportedError) and failure.status_code and looks_up:
            Hints(self._backend, self._call).name_alternatives(failure, transcript.model)
        transcript.failure = str(failure)
        return failure
