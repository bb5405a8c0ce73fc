"""Whatever happens in whatever order to a Moot's projections, they come to what the model says."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from moot.cli.local.postgres_server import PostgresServer
from moot.contracts import catalogue
from moot.contracts.catalogue import Event
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.projector.app import make_runners
from moot.projector.debates.projection import DEBATES
from moot.projector.projections import PROJECTIONS
from moot.runtime import checkpoint, projection_operations, projection_runner, projection_turn
from moot.runtime.chronicle import Stored
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool, connect_pool
from moot.runtime.lifecycle import Host
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.settings import DatabaseSettings
from tests.integration.projector.letters_model import LettersModel
from tests.support.crashing import Process, Sent, crashing
from tests.support.operating import NEWER_TYPE, Operator, of_newer_type
from tests.support.plain import compared
from tests.support.recording import Recorder, argued, delivered, keys, overdue, topic_id
from tests.support.servers import fresh_database
from tests.support.waiting import until, until_moment

CATCH_UP_SECONDS = 30.0
REPLICAS = ("one", "two")
HISTORIES: dict[StreamName, list[Event]] = {
    StreamName("topic", topic_id("a")): list(argued().history),
    StreamName("topic", topic_id("b")): list(argued().history),
    StreamName("topic", topic_id("c")): list(overdue().history),
    StreamName("delivery", topic_id("d")): list(delivered()),
    StreamName("access", "ann"): list(keys("ann")),
}
STREAMS = tuple(HISTORIES)

CHECKPOINTS = "SELECT projection, position, epoch FROM ops.projector_checkpoint"
LETTERS = """
SELECT position, parked_behind FROM ops.dead_letters WHERE projection = $1 ORDER BY position
"""
SCHEMAS = "SELECT schemaname FROM pg_catalog.pg_tables WHERE tablename = 'projector_checkpoint'"
STEAL = """
UPDATE projector_checkpoint
SET owner = 'thief', epoch = epoch + 1, lease_until = clock_timestamp() + interval '0.2 seconds'
"""
CUT_OFF = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'moot-projector'
"""


class ProjectionWalk(RuleBasedStateMachine):
    """Two replicas of a projector on one Ops DB, an operator, and all sorts of misfortune."""

    def __init__(self, server: PostgresServer, template: str, ended_at: list[int]) -> None:
        super().__init__()
        self.ended_at = ended_at
        self.loop = asyncio.Runner()
        self.patch = pytest.MonkeyPatch()
        self.closing = AsyncExitStack()
        self.server, self.template = server, template
        self.left = {stream: list(events) for stream, events in HISTORIES.items()}
        self.replicas: dict[str, tuple[asyncio.Task[None], Process]] = {}
        self.seen: dict[str, tuple[int, int]] = {}
        self.skipped: set[int] = set()
        self.models = [LettersModel(projection) for projection in PROJECTIONS]

    def runs(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.loop.run(coroutine)

    @initialize()
    def begins(self) -> None:
        self.runs(self._begin())

    async def _begin(self) -> None:
        self.url = await self.closing.enter_async_context(
            fresh_database(self.server, self.template)
        )
        self.chronicle = InMemoryChronicle(idle_seconds=0.05)
        self.recorder = Recorder(self.chronicle)
        self.operator = Operator(self.chronicle, DEBATES.name)
        settings = DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=self.url)
        self.pool: Pool = await connect_pool(settings, name="tests")
        self.closing.callback(self.pool.terminate)
        for stream in STREAMS:
            now, self.left[stream] = self.left[stream][:2], self.left[stream][2:]
            await self._record(stream, now)
        await self._record_unreadable(STREAMS[0])
        await self._record(STREAMS[0], [self.left[STREAMS[0]].pop(0)])

    # What is written.

    @rule(stream=st.sampled_from(STREAMS), events=st.integers(1, 9))
    def something_happens(self, stream: StreamName, events: int) -> None:
        now, self.left[stream] = self.left[stream][:events], self.left[stream][events:]
        self.runs(self._record(stream, now))

    async def _record(self, stream: StreamName, events: list[Event]) -> None:
        await self.recorder.add([(stream, event) for event in events])

    @rule(stream=st.sampled_from(STREAMS[:3]))
    def something_is_written_by_newer_code(self, stream: StreamName) -> None:
        """The next argument, and what comes before it."""
        arguments = [isinstance(event, ArgumentPosted) for event in self.left[stream]]
        if any(arguments):
            at = arguments.index(True)
            before, argument = self.left[stream][:at], self.left[stream][at]
            self.left[stream] = self.left[stream][at + 1 :]
            self.runs(self._record_newer(stream, before, argument))

    async def _record_newer(self, stream: StreamName, before: list[Event], newer: Event) -> None:
        await self._record(stream, before)
        number = 1000 + len(self.left[stream])
        await self.recorder.add_bytes(stream, *of_newer_type(stream, newer, number))

    @rule(stream=st.sampled_from(STREAMS[:3]))
    def something_unreadable_is_written(self, stream: StreamName) -> None:
        self.runs(self._record_unreadable(stream))

    async def _record_unreadable(self, stream: StreamName) -> None:
        await self.recorder.add_bytes(stream, f"{len(await self._events()):032x}", b"{}")

    # What operators do.

    @rule(which=st.integers(0, 9))
    def one_is_retried(self, which: int) -> None:
        self.runs(self._retry(which))

    @rule(which=st.integers(0, 9))
    def one_is_skipped(self, which: int) -> None:
        """Somebody looks at it first, when everything that was asked for is done."""
        self.catches_up()
        self.runs(self._skip(which))

    async def _retry(self, which: int) -> None:
        letter = await self._front(which)
        if letter is not None:
            await self.operator.retries(letter.stream, letter.position)

    async def _skip(self, which: int) -> None:
        letter = await self._front(which)
        done = await self.chronicle.last(StreamName("operation", DEBATES.name))
        is_done = done is None or done.position <= self.models[0].position
        if letter is not None and is_done:
            self.skipped.add(letter.position)
            await self.operator.skips(letter.stream, letter.position)

    async def _front(self, which: int) -> Stored | None:
        """A bad event in front, of which nobody has said yet that it be skipped."""
        model = await self._advanced(self.models[0])
        fronts = [front for front in model.fronts if front.position not in self.skipped]
        return fronts[which % len(fronts)] if fronts else None

    @rule()
    def it_is_paused(self) -> None:
        self.runs(self._does(self.operator.pauses()))

    @rule()
    def it_is_resumed(self) -> None:
        self.runs(self._does(self.operator.resumes()))

    async def _does(self, doing: Coroutine[Any, Any, int]) -> None:
        await doing

    @rule()
    def newer_code_is_deployed(self) -> None:
        self.catches_up()
        self.patch.setitem(catalogue.UPCASTERS, NEWER_TYPE, (ArgumentPosted.type, dict))

    # What happens to the replicas.

    @rule(
        name=st.sampled_from(REPLICAS),
        dies_at=st.none() | st.integers(1, 600),
        sent=st.sampled_from(Sent),
    )
    def one_starts(self, name: str, dies_at: int | None, sent: Sent) -> None:
        if name not in self.replicas:
            self.runs(self._start(name, dies_at, sent))

    @rule(name=st.sampled_from(REPLICAS))
    def one_stops(self, name: str) -> None:
        self.runs(self._stop(name, killed=False))

    @rule(name=st.sampled_from(REPLICAS))
    def one_is_killed(self, name: str) -> None:
        self.runs(self._stop(name, killed=True))

    async def _start(self, name: str, dies_at: int | None, sent: Sent) -> None:
        started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        living = asyncio.create_task(self._live(name, dies_at, sent, started))
        self.replicas[name] = (living, await started)

    async def _live(
        self, name: str, dies_at: int | None, sent: Sent, started: asyncio.Future[Process]
    ) -> None:
        async def main(url: str) -> None:
            settings = DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=url)
            size = len(PROJECTIONS) + 1
            pool = await Host().reach(
                "postgresql", lambda: connect_pool(settings, name="projector", size=size)
            )
            try:
                async with asyncio.TaskGroup() as together:
                    for runner in make_runners(self.chronicle, pool, name):
                        together.create_task(runner.run())
            finally:
                pool.terminate()

        async with crashing(self.url, main, dies_at, sent) as process:
            started.set_result(process)
            await process.died()

    async def _stop(self, name: str, *, killed: bool) -> None:
        if name in self.replicas:
            living, process = self.replicas.pop(name)
            if killed and not process.dead:
                process.kill()
                await asyncio.wait({living})
            living.cancel()
            await asyncio.wait({living})
            if not living.cancelled():
                living.result()

    @rule()
    def leases_are_stolen(self) -> None:
        self.runs(self._steal())

    async def _steal(self) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(SCHEMAS):
                await connection.execute(
                    "SELECT set_config('search_path', $1, true)", row["schemaname"]
                )
                await connection.execute(STEAL)

    @rule()
    def connections_break(self) -> None:
        self.runs(self._does_in_database(CUT_OFF))

    async def _does_in_database(self, statement: str) -> None:
        await self.pool.execute(statement)

    @rule(milliseconds=st.integers(0, 300))
    def time_passes(self, milliseconds: int) -> None:
        self.runs(until_moment(utc_now() + timedelta(milliseconds=milliseconds)))

    # What holds.

    @rule()
    def catches_up(self) -> None:
        self.runs(self._catch_up())

    async def _catch_up(self) -> None:
        for name in [n for n, (living, _) in self.replicas.items() if living.done()]:
            await self._stop(name, killed=False)
        for name in REPLICAS:
            living_on = any(not process.mortal for _, process in self.replicas.values())
            if not living_on:
                await self._stop(name, killed=True)
                await self._start(name, None, Sent.LOST)
        for model in self.models:
            await self._advanced(model)
        await until(self._is_where_the_models_are, within=CATCH_UP_SECONDS)
        for model in self.models:
            rows = await self.pool.fetch(LETTERS, model.name)
            assert [tuple(row) for row in rows] == model.letters, model.name
            found = await compared(self.pool, self.chronicle, model.name, model.position)
            assert found.equal, [difference.told for difference in found.differences]

    async def _is_where_the_models_are(self) -> bool:
        rows = await self.pool.fetch(CHECKPOINTS)
        found = {row["projection"]: row["position"] for row in rows}
        return found == {model.name: model.position for model in self.models}

    async def _advanced(self, model: LettersModel) -> LettersModel:
        model.advance(await self._events())
        return model

    async def _events(self) -> list[Stored]:
        head = await self.chronicle.head()
        found = [await self.chronicle.get(position) for position in range(1, head + 1)]
        return [stored for stored in found if stored is not None]

    @invariant()
    def nothing_goes_back(self) -> None:
        if hasattr(self, "pool"):
            self.runs(self._look())

    async def _look(self) -> None:
        for row in await self.pool.fetch(CHECKPOINTS):
            name, found = row["projection"], (row["epoch"], row["position"])
            before = self.seen.get(name, (0, 0))
            assert found[0] >= before[0], name
            assert found[1] >= before[1], name
            self.seen[name] = found

    def teardown(self) -> None:
        try:
            if hasattr(self, "pool"):
                self.runs(self._end())
        finally:
            self.patch.undo()
            self.loop.close()

    async def _end(self) -> None:
        try:
            await self._catch_up()
            self.ended_at.append(self.models[0].position)
        finally:
            for name in list(self.replicas):
                await self._stop(name, killed=True)
            await self.closing.aclose()


@pytest.fixture(autouse=True)
def small_steps_and_short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection_turn, "FETCH", 4)
    monkeypatch.setattr(projection_turn, "MOST_EVENTS", 6)
    monkeypatch.setattr(projection_turn, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(projection_operations, "MOST_RELEASED", 2)
    monkeypatch.setattr(projection_runner, "LONGEST_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(checkpoint, "LEASE", timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("walks", "steps"),
    [(4, 30), pytest.param(100, 60, marks=[pytest.mark.hard, pytest.mark.timeout(3600)])],
)
def test_projections_survive_any_walk(
    postgres_server: PostgresServer, migrated: str, walks: int, steps: int
) -> None:
    ended_at: list[int] = []
    factory: Any = partial(ProjectionWalk, postgres_server, migrated, ended_at)
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=walks,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert len(ended_at) >= walks
    assert max(ended_at) > steps // 2, f"little has happened: {ended_at}"
