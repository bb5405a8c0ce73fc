"""How much one caller may ask of one process: a bucket each, refilled all the time.

The headers are those of draft-ietf-httpapi-ratelimit-headers (from -08 on).
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from moot.api.problems import Problem

WINDOW_SECONDS = 60
MOST_BUCKETS = 10_000
"""Whoever asked longest ago is forgotten first, which gives them a full bucket."""


@dataclass(frozen=True, slots=True)
class Left:
    """What a caller may still ask; negative for the request that was one too many."""

    requests: float
    headers: Mapping[str, str]


class RateLimits:
    """`per_minute` requests of each caller, which may come all at once; 0 is no limit."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        self._most = per_minute
        self._per_second = per_minute / WINDOW_SECONDS
        self._policy = f'"caller";q={per_minute};w={WINDOW_SECONDS}'
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> Left | None:
        """Count a request, for `check` to judge; None where there is no limit."""
        if self._most == 0:
            return None
        now = self._now()
        left, at = self._buckets.pop(who, (float(self._most), now))
        left = min(self._most, left + (now - at) * self._per_second) - 1
        # What was one too many costs nothing more, or who keeps asking would never be let in.
        self._buckets[who] = (left if left >= 0 else left + 1, now)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return Left(left, self._headers(left))

    def check(self, left: Left | None) -> None:
        """Raises Problem `too-many-requests`."""
        if left is not None and left.requests < 0:
            seconds = max(1, math.ceil(-left.requests / self._per_second))
            raise Problem("too-many-requests", headers={"Retry-After": str(seconds)})

    def _headers(self, left: float) -> Mapping[str, str]:
        until_full = math.ceil((self._most - max(left, 0)) / self._per_second)
        return {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"caller";r={max(0, math.floor(left))};t={until_full}',
        }
