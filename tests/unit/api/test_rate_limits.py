"""How much a caller may ask, and what they are told."""

from dataclasses import dataclass

from moot.api.problems import Problem
from moot.api.rate_limits import MOST_BUCKETS, RateLimits


@dataclass
class Watch:
    at: float = 100.0

    def __call__(self) -> float:
        return self.at


def refused(limits: RateLimits, who: str) -> Problem | None:
    try:
        limits.check(limits.take(who))
    except Problem as problem:
        return problem
    return None


def test_what_is_left_comes_back_as_time_passes() -> None:
    watch = Watch()
    limits = RateLimits(60, watch)
    assert [refused(limits, "ann") for _ in range(60)] == [None] * 60

    for _ in range(5):
        problem = refused(limits, "ann")
        assert problem is not None
        assert (problem.status, problem.code) == (429, "too-many-requests")
        assert problem.headers == {"Retry-After": "1"}
    assert refused(limits, "bob") is None
    watch.at += 1
    assert refused(limits, "ann") is None
    assert refused(limits, "ann") is not None


def test_headers_say_how_much_is_left_and_when_all_is_back() -> None:
    limits = RateLimits(60, Watch())
    for left in (59, 58):
        taken = limits.take("ann")
        assert taken is not None
        assert taken.headers == {
            "RateLimit-Policy": '"caller";q=60;w=60',
            "RateLimit": f'"caller";r={left};t={60 - left}',
        }


def test_zero_is_no_limit() -> None:
    limits = RateLimits(0)
    assert limits.take("ann") is None
    assert refused(limits, "ann") is None


def test_who_asked_longest_ago_is_forgotten() -> None:
    limits = RateLimits(1, Watch())
    for number in range(MOST_BUCKETS + 1):
        assert refused(limits, f"agent-{number}") is None
    assert refused(limits, f"agent-{MOST_BUCKETS}") is not None
    assert refused(limits, "agent-0") is None
