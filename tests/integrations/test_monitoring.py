"""Monitoring tools in the same process: calls behave as without them, and the tools see the status of each answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from drive import DAY, STATUSES

from hf_text.emulator import Emulator

Needs = Callable[..., None]
RunDriven = Callable[..., str]

START = "import json, sys\nfrom drive import drive\n"
SENT = len(DAY)


def last_line(output: str) -> Any:
    return json.loads(output.splitlines()[-1])


SENTRY = """
import sentry_sdk

def keep(event, hint):
    seen.extend(event["spans"])

crumbs, seen = [], []
sentry_sdk.init(
    "http://key@127.0.0.1:9/1",
    traces_sample_rate=1.0,
    before_breadcrumb=lambda crumb, hint: crumbs.append(crumb) or crumb,
    before_send_transaction=keep,
)
with sentry_sdk.start_transaction(name="day"):
    drive(sys.argv[1])
crumbs = [crumb["data"].get("http.response.status_code") for crumb in crumbs if crumb.get("category") == "httplib"]
spans = [span["data"].get("http.response.status_code") for span in seen if span["op"] == "http.client"]
ended = all(span["timestamp"] for span in seen)
print(json.dumps([crumbs, spans, ended]))
"""


def test_sentry_sees_each_status_and_its_spans_end(needs: Needs, run_driven: RunDriven) -> None:
    needs("sentry_sdk")
    assert last_line(run_driven(START + SENTRY)) == [STATUSES, STATUSES, True]


ELASTIC = """
import elasticapm

seen = []
client = elasticapm.Client(
    service_name="test", disable_send=True, cloud_provider="none", metrics_interval="0s", central_config=False
)
client.tracer.queue_func = lambda kind, data, *_, **__: seen.append(data) if kind == "span" else None
elasticapm.instrument()
client.begin_transaction("day")
drive(sys.argv[1])
client.end_transaction("day", "ok")
client.close()
print(json.dumps([[span["context"]["http"].get("status_code"), span["outcome"]] for span in seen]))
"""


def test_elastic_apm_sees_each_status(needs: Needs, run_driven: RunDriven) -> None:
    needs("elasticapm")
    spans = last_line(run_driven(START + ELASTIC))
    assert spans == [[status, "success" if status == 200 else "failure"] for status in STATUSES]


OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
for name in {libraries!r}:
    if name == "requests":
        from opentelemetry.instrumentation.requests import RequestsInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor as Instrumentor
    Instrumentor().instrument()
drive(sys.argv[1])
spans = exporter.get_finished_spans()
print(json.dumps([[span.attributes.get("http.status_code"), span.status.status_code.name] for span in spans]))
"""


@pytest.mark.parametrize("libraries", [["requests"], ["urllib3"], ["requests", "urllib3"]], ids=" and ".join)
def test_opentelemetry_sees_each_status_and_propagates_context(
    needs: Needs, run_driven: RunDriven, emulator: Emulator, libraries: list[str]
) -> None:
    needs("opentelemetry.sdk", *(f"opentelemetry.instrumentation.{library}" for library in libraries))
    spans = last_line(run_driven(START + OPENTELEMETRY.format(libraries=libraries)))
    assert spans == [[status, "UNSET" if status == 200 else "ERROR"] for status in STATUSES]
    marks = [request.headers["traceparent"] for request in emulator.requests]
    assert len(set(marks)) == SENT


DDTRACE = """
from ddtrace import patch
from ddtrace.trace import TraceFilter, tracer

class Keep(TraceFilter):
    def process_trace(self, trace):
        seen.extend(trace)

seen = []
tracer.configure(trace_processors=[Keep()])
patch(**{{name: True for name in {libraries!r}}})
drive(sys.argv[1])
statuses = {{}}
for span in seen:
    status = span.get_tag("http.status_code")
    statuses.setdefault(span.name.split(".")[0], []).append(status and int(status))
print(json.dumps(statuses))
"""
DDTRACE_SETTINGS = {
    "DD_TRACE_HTTPLIB_ENABLED": "true",
    "DD_TRACE_STARTUP_LOGS": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",
}


@pytest.mark.parametrize(
    ("libraries", "names"),
    [
        (["httplib"], ["http"]),
        (["urllib3"], ["urllib3"]),
        (["requests"], ["requests"]),
        (["httplib", "urllib3", "requests"], ["http", "urllib3", "requests"]),
    ],
    ids=["http.client", "urllib3", "requests", "all"],
)
def test_datadog_sees_each_status(needs: Needs, run_driven: RunDriven, libraries: list[str], names: list[str]) -> None:
    needs("ddtrace")
    output = run_driven(START + DDTRACE.format(libraries=libraries), **DDTRACE_SETTINGS)
    assert last_line(output) == dict.fromkeys(names, STATUSES)


NEW_RELIC = """
import newrelic.agent

newrelic.agent.initialize()
app = newrelic.agent.register_application(timeout=20)

from newrelic.api.external_trace import ExternalTrace

seen, real = [], ExternalTrace.process_response

def keep(trace, status, headers):
    seen.append([status, dict(headers)["Connection"]])
    return real(trace, status, headers)

ExternalTrace.process_response = keep
with newrelic.agent.BackgroundTask(app, name="day"):
    drive(sys.argv[1])
print(json.dumps(seen))
"""


def test_new_relic_sees_each_status_and_propagates_context(
    needs: Needs, run_driven: RunDriven, emulator: Emulator
) -> None:
    """New Relic's transaction does not reach worker threads, so it sees only the blocking calls."""
    needs("newrelic")
    settings = {"NEW_RELIC_DEVELOPER_MODE": "true", "NEW_RELIC_LICENSE_KEY": 40 * "0", "NEW_RELIC_APP_NAME": "test"}
    seen = last_line(run_driven(START + NEW_RELIC, **settings))
    assert seen == [[status, "keep-alive"] for status in STATUSES[:6] if status]
    assert ["traceparent" in request.headers for request in emulator.requests] == 6 * [True] + 5 * [False]


X_RAY = """
from aws_xray_sdk.core import patch, xray_recorder

class Keep:
    def send_entity(self, entity):
        seen.append(json.loads(entity.serialize()))

seen = []
xray_recorder.configure(service="test", sampling=False, emitter=Keep())
patch(["httplib", "requests"])
segment = xray_recorder.begin_segment("day")
drive(sys.argv[1])
with xray_recorder.in_subsegment("later"):
    import hf_text
    with hf_text.Client("hf_MadeUpKeyForTests", api_base=sys.argv[1]) as client:
        client.generate("Hi", "m")
        with xray_recorder.in_subsegment("last"):
            client.generate("Hi", "m")
xray_recorder.end_segment()
print(json.dumps(len(seen)))
"""


def test_x_ray_adds_the_current_segment_to_each_request(
    needs: Needs, run_driven: RunDriven, emulator: Emulator
) -> None:
    """X-Ray adds a header where requests prepares a request; the header of an earlier request would be wrong."""
    needs("aws_xray_sdk")
    emulator.always(DAY[0])
    assert last_line(run_driven(START + X_RAY)) == 1
    marks = [request.headers.get("x-amzn-trace-id") for request in emulator.requests]
    assert marks[:SENT] == [None] * SENT  # no subsegment was active
    later, last = (re.search("Parent=([0-9a-f]+)", mark)[1] for mark in marks[SENT:])  # type: ignore[index, arg-type]
    assert later != last


def test_two_monitoring_tools_both_see_each_status(needs: Needs, run_driven: RunDriven) -> None:
    needs("sentry_sdk", "opentelemetry.sdk", "opentelemetry.instrumentation.urllib3")
    inner = OPENTELEMETRY.format(libraries=["urllib3"]).replace("print(", "first = (")
    outer = SENTRY.replace("    drive(sys.argv[1])", "    exec(inner, globals())")
    output = run_driven(f"{START}inner = {inner!r}\n{outer}\nprint(first)\n").splitlines()
    assert json.loads(output[0]) == [STATUSES, STATUSES, True]
    assert [status for status, _ in json.loads(output[1])] == STATUSES


DEBUG_LOG = """
import logging

logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(name)s: %(message)s")
drive(sys.argv[1])
"""


def test_the_urllib3_log_shows_each_status(run_driven: RunDriven) -> None:
    lines = run_driven(START + DEBUG_LOG).splitlines()
    answers = [line for line in lines if line.startswith("urllib3.connectionpool: http://")]
    assert [int(line.split('" ')[1].split()[0]) for line in answers] == [status for status in STATUSES if status]
    assert answers[0].endswith('"POST /v1/chat/completions HTTP/1.1" 200 None')
    assert "UNKNOWN" not in "".join(lines)


DEBUG_LEVEL = """
import http.client, hf_text

http.client.HTTPConnection.debuglevel = 1
drive(sys.argv[1])
headers = {"X-Secret": "another-secret"}
with hf_text.Client("hf_MadeUpKeyForTests", api_base=sys.argv[1], headers=headers) as client:
    client.generate("Hi", "m")
"""


def test_http_client_debug_output_shows_heads_without_the_key(run_driven: RunDriven, emulator: Emulator) -> None:
    emulator.always(DAY[0])
    output = run_driven(START + DEBUG_LEVEL)
    assert output.count("reply: 'HTTP/1.1 200 OK\\r\\n'") == STATUSES.count(200) + 1
    assert "header: Content-Type: text/event-stream" in output
    assert output.count("send: b'POST /v1/chat/completions HTTP/1.1") == SENT + 1
    assert "Authorization: ***" in output
    assert "hf_MadeUpKeyForTests" not in output
    assert "another-secret" not in output


OWN_INSTRUMENT = """
import http.client, urllib3, requests

seen, real = [], {owner}.{name}

def look(*args, **options):
    answer = real(*args, **options)
    if hasattr(answer, "status_code"):
        assert answer.ok == (answer.status_code < 400)
        seen.append([answer.status_code, answer.reason, answer.headers["Connection"]])
    else:
        assert answer.getheader("connection") == answer.headers["CONNECTION"] == dict(answer.getheaders())["Connection"]
        assert int(answer.status) == answer.getcode()
        seen.append([answer.status, answer.reason, answer.getheader("Connection")])
    assert repr(answer)
    return answer

{owner}.{name} = look
drive(sys.argv[1])
print(json.dumps(seen))
"""


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("http.client.HTTPConnection", "getresponse"),
        ("urllib3.connectionpool.HTTPConnectionPool", "_make_request"),
        ("urllib3.connectionpool.HTTPConnectionPool", "urlopen"),
        ("requests.adapters.HTTPAdapter", "send"),
        ("requests.Session", "send"),
    ],
)
def test_a_wrapped_library_function_sees_a_complete_head(run_driven: RunDriven, owner: str, name: str) -> None:
    seen = last_line(run_driven(START + OWN_INSTRUMENT.format(owner=owner, name=name)))
    reasons = {200: "OK", 500: "Internal Server Error"}
    assert seen == [[status, reasons[status], "keep-alive"] for status in STATUSES if status]
