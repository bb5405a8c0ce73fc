"""`moot projections rebuild` is killed with kill -9 halfway, and run again."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from bench.history import written
from bench.prefill import prefill
from moot.cli.local.nats_server import NatsServer
from moot.cli.local.process import Process
from moot.projector.plain.comparing import differences
from moot.runtime.database import Pool, connect_pool
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from moot.runtime.settings import DatabaseSettings
from tests.support.local_moot import MOOT, environment
from tests.support.waiting import until

EVENTS = 12_000
"""Of which a builder takes 4,000 at once."""

NAME = "debates_v1"
BUILT = "ops_debates_v1_2"
BLOCK = f"LOCK TABLE {BUILT}.topics IN SHARE ROW EXCLUSIVE MODE"
STANDS = f"SELECT position, events_applied, state FROM {BUILT}.projector_checkpoint"  # noqa: S608 our own names
ROLES = "SELECT generation, role FROM ops.projection_generations WHERE projection = 'debates_v1'"


@dataclass
class Site:
    nats: NatsConnection
    pool: Pool
    urls: dict[str, str]
    told: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def rebuild(self) -> Process:
        """Begin `moot projections rebuild`; what it tells is in `told`."""
        self.told.clear()
        return Process(
            [*MOOT, "projections", "rebuild", NAME, "--json", "--reason", "a trial"],
            environment={**environment(), **self.urls},
            sink=self._hear,
        )

    async def has_begun(self) -> bool:
        """Whether something is built, but not all of it."""
        there = await self.pool.fetchval("SELECT to_regclass($1)", f"{BUILT}.topics")
        return there is not None and (await self.stands())["position"] > 0

    async def stands(self) -> asyncpg.Record:
        row = await self.pool.fetchrow(STANDS)
        assert row is not None
        return row

    def _hear(self, line: str) -> None:
        if line.startswith("{"):
            self.told.append(json.loads(line))


@pytest.fixture
async def site(nats_server: NatsServer, database_url: str) -> AsyncIterator[Site]:
    await provision(nats_server.url)
    nats = NatsConnection()
    await nats.open(nats_server.url, name="tests")
    settings = DatabaseSettings(nats_url=nats_server.url, database_url=database_url)
    pool = await connect_pool(settings, name="tests")
    yield Site(nats, pool, {"NATS_URL": nats_server.url, "DATABASE_URL": database_url})
    pool.terminate()
    await nats.close()


@pytest.mark.timeout(180)
async def test_a_killed_rebuild_goes_on_where_it_was_and_equals_the_chronicle(site: Site) -> None:
    head = await prefill(site.nats, written(EVENTS))
    first = site.rebuild()
    await until(site.has_begun, within=40)
    async with site.pool.acquire() as connection, connection.transaction():
        await connection.execute(BLOCK)  # so it stands in the midst of a transaction
        await first.kill()
    killed_at = (await site.stands())["position"]
    assert 0 < killed_at < head

    second = site.rebuild()
    async with asyncio.timeout(50):
        assert await second.wait() == 0, second.tail
    second.drain()
    assert site.told[0]["position"] >= killed_at
    assert [each["doing"] for each in site.told][-3:] == ["comparing", "switching", "serving"]
    stands = await site.stands()
    assert (stands["state"], stands["events_applied"]) == ("live", stands["position"])
    roles = {row["generation"]: row["role"] for row in await site.pool.fetch(ROLES)}
    assert roles == {1: "retired", 2: "serving"}
    chronicle, at = JetStreamChronicle(site.nats), stands["position"]
    async with (
        site.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        found = await differences(connection, chronicle, NAME, BUILT, at)
    assert found.equal
    assert found.rows > EVENTS / 3
