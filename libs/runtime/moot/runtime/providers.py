"""Who takes a process's spans and measurements: nobody, Prometheus at `/metrics`, a collector."""

import os
import threading
from dataclasses import dataclass
from importlib import metadata

from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from prometheus_client import GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR, REGISTRY

from moot.runtime.process_metrics import watch_process


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a process sends away as it ends."""

    tracing: TracerProvider
    measuring: MeterProvider

    def flush(self, patience: float) -> None:
        """Send what wasn't sent yet, but let no dead collector hold up the stop: seconds."""
        flushing = [
            threading.Thread(target=provider.force_flush, daemon=True)
            for provider in (self.tracing, self.measuring)
        ]
        for thread in flushing:
            thread.start()
        for thread in flushing:
            thread.join(timeout=patience / len(flushing))


def start_telemetry(service: str, replica: str) -> Telemetry:
    """Trace and measure this process; by OTLP/HTTP if OTEL_EXPORTER_OTLP_ENDPOINT is set.

    Without it a trace that begins here has an id, for logs and what follows, and records nothing.
    """
    version = _version(service)
    resource = Resource.create(
        {
            "service.name": f"moot-{service}",
            "service.version": version,
            "service.instance.id": replica,
        }
    )
    watch_process(version)
    return Telemetry(
        _start_tracing(resource, exports=_is_exported("TRACES")),
        start_metrics(resource, exports=_is_exported("METRICS")),
    )


def _start_tracing(resource: Resource, *, exports: bool) -> TracerProvider:
    provider = TracerProvider(
        # None is what OTEL_TRACES_SAMPLER says.
        sampler=None if exports else ParentBased(ALWAYS_OFF),
        resource=resource,
        shutdown_on_exit=False,
    )
    if exports:
        provider.add_span_processor(_spans_by_http())
    trace.set_tracer_provider(provider)
    return provider


def start_metrics(resource: Resource, *, exports: bool) -> MeterProvider:
    """Measure this process, for `/metrics`; with `exports` send it by OTLP/HTTP as well."""
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        REGISTRY.unregister(collector)  # `moot.runtime.process_metrics` says it by OTLP, too
    by_http = [_metrics_by_http()] if exports else []
    provider = MeterProvider(
        metric_readers=[PrometheusMetricReader(scope_info_enabled=False), *by_http],
        resource=resource,
        shutdown_on_exit=False,
        # Prometheus's reader shows no exemplars, so nobody would see them.
        exemplar_filter=None if exports else AlwaysOffExemplarFilter(),
    )
    metrics.set_meter_provider(provider)
    return provider


# Protocol Buffers are a quarter of what a service that exports nothing would import.
def _spans_by_http() -> BatchSpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return BatchSpanProcessor(OTLPSpanExporter())


def _metrics_by_http() -> MetricReader:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter,
    )

    return PeriodicExportingMetricReader(OTLPMetricExporter())


def _is_exported(signal: str) -> bool:
    """Whether there is somewhere to send it, and nobody has said not to."""
    if os.environ.get(f"OTEL_{signal}_EXPORTER") == "none":
        return False
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    return any(os.environ.get(name) for name in names)


def _version(service: str) -> str:
    try:
        return metadata.version(f"moot-{service}")
    except metadata.PackageNotFoundError:
        return "unknown"
