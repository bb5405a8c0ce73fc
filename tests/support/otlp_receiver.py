"""A collector that keeps what it is sent by OTLP/HTTP, and tells which service each span is of."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True, slots=True)
class SpanSent:
    """Ids are hex digits; `parent_id` is empty for the first span of a trace."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    linked: tuple[str, ...]
    """The ids of the spans that it has links to."""


@dataclass
class OtlpReceiver:
    url: str = ""
    spans: list[SpanSent] = field(default_factory=list[SpanSent])
    metrics: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """The names of what each service has measured."""
    resources: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """What each service says of itself."""

    def trace(self, trace_id: str) -> list[SpanSent]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def take_traces(self, body: bytes) -> None:
        for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = self._service(list(resource_spans.resource.attributes))
            self.spans += [
                SpanSent(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    tuple(link.span_id.hex() for link in span.links),
                )
                for scope_spans in resource_spans.scope_spans
                for span in scope_spans.spans
            ]

    def take_metrics(self, body: bytes) -> None:
        for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service = self._service(list(resource_metrics.resource.attributes))
            self.metrics.setdefault(service, set()).update(
                metric.name for scope in resource_metrics.scope_metrics for metric in scope.metrics
            )

    def _service(self, attributes: list[KeyValue]) -> str:
        said = {each.key: each.value.string_value for each in attributes}
        self.resources[said["service.name"]] = said
        return said["service.name"]


@contextmanager
def otlp_receiver() -> Generator[OtlpReceiver]:
    """A collector in a thread of its own, so that it outlives a test's event loop."""
    received = OtlpReceiver()

    class Post(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            take = {"/v1/traces": received.take_traces, "/v1/metrics": received.take_metrics}
            take[self.path](body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Post)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    received.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
