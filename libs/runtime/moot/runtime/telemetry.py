"""Logs and traces of a process.

A log line is a constant event name and fields. A trace follows a command through its events: the
`traceparent` of the span in which something was decided travels in what was decided.
"""

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

import structlog
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, Processor, WrappedLogger

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("moot")
"""Of the provider that `start_tracing` sets, once there is one."""
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_NOT_SAMPLED = frozenset("02468ace")
"""What the flags of a `traceparent` end in when nobody records the trace."""

SERVER = SpanKind.SERVER
"""The kind of a span that answers a request from outside."""

Attribute = str | int | float | bool


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
    **attributes: Attribute,
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


def record_span(
    name: str, traceparent: str | None, began_ns: int, ended_ns: int, **attributes: Attribute
) -> None:
    """Add a span that is over to the trace of `traceparent`; times in ns since 1970."""
    if traceparent is None or traceparent[-1:] in _NOT_SAMPLED:
        return
    context = _propagator.extract({"traceparent": traceparent})
    over = _tracer.start_span(
        name,
        context=context,
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        start_time=began_ns,
    )
    over.end(ended_ns)


def start_tracing(service: str, replica: str) -> TracerProvider:
    """Trace this process; spans are exported only if OTEL_EXPORTER_OTLP_ENDPOINT is set.

    Without it a trace that begins here has an id, for logs and what follows, and records nothing.
    """
    resource = Resource.create({"service.name": f"moot-{service}", "service.instance.id": replica})
    exports = any(os.environ.get(name) for name in _ENDPOINTS)
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
    # Libraries tell a story for each connection and request; a line of ours already says what came.
    for noisy in ("asyncio", "faststream", "httpx2", "httpcore2", "nats", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _Named:
    """Puts the service's name into each line."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        line.setdefault("service", self._service)
        return line


def _add_trace(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    trace_id = current_trace_id()
    if trace_id is not None:
        line["trace_id"] = trace_id
    return line
