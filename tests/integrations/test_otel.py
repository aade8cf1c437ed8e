"""OpenTelemetry: one span per call, however it ends, with the names of the conventions, and the metrics."""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import hf_text
from hf_text import batch
from hf_text.aio import AsyncClient
from hf_text.emulator import Emulator, Gate, Response

pytestmark = pytest.mark.every_client

Needs = Callable[..., None]
WHOLE = Response.text("One", " two", usage=(3, 4), provider="groq")
SECRET = "a prompt that nobody else may read"


class Telemetry:
    """The recorded spans and metrics."""

    def __init__(self) -> None:
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        ended = self._ended = threading.Event()

        class Ended(SpanProcessor):
            def on_end(self, span: Any) -> None:
                ended.set()

        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracers.add_span_processor(Ended())
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.loggers = LoggerProvider(shutdown_on_exit=False)

    @property
    def providers(self) -> dict[str, Any]:
        return {"tracer_provider": self.tracers, "meter_provider": self.meters, "logger_provider": self.loggers}

    @property
    def spans(self) -> list[Any]:
        return list(self._exporter.get_finished_spans())

    @property
    def span(self) -> Any:
        """The only span. A cancelled call may end it slightly later, in its thread."""
        assert self._ended.wait(10)
        (span,) = self.spans
        return span

    @property
    def told(self) -> dict[str, Any]:
        return dict(self.span.attributes)

    def points(self) -> dict[str, list[Any]]:
        """The data points of each metric."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: list(metric.data.data_points) for scope in scopes for metric in scope.metrics}


@pytest.fixture
def telemetry(needs: Needs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    needs("opentelemetry.sdk", "opentelemetry.util.genai")
    from hf_text.integrations import otel

    seen = Telemetry()
    otel.instrument(**seen.providers)
    yield seen
    otel.uninstrument()


def test_a_complete_answer_is_one_span_named_by_the_conventions(
    telemetry: Telemetry, client: Any, emulator: Emulator
) -> None:
    emulator.reply(WHOLE)
    options = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 5, "seed": 1, "stop": "x", "reasoning_effort": "low"}
    client.generate("Hi", "a/b", response_format="json_object", **options)
    assert (telemetry.span.name, telemetry.span.kind.name, telemetry.span.status.status_code.name) == (
        "chat a/b",
        "CLIENT",
        "UNSET",
    )
    assert telemetry.span.instrumentation_scope.name == "hf_text"
    told = telemetry.told
    assert told.pop("gen_ai.response.time_to_first_chunk") > 0
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "huggingface",
        "gen_ai.output.type": "json",
        "gen_ai.request.model": "a/b",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.seed": 1,
        "gen_ai.request.stop_sequences": ("x",),
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.response.id": "chatcmpl-emulator",
        "gen_ai.response.model": "openai/gpt-oss-120b",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 4,
        "server.address": "127.0.0.1",
        "server.port": int(emulator.url.rpartition(":")[2]),
        "hf_text.attempts": 1,
        "hf_text.provider": "groq",
    }


def test_names_match_the_installed_conventions(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

    emulator.reply(WHOLE)
    client.generate("Hi", "a/b", temperature=0.5)
    defined = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    assert {name for name in telemetry.told if name.startswith("gen_ai.")} <= defined
    assert set(telemetry.points()) <= {value for value in vars(gen_ai_metrics).values() if isinstance(value, str)}


def test_a_missing_finish_reason_is_not_invented(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    emulator.reply("done-without-finish")
    assert client.generate("Hi", "a/b").finish_reason is None
    assert "gen_ai.response.finish_reasons" not in telemetry.told
    assert "hf_text.stopped" not in telemetry.told


REFUSED = Response.error(422, SECRET)
FAILURES: dict[str, tuple[Any, str, str | None]] = {
    "cut": ("cut-mid-stream", "TruncatedStreamError", None),
    "no finish reason": ("no-finish-no-done", "TruncatedStreamError", None),
    "error in the stream": ("error-in-stream", "ProviderStreamError", "status 500"),
    "broken": ("broken-json", "MalformedStreamError", None),
    "refused": (REFUSED, "BadRequestError", "status 422"),
    "wrong key": ("bad-key", "AuthenticationError", "status 401"),
    "reset": ("reset-before-headers", "TransportError", None),
    "stalled": ("stall-mid-stream", "RequestTimeoutError", None),
    "never begun": ("stall-before-headers", "RequestTimeoutError", None),
}


@pytest.mark.parametrize("how", FAILURES)
def test_a_failed_call_is_one_span_with_the_error_and_without_content(
    telemetry: Telemetry, make_client: Callable[..., Any], emulator: Emulator, how: str
) -> None:
    reply, kind, description = FAILURES[how]
    emulator.reply(reply)
    client = make_client(max_retries=0, timeout=1 if kind == "RequestTimeoutError" else 20)
    with pytest.raises(getattr(hf_text, kind)):
        client.generate(SECRET, "a/b:novita")
    assert telemetry.span.name == "chat a/b:novita"
    assert (telemetry.span.status.status_code.name, telemetry.span.status.description) == ("ERROR", description)
    assert telemetry.told["error.type"] == f"hf_text.{kind}"
    assert telemetry.told["gen_ai.response.finish_reasons"] == ("error",)
    assert SECRET not in telemetry.span.to_json()
    (point,) = telemetry.points()["gen_ai.client.operation.duration"]
    assert point.attributes["error.type"] == f"hf_text.{kind}"


@pytest.mark.parametrize("end", ["break", "close", "cancel", "collected"])
def test_an_abandoned_stream_is_one_span_without_an_error(
    telemetry: Telemetry, client: Any, emulator: Emulator, end: str
) -> None:
    emulator.reply("stall-mid-stream")
    stream = client.stream("Hi", "a/b")
    texts = iter(stream)
    assert next(texts) == "One"
    if end in ("close", "cancel"):
        getattr(stream, end)()
    del texts, stream
    gc.collect()
    emulator.wait_for_disconnect()
    assert telemetry.span.status.status_code.name == "UNSET"
    assert telemetry.told["hf_text.stopped"] is True
    assert telemetry.told["gen_ai.response.finish_reasons"] == ("error",)


@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream"])
def test_a_call_cancelled_while_waiting_is_one_span(
    telemetry: Telemetry, client: Any, emulator: Emulator, fault: str
) -> None:
    emulator.reply(fault)
    stream = client.stream("Hi", "a/b")
    canceller = threading.Thread(target=lambda: (emulator.wait_for_requests(), stream.cancel()))
    canceller.start()
    with pytest.raises(hf_text.StreamCancelledError):
        list(stream)
    canceller.join()
    assert telemetry.told["hf_text.stopped"] is True
    assert "error.type" not in telemetry.told


def test_an_unread_stream_sends_nothing_and_has_no_span(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    client.stream("Hi", "a/b").close()
    assert (telemetry.spans, emulator.requests) == ([], [])


def test_a_call_refused_before_sending_is_one_span(telemetry: Telemetry, client: Any) -> None:
    with pytest.raises(hf_text.InvalidRequestError):
        client.generate("Hi", "a/b", temperature="hot")
    assert telemetry.span.name == "chat a/b"
    assert telemetry.told["error.type"] == "hf_text.InvalidRequestError"


def test_retries_and_failover_share_one_span(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    emulator.reply("server-error", "server-error", "server-error", WHOLE)
    answer = client.generate("Hi", "openai/gpt-oss-120b")
    assert telemetry.told["hf_text.attempts"] == len(answer.attempts) > 1
    assert telemetry.told["hf_text.provider"] == "groq"
    assert telemetry.span.status.status_code.name == "UNSET"


def test_a_default_model_of_the_server_names_the_span(
    telemetry: Telemetry, make_client: Callable[..., Any], emulator: Emulator
) -> None:
    emulator.reply(WHOLE)
    answer = make_client(api_base=emulator.api_base, router_url="http://127.0.0.1:9").generate("Hi")
    assert telemetry.span.name == f"chat {answer.model}"
    assert telemetry.told["gen_ai.request.model"] == answer.model
    assert telemetry.told["gen_ai.provider.name"] == "openai"


def test_each_round_of_a_conversation_is_a_span(
    telemetry: Telemetry, converse: Callable[..., Any], emulator: Emulator
) -> None:
    emulator.reply(Response.text(tool_calls=[("now", {})]), WHOLE)
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
    chat = converse(model="a/b", tools=[hf_text.tool(name="now", parameters=tool["function"]["parameters"])(lambda: 1)])
    assert chat.generate("Hi").text == "One two"
    assert [span.attributes["gen_ai.response.finish_reasons"] for span in telemetry.spans] == [
        ("tool_calls",),
        ("stop",),
    ]


@pytest.mark.parametrize("fits", [True, False])
def test_each_request_for_a_typed_answer_is_a_span(
    telemetry: Telemetry, client: Any, emulator: Emulator, fits: bool
) -> None:
    emulator.reply(Response.text('{"a": "x"}'), Response.text('{"a": 1}' if fits else '{"a": "y"}'))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    with nullcontext() if fits else pytest.raises(hf_text.StructuredOutputError):
        client.parse("Hi", schema, "a/b")
    ends = [(span.status.status_code.name, span.attributes["gen_ai.output.type"]) for span in telemetry.spans]
    assert ends == [("UNSET", "json")] * 2  # the answers are complete; a mismatch shows only in what follows


def test_each_row_of_a_batch_is_a_span(telemetry: Telemetry, emulator: Emulator, tmp_path: Path) -> None:
    emulator.reply(WHOLE, REFUSED, WHOLE)
    with hf_text.Client("hf_MadeUpKeyForTests", router_url=emulator.api_base, hub_url=emulator.url) as client:
        batch.run(["One", "Two", "Three"], tmp_path / "answers.jsonl", model="a/b", client=client, max_workers=1)
    ends = [span.status.status_code.name for span in telemetry.spans]
    assert ends == ["UNSET", "ERROR", "UNSET"]


@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream"])
def test_a_cancelled_task_is_one_span_without_an_error(telemetry: Telemetry, emulator: Emulator, fault: str) -> None:
    emulator.reply(fault)

    async def ask() -> None:
        async with AsyncClient("hf_MadeUpKeyForTests", router_url=emulator.api_base, hub_url=emulator.url) as client:
            task = asyncio.create_task(client.generate("Hi", "a/b"))
            await asyncio.to_thread(emulator.wait_for_requests)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask())
    emulator.wait_for_disconnect()
    assert telemetry.span.status.status_code.name == "UNSET"
    assert telemetry.told["hf_text.stopped"] is True


def test_the_span_is_a_child_of_the_calling_span(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    from opentelemetry import trace

    emulator.reply(WHOLE)
    with telemetry.tracers.get_tracer("app").start_as_current_span("handler") as handler:
        stream = client.stream("Hi", "a/b")
    for _ in stream:
        assert not trace.get_current_span().get_span_context().is_valid  # the reader's own work is not part of the call
    call = next(span for span in telemetry.spans if span.name == "chat a/b")
    assert call.parent.span_id == handler.get_span_context().span_id


def test_metrics_record_duration_tokens_and_chunk_times(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    emulator.reply(Response.text("One", " two", " three", usage=(3, 4), pace=0.01))
    client.generate("Hi", "a/b")
    points = telemetry.points()
    assert set(points) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.operation.time_per_output_chunk",
    }
    tokens = {point.attributes["gen_ai.token.type"]: point.sum for point in points["gen_ai.client.token.usage"]}
    assert tokens == {"input": 3, "output": 4}
    for point in points["gen_ai.client.operation.duration"] + points["gen_ai.client.operation.time_to_first_chunk"]:
        assert point.count == 1
        assert point.attributes["gen_ai.request.model"] == "a/b"


MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": SECRET}]},
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": "4711"},
]
TOOL = {"type": "function", "function": {"name": "f", "description": "does", "parameters": {"type": "object"}}}


def test_content_is_not_recorded_by_default(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    emulator.reply(Response.text("An", " answer", reasoning=["A thought"], tool_calls=[("f", {"secret": 1})]))
    client.generate(MESSAGES, "a/b", tools=[TOOL])
    recorded = telemetry.span.to_json()
    for word in (SECRET, "4711", "answer", "thought", "secret", "does", "Be brief"):
        assert word not in recorded


def test_content_is_recorded_on_request(
    needs: Needs, monkeypatch: pytest.MonkeyPatch, client: Any, emulator: Emulator
) -> None:
    needs("opentelemetry.sdk", "opentelemetry.util.genai")
    from hf_text.integrations import otel

    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    telemetry = Telemetry()
    otel.instrument(**telemetry.providers)
    try:
        emulator.reply(Response.text("An", " answer", reasoning=["A thought"], tool_calls=[("f", {"x": 1})]), REFUSED)
        client.generate(iter(MESSAGES), "a/b", tools=[TOOL])
        with pytest.raises(hf_text.BadRequestError):
            client.generate("Hi", "a/b:novita")
    finally:
        otel.uninstrument()
    whole, refused = telemetry.spans
    roles = [message["role"] for message in json.loads(whole.attributes["gen_ai.input.messages"])]
    assert roles == ["system", "user", "assistant", "tool"]
    assert SECRET in whole.attributes["gen_ai.input.messages"]
    (message,) = json.loads(whole.attributes["gen_ai.output.messages"])
    assert [part["type"] for part in message["parts"]] == ["reasoning", "text", "tool_call"]
    assert json.loads(whole.attributes["gen_ai.tool.definitions"])[0]["name"] == "f"
    assert SECRET in refused.status.description


@pytest.mark.blocking_client
def test_after_uninstrument_nothing_is_recorded(telemetry: Telemetry, client: Any, emulator: Emulator) -> None:
    from hf_text.integrations import otel

    emulator.reply(WHOLE, WHOLE)
    otel.instrument(**telemetry.providers)  # the second call does nothing
    client.generate("Hi", "a/b")
    otel.uninstrument()
    client.generate("Hi", "a/b")
    assert len(telemetry.spans) == 1


@pytest.mark.blocking_client
def test_instrumented_http_requests_are_children_of_the_call(needs: Needs, run_driven: Any) -> None:
    needs("opentelemetry.sdk", "opentelemetry.util.genai", "opentelemetry.instrumentation.urllib3")
    program = Path(__file__).with_name("otel_day.py").read_text("utf-8")
    calls, requests, orphans = json.loads(run_driven(program).splitlines()[-1])
    assert (calls, requests, orphans) == (11, 11, 0)


@pytest.mark.blocking_client
def test_a_forked_child_that_drops_its_copy_of_a_stream_records_nothing(
    telemetry: Telemetry, client: Any, emulator: Emulator
) -> None:
    gate = Gate()
    first, *rest = Response.text("One", " two", done=True).body  # type: ignore[misc]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=(first, rest[0], gate, *rest[1:])))
    texts = iter(client.stream("Hi", "a/b"))
    assert next(texts) == "One"
    child = os.fork()
    if child == 0:
        texts.close()
        os._exit(len(telemetry.spans))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.open()
    assert list(texts) == [" two"]
    assert "hf_text.stopped" not in telemetry.told


@pytest.mark.blocking_client
def test_opentelemetry_finds_the_instrumentation_by_its_entry_point(needs: Needs) -> None:
    needs("opentelemetry.sdk", "opentelemetry.util.genai")
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

    (entry,) = importlib.metadata.entry_points(group="opentelemetry_instrumentor", name="hf_text")
    assert issubclass(entry.load(), BaseInstrumentor)


@pytest.mark.blocking_client
def test_a_missing_package_says_what_to_install_on_one_line() -> None:
    program = "import sys; sys.modules['opentelemetry'] = None\nimport hf_text.integrations.otel"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert "MissingExtraError: this needs opentelemetry-util-genai: pip install 'hf_text[otel]'" in done.stderr


@pytest.mark.blocking_client
def test_library_and_command_do_not_load_opentelemetry() -> None:
    imports = "import sys, hf_text, hf_text.aio, hf_text.cli, hf_text.batch"
    program = f"{imports}; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert (done.stdout, done.stderr) == ("[]\n", "")
