"""OpenTelemetry: one span and metrics for each call, following the semantic conventions for generative AI.

::

    from hf_text.integrations.otel import instrument

    instrument()  # all clients of this process, blocking and async

OpenTelemetry's ``opentelemetry-util-genai`` creates the spans, metrics and events, so their names are the same as in
other instrumentations and change with them. Prompts and answers are recorded only if
``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` enables it. ``docs/integrations/otel.rst`` lists all recorded
data.

Source: https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/client-inference.md
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from .._version import __version__
from ..endpoint import Endpoint
from ..errors import HFTextError, MissingExtraError, StreamCancelledError
from ..generation.steps import Step, Steps
from ..operations import Operations
from ..protocol.messages import check_messages

try:
    from opentelemetry.context import Context, get_current
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
    from opentelemetry.util.genai.completion_hook import load_completion_hook
    from opentelemetry.util.genai.handler import TelemetryHandler
    from opentelemetry.util.genai.invocation import InferenceInvocation
    from opentelemetry.util.genai.types import Error

    from .otel_content import describe_answer, describe_functions, describe_messages
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("opentelemetry"):
        raise
    message = "this needs opentelemetry-util-genai: pip install 'hf_text[otel]'"
    raise MissingExtraError(message, package="opentelemetry-util-genai", extra="otel") from None

__all__ = ["HFTextInstrumentor", "instrument", "uninstrument"]

# Arguments of a call, and the fields in which they are recorded. An argument that was not passed is not recorded.
_OPTIONS = {
    "max_tokens": "request_max_tokens",
    "temperature": "request_temperature",
    "top_p": "request_top_p",
    "seed": "request_seed",
    "frequency_penalty": "request_frequency_penalty",
    "presence_penalty": "request_presence_penalty",
    "reasoning_effort": "request_reasoning_level",
}
_PORTS = {"http": 80, "https": 443}

Open = Callable[..., Steps]


class HFTextInstrumentor(BaseInstrumentor):
    """The instrumentor that ``opentelemetry-instrument`` loads."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """No dependencies to check: this module is part of the library that it instruments."""
        return ()

    def _instrument(self, **options: Any) -> None:
        options["completion_hook"] = options.get("completion_hook") or load_completion_hook()
        handler = TelemetryHandler(
            instrumentation_scope_name="hf_text", instrumentation_scope_version=__version__, **options
        )
        self._open: Open = Operations.open
        Operations.open = _watched(Operations.open, handler)  # type: ignore[method-assign]

    def _uninstrument(self, **_: Any) -> None:
        Operations.open = self._open  # type: ignore[method-assign]


def instrument(
    *, tracer_provider: Any = None, meter_provider: Any = None, logger_provider: Any = None, completion_hook: Any = None
) -> None:
    """Record every call of this process from now on. A second call of this function has no effect.

    Args:
        tracer_provider: the provider for spans. None: OpenTelemetry's global provider, also for the other two.
        meter_provider: the provider for metrics.
        logger_provider: the provider for events.
        completion_hook: receives the content of each call, as a ``CompletionHook`` of opentelemetry-util-genai.
            None: the hook that ``OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK`` names, if it is set.
    """
    HFTextInstrumentor().instrument(
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        logger_provider=logger_provider,
        completion_hook=completion_hook,
    )


def uninstrument() -> None:
    """Stop recording. Calls that have already begun are still recorded."""
    HFTextInstrumentor().uninstrument()


def _watched(open_steps: Open, handler: TelemetryHandler) -> Open:
    """``Operations.open`` with a span for each call, from the first request, or from the error that prevents it."""

    @functools.wraps(open_steps)
    def open_watched(self: Operations, messages: Any, model: str | None = None, **options: Any) -> Steps:
        # The current context is the parent: a web framework may read the stream in another context.
        begin = functools.partial(_begin, handler, self.endpoint, get_current())
        try:
            if handler.should_capture_content():
                messages = check_messages(messages)  # an iterator, which can be read only once, is read here
            steps = open_steps(self, messages, model, **options)
        except HFTextError as error:
            begin(self.base_model(model) if isinstance(model, str) else None).fail(_describe(error, handler))
            raise
        options["messages"] = messages
        steps.wrap(lambda events: _watch(events, steps, lambda: begin(steps.transcript.model, options), handler))
        return steps

    return open_watched


def _begin(
    handler: TelemetryHandler,
    endpoint: Endpoint,
    parent: Context,
    model: str | None,
    asked: Mapping[str, Any] = MappingProxyType({}),
) -> InferenceInvocation:
    """Start the span, with everything that is known before the answer."""
    address = urlsplit(endpoint.api_base)
    invocation = handler.inference(
        "huggingface" if endpoint.hugging_face else "openai",
        request_model=model or None,
        server_address=address.hostname,
        server_port=address.port or _PORTS.get(address.scheme),
        context=parent,
    )
    invocation.suspend()  # the span is current only while a request may be sent
    data = invocation.data
    data.request_stream = True
    for option, field in _OPTIONS.items():
        setattr(data, field, asked.get(option))
    stop = asked.get("stop")
    data.request_stop_sequences = [stop] if isinstance(stop, str) else list(stop) if stop else None
    if asked.get("response_format") is not None:
        data.output_type = "json"
    if handler.should_capture_content():
        data.input_messages = describe_messages(asked.get("messages", ()))
        data.tool_definitions = describe_functions(asked.get("tools"))
    return invocation


def _watch(
    events: Generator[Step, None, None],
    steps: Steps,
    begin: Callable[[], InferenceInvocation],
    handler: TelemetryHandler,
) -> Generator[Step, None, None]:
    """Yield the steps of an answer, and end the span when they end in any way."""
    transcript = steps.transcript
    invocation = begin()
    failure: Error | None = None
    try:
        while True:
            # HTTP libraries' spans become children of this span. After the first event no more requests are sent.
            with nullcontext() if transcript.committed else invocation.activate():
                step = next(events, None)
            if step is None:
                return
            if isinstance(step, list):
                invocation.record_stream_chunk()
            yield step
    except (GeneratorExit, StreamCancelledError):  # stopped by the reader or the program: not a failure
        if not transcript.whole:
            invocation.attributes["hf_text.stopped"] = True
        raise
    except BaseException as error:
        failure = _describe(error, handler)
        raise
    finally:
        events.close()
        if not steps.call.is_foreign:  # after a fork, the parent process ends the span
            _end(invocation, steps, failure)


def _end(invocation: InferenceInvocation, steps: Steps, failure: Error | None) -> None:
    """Record the answer, and end the span."""
    transcript, answer = steps.transcript, steps.transcript.completion()
    if answer.model and invocation.request_model is None:  # the model was chosen from the server's list
        invocation.data.request_model = answer.model
        invocation.span.update_name(f"chat {answer.model}")
    invocation.response_id, invocation.response_model_name = transcript.response_id, transcript.response_model
    reason = answer.finish_reason if transcript.whole else "error"  # as the conventions require
    invocation.finish_reasons = [reason] if reason else None
    if answer.usage is not None:
        invocation.input_tokens = answer.usage.prompt_tokens
        invocation.output_tokens = answer.usage.completion_tokens
        invocation.thinking_tokens = answer.usage.reasoning_tokens
        invocation.data.usage_cache_read_input_tokens = answer.usage.cached_tokens
    invocation.attributes["hf_text.attempts"] = len(answer.attempts)
    if answer.provider:
        invocation.attributes["hf_text.provider"] = answer.provider
    if invocation.should_capture_content:
        invocation.data.output_messages = [describe_answer(answer, reason)]
    if failure is None:
        invocation.stop()
    else:
        invocation.fail(failure)


def _describe(error: BaseException, handler: TelemetryHandler) -> Error:
    """The error for a span. A server's message counts as content, because it may quote the prompt."""
    kind = Error.from_exception(error).type.replace("hf_text.errors.", "hf_text.")
    status = getattr(error, "status_code", None)
    told = str(error) if handler.should_capture_content() else f"status {status}" if status else None
    return Error(message=told, type=kind)  # without the exception, which would keep this frame alive
