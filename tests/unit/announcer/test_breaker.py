"""When an endpoint is called, and when it is left alone."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from moot.announcer.answers import Answer
from moot.announcer.breaker import (
    AT_ONCE,
    LONGEST_PAUSE_SECONDS,
    LONGEST_WAIT_SECONDS,
    OPENS_AFTER,
    Breakers,
    Busy,
    Resting,
)

GOOD, BROKEN, SILENT = Answer(200, None), Answer(500, None), Answer(None, "timeout")


@dataclass
class Watched:
    now: float = 1000.0
    breakers: Breakers = field(init=False)

    def __post_init__(self) -> None:
        self.breakers = Breakers(clock=lambda: self.now, luck=lambda: 0.5)

    def fails(self, times: int, answer: Answer = SILENT) -> None:
        for _ in range(times):
            self.breakers.note("it", answer)

    def rests(self) -> Resting:
        hindrance = self.breakers.hindrance("it")
        assert isinstance(hindrance, Resting), hindrance
        return hindrance


def test_a_few_at_once_and_the_next_one_looks_again_soon() -> None:
    it = Watched()
    with ExitStack() as calls:
        for _ in range(AT_ONCE):
            assert it.breakers.hindrance("it") is None
            calls.enter_context(it.breakers.calling("it"))
        busy = it.breakers.hindrance("it")
        assert isinstance(busy, Busy)
        assert 0 < busy.seconds < 1
        assert it.breakers.hindrance("another") is None


def test_who_has_failed_once_is_called_by_one_at_a_time() -> None:
    it = Watched()
    it.fails(1)
    with it.breakers.calling("it"):
        assert isinstance(it.breakers.hindrance("it"), Busy)
    assert it.breakers.hindrance("it") is None
    it.breakers.note("it", GOOD)
    with it.breakers.calling("it"):
        assert it.breakers.hindrance("it") is None


@pytest.mark.parametrize("answer", [SILENT, BROKEN, Answer(503, None), Answer(429, None)])
def test_after_failures_in_a_row_one_probe_is_let_through_at_its_time(answer: Answer) -> None:
    it = Watched()
    it.fails(OPENS_AFTER - 1, answer)
    assert it.breakers.hindrance("it") is None
    it.fails(1, answer)
    assert it.rests().reason == "the endpoint has failed 5 times in a row"
    it.now += 1
    with it.breakers.calling("it"):
        assert it.rests().seconds > 0
    it.fails(1, answer)
    it.now += 1
    assert it.rests().seconds > 0


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 403, 404, 409, 410, 422])
def test_an_answer_that_says_no_is_an_answer(status: int) -> None:
    it = Watched()
    it.fails(OPENS_AFTER + 3)
    it.breakers.note("it", Answer(status, None))
    assert it.breakers.hindrance("it") is None


def test_probes_come_less_and_less_often_up_to_a_minute() -> None:
    it = Watched()
    it.fails(OPENS_AFTER + 30)
    it.now += LONGEST_PAUSE_SECONDS
    assert it.breakers.hindrance("it") is None


def test_what_waits_comes_back_after_as_long_again_as_it_has_lasted() -> None:
    it = Watched()
    it.fails(OPENS_AFTER)
    early = it.rests().seconds
    it.now += 600
    it.fails(1)
    later = it.rests().seconds
    assert early < 5
    assert 300 < later < 700
    it.now += 100_000
    it.fails(1)
    assert it.rests().seconds < LONGEST_WAIT_SECONDS + LONGEST_PAUSE_SECONDS


def test_who_asks_to_be_left_alone_is_by_all_of_its_queues() -> None:
    it = Watched()
    it.fails(1, Answer(429, None, retry_after_s=120))
    resting = it.rests()
    assert resting.seconds >= 120
    assert resting.reason == "the endpoint asked to be left alone for a while"
    it.now += 120
    assert it.breakers.hindrance("it") is None
    it.fails(1, Answer(503, None, retry_after_s=1e9))
    it.now += LONGEST_WAIT_SECONDS
    assert it.breakers.hindrance("it") is None
