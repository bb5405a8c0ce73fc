"""Where events of the Chronicle are missing, a projection stops and says where."""

from collections.abc import Sequence

import pytest

from moot.projector.app import make_runners
from moot.projector.debates.projection import DEBATES
from moot.runtime import projection_turn
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection_runner import ProjectionRunner, Replica
from tests.integration.projector.running import reached, running
from tests.support.operating import Operator
from tests.support.recording import Recorder, Written, everything
from tests.support.waiting import until

STANDING = "SELECT position, state, error FROM projector_checkpoint WHERE projection = 'debates_v1'"
Standing = tuple[int, str, str | None]


def topics() -> Sequence[Written]:
    return [written for written in everything() if written[0].category == "topic"]


def runner_of(chronicle: InMemoryChronicle, pool: Pool) -> ProjectionRunner:
    return ProjectionRunner(DEBATES, chronicle, pool, Replica("one"))


async def is_stopped(pool: Pool, position: int, hole: str) -> bool:
    row = await pool.fetchrow(STANDING)
    expected = (position, "stopped", f"the Chronicle has nothing {hole}")
    return row is not None and tuple(row) == expected


async def test_a_hole_ahead_stops_the_projection(pool: Pool, chronicle: InMemoryChronicle) -> None:
    await Recorder(chronicle).add(topics()[:9])
    chronicle.lose(4)
    chronicle.lose(5)
    async with running(runner_of(chronicle, pool)):
        await until(lambda: is_stopped(pool, 0, "between 3 and 6"))
    assert await pool.fetchval("SELECT count(*) FROM topics") == 0


async def test_a_hole_that_is_met_while_following_stops_the_projection_before_it(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
) -> None:
    written, recorder = topics(), Recorder(chronicle)
    position = await recorder.add(written[:5])
    async with running(runner_of(chronicle, pool)):
        await reached(waiter, position, ["debates_v1"])
        # Lost before anybody has read it: the reader wakes only after this.
        await recorder.add([written[5]])
        chronicle.lose(position + 1)
        await recorder.add([written[6]])
        hole = f"between {position} and {position + 2}"
        await until(lambda: is_stopped(pool, position, hole))


async def test_a_hole_at_the_end_stops_the_projection(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    written, recorder = topics(), Recorder(chronicle)
    position = await recorder.add(written[:5])
    async with running(runner_of(chronicle, pool)):
        await reached(waiter, position, ["debates_v1"])
        await recorder.add([written[5]])
        chronicle.lose(position + 1)
        hole = f"between {position} and {position + 2}"
        await until(lambda: is_stopped(pool, position, hole))


async def test_a_hole_behind_the_checkpoint_is_found_while_nothing_happens(
    pool: Pool,
    chronicle: InMemoryChronicle,
    waiter: PositionWaiter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(projection_turn, "VERIFY_SECONDS", 0.2)
    position = await Recorder(chronicle).add(topics()[:9])
    async with running(runner_of(chronicle, pool)):
        await reached(waiter, position, ["debates_v1"])
        chronicle.lose(1)
        await until(lambda: is_stopped(pool, position, "between 0 and 2"))


async def test_a_projection_goes_on_past_exactly_the_hole_that_was_accepted(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    recorder = Recorder(chronicle)
    position = await recorder.add(topics()[:9])
    chronicle.lose(4)
    operator = Operator(chronicle, "debates_v1")
    async with running(runner_of(chronicle, pool)):
        await until(lambda: is_stopped(pool, 0, "between 3 and 5"))
        assert await operator.accepts(2, 5) > position
        await until(lambda: is_stopped(pool, 0, "between 3 and 5"))
        accepted = await operator.accepts(3, 5)
        await reached(waiter, accepted, ["debates_v1"])
        await until(lambda: is_live(pool))
        chronicle.lose(7)
    async with running(runner_of(chronicle, pool)):
        await until(lambda: is_stopped(pool, accepted, "between 6 and 8"))


async def is_live(pool: Pool) -> bool:
    row = await pool.fetchrow(STANDING)
    return row is not None and (row["state"], row["error"]) == ("live", None)


@pytest.mark.parametrize("lost", [5, 4])
async def test_the_last_event_applied_may_be_in_the_hole_that_is_accepted(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter, lost: int
) -> None:
    written, recorder = topics(), Recorder(chronicle)
    assert await recorder.add(written[:5]) == 5
    async with running(runner_of(chronicle, pool)):
        await reached(waiter, 5, ["debates_v1"])
    await recorder.add(written[5:7])
    for position in range(lost, 7):
        chronicle.lose(position)
    async with running(runner_of(chronicle, pool)):
        await until(lambda: is_stopped(pool, 5, f"between {lost - 1} and 7"))
        accepted = await Operator(chronicle, "debates_v1").accepts(lost - 1, 7)
        await reached(waiter, accepted, ["debates_v1"])


async def test_a_replaced_chronicle_that_has_more_is_noticed_before_any_of_it_is_applied(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    """Though the connection holds: as when a stream is deleted, and another restored."""
    position = await Recorder(chronicle).add(topics()[:5])
    runner = runner_of(chronicle, pool)
    other = InMemoryChronicle(idle_seconds=0.05)
    await Recorder(other).add(topics())
    async with running(runner):
        await reached(waiter, position, ["debates_v1"])
        vars(chronicle).update(vars(other))
        await until(lambda: says(runner, "is of a stream created at"))
    assert tuple(await pool.fetchrow(STANDING) or ())[:2] == (position, "stopped")


async def says(runner: ProjectionRunner, text: str) -> bool:
    return text in (await runner.readiness() or "")


async def test_nobody_stops_for_nothing(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter
) -> None:
    last = await Recorder(chronicle).add(everything())
    for replica in ("one", "two"):
        async with running(*make_runners(chronicle, pool, replica)):
            await reached(waiter, last)
    states = await pool.fetch("SELECT DISTINCT state, error FROM projector_checkpoint")
    assert [tuple(row) for row in states] == [("live", None)]
