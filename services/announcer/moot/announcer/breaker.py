"""How an endpoint is doing, so that one that fails is left alone but for a probe now and then.

Each process knows what it saw itself. That holds well enough: with n replicas a dead endpoint has
n probes at once. What waits for it waits in the Chronicle, as a deadline, and holds up nobody.
"""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from moot.announcer.answers import Answer
from moot.runtime.metrics import SECONDS, Gauge

AT_ONCE: Final = 4
"""Attempts at one endpoint, so that one that is slow to answer leaves room for the others."""

OPENS_AFTER: Final = 5
"""Failures in a row. From the first one on, attempts at the endpoint are made one at a time."""

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Between probes: it doubles with each that fails."""

LONGEST_WAIT_SECONDS: Final = 900.0
BUSY_SECONDS: Final = 0.1
LONGEST_BUSY_SECONDS: Final = 3.0

_open = Gauge(
    "moot.delivery.breakers.open", "{endpoint}", "Endpoints that are left alone but for a probe"
)
_failing = Gauge(
    "moot.delivery.failing.longest", SECONDS, "How long the endpoint that fails longest has failed"
)
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Busy:
    """There is no room just now; look again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Resting:
    """The endpoint is to be left alone; what waits for it comes back after so many seconds."""

    seconds: float
    reason: str


@dataclass(slots=True)
class _Standing:
    failures: int = 0
    failing_since: float = 0.0
    next_at: float = 0.0
    """Before that nobody calls it."""
    in_flight: list[float] = field(default_factory=list[float])
    """When its attempts began that are under way, oldest first."""


class Breakers:
    """One breaker for each endpoint that was called; `endpoint` is its name here."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._luck = luck
        self._standings: defaultdict[str, _Standing] = defaultdict(_Standing)
        _open.watch(lambda: {(): sum(map(self._is_open, list(self._standings.values())))})
        _failing.watch(lambda: {(): self._longest_failing()})

    def hindrance(self, endpoint: str) -> Busy | Resting | None:
        """Say why the endpoint can't be called now; None when it can."""
        standing, now = self._standings[endpoint], self._clock()
        if now < standing.next_at or (standing.in_flight and self._is_open(standing)):
            return Resting(self._wait(standing, now), _reason(standing))
        most = 1 if standing.failures else AT_ONCE
        if len(standing.in_flight) < most:
            return None
        slowness = now - standing.in_flight[0]
        return Busy(self._jittered(min(max(slowness, BUSY_SECONDS), LONGEST_BUSY_SECONDS)))

    @contextmanager
    def calling(self, endpoint: str) -> Generator[None]:
        """Count an attempt as under way."""
        standing, began = self._standings[endpoint], self._clock()
        standing.in_flight.append(began)
        try:
            yield
        finally:
            standing.in_flight.remove(began)

    def note(self, endpoint: str, answer: Answer) -> None:
        """Learn from an answer. One that says no is an answer all the same."""
        standing = self._standings[endpoint]
        if not _is_failure(answer):
            self._mend(endpoint, standing)
            return
        if answer.retry_after_s:
            self._rest(standing, answer.retry_after_s)
        if standing.failures == 0:
            standing.failing_since = self._clock()
        standing.failures += 1
        if self._is_open(standing):
            doublings = min(standing.failures - OPENS_AFTER, 20)
            pause = min(FIRST_PAUSE_SECONDS * 2**doublings, LONGEST_PAUSE_SECONDS)
            self._rest(standing, pause * (0.5 + self._luck() / 2))
        if standing.failures == OPENS_AFTER:
            _log.warning("breaker_opened", endpoint=endpoint, failures=standing.failures)

    def _mend(self, endpoint: str, standing: _Standing) -> None:
        if self._is_open(standing):
            _log.info("breaker_closed", endpoint=endpoint, failures=standing.failures)
        standing.failures, standing.next_at = 0, 0.0

    def _rest(self, standing: _Standing, seconds: float) -> None:
        until = self._clock() + min(seconds, LONGEST_WAIT_SECONDS)
        standing.next_at = max(standing.next_at, until)

    def _wait(self, standing: _Standing, now: float) -> float:
        """Return how long one of many should wait: as long again as it has been failing.

        So there are few postponements a queue, however long it lasts, and the first probes after
        the endpoint is back are spread.
        """
        failing = now - standing.failing_since if standing.failures else 0.0
        spread = min(max(failing, FIRST_PAUSE_SECONDS), LONGEST_WAIT_SECONDS)
        return max(standing.next_at - now, 0.0) + self._jittered(spread / 2)

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + self._luck())

    def _longest_failing(self) -> float:
        now = self._clock()
        failing = [each for each in list(self._standings.values()) if each.failures]
        return max((now - each.failing_since for each in failing), default=0.0)

    def _is_open(self, standing: _Standing) -> bool:
        return standing.failures >= OPENS_AFTER


def _is_failure(answer: Answer) -> bool:
    status = answer.status
    return status is None or status in {408, 429} or status >= 500  # noqa: PLR2004 5xx


def _reason(standing: _Standing) -> str:
    if standing.failures >= OPENS_AFTER:
        return f"the endpoint has failed {standing.failures} times in a row"
    return "the endpoint asked to be left alone for a while"
