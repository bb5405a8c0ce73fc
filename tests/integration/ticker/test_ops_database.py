"""The ticker and the Ops DB: where memory starts from, and the sweep over what it missed."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from moot.contracts.ids import TopicId
from moot.domain import topic
from moot.domain.deadlines import next_deadline, to_json
from moot.domain.topic_stages import Unborn, timetable_of
from moot.runtime.belonging import digest
from moot.runtime.chronicle import Chronicle
from moot.runtime.chronicle_clock import ChronicleClock
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool, connect_pool
from moot.runtime.settings import DatabaseSettings
from moot.ticker import sweep
from moot.ticker.app import build
from moot.ticker.board import Board
from moot.ticker.feed import Feed
from moot.ticker.firing import Firing
from moot.ticker.settings import TickerSettings
from moot.ticker.snapshot import Row, open_overdue, open_snapshot
from tests.support.debates import Debates, schedule
from tests.support.hosted import hosted
from tests.support.running import running
from tests.support.waiting import stopwatch

PUT_CHECKPOINT = """
UPDATE ops_deadlines_v1_1.projector_checkpoint
SET position = $1, stream_created_at = $2, last_event_digest = $3
"""
CREATED_AT_ANOTHER_TIME = """
UPDATE ops_deadlines_v1_1.projector_checkpoint SET position = 1, stream_created_at = now()
"""
WITH_ANOTHER_EVENT = """
UPDATE ops_deadlines_v1_1.projector_checkpoint
SET stream_created_at = NULL, last_event_digest = 'of another'
"""
MULTIPLY = """
INSERT INTO ops.deadlines (category, stream_id, command, due_at, timetable, position)
SELECT category, md5(number::text), command, due_at, timetable, position
FROM ops.deadlines, generate_series(1, $1::integer) AS number
"""
PUT_DEADLINE = """
INSERT INTO ops.deadlines (category, stream_id, command, due_at, timetable, position)
VALUES ('topic', $1, $2, $3, $4, $5)
"""


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    settings = DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)
    pool = await connect_pool(settings, name="tests")
    yield pool
    pool.terminate()


async def tabulated(pool: Pool, debates: Debates, topic_id: TopicId) -> None:
    """Put into the table what its projection would."""
    folded = await debates.dispatcher.load(topic, topic_id)
    assert not isinstance(folded.state, Unborn)
    timetable = timetable_of(folded.state)
    deadline = next_deadline(timetable)
    assert deadline is not None
    row = (topic_id, deadline.command, deadline.due_at, to_json(timetable), folded.position)
    await pool.execute(PUT_DEADLINE, *row)


async def checkpointed(pool: Pool, chronicle: Chronicle, position: int) -> None:
    identity = await chronicle.identity()
    event = await chronicle.get(position)
    known = None if event is None else digest(event)
    await pool.execute(PUT_CHECKPOINT, position, identity.created_at, known)


def feed(board: Board, debates: Debates, pool: Pool) -> Feed:
    firing = Firing(board, debates.dispatcher, replica="t1", living=dict, now=utc_now)
    clock = ChronicleClock()
    return Feed(board, debates.chronicle, lambda: open_snapshot(pool), clock=clock, firing=firing)


async def overdue_rows(pool: Pool, before: datetime) -> list[Row]:
    async with open_overdue(pool, before) as overdue:
        return [row async for page in overdue.pages for row in page]


async def test_memory_starts_from_the_table_and_its_checkpoint(
    debates: Debates, pool: Pool
) -> None:
    times = schedule(utc_now() + timedelta(hours=1), 60, 60, 60)
    topic_id = await debates.propose(times)
    await tabulated(pool, debates, topic_id)
    await checkpointed(pool, debates.chronicle, 1)
    board = Board()
    await feed(board, debates, pool).load()
    assert (board.position, board.next_due_at()) == (1, times.signup_open_at)


@pytest.mark.parametrize(
    ("waiting", "after"), [(2000, 20), pytest.param(100_000, 1000, marks=pytest.mark.hard)]
)
async def test_it_knows_everything_within_two_seconds(
    debates: Debates, pool: Pool, waiting: int, after: int
) -> None:
    times = schedule(utc_now() + timedelta(hours=1), 60, 60, 60)
    await tabulated(pool, debates, await debates.propose(times))
    await pool.execute(MULTIPLY, waiting - 1)
    await checkpointed(pool, debates.chronicle, 1)
    for _ in range(after):
        await debates.propose(times)
    board = Board()
    memory = feed(board, debates, pool)
    seconds = stopwatch()
    await memory.load()
    async with running(memory.run()):
        await memory.caught_up.wait()
        took = seconds()
    assert len(board) == waiting + after
    assert took < 2


async def test_a_table_of_another_or_a_longer_chronicle_is_not_believed(
    debates: Debates, pool: Pool
) -> None:
    await debates.propose(schedule(utc_now() + timedelta(hours=1), 60, 60, 60))
    await checkpointed(pool, debates.chronicle, 2)
    board = Board()
    await feed(board, debates, pool).load()
    assert board.position == 0
    for other in (CREATED_AT_ANOTHER_TIME, WITH_ANOTHER_EVENT):
        await pool.execute(other)
        await feed(board, debates, pool).load()
        assert board.position == 0
    await pool.execute(
        "UPDATE ops_deadlines_v1_1.projector_checkpoint SET last_event_digest = NULL"
    )
    await feed(board, debates, pool).load()
    assert board.position == 1


async def test_the_sweep_fires_what_memory_missed_and_says_so(
    nats_url: str, database_url: str, debates: Debates, pool: Pool
) -> None:
    # A table that passed over a topic's deadline, as no projection ever should.
    topic_id = await debates.propose(schedule(utc_now() - timedelta(hours=1), 7200, 60, 60))
    await checkpointed(pool, debates.chronicle, 1)
    settings = TickerSettings.model_validate(
        {
            "nats_url": nats_url,
            "database_url": database_url,
            "replica": "t1",
            "orchestrator_tick_interval": "50ms",
        }
    )
    async with hosted(build, settings) as ticker:
        assert await debates.types(topic_id) == ["topic_created"]
        assert "missed deadlines" not in (await ticker.report()).notes
        await tabulated(pool, debates, topic_id)
        await debates.reaches(topic_id, "signup_opened")
        report = await ticker.report()
    assert report.ready, report
    assert report.notes["missed deadlines"].startswith("1 that memory had missed, the last at ")


async def test_what_is_overdue_by_less_than_the_grace_may_be_on_its_way(
    debates: Debates, pool: Pool
) -> None:
    topic_id = await debates.propose(schedule(utc_now() - timedelta(seconds=1), 7200, 60, 60))
    await tabulated(pool, debates, topic_id)
    now = utc_now()
    assert len(await overdue_rows(pool, now)) == 1
    assert await overdue_rows(pool, now - sweep.GRACE) == []


async def test_streams_in_dead_letters_are_counted(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO ops_deadlines_v1_1.dead_letters"
        " (projection, position, key, event_id, subject, reason, stored_at)"
        " VALUES ('deadlines_v1', 1, 'topic/1', 'e1', 'chronicle.topic.1', 'bad', now())"
    )
    async with open_overdue(pool, utc_now()) as overdue:
        assert overdue.parked == 1
