"""The deadlines in memory, and which of a table's they have missed."""

import tracemalloc
from dataclasses import replace
from datetime import timedelta

from moot.contracts.subjects import StreamName
from moot.contracts.topic_commands import AmendTopic
from moot.domain.deadlines import Deadline
from moot.domain.topic_stages import timetable_of
from moot.ticker.board import OUTDATED_MORE_THAN, Board, Due, stream_of
from moot.ticker.packed import micros, pack
from tests.support.topics import CREATOR, MICROSECOND, NOON, SCHEDULE, Given, completed, proposed

ONE, TWO = StreamName("topic", "1" * 32), StreamName("topic", "2" * 32)
OPENS_AT = SCHEDULE.signup_open_at
OPEN_SIGNUP = Deadline(OPENS_AT, "open_signup")


def seen(board: Board, stream: StreamName, given: Given) -> Board:
    for event in given.history:
        board.see(stream, event, board.position + 1)
    return board


def amended_to_open(earlier: timedelta) -> Given:
    command = AmendTopic(by=CREATOR, signup_open_at=OPENS_AT - earlier)
    return proposed().after(command, NOON)


def test_what_is_due_comes_once_and_not_before_its_time() -> None:
    board = seen(Board(), ONE, proposed())
    assert board.next_due_at() == OPENS_AT
    assert list(board.take_due(OPENS_AT - MICROSECOND)) == []
    assert list(board.take_due(OPENS_AT)) == [Due(micros(OPENS_AT), ONE.label)]
    assert list(board.take_due(OPENS_AT)) == []
    assert board.deadline(ONE) == OPEN_SIGNUP


def test_a_deadline_that_was_moved_is_due_at_its_new_time_only() -> None:
    board = seen(Board(), ONE, amended_to_open(timedelta(minutes=30)))
    earlier = OPENS_AT - timedelta(minutes=30)
    assert list(board.take_due(OPENS_AT)) == [Due(micros(earlier), ONE.label)]
    assert board.deadline(ONE) == Deadline(earlier, "open_signup")
    assert board.next_due_at() is None


def test_a_deadline_that_is_moved_again_and_again_takes_no_more_memory_each_time() -> None:
    board = Board()
    for seconds in range(3 * OUTDATED_MORE_THAN):
        terms = proposed().born.facts.terms
        schedule = terms.schedule.model_copy(
            update={"signup_open_at": OPENS_AT - timedelta(seconds=seconds)}
        )
        timetable = replace(timetable_of(proposed().born), schedule=schedule)
        board.put(ONE.label, pack(timetable, seconds))
    assert board.places <= OUTDATED_MORE_THAN + 2
    assert board.next_due_at() == OPENS_AT - timedelta(seconds=3 * OUTDATED_MORE_THAN - 1)


def test_a_deadline_that_waits_takes_less_than_four_hundred_bytes() -> None:
    number, board, timetable = 20_000, Board(), timetable_of(proposed().born)
    tracemalloc.start()
    try:
        for position in range(number):
            schedule = timetable.schedule.model_copy(
                update={"signup_open_at": OPENS_AT - timedelta(seconds=position)}
            )
            packed = pack(replace(timetable, schedule=schedule), position)
            board.put(StreamName("topic", f"{position:032x}").label, packed)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(board) == number
    assert taken / number < 400


def test_the_earliest_comes_first() -> None:
    board = seen(seen(Board(), ONE, proposed()), TWO, amended_to_open(timedelta(minutes=1)))
    assert [stream_of(due.label) for due in board.take_due(OPENS_AT)] == [TWO, ONE]


def test_a_finished_topic_waits_for_nothing() -> None:
    board = seen(Board(), ONE, completed())
    assert (len(board), board.next_due_at(), board.deadline(ONE)) == (0, None, None)


def test_a_snapshot_and_the_events_after_it_are_as_good_as_all_events() -> None:
    before = proposed()
    board = Board()
    board.put(ONE.label, pack(timetable_of(before.born), 1))
    board.position = 1
    after = amended_to_open(timedelta(minutes=5)).history[-1]
    board.see(ONE, after, 2)
    assert board.deadline(ONE) == Deadline(OPENS_AT - timedelta(minutes=5), "open_signup")


def test_memory_has_missed_only_what_it_never_saw() -> None:
    board = seen(Board(), ONE, proposed())
    assert board.unknown([(ONE, OPEN_SIGNUP, 1)]) == []
    assert board.unknown([(ONE, OPEN_SIGNUP, 2), (TWO, OPEN_SIGNUP, 1)]) == [
        (ONE, OPEN_SIGNUP),
        (TWO, OPEN_SIGNUP),
    ]


def test_a_table_that_lags_behind_is_not_news() -> None:
    board = seen(Board(), ONE, completed())
    stale = [(ONE, OPEN_SIGNUP, 1)]
    assert board.unknown(stale) == []
    board.forget_finished(board.position - 1)
    assert board.unknown(stale) == []
    board.forget_finished(board.position)
    assert board.unknown(stale) == stale_without_position(stale)


def stale_without_position(
    rows: list[tuple[StreamName, Deadline, int]],
) -> list[tuple[StreamName, Deadline]]:
    return [(stream, deadline) for stream, deadline, _ in rows]
