"""What happens to a projection in tests of crashes: everything that its runner has a way for."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest

from moot.contracts import catalogue
from moot.contracts.envelope import Recorded
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import ArgumentPosted
from moot.projector.debates.projection import DEBATES
from moot.projector.projections import PROJECTIONS
from moot.runtime.chronicle import Chronicle
from moot.runtime.database import Connection, connect_pool
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection import Projection
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.settings import DatabaseSettings
from moot.runtime.shared_following import SharedFollowing
from tests.support.crashing import Main
from tests.support.operating import NEWER_TYPE, Operator, of_newer_type
from tests.support.recording import Recorder, Written, argued, everything, topic_id
from tests.support.tables import contents
from tests.support.topics import NOON
from tests.support.waiting import until

GOOD, BAD, LOST, LATE = (
    StreamName("topic", topic_id(name)) for name in ("good", "bad", "lost", "late")
)

TALLY = "CREATE TABLE public.tally (projection text NOT NULL, position bigint NOT NULL)"
COUNT = "INSERT INTO public.tally SELECT $1, unnest($2::bigint[])"
TALLIED = "SELECT position, count(*) AS times FROM public.tally WHERE projection = $1 GROUP BY 1"

CHECKPOINTS = """
SELECT
    projection, position, events_applied, last_event_at, last_event_digest, state, error,
    stream_created_at
FROM ops.projector_checkpoint ORDER BY projection
"""

LETTERS = """
SELECT
    projection, position, key, event_id, event_type, subject, reason, parked_behind, stored_at
FROM ops.dead_letters ORDER BY projection, position
"""


@dataclass(frozen=True)
class Outcome:
    """Everything that must not depend on who was killed when."""

    tables: dict[str, list[str]]
    letters: list[tuple[Any, ...]]
    checkpoints: list[tuple[Any, ...]]
    tally: dict[str, dict[int, int]]
    """By projection and position, how often an event took effect."""


def counting(projection: Projection) -> Projection:
    """Return it so that an event that takes effect twice shows, which its own rows would hide."""

    async def apply(connection: Connection, batch: Sequence[Recorded]) -> None:
        await projection.apply(connection, batch)
        await connection.execute(COUNT, projection.name, [recorded.position for recorded in batch])

    return replace(projection, apply=apply)


def projecting(chronicle: Chronicle, projections: Sequence[Projection]) -> Main:
    """Return what a projector's process runs; each replaces the one before it, under its name."""

    async def main(database_url: str) -> None:
        settings = DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)
        pool = await connect_pool(settings, name="projector", size=len(projections) + 1)
        try:
            shared, replica = SharedFollowing(chronicle), Replica("one")
            runners = [ProjectionRunner(counting(p), shared, pool, replica) for p in projections]
            async with asyncio.TaskGroup() as together:
                for runner in runners:
                    together.create_task(runner.run())
        finally:
            pool.terminate()

    return main


class Story:
    """Events are applied, set aside, released and held up, each once what was before is done."""

    def __init__(self, database_url: str, projections: Sequence[Projection]) -> None:
        self.chronicle = InMemoryChronicle(now=lambda: NOON, idle_seconds=0.05)
        self._database_url = database_url
        self._projections = projections
        self._recorder = Recorder(self.chronicle)
        self._operator = Operator(self.chronicle, DEBATES.name)

    async def happens(self, patch: pytest.MonkeyPatch) -> Outcome:
        history = argued().history
        async with self._looking() as database:
            first, second = await self._with_bad_arguments()
            await self._is_done(database)
            await self._operator.retries(BAD, first)
            await self._is_done(database)
            await self._operator.skips(BAD, first)
            await self._is_done(database)
            paused = await self._operator.pauses()
            await self._is_done(database, {DEBATES.name: paused})
            await self._recorder.add([(LATE, event) for event in history[:5]])
            await self._operator.resumes()
            await self._recorder.add(self._of_others())
            await self._is_done(database)
            patch.setitem(catalogue.UPCASTERS, NEWER_TYPE, (ArgumentPosted.type, lambda data: data))
            await self._operator.retries(BAD, second)
            await self._recorder.add([(LATE, event) for event in history[5:]])
            await self._is_done(database)
            return await self._outcome(database)

    async def _with_bad_arguments(self) -> list[int]:
        """Record debates, in one of which two arguments can't be read; another one breaks off."""
        positions: list[int] = []
        for number, event in enumerate(argued().history):
            await self._recorder.add([(GOOD, event)])
            if isinstance(event, ArgumentPosted) and len(positions) < 2:
                event_id, body = of_newer_type(BAD, event, 1000 + number)
                positions.append(await self._recorder.add_bytes(BAD, event_id, body))
            else:
                await self._recorder.add([(BAD, event)])
            if number == 2:
                await self._recorder.add_bytes(LOST, "f" * 32, b"{}")
            if number in {3, 4}:
                await self._recorder.add([(LOST, event)])
        return positions

    def _of_others(self) -> list[Written]:
        """What isn't about topics."""
        others = {category for p in self._projections for category in p.categories} - {"topic"}
        return [written for written in everything() if written[0].category in others]

    @asynccontextmanager
    async def _looking(self) -> AsyncGenerator[Connection]:
        """A connection that is no process's."""
        connection = await asyncpg.connect(
            self._database_url, server_settings={"search_path": "ops"}
        )
        try:
            await connection.execute(TALLY)
            yield connection
        finally:
            await connection.close()

    async def _is_done(self, database: Connection, but: dict[str, int] | None = None) -> None:
        head = await self.chronicle.head()
        ends = {projection.name: head for projection in self._projections} | (but or {})

        async def are_there() -> bool:
            rows = await database.fetch("SELECT projection, position FROM projector_checkpoint")
            return ends.items() <= {row["projection"]: row["position"] for row in rows}.items()

        await until(are_there)

    async def _outcome(self, database: Connection) -> Outcome:
        tallies: dict[str, dict[int, int]] = {}
        for projection in PROJECTIONS:
            rows = await database.fetch(TALLIED, projection.name)
            tallies[projection.name] = {row["position"]: row["times"] for row in rows}
        return Outcome(
            tables=await contents(database),
            letters=[tuple(row.values()) for row in await database.fetch(LETTERS)],
            checkpoints=[tuple(row.values()) for row in await database.fetch(CHECKPOINTS)],
            tally=tallies,
        )
