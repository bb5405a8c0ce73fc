"""Where projections stand is told against the Chronicle's real end, and who stands still is."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from moot.contracts.subjects import StreamName
from moot.projector.app import make_runners
from moot.projector.debates.projection import DEBATES
from moot.runtime import projection_standing
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.projection_standing import Standing, StandingWatch, standings
from moot.runtime.readiness import Readiness
from tests.integration.projector.running import NAMES, reached, running
from tests.support.measured import measured
from tests.support.operating import Operator, of_newer_type
from tests.support.recording import Recorder, argued, everything, record, topic_id
from tests.support.waiting import until

BAD = StreamName("topic", topic_id("bad"))


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def watch(
    pool: Pool,
    chronicle: InMemoryChronicle,
    readiness: Readiness,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[StandingWatch]:
    """A watch that looks often and has little patience."""
    monkeypatch.setattr(projection_standing, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(projection_standing, "STANDS_STILL_SECONDS", 0.3)
    watch = StandingWatch(pool, chronicle, readiness, NAMES)
    readiness.add("progress", watch.readiness)
    watching = asyncio.create_task(watch.run())
    yield watch
    watching.cancel()


def metric(name: str) -> float | None:
    return measured(f"moot_projection_{name}", moot_projection=DEBATES.name)


async def test_who_stands_still_while_there_is_work_is_not_ready_and_says_why(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    watch: StandingWatch,
    readiness: Readiness,
) -> None:
    recorder = Recorder(chronicle)
    first = await recorder.add(everything()[:5])
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, first)
    await until(lambda: is_ready(readiness))
    last = await recorder.add(everything()[5:9])

    async def says_so() -> bool:
        said = await watch.readiness() or ""
        return f"debates_v1 stands at {first} of {last}" in said and "nobody owns it" in said

    await until(says_so)
    assert not (await readiness.report()).ready
    assert (metric("position"), metric("head")) == (first, last)
    behind = metric("behind_seconds")
    assert behind is not None
    assert behind > 0
    async with running(*make_runners(chronicle, pool, "two")):
        await until(lambda: is_ready(readiness))
        await until(lambda: reads("behind_seconds", 0))


async def is_ready(readiness: Readiness) -> bool:
    return (await readiness.report()).ready


async def reads(name: str, value: float) -> bool:
    return metric(name) == value


async def test_who_is_paused_stands_still_on_purpose(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    watch: StandingWatch,
    readiness: Readiness,
) -> None:
    operator = Operator(chronicle, DEBATES.name)
    async with running(*make_runners(chronicle, pool, "one")):
        paused = await operator.pauses()
        await reached(waiter, paused, [DEBATES.name])
        await record(chronicle, everything())
        await until(lambda: notes(readiness, f"debates_v1 at {paused}"))
        assert "debates_v1" not in (await watch.readiness() or "")
        await operator.resumes()
        await until(lambda: notes(readiness, None))


async def notes(readiness: Readiness, text: str | None) -> bool:
    return (await readiness.report()).notes.get("paused") == text


async def test_one_that_this_version_does_not_have_makes_nobody_unready_but_is_told_of(
    pool: Pool, chronicle: InMemoryChronicle, watch: StandingWatch, readiness: Readiness
) -> None:
    await pool.execute(NEWER)
    async with running(*make_runners(chronicle, pool, "one")):
        await record(chronicle, everything()[:5])
        await until(lambda: tells_of_a_newer_one(readiness))
        await until(lambda: is_ready(readiness))
        assert "newer_v1" not in (await watch.readiness() or "")


NEWER = """
INSERT INTO ops.projection_generations (projection, generation, role)
VALUES ('newer_v1', 1, 'serving');
CREATE SCHEMA ops_newer_v1_1;
CREATE TABLE ops_newer_v1_1.projector_checkpoint
    (LIKE ops_debates_v1_1.projector_checkpoint INCLUDING ALL);
CREATE TABLE ops_newer_v1_1.dead_letters (LIKE ops_debates_v1_1.dead_letters INCLUDING ALL);
INSERT INTO ops_newer_v1_1.projector_checkpoint (projection) VALUES ('newer_v1');
SELECT ops.show_serving('newer_v1');
"""


async def tells_of_a_newer_one(readiness: Readiness) -> bool:
    told = (await readiness.report()).notes.get("unknown projections") or ""
    return told.startswith("newer_v1 at 0: this version")


async def test_standings_count_what_is_set_aside_and_measure_the_rate(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    history = argued().history
    await recorder.add([(BAD, history[0])])
    await recorder.add_bytes(BAD, *of_newer_type(BAD, history[1], 99))
    last = await recorder.add([(BAD, history[1])])
    async with running(ProjectionRunner(DEBATES, chronicle, pool, Replica("one"))):
        await reached(waiter, last, [DEBATES.name])
        before = of_debates(await standings(pool, chronicle))
        assert (before.parked, before.owner, before.rate) == (2, "one", None)
        assert (before.position, before.behind, before.waited) == (last, 0, timedelta(0))
        more = await recorder.add([(BAD, event) for event in history[2:]])
        await reached(waiter, more, [DEBATES.name])
        after = of_debates(await standings(pool, chronicle, [before]))
    passed = (after.looked_at - before.looked_at).total_seconds()
    assert after.rate == pytest.approx((more - last) / passed)


def of_debates(found: Sequence[Standing]) -> Standing:
    (of,) = (each for each in found if each.projection == DEBATES.name)
    return of
