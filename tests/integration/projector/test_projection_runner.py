"""One owner at a time, each event once, and a bad one stops nobody else."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.projector import app
from moot.projector.app import make_runners
from moot.projector.deadlines import DEADLINES
from moot.projector.debates.projection import DEBATES
from moot.projector.projections import PROJECTIONS
from moot.runtime import checkpoint, projection_runner
from moot.runtime.checkpoint import Checkpoint, OwnershipLostError, Step
from moot.runtime.clock import utc_now
from moot.runtime.database import Connection, Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection import Projection
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.projection_scope import SET_SCOPE, Scope
from moot.runtime.settings import DatabaseSettings
from tests.integration.projector.running import NAMES, reached, running
from tests.support.recording import Recorder, argued, everything, record, topic_id
from tests.support.tables import checkpoint_of, contents, schema_of
from tests.support.waiting import in_time, until

A_MINUTE = timedelta(minutes=1)


async def count(pool: Pool, table: str) -> int:
    return await pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 our own names


async def test_the_tables_say_what_the_chronicle_says(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
    statuses = await pool.fetch("SELECT status FROM topics ORDER BY created_position")
    assert [row["status"] for row in statuses] == [
        "completed",
        "completed",
        "signup_open",
        "cancelled",
        "allocating",
    ]
    transcript = await pool.fetch(
        "SELECT round_no, camp FROM arguments WHERE topic_id = $1 ORDER BY position",
        topic_id("argued"),
    )
    assert [(row["round_no"], row["camp"]) for row in transcript] == [
        (round_no, camp) for round_no in range(3) for camp in ("pro", "con")
    ]
    assert await count(pool, "dead_letters") == 0


async def test_the_deadlines_are_those_that_are_still_to_come(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
    waiting = await pool.fetch("SELECT stream_id, command FROM deadlines WHERE command IS NOT NULL")
    assert [(row["stream_id"], row["command"]) for row in waiting] == [
        (topic_id("amended"), "close_signup")
    ]


async def test_a_live_event_arrives_without_polling(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    async with running(*make_runners(chronicle, pool, "one")):
        for written in everything()[:5]:
            position = await recorder.add([written])
            await reached(waiter, position)
    assert await count(pool, "topics") == 5


async def test_runners_that_are_killed_go_on_where_they_were(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    written, recorder = everything(), Recorder(chronicle)
    for start in range(0, len(written), 10):
        position = await recorder.add(written[start : start + 10])
        async with running(*make_runners(chronicle, pool, f"replica-{start}")):
            await reached(waiter, position)
    applied = await pool.fetch("SELECT events_applied FROM projector_checkpoint")
    assert [row["events_applied"] for row in applied] == [len(written)] * len(PROJECTIONS)
    interrupted = await contents(pool)
    for name in NAMES:
        await pool.execute(f"DELETE FROM {checkpoint_of(name)}")  # noqa: S608 our own names
    for table in interrupted:
        await pool.execute(f"DELETE FROM {table}")  # noqa: S608 our own names
    async with running(*make_runners(chronicle, pool, "again")):
        await reached(waiter, len(written))
        await until(lambda: is_equal(pool, interrupted))


async def is_equal(pool: Pool, expected: dict[str, list[str]]) -> bool:
    return await contents(pool) == expected


async def test_of_two_replicas_one_owns_each_projection(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy machine may let one wait longer for its connection than the other hesitates.
    monkeypatch.setattr(projection_runner, "HESITATION_SECONDS", 0.3)
    monkeypatch.setattr(checkpoint, "LEASE", A_MINUTE)
    last = await record(chronicle, everything())
    replicas = [*make_runners(chronicle, pool, "one"), *make_runners(chronicle, pool, "two")]
    async with running(*replicas):
        await reached(waiter, last)
        await until(lambda: all_ready(replicas))
        owners = await pool.fetch("SELECT owner, epoch FROM projector_checkpoint")
    assert {row["owner"] for row in owners} == {"one", "two"}, "they share the work"
    assert [row["epoch"] for row in owners] == [1] * len(PROJECTIONS)


async def all_ready(runners: Sequence[ProjectionRunner]) -> bool:
    return not any([await runner.readiness() for runner in runners])


async def test_a_replica_that_stops_without_a_word_is_replaced_within_three_seconds(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    written = everything()
    before = await recorder.add(written[:10])
    async with pool.acquire() as connection:
        for name in NAMES:
            async with Scope(schema_of(name)).transaction(connection):
                taken = await Checkpoint.take(connection, name, "killed")
            assert isinstance(taken, Checkpoint)
    async with running(*make_runners(chronicle, pool, "standby")):
        await in_time(reached(waiter, before), within=3)


async def test_a_dead_owner_is_replaced_though_the_clock_was_set_back(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(*make_runners(chronicle, pool, "killed")):
        await reached(waiter, last)
    for name in NAMES:
        ahead = f"""
            UPDATE {checkpoint_of(name)}
            SET owner = 'killed', lease_until = clock_timestamp() + interval '1 hour'
        """  # noqa: S608 our own names
        await pool.execute(ahead)
    later = await record(chronicle, [(StreamName("topic", topic_id("x")), argued().history[0])])
    async with running(*make_runners(chronicle, pool, "standby")):
        await in_time(reached(waiter, later), within=3)


async def test_a_stale_owner_writes_nothing(pool: Pool, chronicle: InMemoryChronicle) -> None:
    await record(chronicle, everything())
    scope = Scope(schema_of(DEBATES.name))
    async with pool.acquire() as connection:
        async with scope.transaction(connection):
            stale = await Checkpoint.take(connection, DEBATES.name, "one")
        over = f"UPDATE {checkpoint_of(DEBATES.name)} SET lease_until = '-infinity'"  # noqa: S608 our own names
        await connection.execute(over)
        async with scope.transaction(connection):
            fresh = await Checkpoint.take(connection, DEBATES.name, "two")
        assert isinstance(stale, Checkpoint)
        assert isinstance(fresh, Checkpoint)
        step = Step(5, 5, utc_now(), "0" * 64, 5)
        for late in (stale, replace(stale, owner="two"), replace(fresh, position=4)):
            with pytest.raises(OwnershipLostError):
                async with scope.transaction(connection):
                    await late.advance(connection, step, None)
        async with scope.transaction(connection):
            moved = await fresh.advance(connection, step, None)
    assert moved.position == 5
    assert await pool.fetchval("SELECT max(position) FROM projector_checkpoint") == 5


async def test_an_owner_stopped_inside_its_transaction_is_cut_off(
    pool: Pool, settings: DatabaseSettings, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    halted = await asyncpg.connect(settings.database_url)
    # As an owner that SIGSTOP has halted: it holds the checkpoint's row, and says nothing.
    await halted.execute("BEGIN")
    await halted.execute(SET_SCOPE, schema_of(DEBATES.name), "2000ms")
    assert isinstance(await Checkpoint.take(halted, DEBATES.name, "halted"), Checkpoint)
    async with running(*make_runners(chronicle, pool, "standby")):
        await reached(waiter, last)
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
        await halted.execute("COMMIT")


async def test_a_bad_event_is_set_aside_with_the_later_ones_of_its_stream(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    good, bad = (StreamName("topic", topic_id(name)) for name in ("good", "bad"))
    history = argued().history
    await recorder.add([(stream, history[0]) for stream in (good, bad)])
    at = await recorder.add_bytes(bad, "f" * 32, b'{"type":"moot.topic.not_known_yet.v9"}')
    last = await recorder.add([(stream, event) for event in history[1:] for stream in (bad, good)])
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
    statuses = await pool.fetch("SELECT topic_id, status FROM topics")
    assert {row["topic_id"].hex: row["status"] for row in statuses} == {
        good.id: "completed",
        bad.id: "created",
    }
    letters = await pool.fetch(
        "SELECT * FROM dead_letters WHERE projection = 'debates_v1' ORDER BY position"
    )
    assert letters[0]["position"] == at
    assert letters[0]["key"] == bad.label
    assert letters[0]["reason"]
    assert [row["parked_behind"] for row in letters] == [None] + [at] * (len(history) - 1)


async def test_an_event_that_fails_in_sql_is_found_and_set_aside(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    await recorder.add(everything())
    not_hexadecimal = StreamName("topic", "not-a-topic-id")
    at = await recorder.add([(not_hexadecimal, argued().history[0])])
    last = await recorder.add([(StreamName("topic", topic_id("next")), argued().history[0])])
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last)
    letters = await pool.fetch("SELECT projection, position, reason FROM dead_letters")
    assert [(row["projection"], row["position"]) for row in letters] == [("debates_v1", at)]
    assert "invalid UUID" in letters[0]["reason"]
    assert await count(pool, "topics") == 6


async def test_a_projection_that_raises_on_one_event_goes_on_with_the_rest(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    seen: list[int] = []

    async def apply(_: Connection, batch: Sequence[Recorded]) -> None:
        if any(isinstance(recorded.event, ArgumentPosted) for recorded in batch):
            raise LookupError("no arguments, please")
        seen.extend(recorded.position for recorded in batch)

    picky = Projection(
        "picky_v1", frozenset({"topic"}), (), apply, DEBATES.forget, key=lambda e: e.id
    )
    last = await record(chronicle, everything())
    # It has no tables; what it sets aside has to be kept somewhere.
    somewhere = schema_of(DEBATES.name)
    scope = Scope(somewhere)
    async with running(ProjectionRunner(picky, chronicle, pool, Replica("one"), scope)):
        await reached(waiter, last, ["picky_v1"])
    rows = await pool.fetch(f"SELECT position FROM {somewhere}.dead_letters")  # noqa: S608 our own names
    parked = {row["position"] for row in rows}
    stored = [await chronicle.get(position) for position in range(1, last + 1)]
    topics = [e.position for e in stored if e is not None and e.stream.category == "topic"]
    assert sorted([*seen, *parked]) == topics
    assert len(parked) == 6


async def test_a_projection_rests_while_another_applies_each_event(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resting = replace(DEADLINES, rest_seconds=60.0)
    monkeypatch.setattr(app, "PROJECTIONS", (DEBATES, resting))
    recorder = Recorder(chronicle)
    first, *others = everything()[0:5]
    async with running(*make_runners(chronicle, pool, "one")):
        begun = await recorder.add([first])
        await reached(waiter, begun, [DEBATES.name, resting.name])
        for each in others:
            await reached(waiter, await recorder.add([each]), [DEBATES.name])
        position = f"SELECT position FROM {checkpoint_of(resting.name)}"  # noqa: S608 our own names
        assert await pool.fetchval(position) == begun


async def test_a_checkpoint_ahead_of_the_chronicle_stops_the_projection(
    pool: Pool, chronicle: InMemoryChronicle
) -> None:
    await record(chronicle, everything()[:5])
    await pool.execute(f"UPDATE {checkpoint_of(DEBATES.name)} SET position = 99")  # noqa: S608 our own names
    runner = ProjectionRunner(DEBATES, chronicle, pool, Replica("one"))
    async with running(runner):
        await until(lambda: says(runner, "the checkpoint is at 99, but the Chronicle ends at 5"))
        await until(lambda: stopped_in(pool))
    assert await count(pool, "topics") == 0


async def says(runner: ProjectionRunner, text: str) -> bool:
    return text in (await runner.readiness() or "")


async def stopped_in(pool: Pool) -> bool:
    row = await pool.fetchrow(f"SELECT state, error FROM {checkpoint_of(DEBATES.name)}")  # noqa: S608 our own names
    return row is not None and row["state"] == "stopped" and bool(row["error"])


async def test_another_chronicle_stops_the_projection(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(ProjectionRunner(DEBATES, chronicle, pool, Replica("one"))):
        await reached(waiter, last, [DEBATES.name])
    other = InMemoryChronicle()
    await record(other, everything())
    runner = ProjectionRunner(DEBATES, other, pool, Replica("one"))
    async with running(runner):
        await until(lambda: says(runner, "is of a stream created at"))


async def test_another_event_at_the_checkpoint_stops_the_projection(
    pool: Pool, waiter: PositionWaiter
) -> None:
    created_at = utc_now()
    one, other = (InMemoryChronicle(now=lambda: created_at) for _ in range(2))
    last = await record(one, everything())
    async with running(ProjectionRunner(DEBATES, one, pool, Replica("one"))):
        await reached(waiter, last, [DEBATES.name])
    await record(other, reversed(everything()))
    runner = ProjectionRunner(DEBATES, other, pool, Replica("one"))
    async with running(runner):
        await until(lambda: says(runner, f"the event at {last} isn't the one applied"))


async def test_a_wait_that_is_in_vain_says_how_far_it_came(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await record(chronicle, everything())
    async with running(ProjectionRunner(DEBATES, chronicle, pool, Replica("one"))):
        await reached(waiter, last, [DEBATES.name])
    assert await waiter.wait([DEBATES.name], last + 1, 0.01) == last
    assert await waiter.wait([DEBATES.name, "never_v1"], 1, 0.01) == 0


async def test_losing_every_connection_costs_nothing(
    pool: Pool, settings: DatabaseSettings, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    written = everything()
    position = await recorder.add(written[:20])
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, position)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        position = await recorder.add(written[20:])
        await reached(waiter, position)
    assert settings.pool_size
    assert await count(pool, "dead_letters") == 0
