"""What a process measures: for Prometheus at `/metrics` and, with an endpoint set, by OTLP.

A module that measures something says so at its head. Attributes take few values, known beforehand:
a route's template, a projection, a refusal's code; never an id, a name or a text from outside.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

Values = tuple[str, ...]
"""The attributes' values, in the order in which the instrument names them."""

SECONDS: Final = "s"
BYTES: Final = "By"
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_SUFFIXES: Final = {SECONDS: "_seconds", BYTES: "_bytes"}
_meter = metrics.get_meter("moot")
"""Of the provider that `start_metrics` sets, once there is one."""
_declared: dict[str, "Declared"] = {}


@dataclass(frozen=True, slots=True)
class Declared:
    """What an instrument is. `unit` is as OpenTelemetry has it, `{event}` being a count of them."""

    kind: str
    name: str
    unit: str
    description: str
    attributes: Values

    @property
    def prometheus_name(self) -> str:
        name = self.name.replace(".", "_") + _SUFFIXES.get(self.unit, "")
        return f"{name}_total" if self.kind == "counter" else name


def declared() -> list[Declared]:
    """Return every instrument of the modules that were imported, by name."""
    return [_declared[name] for name in sorted(_declared)]


class _Kept:
    """Numbers by their attributes, asked for when somebody looks.

    To change one costs a tenth of what a measurement of the SDK does, and it is done per command.
    """

    kind = ""

    def __init__(self, name: str, unit: str, description: str, *attributes: str) -> None:
        _declare(self.kind, name, unit, description, attributes)
        self._attributes = attributes
        self._values: dict[Values, float] = {}
        self._look: Callable[[], Mapping[Values, float]] | None = None

    def watch(self, look: Callable[[], Mapping[Values, float]]) -> None:
        """Ask `look` whenever somebody wants to know; from any thread, so it mustn't wait."""
        self._look = look

    def value(self, *values: str) -> float | None:
        """Return what would be exported now; None for what has never been."""
        return self._current().get(values)

    def _current(self) -> Mapping[Values, float]:
        return self._values if self._look is None else self._look()

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(float(value), dict(zip(self._attributes, values, strict=True)))
            for values, value in list(self._current().items())
        ]


class Counter(_Kept):
    """What only grows."""

    kind = "counter"

    def __init__(self, name: str, unit: str, description: str, *attributes: str) -> None:
        super().__init__(name, unit, description, *attributes)
        if not attributes:
            self._values[()] = 0  # an increase from nothing at all is one that nobody sees
        _meter.create_observable_counter(name, [self._observe], unit, description)

    def add(self, *values: str, by: float = 1) -> None:
        self._values[values] = self._values.get(values, 0) + by


class Gauge(_Kept):
    """What is so now."""

    kind = "gauge"

    def __init__(self, name: str, unit: str, description: str, *attributes: str) -> None:
        super().__init__(name, unit, description, *attributes)
        _meter.create_observable_gauge(name, [self._observe], unit, description)

    def set(self, value: float, *values: str) -> None:
        self._values[values] = value

    def add(self, by: float, *values: str) -> None:
        self._values[values] = self._values.get(values, 0) + by

    def forget(self, *values: str) -> None:
        self._values.pop(values, None)


class Histogram:
    """How long things took, in seconds."""

    def __init__(
        self, name: str, description: str, *attributes: str, buckets: tuple[float, ...] = BUCKETS
    ) -> None:
        _declare("histogram", name, SECONDS, description, attributes)
        self._attributes = attributes
        self._known: dict[Values, dict[str, str]] = {}
        self._instrument = _meter.create_histogram(
            name, SECONDS, description, explicit_bucket_boundaries_advisory=list(buckets)
        )

    def record(self, seconds: float, *values: str) -> None:
        known = self._known.get(values)
        if known is None:
            known = self._known[values] = dict(zip(self._attributes, values, strict=True))
        self._instrument.record(max(seconds, 0.0), known)


def _declare(kind: str, name: str, unit: str, description: str, attributes: Values) -> None:
    if name in _declared:
        raise ValueError(f"{name} is declared twice")
    _declared[name] = Declared(kind, name, unit, description, attributes)
