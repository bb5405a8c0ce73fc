"""Logs, traces and metrics of a process.

A log line is a constant event name and fields. A trace follows a command through its events: the
`traceparent` of the span in which something was decided travels in what was decided.
"""

import logging
import os
import sys
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType, TracebackType
from typing import TextIO, TypeGuard

import structlog
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, Processor, WrappedLogger

from moot.runtime.metrics import start_metrics
from moot.runtime.process_metrics import watch_process

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("moot")
"""Of the provider that `start_tracing` sets, once there is one."""

_NOT_SAMPLED = frozenset("02468ace")
"""What the flags of a `traceparent` end in when nobody records the trace."""

SERVER = SpanKind.SERVER
"""The kind of a span that answers a request from outside."""
CLIENT = SpanKind.CLIENT
"""The kind of a span that waits for somebody outside."""

Attribute = str | int | float | bool
NO_ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType({})


def current_traceparent() -> str | None:
    """Return the W3C `traceparent` of the current span, None outside of any."""
    now = trace.get_current_span().get_span_context()
    if not now.is_valid:
        return None
    return f"00-{now.trace_id:032x}-{now.span_id:016x}-{now.trace_flags:02x}"


def current_trace_id() -> str | None:
    """Return the current trace's id, 32 hex digits, None outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


@contextmanager
def span(
    name: str,
    traceparent: str | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
) -> Generator[Span, None, None]:
    """Work inside a span; with `traceparent` it continues that trace instead of the current one."""
    context = _propagator.extract({"traceparent": traceparent}) if traceparent else None
    started = _tracer.start_span(name, context, kind, attributes)
    if started.is_recording():
        with trace.use_span(started, end_on_exit=True):
            yield started
        return
    # Nothing to end and nothing to record: being the current one is all there is to it.
    token = attach(trace.set_span_in_context(started, context))
    try:
        yield started
    finally:
        detach(token)


def record_batch(
    name: str,
    traceparents: Iterable[str | None],
    began_ns: int,
    ended_ns: int,
    attributes: Mapping[str, Attribute] = NO_ATTRIBUTES,
) -> None:
    """Add one span, which is over, for all that was done together; times in ns since 1970.

    It goes on with the trace of the first event that is traced, and has links to the others.
    """
    sampled = [_propagator.extract({"traceparent": each}) for each in traceparents if _is_on(each)]
    if not sampled:
        return
    first, *others = sampled
    over = _tracer.start_span(
        name,
        first,
        SpanKind.CONSUMER,
        {"messaging.batch.message_count": len(sampled), **attributes},
        [Link(trace.get_current_span(other).get_span_context()) for other in others],
        start_time=began_ns,
    )
    over.end(ended_ns)


def is_recorded() -> bool:
    """Whether what happens now is part of a trace that somebody collects."""
    return trace.get_current_span().is_recording()


def _is_on(traceparent: str | None) -> TypeGuard[str]:
    return traceparent is not None and traceparent[-1:] not in _NOT_SAMPLED


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
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider


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


def start_logging(
    service: str, *, log_format: str = "auto", level: str = "info", stream: TextIO = sys.stderr
) -> None:
    """Log to `stream`: JSON lines, readable ones on a terminal. Libraries' logs come the same way.

    `log_format` is `json`, `console`, or `auto` for what fits the stream.
    """
    console = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Named(service),
        _add_trace,
    ]
    _route_everything(shared, _renderers(console=console), level, stream)


def _renderers(*, console: bool) -> list[Processor]:
    if console:
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]


def _route_everything(
    shared: list[Processor], renderers: list[Processor], level: str, stream: TextIO
) -> None:
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    to_stream = logging.StreamHandler(stream)
    to_stream.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [to_stream]
    root.setLevel(logging.getLevelNamesMapping()[level.upper()])
    logging.captureWarnings(capture=True)
    _log_what_nobody_catches()
    # Libraries tell a story for each connection and request; a line of ours already says what came.
    for noisy in ("asyncio", "faststream", "httpx2", "httpcore2", "nats", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _log_what_nobody_catches() -> None:
    """A traceback that Python itself writes would be many lines, none of them JSON."""
    log = logging.getLogger("python")

    def ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            log.critical("uncaught", exc_info=(kind, error, trace))

    def thread_ended(of: threading.ExceptHookArgs) -> None:
        if of.exc_value is not None:
            ended(of.exc_type, of.exc_value, of.exc_traceback)

    def not_raisable(of: "sys.UnraisableHookArgs") -> None:
        log.error("unraisable", exc_info=of.exc_value)

    sys.excepthook = ended
    threading.excepthook = thread_ended
    sys.unraisablehook = not_raisable


class _Named:
    """Puts the service's name into each line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        line.setdefault("service", self._service)
        return line


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
        line["span_id"] = trace.format_span_id(context.span_id)
    return line
