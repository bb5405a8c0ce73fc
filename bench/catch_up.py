"""`catch_up`: from an empty Ops DB over the whole Chronicle to the last commit, in one process.

All four projections, as one projector runs them. The floor does nothing but what can't be left
out: it fetches the same messages once, with nats-py's own pull, and copies the same rows into the
same tables, a thousand messages a transaction.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from bench.figures import SIZES, Result, Stopwatch, exponent, median, runs_at, timed, undisturbed
from bench.history import written
from bench.prefill import prefill
from bench.servers import Servers
from moot.contracts.subjects import CHRONICLE
from moot.projector.projections import PROJECTIONS
from moot.runtime.database import OPS, connect_pool
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.projection_scope import Scope
from moot.runtime.settings import DatabaseSettings
from moot.runtime.shared_following import SharedFollowing

EVENTS = 200_000
FETCH = 1000
FIRST_GENERATIONS = ", ".join(f"ops_{projection.name}_1" for projection in PROJECTIONS)
"""Where the tables are in a new Ops DB; nobody can copy into the views of them in `ops`."""


@dataclass(frozen=True)
class Rows:
    """Everything a projector has written to one table, in the order of its last events."""

    table: str
    columns: Sequence[str]
    records: Sequence[tuple[object, ...]]

    def part(self, begin: float, end: float) -> Sequence[tuple[object, ...]]:
        """Return the share of the records from `begin` to `end`, as parts of 1."""
        count = len(self.records)
        return self.records[int(begin * count) : int(end * count)]


async def run(servers: Servers) -> Result:
    """Return events/s at ×1."""
    async with servers.connected() as connection:
        await prefill(connection, written(EVENTS))
    watches: list[Stopwatch] = []
    floors: list[Stopwatch] = []
    seconds: dict[str, float] = {}
    for size, share in SIZES.items():
        events = int(EVENTS * share)
        for _ in range(runs_at(size)):
            async with servers.empty_database() as settings:
                watch = await project(servers, settings, events)
                rows = await rows_of(settings) if size == "1" else []
            seconds[size] = watch.seconds
            if size == "1":
                watches.append(watch)
                floors.append(await floor(servers, rows, events))
    seconds["1"] = median([watch.seconds for watch in watches])
    value = EVENTS / seconds["1"]
    baseline = EVENTS / median([watch.seconds for watch in floors])
    return Result(
        value=value,
        unit="events/s",
        baseline=baseline,
        ratio=value / baseline,
        runs=[EVENTS / watch.seconds for watch in watches],
        sizes={size: EVENTS * SIZES[size] / each for size, each in seconds.items()},
        exponent=exponent(seconds),
        notes={
            "cpu_us_per_event": median([w.cpu_seconds for w in watches]) / EVENTS * 1e6,
            "floor_cpu_us_per_event": median([w.cpu_seconds for w in floors]) / EVENTS * 1e6,
        },
    )


async def project(servers: Servers, settings: DatabaseSettings, until: int) -> Stopwatch:
    """Let one projector come to position `until` in an empty Ops DB."""
    async with servers.chronicle() as chronicle:
        shared = SharedFollowing(chronicle)
        pool = await connect_pool(settings, name="bench", size=len(PROJECTIONS))
        replica, scope = Replica("bench"), Scope(until=until)
        runners = [ProjectionRunner(p, shared, pool, replica, scope) for p in PROJECTIONS]
        with undisturbed(), timed() as watch:
            await asyncio.gather(*(runner.run() for runner in runners))
        await pool.close()
    return watch


async def rows_of(settings: DatabaseSettings) -> list[Rows]:
    connection = await asyncpg.connect(settings.database_url, server_settings={"search_path": OPS})
    found: list[Rows] = []
    for table in (table for projection in PROJECTIONS for table in projection.tables):
        records = await connection.fetch(f"SELECT * FROM {table} ORDER BY position")  # noqa: S608 our own names
        if records:
            found.append(Rows(table, list(records[0].keys()), [tuple(row) for row in records]))
    await connection.close()
    return found


async def floor(servers: Servers, rows: Sequence[Rows], events: int) -> Stopwatch:
    """Fetch `events` messages and copy `rows`, in as many transactions as there are fetches."""
    async with (
        servers.empty_database() as settings,
        servers.connected() as nats,
    ):
        connection = await asyncpg.connect(
            settings.database_url, server_settings={"search_path": FIRST_GENERATIONS}
        )
        fetched: asyncio.Queue[int] = asyncio.Queue(4)
        with undisturbed(), timed() as watch:
            fetching = asyncio.create_task(_fetch(nats, fetched, events))
            done = 0
            while done < events:
                count = await fetched.get()
                async with connection.transaction():
                    for each in rows:
                        part = each.part(done / events, (done + count) / events)
                        if part:
                            await connection.copy_records_to_table(
                                each.table, records=part, columns=each.columns
                            )
                done += count
            await fetching
        await connection.close()
    return watch


async def _fetch(nats: NatsConnection, into: asyncio.Queue[int], events: int) -> None:
    stream: Any = nats.client.jetstream()  # pyright: ignore[reportUnknownMemberType] half untyped
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE)
    consumer = await stream.add_consumer(CHRONICLE, config)
    subscription = await stream.pull_subscribe_bind(consumer=consumer.name, stream=CHRONICLE)
    while events:
        messages = await subscription.fetch(min(FETCH, events), timeout=30)
        events -= len(messages)
        await into.put(len(messages))
