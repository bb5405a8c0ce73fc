"""A timetable in a hundred bytes is the timetable."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from moot.contracts.debates import Stage
from moot.contracts.ids import EventId
from moot.domain.deadlines import (
    DeliveryTimetable,
    Timetable,
    TopicTimetable,
    next_deadline,
    to_json,
)
from moot.ticker.packed import due_of, micros, moment, pack, pack_row, position_of, unpack
from tests.support.topics import MICROSECOND, NOON, SCHEDULE

TOPIC = TopicTimetable(Stage.CREATED, SCHEDULE, 3)
JUDGED_AT = SCHEDULE.model_copy(update={"verdict_due_at": NOON + timedelta(days=3, microseconds=7)})
TIMETABLES: list[Timetable] = [
    *(replace(TOPIC, stage=stage) for stage in Stage),
    replace(TOPIC, stage=Stage.DEBATING, round_no=2),
    replace(TOPIC, schedule=JUDGED_AT, stage=Stage.JUDGING, verdict_due_at=NOON + MICROSECOND),
    DeliveryTimetable(EventId("5" * 32), NOON),
]


@pytest.mark.parametrize("timetable", TIMETABLES)
def test_it_is_the_same_when_it_is_unpacked(timetable: Timetable) -> None:
    assert unpack(pack(timetable, 7)) == timetable


@pytest.mark.parametrize("timetable", TIMETABLES)
def test_a_row_of_the_table_gives_the_same(timetable: Timetable) -> None:
    deadline = next_deadline(timetable)
    due_at = None if deadline is None else deadline.due_at
    assert pack_row(to_json(timetable), due_at, 2**40) == pack(timetable, 2**40)


def test_when_it_is_due_and_where_it_stands_are_read_without_unpacking() -> None:
    packed = pack(TOPIC, 2**40)
    assert (due_of(packed), position_of(packed)) == (micros(SCHEDULE.signup_open_at), 2**40)
    assert due_of(pack(replace(TOPIC, stage=Stage.CANCELLED), 1)) is None


def test_it_takes_a_hundred_bytes() -> None:
    assert len(pack(TOPIC, 1)) < 100


def test_everything_that_a_topics_timetable_has_is_packed() -> None:
    packed = {"stage", "schedule", "rounds", "round_no", "verdict_due_at", "kind"}
    assert {field.name for field in fields(TopicTimetable)} == packed


@pytest.mark.parametrize("at", [NOON + MICROSECOND, datetime(9999, 1, 1, tzinfo=UTC)])
def test_moments_are_exact(at: datetime) -> None:
    assert moment(micros(at)) == at
