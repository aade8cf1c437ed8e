"""The calls of ``drive`` with spans for the calls and spans of urllib3; a program for ``run_driven``."""

import json
import sys

from drive import drive
from opentelemetry import trace
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hf_text.integrations.otel import instrument

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
URLLib3Instrumentor().instrument()
instrument()
drive(sys.argv[1])
spans = exporter.get_finished_spans()
calls = {span.context.span_id for span in spans if span.name == "chat m"}
requests = [span for span in spans if span.name == "POST"]
orphans = [span for span in requests if span.parent is None or span.parent.span_id not in calls]
print(json.dumps([len(calls), len(requests), len(orphans)]))
