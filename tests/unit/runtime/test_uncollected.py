"""Spans that nobody collects are as those of the SDK that nobody samples."""

import pytest
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from moot.runtime.uncollected import Uncollected

OURS = Uncollected().get_tracer("moot")
THEIRS = SdkProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False).get_tracer("moot")


def begun(by: Tracer, parent: SpanContext | None = None) -> SpanContext:
    context = None if parent is None else set_span_in_context(NonRecordingSpan(parent))
    return by.start_span("GET /page", context).get_span_context()


def test_a_trace_begins_with_ids_of_its_own() -> None:
    ours, theirs = begun(OURS), begun(THEIRS)

    assert ours.is_valid
    assert ours.trace_flags == theirs.trace_flags
    assert len({begun(OURS).trace_id for _ in range(10)}) == 10
    assert not OURS.start_span("GET /page").is_recording()


@pytest.mark.parametrize("flags", range(4))
def test_a_trace_goes_on_sampled_or_not_as_it_is(flags: int) -> None:
    parent = SpanContext(1 << 100, 1 << 50, is_remote=True, trace_flags=TraceFlags(flags))
    ours, theirs = begun(OURS, parent), begun(THEIRS, parent)

    assert ours.trace_id == theirs.trace_id == parent.trace_id
    assert ours.trace_flags == theirs.trace_flags == flags
    assert ours.is_remote is theirs.is_remote is False
    assert ours.span_id not in {parent.span_id, theirs.span_id}
