"""A projection is built again beside the one that serves; readers see nothing but fresh rows."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from moot.api.queries.topics import Filter, list_topics, read_topic
from moot.contracts import catalogue
from moot.contracts.debates import ADMIN, Caller
from moot.contracts.ids import CommandId
from moot.contracts.operations import GenerationPromoted, PromoteGeneration
from moot.contracts.subjects import StreamName
from moot.domain import operations
from moot.projector.app import make_runners
from moot.projector.building import BuildError, Progress
from moot.projector.debates.projection import DEBATES
from moot.projector.generations import begun, generations
from moot.projector.promoting import PromotionRefusedError
from moot.projector.rebuilding import Rebuilding
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.decoding import decoded
from moot.runtime.dispatch import Dispatcher
from moot.runtime.luck import new_id
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection_runner import ProjectionRunner, Replica
from tests.integration.projector.running import reached, running
from tests.support.operating import NEWER_TYPE, Operator, of_newer_type
from tests.support.pace import at_rate
from tests.support.recording import Recorder, argued, everything, record, topic_id
from tests.support.tables import contents
from tests.support.waiting import in_time, waited_for_cpus

READS_PER_SECOND = 200
READS_AT_ONCE = 20
SLOWEST_READ_SECONDS = 3.0
"""Generous: a reader waits for the switch, 100 ms at a time, on however busy a machine."""

TAKEN_OVER_SECONDS = 2.0

SWITCHES = 6

BAD = StreamName("topic", topic_id("bad"))

# In one statement, as the API reads: what is there, and how far that is.
READ = """
SELECT
    (SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1') AS position,
    (SELECT max(position) FROM topics) AS newest
"""

POSITION = "SELECT position FROM projector_checkpoint WHERE projection = 'debates_v1'"


@dataclass
class Site:
    """Rebuilds `debates_v1`, as an operator's command does."""

    pool: Pool
    chronicle: InMemoryChronicle
    told: list[Progress] = field(default_factory=list[Progress])

    @property
    def rebuilding(self) -> Rebuilding:
        return Rebuilding(DEBATES, self.chronicle, self.pool, self.record, self.told.append)

    async def record(self, number: int) -> None:
        command = PromoteGeneration(by=ADMIN, projection=DEBATES.name, generation=number)
        command_id = CommandId(new_id())
        context = CommandContext(command_id, ADMIN.auth_id, command_id)
        dispatcher = Dispatcher(self.chronicle, source="moot/tests", now=utc_now)
        outcome = await dispatcher.dispatch(operations, DEBATES.name, command, context)
        assert isinstance(outcome, Outcome), outcome

    async def roles(self) -> dict[int, str]:
        return {g.number: g.role for g in (await generations(self.pool, DEBATES.name)).all}

    async def promotions(self) -> list[int]:
        stored = await self.chronicle.read(StreamName("operation", DEBATES.name))
        events = [decoded(each).event for each in stored]
        return [event.generation for event in events if isinstance(event, GenerationPromoted)]


@pytest.fixture
def site(pool: Pool, chronicle: InMemoryChronicle) -> Site:
    return Site(pool, chronicle)


@asynccontextmanager
async def in_background(*work: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Do each again and again; what fails, fails here."""

    async def repeat(once: Callable[[], Awaitable[None]]) -> None:
        while not over.is_set():
            await once()

    over = asyncio.Event()
    async with asyncio.TaskGroup() as together:
        for once in work:
            together.create_task(repeat(once))
        try:
            yield
        finally:
            over.set()


@dataclass
class Traffic:
    """Somebody appends, and others read, as fast as they can."""

    site: Site
    waiter: PositionWaiter
    written: int = 0
    positions: list[int] = field(default_factory=list[int])
    snapshots: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])

    async def write(self) -> None:
        stream = StreamName("topic", topic_id(f"more {self.written}"))
        last = await Recorder(self.site.chronicle).add([(stream, argued().history[0])])
        self.written += 1
        await reached(self.waiter, last, [DEBATES.name])

    async def read(self) -> None:
        row = await self.site.pool.fetchrow(READ)
        assert row is not None
        assert row["newest"] <= row["position"]
        self.positions.append(row["position"])

    async def read_twice(self) -> None:
        async with (
            self.site.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read"),
        ):
            position = await connection.fetchval(POSITION)
            newest = await connection.fetchval("SELECT max(position) FROM topics")
            self.snapshots.append((position, newest, await connection.fetchval(POSITION)))


async def test_readers_and_writers_notice_nothing_of_a_rebuild_and_a_rollback(
    site: Site, waiter: PositionWaiter
) -> None:
    last = await record(site.chronicle, everything())
    traffic = Traffic(site, waiter)
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        async with in_background(traffic.write, traffic.read, traffic.read_twice):
            await site.rebuilding.rebuild()
            assert await site.roles() == {1: "retired", 2: "serving"}
            await site.rebuilding.roll_back()
    assert await site.roles() == {1: "serving", 2: "retired"}
    assert await site.promotions() == [2, 1]
    assert traffic.written > 3
    assert len(traffic.positions) > 50
    assert traffic.positions == sorted(traffic.positions)
    assert all(newest <= at == again for at, newest, again in traffic.snapshots)
    assert site.told[-1].doing == "serving"


async def test_two_hundred_reads_a_second_are_answered_through_rebuilds_and_rollbacks(
    site: Site, waiter: PositionWaiter
) -> None:
    last = await record(site.chronicle, everything())
    traffic = Traffic(site, waiter)
    lost = -waited_for_cpus()
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        reading = at_rate(READS_PER_SECOND, traffic.read, at_once=READS_AT_ONCE)
        async with in_background(traffic.write), reading as took:
            for _ in range(3):
                await site.rebuilding.rebuild()
                await site.rebuilding.roll_back()
    assert await site.promotions() == [2, 1, 3, 1, 4, 1]
    assert len(took) == len(traffic.positions) > READS_PER_SECOND / 2
    lost += waited_for_cpus()
    assert max(took) < SLOWEST_READ_SECONDS + lost


async def test_a_switch_finds_a_moment_between_readers(site: Site, waiter: PositionWaiter) -> None:
    """They ask as the API does: statements that use the same tables in different orders."""
    pool, caller = site.pool, Caller.agent("agent-1")
    last = await record(site.chronicle, everything())

    async def read() -> None:
        await read_topic(pool, topic_id("argued"), caller)

    async def read_page() -> None:
        await list_topics(pool, Filter(None, None, mine=False), last, 50, caller)

    async with running(*make_runners(site.chronicle, pool, "one")):
        await reached(waiter, last)
        await site.rebuilding.rebuild()
        async with in_background(*(read, read_page) * 3):
            with capture_logs() as logged:
                for _ in range(SWITCHES):
                    await site.rebuilding.roll_back()
    assert len(await site.promotions()) == 1 + SWITCHES
    again = [entry["reason"] for entry in logged if entry["event"] == "switch_tried_again"]
    assert len(again) < SWITCHES


async def test_the_projector_goes_on_with_what_was_promoted_within_two_seconds(
    site: Site, waiter: PositionWaiter
) -> None:
    recorder = Recorder(site.chronicle)
    last = await recorder.add(everything())
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        before = await contents(site.pool)
        await site.rebuilding.rebuild()
        assert await contents(site.pool) == before
        next_topic = StreamName("topic", topic_id("next"))
        last = await recorder.add([(next_topic, argued().history[0])])
        await in_time(reached(waiter, last, [DEBATES.name]), within=TAKEN_OVER_SECONDS)
    assert await site.pool.fetchval("SELECT count(*) FROM topics") == 6


async def test_a_build_that_is_interrupted_goes_on_where_it_was(
    site: Site, waiter: PositionWaiter
) -> None:
    last = await record(site.chronicle, everything())
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        first = await site.rebuilding.rebuild(promote=False)
        more = await Recorder(site.chronicle).add([(BAD, argued().history[0])])
        again = await site.rebuilding.rebuild(promote=False)
        assert (first.number, again.number) == (2, 2)
        applied = await site.pool.fetchval(
            f"SELECT events_applied FROM {again.schema}.projector_checkpoint"  # noqa: S608 our own names
        )
        assert applied == more, "no event twice"
        promoted = await site.rebuilding.promote()
        assert promoted.number == 2
        anew = await site.rebuilding.rebuild(from_scratch=True)
    assert await site.roles() == {2: "retired", 3: "serving"}
    assert anew.number == 3


async def test_of_two_who_rebuild_one_does(site: Site, waiter: PositionWaiter) -> None:
    last = await record(site.chronicle, everything())
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        both = await asyncio.gather(
            site.rebuilding.rebuild(), site.rebuilding.rebuild(), return_exceptions=True
        )
    assert await site.roles() == {1: "retired", 2: "serving"}
    assert await site.promotions() == [2]
    failed = [each for each in both if isinstance(each, BaseException)]
    assert all(isinstance(each, BuildError) for each in failed), failed
    assert len(failed) < 2


async def test_what_differs_from_the_chronicle_is_not_promoted(
    site: Site, waiter: PositionWaiter
) -> None:
    last = await record(site.chronicle, everything())
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        built = await site.rebuilding.rebuild(promote=False)
        await site.pool.execute(f"UPDATE {built.schema}.topics SET title = 'forged'")  # noqa: S608 our own names
        with pytest.raises(PromotionRefusedError, match="differs in title"):
            await site.rebuilding.promote()
    assert await site.roles() == {1: "serving", 2: "building"}
    assert await site.promotions() == []


async def test_what_sets_more_aside_is_not_promoted(
    site: Site, waiter: PositionWaiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, history = Recorder(site.chronicle), argued().history
    await recorder.add([(BAD, event) for event in history[:-1]])
    bad = await recorder.add_bytes(BAD, *of_newer_type(BAD, history[1], 99))
    with monkeypatch.context() as newer:
        newer.setitem(catalogue.UPCASTERS, NEWER_TYPE, (history[1].type, lambda data: data))
        async with running(*make_runners(site.chronicle, site.pool, "newer")):
            await reached(waiter, bad)
    # The code that builds is older than the one that has applied the event.
    with pytest.raises(PromotionRefusedError, match=f"has set aside .* applied: {bad}"):
        await site.rebuilding.rebuild()
    assert await site.roles() == {1: "serving", 2: "building"}


async def test_what_is_behind_is_not_promoted(
    site: Site, waiter: PositionWaiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = await record(site.chronicle, everything())
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
    await site.pool.execute(
        "UPDATE ops_debates_v1_1.projector_checkpoint SET position = position + 10"
    )
    monkeypatch.setattr("moot.projector.promoting.SWITCH_WITHIN_SECONDS", 0.5)
    with pytest.raises(PromotionRefusedError, match="couldn't be switched to: it is at"):
        await site.rebuilding.rebuild()
    assert (await site.roles())[1] == "serving"
    done = await site.rebuilding.promote(accept_lower=True)
    assert await site.roles() == {1: "retired", 2: "serving"}
    assert await site.promotions() == [done.number], "the first was obeyed"


async def test_skipped_events_are_left_out_and_an_earlier_pause_holds_nobody_up(
    site: Site, waiter: PositionWaiter
) -> None:
    recorder, history = Recorder(site.chronicle), argued().history
    await recorder.add([(BAD, history[0])])
    bad = await recorder.add_bytes(BAD, *of_newer_type(BAD, history[1], 99))
    operator = Operator(site.chronicle, DEBATES.name)
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, bad)
        await reached(waiter, await operator.skips(BAD, bad), [DEBATES.name])
        paused = await operator.pauses()
        await reached(waiter, paused, [DEBATES.name])
        await recorder.add([(BAD, event) for event in history[1:]])
        await reached(waiter, await operator.resumes(), [DEBATES.name])
        await site.rebuilding.rebuild()
        status = await site.pool.fetchval("SELECT status FROM topics")
    assert status == "completed"
    letters = "SELECT count(*) FROM dead_letters WHERE projection = 'debates_v1'"
    assert await site.pool.fetchval(letters) == 0


async def test_nothing_is_appended_by_a_rebuild_but_its_operation(
    site: Site, waiter: PositionWaiter
) -> None:
    last = await record(site.chronicle, everything())
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, last)
        await site.rebuilding.rebuild()
    assert await site.chronicle.head() == last + 1
    assert await site.promotions() == [2]


async def test_a_rollback_goes_to_what_served_last_though_the_clock_was_set_back(
    site: Site,
) -> None:
    ahead = "UPDATE ops.projection_generations SET promoted_at = promoted_at + interval '1 hour'"
    await site.pool.execute(ahead)
    await site.rebuilding.rebuild()
    await site.rebuilding.rebuild()
    assert (await site.rebuilding.roll_back()).number == 2


async def test_what_was_never_built_is_not_promoted(site: Site) -> None:
    with pytest.raises(BuildError, match="rebuild it first"):
        await site.rebuilding.promote()
    with pytest.raises(BuildError, match="no generation to go back to"):
        await site.rebuilding.roll_back()
    assert (await begun(site.pool, DEBATES.name)).number == 2


async def test_a_key_that_is_rebuilt_is_what_the_chronicle_says_and_no_other_changes(
    site: Site, waiter: PositionWaiter
) -> None:
    recorder, operator = Recorder(site.chronicle), Operator(site.chronicle, DEBATES.name)
    broken = StreamName("topic", topic_id("argued"))
    last = await recorder.add(everything())
    bad = await recorder.add_bytes(BAD, *of_newer_type(BAD, argued().history[0], 99))
    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, bad)
        before = await contents(site.pool)
        forged = "UPDATE topics SET title = 'forged'"
        await site.pool.execute(f"{forged} WHERE topic_id <> '{broken.id}'")
        others = await contents(site.pool)
        await site.pool.execute(forged)
        await site.pool.execute("DELETE FROM arguments")
        await reached(waiter, await operator.rebuilds(broken), [DEBATES.name])
        mended = await contents(site.pool)
        await reached(waiter, await operator.rebuilds(BAD), [DEBATES.name])
        assert await contents(site.pool) == mended
    assert mended == others != before
    letters = "SELECT position FROM dead_letters WHERE projection = 'debates_v1'"
    assert [row["position"] for row in await site.pool.fetch(letters)] == [last + 1]


async def test_a_key_that_cannot_be_rebuilt_stays_as_it_is_and_stops_nobody(
    site: Site, waiter: PositionWaiter
) -> None:
    recorder, operator = Recorder(site.chronicle), Operator(site.chronicle, DEBATES.name)
    await recorder.add(everything())

    async def refuses(*_: object) -> None:
        raise LookupError("not that one again")

    async with running(*make_runners(site.chronicle, site.pool, "one")):
        await reached(waiter, await site.chronicle.head())
    before = await contents(site.pool)
    broken = replace(DEBATES, forget=refuses)
    asked = await operator.rebuilds(StreamName("topic", topic_id("argued")))
    async with running(ProjectionRunner(broken, site.chronicle, site.pool, Replica("two"))):
        await reached(waiter, asked, [DEBATES.name])
    assert await contents(site.pool) == before
    letters = await site.pool.fetch("SELECT position, reason FROM dead_letters")
    assert [(row["position"], row["reason"]) for row in letters] == [
        (asked, "LookupError: not that one again")
    ]
