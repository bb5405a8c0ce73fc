"""Spans, of whatever a process does.

A trace follows a command through its events: the `traceparent` of the span in which something was
decided travels in what was decided.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TypeGuard

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("moot")
"""Of the provider that `start_telemetry` sets, once there is one."""

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
