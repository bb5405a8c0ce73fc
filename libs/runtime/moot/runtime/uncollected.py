"""Spans that nobody collects: ids, for logs and for what follows from what was decided."""

from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    NoOpTracerProvider,
    Span,
    SpanContext,
    TraceFlags,
    Tracer,
    get_current_span,
)

_ids: Final = RandomIdGenerator()
_NOT_SAMPLED: Final = TraceFlags(TraceFlags.RANDOM_TRACE_ID)


class Uncollected(NoOpTracerProvider):
    """What the SDK's provider makes with the sampler ParentBased(ALWAYS_OFF), at a third of it."""

    def get_tracer(self, *_: object, **__: object) -> Tracer:
        return _Tracer()


class _Tracer(NoOpTracer):
    def start_span(
        self,
        name: str,  # noqa: ARG002 as OpenTelemetry has it
        context: Context | None = None,
        *_: object,
        **__: object,
    ) -> Span:
        """Go on with the trace that there is, sampled or not as it is, or begin one."""
        parent = get_current_span(context).get_span_context()
        if parent.is_valid:
            trace_id, flags = parent.trace_id, parent.trace_flags
        else:
            trace_id, flags = _ids.generate_trace_id(), _NOT_SAMPLED
        span_id = _ids.generate_span_id()
        told = SpanContext(trace_id, span_id, False, flags, parent.trace_state)  # noqa: FBT003 is_remote
        return NonRecordingSpan(told)
