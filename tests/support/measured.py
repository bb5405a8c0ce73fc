"""What this process measures, as `/metrics` would show it."""

from functools import cache

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client import REGISTRY

from moot.runtime.providers import start_metrics


def measured(name: str, **labels: str) -> float | None:
    """Return the sample of that name and those labels, None where there is none.

    Asked for the first time it begins to measure: ask before, and again after.
    """
    _measuring()
    return REGISTRY.get_sample_value(name, labels)


@cache
def _measuring() -> MeterProvider:
    return start_metrics(Resource.create({"service.name": "moot-tests"}), exports=False)
