"""What a benchmark has found, and how it is summed up."""

import gc
import math
import statistics
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

SIZES: Mapping[str, float] = {"1/16": 1 / 16, "1/4": 1 / 4, "1": 1.0}
"""×1 is the size that measures.md states."""

RUNS = 5
"""At ×1; the smaller sizes only tell how cost grows, and run once."""


def runs_at(size: str) -> int:
    return RUNS if size == "1" else 1


@dataclass(frozen=True)
class Result:
    """One row of the table. Latencies are in milliseconds; what doesn't apply is left out."""

    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    runs: Sequence[float] = ()
    p50_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    sizes: Mapping[str, float] = field(default_factory=dict[str, float])
    exponent: float | None = None
    """Of the size, in how long it takes: 1 is linear."""
    notes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_json(self) -> dict[str, Any]:
        kept = {name: value for name, value in asdict(self).items() if value not in (None, (), {})}
        return rounded(kept)


@dataclass
class Stopwatch:
    """Seconds on the wall, and of this process's CPU."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def timed() -> Generator[Stopwatch]:
    watch = Stopwatch()
    began, cpu_began = time.perf_counter(), time.process_time()
    yield watch
    watch.seconds = time.perf_counter() - began
    watch.cpu_seconds = time.process_time() - cpu_began


@contextmanager
def undisturbed() -> Generator[None]:
    """Keep what the benchmark itself holds in memory out of the garbage collector's rounds."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the least value that `percent` of all don't exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Return p50_ms, p99_ms and max_ms."""
    milliseconds = [each * 1000 for each in seconds]
    return {
        "p50_ms": percentile(milliseconds, 50),
        "p99_ms": percentile(milliseconds, 99),
        "max_ms": max(milliseconds),
    }


def exponent(seconds_by_size: Mapping[str, float]) -> float:
    """Return the slope of log(seconds) over log(size), by least squares."""
    points = [(math.log(SIZES[size]), math.log(s)) for size, s in seconds_by_size.items()]
    slope, _ = statistics.linear_regression(*zip(*points, strict=True))
    return slope


def rounded(value: Any) -> Any:  # noqa: ANN401 any JSON
    """Return `value` with three significant digits after the point at most."""
    match value:
        case bool() | str() | int() | None:
            return value
        case float():
            return round(value, 3)
        case dict():
            return {key: rounded(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case _:
            return [rounded(each) for each in value]
