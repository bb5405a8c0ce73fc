"""An operator deals with dead letters, and the tables stay what the Chronicle says."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from moot.contracts import catalogue
from moot.contracts.debates import ADMIN
from moot.contracts.envelope import Recorded
from moot.contracts.ids import Position
from moot.contracts.operations import DeadLetterSkipped
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.projector.app import make_runners
from moot.projector.deadlines import DEADLINES
from moot.projector.debates.projection import DEBATES
from moot.projector.rebuild import compare
from moot.runtime import projection_operations
from moot.runtime.database import Connection, Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection import Projection
from moot.runtime.projection_runner import ProjectionRunner, Replica
from tests.integration.projector.running import reached, running
from tests.support.operating import NEWER_TYPE, Operator, of_newer_type
from tests.support.recording import Recorder, argued, topic_id
from tests.support.tables import checkpoint_of
from tests.support.topics import NOON
from tests.support.waiting import in_time, until

BAD = StreamName("topic", topic_id("bad"))
GOOD = StreamName("topic", topic_id("good"))
OF_TOPICS = (DEBATES.name, DEADLINES.name)


async def with_bad_arguments(recorder: Recorder, *which: int) -> list[int]:
    """Record a debate of which some arguments (by number, from 0) can't be read by this code.

    Returns their positions, and that of the last event.
    """
    positions: list[int] = []
    arguments = 0
    last = 0
    for number, event in enumerate(argued().history, start=1):
        await recorder.add([(GOOD, event)])
        if not isinstance(event, ArgumentPosted):
            last = await recorder.add([(BAD, event)])
            continue
        event_id, body = of_newer_type(BAD, event, 1000 + number)
        if arguments in which:
            last = await recorder.add_bytes(BAD, event_id, body)
            positions.append(last)
        else:
            last = await recorder.add([(BAD, event)])
        arguments += 1
    return [*positions, last]


def learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Become the newer code, which knows the newer type."""
    monkeypatch.setitem(catalogue.UPCASTERS, NEWER_TYPE, (ArgumentPosted.type, lambda data: data))


async def letters(pool: Pool, projection: str = DEBATES.name) -> list[tuple[int, int | None]]:
    rows = await pool.fetch(
        "SELECT position, parked_behind FROM dead_letters WHERE projection = $1 ORDER BY position",
        projection,
    )
    return [(row["position"], row["parked_behind"]) for row in rows]


async def arguments_of(pool: Pool, stream: StreamName) -> int:
    return await pool.fetchval("SELECT count(*) FROM arguments WHERE topic_id = $1", stream.id)


async def status_of(pool: Pool, stream: StreamName) -> str:
    return await pool.fetchval("SELECT status FROM topics WHERE topic_id = $1", stream.id)


async def test_a_retry_applies_everything_in_order_once_the_code_knows_the_event(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, last = await with_bad_arguments(Recorder(chronicle), 1)
    async with running(*make_runners(chronicle, pool, "old")):
        await reached(waiter, last)
    assert (await letters(pool))[0] == (bad, None)
    learn(monkeypatch)
    async with running(*make_runners(chronicle, pool, "new")):
        for name in OF_TOPICS:
            done = await Operator(chronicle, name).retries(BAD, bad)
            await reached(waiter, done, [name])
        assert await letters(pool) == await letters(pool, DEADLINES.name) == []
        report = await compare(pool, chronicle)
    assert report.equal, report
    assert await status_of(pool, BAD) == await status_of(pool, GOOD) == "completed"
    assert await arguments_of(pool, BAD) == await arguments_of(pool, GOOD) == 6


async def test_a_retry_of_what_is_still_bad_changes_nothing_and_stops_nothing(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    bad, last = await with_bad_arguments(recorder, 1)
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        before = await letters(pool)
        done = await Operator(chronicle, DEBATES.name).retries(BAD, bad)
        await reached(waiter, done, [DEBATES.name])
        next_topic = StreamName("topic", topic_id("next"))
        await reached(waiter, await recorder.add([(next_topic, argued().history[0])]))
    assert await letters(pool) == before
    assert await status_of(pool, next_topic) == "created"


async def test_a_retry_goes_as_far_as_the_next_bad_event(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    first, second, last = await with_bad_arguments(Recorder(chronicle), 1, 3)
    operator = Operator(chronicle, DEBATES.name)
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        assert (second, first) in await letters(pool)
        await reached(waiter, await operator.skips(BAD, first), [DEBATES.name])
        left = await letters(pool)
        assert left[0] == (second, None)
        assert {behind for _, behind in left[1:]} == {second}
        assert await arguments_of(pool, BAD) == 2
        await reached(waiter, await operator.skips(BAD, second), [DEBATES.name])
    assert await letters(pool) == []
    assert await arguments_of(pool, BAD) == 4
    assert await status_of(pool, BAD) == "completed"


async def test_a_rebuild_leaves_out_what_was_skipped_also_by_code_that_could_read_it(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, last = await with_bad_arguments(Recorder(chronicle), 2)
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        for name in OF_TOPICS:
            done = await Operator(chronicle, name).skips(BAD, bad)
            await reached(waiter, done, [name])
    assert (await compare(pool, chronicle)).equal
    learn(monkeypatch)
    assert (await compare(pool, chronicle)).equal
    assert await arguments_of(pool, BAD) == 5


async def test_an_event_skipped_behind_another_is_left_out_when_its_turn_comes(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    first, second, last = await with_bad_arguments(Recorder(chronicle), 1, 3)
    operator = Operator(chronicle, DEBATES.name)
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
        before = await letters(pool)
        await reached(waiter, await operator.skips(BAD, second), [DEBATES.name])
        assert await letters(pool) == before
        await reached(waiter, await operator.skips(BAD, first), [DEBATES.name])
    assert await letters(pool) == []


class Breaking:
    """A projection's `apply`, which fails as an outage does, after its rows, at call `breaks`."""

    def __init__(self, projection: Projection, breaks: int) -> None:
        self.projection = replace(projection, apply=self._apply)
        self._apply_rows = projection.apply
        self._left = breaks
        self.broke = False

    async def _apply(self, connection: Connection, batch: Sequence[Recorded]) -> None:
        await self._apply_rows(connection, batch)
        self._left -= 1
        if self._left == 0:
            self.broke = True
            raise ConnectionError("killed in between")


@pytest.mark.parametrize("breaks", range(1, 7))
async def test_a_release_that_is_interrupted_goes_on_where_it_was(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    monkeypatch: pytest.MonkeyPatch,
    breaks: int,
) -> None:
    monkeypatch.setattr(projection_operations, "MOST_RELEASED", 2)
    bad, last = await with_bad_arguments(Recorder(chronicle), 0)
    async with running(*make_runners(chronicle, pool, "old")):
        await reached(waiter, last)
    parked = len(await letters(pool))
    assert parked > 8
    learn(monkeypatch)
    breaking = Breaking(DEBATES, breaks)
    done = await Operator(chronicle, DEBATES.name).retries(BAD, bad)
    async with running(ProjectionRunner(breaking.projection, chronicle, pool, Replica("new"))):
        await reached(waiter, done, [DEBATES.name])
    assert breaking.broke == (breaks <= (parked + 1) // 2)
    assert await letters(pool) == []
    assert await arguments_of(pool, BAD) == 6
    assert await status_of(pool, BAD) == "completed"


async def test_an_operation_that_cannot_be_read_is_set_aside_and_the_next_one_is_carried_out(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    own = StreamName("operation", DEBATES.name)
    unreadable = await recorder.add_bytes(own, "e" * 32, b'{"type":"moot.operation.newer.v9"}')
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, unreadable)
        assert await letters(pool) == [(unreadable, None)]
        skip = DeadLetterSkipped(
            projection=DEBATES.name,
            key=own.label,
            position=Position(unreadable),
            reason="nobody needs it",
            skipped_by=ADMIN.auth_id,
            skipped_at=NOON,
        )
        await reached(waiter, await recorder.add([(own, skip)]))
    assert await letters(pool) == []


async def test_a_paused_projection_stays_where_it_is_whoever_owns_it(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder, operator = Recorder(chronicle), Operator(chronicle, DEBATES.name)
    history = argued().history
    async with running(ProjectionRunner(DEBATES, chronicle, pool, Replica("one"))):
        await recorder.add([(GOOD, history[0])])
        paused = await operator.pauses()
        await reached(waiter, paused, [DEBATES.name])
        await recorder.add([(GOOD, event) for event in history[1:]])
    async with running(ProjectionRunner(DEBATES, chronicle, pool, Replica("two"))):
        await until(lambda: is_paused(pool, paused, "two", len(history) + 1))
        assert await status_of(pool, GOOD) == "created"
        resumed = await operator.resumes()
        await reached(waiter, resumed, [DEBATES.name])
        assert await pool.fetchval(f"SELECT state FROM {checkpoint_of(DEBATES.name)}") == "live"  # noqa: S608 our own names
    assert await status_of(pool, GOOD) == "completed"


async def is_paused(pool: Pool, at: int, owner: str, head: int) -> bool:
    row = await pool.fetchrow(
        f"SELECT position, owner, state, head_seen FROM {checkpoint_of(DEBATES.name)}"  # noqa: S608 our own names
    )
    assert row is not None
    return tuple(row) == (at, owner, "paused", head)


async def test_a_pause_that_is_over_holds_nobody_up(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder, operator = Recorder(chronicle), Operator(chronicle, DEBATES.name)
    await recorder.add([(GOOD, argued().history[0])])
    await operator.pauses()
    await operator.resumes()
    await operator.pauses()
    await operator.resumes()
    last = await recorder.add([(BAD, argued().history[0])])
    async with running(*make_runners(chronicle, pool, "one")):
        await in_time(reached(waiter, last), within=5)
        report = await compare(pool, chronicle)
    assert report.equal, report


async def test_a_rebuild_of_a_paused_projection_equals_it(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    await recorder.add([(GOOD, argued().history[0])])
    paused = await Operator(chronicle, DEBATES.name).pauses()
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, paused)
        await recorder.add([(GOOD, event) for event in argued().history[1:]])
        report = await compare(pool, chronicle)
    assert report.equal, report
    assert report.positions[DEBATES.name] == paused
