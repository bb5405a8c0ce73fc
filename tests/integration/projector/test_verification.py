"""The running projector's tables are held against the Chronicle, all at once or a few at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from moot.contracts.ids import derived_id
from moot.contracts.subjects import StreamName
from moot.projector.app import make_runners
from moot.projector.background_verification import OWNED, BackgroundVerification
from moot.projector.plain.comparison import Comparison
from moot.projector.plain.projections import PLAIN
from moot.projector.settings import ProjectorSettings
from moot.projector.verification import verify_all, verify_some
from moot.runtime import projection_standing
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection_standing import StandingWatch
from moot.runtime.readiness import Readiness
from moot.runtime.settings import read_settings
from tests.integration.projector.running import reached, running
from tests.support.measured import measured
from tests.support.random_lives import random_history
from tests.support.recording import Recorder, everything, topic_id
from tests.support.waiting import until

LUCK = Random(1)  # noqa: S311 the same draws every time
ARGUED = StreamName("topic", topic_id("argued"))
NOBODY = derived_id("topic", "made up by hand")

Verify = Callable[[str], Awaitable[Comparison]]


@pytest.fixture
async def live(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> AsyncIterator[Recorder]:
    """A projector, replica "one", that has applied everything, and what records more."""
    recorder = Recorder(chronicle)
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, await recorder.add(everything()))
        yield recorder


@pytest.fixture(params=["all", "some"])
def verify(request: pytest.FixtureRequest, pool: Pool, chronicle: InMemoryChronicle) -> Verify:
    """Everything, or a sample that a small Chronicle is all in."""

    async def verified(name: str) -> Comparison:
        if request.param == "all":
            return await verify_all(pool, chronicle, name)
        return await verify_some(pool, chronicle, name, 60, LUCK)

    return verified


async def test_tables_that_move_on_are_compared_at_one_position(
    live: Recorder, verify: Verify
) -> None:
    recording = asyncio.create_task(live.add(random_history(LUCK)))
    positions: dict[str, list[int]] = {name: [] for name in PLAIN}
    while not recording.done():
        for name in PLAIN:
            found = await verify(name)
            assert found.equal, found.differences
            assert found.rows
            positions[name].append(found.position)
    assert all(seen == sorted(seen) and seen[-1] for seen in positions.values())


async def test_what_is_missing_as_a_whole_is_found(
    pool: Pool, live: Recorder, verify: Verify
) -> None:
    assert live
    await pool.execute("DELETE FROM topics WHERE topic_id = $1", ARGUED.id)
    await pool.execute("DELETE FROM arguments WHERE topic_id = $1", ARGUED.id)
    await pool.execute("DELETE FROM agent_keys WHERE agent_id = 'ann'")
    found = await verify("debates_v1")
    assert {(d.table, d.stream, d.found) for d in found.differences} == {
        ("topics", ARGUED.label, None),
        ("arguments", ARGUED.label, None),
    }
    assert [d.told for d in (await verify("agent_keys_v1")).differences] == [
        "agent_keys (agent_id ann) is missing"
    ]


async def test_what_nothing_led_to_is_found(pool: Pool, live: Recorder, verify: Verify) -> None:
    assert live
    await pool.execute(
        "INSERT INTO camps (topic_id, camp, agent_id, backfilled, position)"
        " VALUES ($1, 'pro', 'eve', false, 1)",
        NOBODY,
    )
    await pool.execute(
        "INSERT INTO deadlines (category, stream_id, position) VALUES ('topic', 'no id', 1)"
    )
    for name, table in (("debates_v1", "camps"), ("deadlines_v1", "deadlines")):
        (difference,) = (await verify(name)).differences
        assert (difference.table, difference.expected) == (table, None)
        assert difference.told.endswith("should not be there")


@pytest.fixture
async def watch(
    pool: Pool, chronicle: InMemoryChronicle, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Readiness]:
    """What a replica says of all projections, and looks at often."""
    monkeypatch.setattr(projection_standing, "LOOK_SECONDS", 0.05)
    readiness = Readiness()
    watching = asyncio.create_task(StandingWatch(pool, chronicle, readiness, PLAIN).run())
    yield readiness
    watching.cancel()


def verifying(pool: Pool, chronicle: InMemoryChronicle, replica: str) -> BackgroundVerification:
    interval = timedelta(milliseconds=50)
    return BackgroundVerification(pool, chronicle, replica, interval, LUCK)


async def test_a_row_changed_by_hand_is_noticed_in_the_background_until_it_is_mended(
    pool: Pool, chronicle: InMemoryChronicle, live: Recorder, watch: Readiness
) -> None:
    assert live
    job = asyncio.create_task(verifying(pool, chronicle, "one").run())
    try:
        await until(lambda: verified(pool, len(PLAIN)))
        assert (await watch.report()).notes.get("differences") is None
        title = await pool.fetchval("SELECT title FROM topics WHERE topic_id = $1", ARGUED.id)
        await pool.execute("UPDATE topics SET title = 'forged' WHERE topic_id = $1", ARGUED.id)
        await until(lambda: notes(watch, "debates_v1: 1 rows"))
        assert metric("differences") == 1
        assert metric("verified_at_seconds")
        before = await last_verified(pool)
        await until(lambda: verified_after(pool, before))
        assert await differences(pool) == [f"topics (topic_id {ARGUED.id}) differs in title"]
        assert (await watch.report()).ready
        await pool.execute("UPDATE topics SET title = $2 WHERE topic_id = $1", ARGUED.id, title)
        await until(lambda: notes(watch, None))
        await until(lambda: has(0))
    finally:
        job.cancel()


async def test_each_projection_is_verified_by_its_owner(pool: Pool, live: Recorder) -> None:
    assert live
    owned = {who: {row[0] for row in await pool.fetch(OWNED, who)} for who in ("one", "two")}
    assert owned == {"one": set(PLAIN), "two": set()}


def test_the_interval_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://nats")
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres")
    assert read_settings(ProjectorSettings).projection_verify_interval == timedelta(seconds=30)
    monkeypatch.setenv("PROJECTION_VERIFY_INTERVAL", "5m")
    assert read_settings(ProjectorSettings).projection_verify_interval == timedelta(minutes=5)


async def verified(pool: Pool, projections: int) -> bool:
    found = await pool.fetchval("SELECT count(*) FROM projection_verification")
    return found >= projections


async def verified_after(pool: Pool, before: object) -> bool:
    return await last_verified(pool) > before  # type: ignore[operator] both are moments


async def last_verified(pool: Pool) -> object:
    return await pool.fetchval(
        "SELECT verified_at FROM projection_verification WHERE projection = 'debates_v1'"
    )


async def differences(pool: Pool) -> list[str]:
    rows = await pool.fetch(
        "SELECT jsonb_array_elements(differences) ->> 'told' AS told FROM projection_verification"
    )
    return [row["told"] for row in rows]


async def notes(readiness: Readiness, text: str | None) -> bool:
    return (await readiness.report()).notes.get("differences") == text


async def has(rows: int) -> bool:
    return metric("differences") == rows


def metric(name: str) -> float | None:
    return measured(f"moot_projection_{name}", moot_projection="debates_v1")
