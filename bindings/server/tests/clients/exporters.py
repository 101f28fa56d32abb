"""Exports spans with OpenTelemetry's exporters for Python: Protobuf over HTTP, with gzip and
without, each span twice."""

import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

URL = os.environ["FOREBEAR_URL"]
TOKEN = os.environ["FOREBEAR_TOKEN"]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


class Again:
    """Hands each span to several exporters, as a retry would."""

    def __init__(self, *exporters):
        self.exporters = exporters
        self.results = []

    def export(self, spans):
        for exporter in self.exporters:
            # The SDK would log what is raised here, and go on.
            self.results.append(exporter.export(spans))
        return SpanExportResult.SUCCESS

    def shutdown(self):
        for exporter in self.exporters:
            exporter.shutdown()

    def force_flush(self, timeout_millis=30000):
        return True


plain = OTLPSpanExporter(f"{URL}/v1/traces", headers=HEADERS)
packed = OTLPSpanExporter(f"{URL}/t/{TOKEN}/v1/traces", compression=Compression.Gzip)
provider = TracerProvider(resource=Resource.create({"service.name": "python"}))
again = Again(plain, packed, plain)
provider.add_span_processor(SimpleSpanProcessor(again))
tracer = trace.get_tracer("clients", tracer_provider=provider)

with tracer.start_as_current_span("py root", attributes={"session.id": "python talk"}) as root:
    with tracer.start_as_current_span(
        "execute_tool search",
        attributes={
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "search",
            "numbers": [1, 2, 3],
            "ratio": 0.5,
            "fine": True,
        },
        links=[trace.Link(root.get_span_context())],
    ) as tool:
        tool.record_exception(ValueError("it broke"))
        tool.set_status(trace.StatusCode.ERROR, "it broke")
    with tracer.start_as_current_span("py last"):
        pass
provider.shutdown()
assert again.results == [SpanExportResult.SUCCESS] * 9, again.results
print("Python's exporters: 3 spans, sent three times each")
