"""The projector's processes, and a load that goes on whatever happens to them and their servers."""

import asyncio
import itertools
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg

from moot.cli.local.nats_server import NatsServer
from moot.contracts.catalogue import Event
from moot.contracts.ids import derived_id
from moot.contracts.subjects import Category, StreamName
from moot.projector.projections import PROJECTIONS
from moot.projector.settings import ProjectorSettings
from moot.runtime.chronicle import Chronicle, ChronicleUnavailableError, Message
from moot.runtime.database import connect_pool
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.settings import RuntimeSettings
from tests.support.pace import evenly
from tests.support.plain import differing_rows
from tests.support.recording import (
    Recorder,
    amended,
    argued,
    delivered,
    envelope,
    keys,
    overdue,
)
from tests.support.waiting import until

EVENTS_PER_SECOND = 30
"""Of each of the five writers."""

STORED_WITHIN = 60.0
"""Seconds; longer than any outage."""

LOOKS_PER_SECOND = 50

STANDING = "SELECT projection, position, epoch, owner, state FROM ops.projector_checkpoint"
ASIDE = "SELECT count(*) FROM ops.dead_letters"
APPLIED = "SELECT DISTINCT events_applied FROM ops.projector_checkpoint"


@asynccontextmanager
async def projector(
    nats: NatsServer, database_url: str, replica: str, port: int = 0
) -> AsyncGenerator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "NATS_URL": nats.url,
        "DATABASE_URL": database_url,
        "MOOT_REPLICA": replica,
        "HEALTH_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "moot.projector", env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def recorder_on(nats: NatsServer) -> AsyncGenerator[Recorder]:
    connection = await connect(RuntimeSettings(nats_url=nats.url))
    try:
        yield Recorder(JetStreamChronicle(connection))
    finally:
        await connection.close()


async def is_at(database_url: str, position: int) -> bool:
    try:
        connection = await asyncpg.connect(database_url)
    except (OSError, asyncpg.PostgresError):
        return False
    try:
        found = await connection.fetchval(
            "SELECT count(*) FROM ops.projector_checkpoint WHERE position = $1", position
        )
    finally:
        await connection.close()
    return found == len(PROJECTIONS)


async def standing(database_url: str) -> dict[str, asyncpg.Record]:
    """Return each projection's checkpoint; none while PostgreSQL is away."""
    try:
        connection = await asyncpg.connect(database_url, timeout=2)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return {}
    try:
        rows = await connection.fetch(STANDING)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return {}
    finally:
        connection.terminate()
    return {row["projection"]: row for row in rows}


async def has_passed(database_url: str, position: int) -> bool:
    found = await standing(database_url)
    return len(found) == len(PROJECTIONS) and all(
        row["position"] >= position for row in found.values()
    )


History = Callable[[str], Sequence[Event]]
"""The events of a stream of this id."""


class Load:
    """Writers, each of one stream after another. What isn't stored for sure is stored again."""

    def __init__(self, chronicle: Chronicle) -> None:
        self.last = 0
        """The position of the last event that is stored for sure."""
        self._chronicle = chronicle
        self._over = False

    @asynccontextmanager
    async def going_on(self) -> AsyncGenerator[None]:
        """Append until the end of this; what is under way then is stored still."""
        topics = [argued().history, overdue().history, amended().history]
        writers: list[tuple[Category, History]] = [
            *(("topic", lambda _, history=history: history) for history in topics),
            ("delivery", lambda _: delivered()),
            ("access", keys),
        ]
        async with asyncio.TaskGroup() as together:
            for number, (category, history) in enumerate(writers):
                together.create_task(self._write(category, str(number), history))
            try:
                yield
            finally:
                self._over = True

    async def _write(self, category: Category, writer: str, history: History) -> None:
        turns = evenly(EVENTS_PER_SECOND)
        for number in itertools.count():
            stream = StreamName(category, derived_id("load", writer, str(number)))
            last = 0
            for turn, event in enumerate(history(stream.id), start=1):
                await anext(turns)
                if self._over:
                    return
                enveloped = envelope(stream, event, turn)
                last = await self._store(stream, last, Message(enveloped.id, enveloped.to_bytes()))
                self.last = max(self.last, last)

    async def _store(self, stream: StreamName, last: int, message: Message) -> int:
        position = last

        async def is_stored() -> bool:
            nonlocal position
            with suppress(ChronicleUnavailableError):
                position = await self._chronicle.append(stream, last, [message])
            return position > last

        await until(is_stored, within=STORED_WITHIN)
        return position


class Watch:
    """Looks at the checkpoints all the time: neither position nor epoch ever goes back."""

    def __init__(self, database_url: str) -> None:
        self.looks = 0
        self.went_back: list[str] = []
        self._database_url = database_url
        self._before: dict[str, tuple[int, int]] = {}

    @asynccontextmanager
    async def looking(self) -> AsyncGenerator["Watch"]:
        task = asyncio.create_task(self._look())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _look(self) -> None:
        connection = await asyncpg.connect(self._database_url)
        try:
            async for _ in evenly(LOOKS_PER_SECOND):
                for row in await connection.fetch(STANDING):
                    self._note(row["projection"], (row["epoch"], row["position"]))
                self.looks += 1
        finally:
            connection.terminate()

    def _note(self, projection: str, found: tuple[int, int]) -> None:
        before = self._before.get(projection, (0, 0))
        if any(now < then for now, then in zip(found, before, strict=True)):
            self.went_back.append(f"{projection}: from {before} to {found}")
        self._before[projection] = found


async def check_tables(database_url: str, nats: NatsServer) -> int:
    """Check that the tables, which are at the Chronicle's end, are what it says; their position."""
    settings = ProjectorSettings(nats_url=nats.url, database_url=database_url)
    connection = await connect(settings)
    pool = await connect_pool(settings, name="tests")
    try:
        chronicle = JetStreamChronicle(connection)
        head = await chronicle.head()
        await until(lambda: has_passed(database_url, head))
        assert await differing_rows(pool, chronicle, head) == []
        assert await pool.fetchval(ASIDE) == 0
        assert [row["events_applied"] for row in await pool.fetch(APPLIED)] == [head]
    finally:
        pool.terminate()
        await connection.close()
    return head
