"""What may be called due: never what the Chronicle's clock doesn't, whoever sets a clock."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from moot.runtime.chronicle_clock import BOUND, ChronicleClock, Told

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)


@dataclass
class World:
    """A process and a Chronicle, whose clocks are ahead of the truth by so much."""

    own: timedelta = timedelta()
    chronicles: timedelta = timedelta()
    passed: float = 1000.0
    clock: ChronicleClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = ChronicleClock(wall=self.wall, monotonic=lambda: self.passed)

    def wall(self) -> datetime:
        return self.truth + self.own

    @property
    def truth(self) -> datetime:
        return NOON + timedelta(seconds=self.passed - 1000)

    @property
    def chronicle(self) -> datetime:
        return self.truth + self.chronicles

    def ask(self, there: float = 0.0, back: float = 0.0) -> None:
        before, asked = self.wall(), self.passed
        self.passed += there
        at = self.chronicle
        self.passed += back
        self.clock.tell(Told(at, asked, self.passed, before, self.wall()))


def test_before_the_chronicle_was_asked_the_own_clock_is_all_there_is() -> None:
    world = World(own=SECOND)
    assert (world.clock.now(), world.clock.lead()) == (NOON + SECOND, None)


@pytest.mark.parametrize("own", [-SECOND, -MILLISECOND, timedelta(), MILLISECOND, SECOND])
@pytest.mark.parametrize("chronicles", [-SECOND, timedelta(), SECOND])
def test_it_is_never_ahead_of_either_clock(own: timedelta, chronicles: timedelta) -> None:
    world = World(own, chronicles)
    for _ in range(20):
        world.ask(there=0.003, back=0.001)
        world.passed += 0.7
        earliest = min(world.wall(), world.chronicle)
        assert timedelta() <= earliest - world.clock.now() < 2 * MILLISECOND


def test_an_answer_that_was_long_under_way_makes_it_no_later() -> None:
    world = World()
    world.ask(back=0.001)
    world.ask(back=0.5)
    assert world.chronicle - world.clock.now() < 2 * MILLISECOND


def test_an_event_that_was_stored_says_what_time_it_is_too() -> None:
    world = World(own=timedelta(hours=1))
    world.ask(back=0.2)
    world.clock.stored(world.chronicle)
    assert world.clock.now() == world.chronicle
    world.clock.stored(NOON - SECOND)
    assert world.clock.now() == world.chronicle


def test_a_clock_that_jumps_ahead_makes_nothing_due() -> None:
    world = World()
    world.ask()
    world.own = timedelta(hours=1)
    assert world.clock.now() == world.chronicle
    world.ask()
    assert (world.clock.lead(), world.clock.is_right) == (timedelta(hours=1), False)
    assert not world.clock.is_late


def test_a_clock_that_is_set_back_makes_things_late_and_is_known_for_it() -> None:
    world = World()
    world.ask()
    world.own = timedelta(hours=-1)
    assert world.clock.now() == world.wall()
    world.ask()
    assert (world.clock.lead(), world.clock.is_late) == (timedelta(hours=-1), True)


def test_both_may_be_set_together() -> None:
    world = World()
    world.ask()
    for step in (timedelta(hours=1), timedelta(hours=-2)):
        world.own += step
        world.chronicles += step
        world.ask()
        assert world.clock.now() == world.chronicle
        assert world.clock.lead() == timedelta()


def test_a_slow_answer_accuses_nobody() -> None:
    world = World(own=2 * BOUND)
    world.ask(there=1.0)
    assert world.clock.lead() == timedelta()
    world.ask(there=0.01)
    assert world.clock.lead() == 2 * BOUND - timedelta(seconds=0.01)
    assert not world.clock.is_right
