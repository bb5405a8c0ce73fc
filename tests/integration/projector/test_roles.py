"""Roles that own nothing: who may read or write a generation may do so with the next one."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import pytest

from moot.projector.app import make_runners
from moot.projector.debates.projection import DEBATES
from moot.projector.generations import generations
from moot.projector.rebuilding import Rebuilding
from moot.runtime.database import Pool, PositionWaiter, connect_pool
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.settings import DatabaseSettings
from tests.integration.projector.running import reached, running
from tests.support.recording import Recorder, everything
from tests.support.servers import PASSWORD
from tests.support.waiting import turn_of_others

# As `moot.projector.roles` grants it to groups.
READER = """
GRANT USAGE ON SCHEMA ops TO {reader};
GRANT SELECT ON ALL TABLES IN SCHEMA ops TO {reader};
"""
WRITER = """
GRANT USAGE ON SCHEMA ops TO {projector};
GRANT SELECT ON ALL TABLES IN SCHEMA ops TO {projector};
GRANT INSERT, UPDATE ON ops.projection_verification TO {projector};
"""
WRITER_OF_SCHEMA = """
GRANT USAGE ON SCHEMA {schema} TO {projector};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {projector};
"""
SCHEMAS = "SELECT schema FROM ops.projection_generations"
NEWEST = "SELECT max(position) FROM topics"


@dataclass(frozen=True)
class Roles:
    reader: str
    projector: str
    database_url: str

    def settings(self, role: str) -> DatabaseSettings:
        _, _, where = self.database_url.rpartition("@")
        url = f"postgresql://{role}:{PASSWORD}@{where}"
        return DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=url)


@pytest.fixture
async def roles(pool: Pool, database_url: str) -> AsyncIterator[Roles]:
    suffix = uuid4().hex
    roles = Roles(f"reader_{suffix}", f"projector_{suffix}", database_url)
    named = {"reader": roles.reader, "projector": roles.projector}
    for role in named.values():
        await pool.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    await pool.execute((READER + WRITER).format(**named))
    for row in await pool.fetch(SCHEMAS):
        await pool.execute(WRITER_OF_SCHEMA.format(schema=row["schema"], **named))
    yield roles
    for role in named.values():
        await pool.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def nobody_waits(_: int) -> None:
    """Take the place of the event, which these tests don't look at."""
    await turn_of_others()


async def test_who_reads_and_who_writes_goes_on_after_a_switch_to_a_new_generation(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter, roles: Roles
) -> None:
    recorder = Recorder(chronicle)
    last = await recorder.add(everything()[:5])
    readers = await connect_pool(roles.settings(roles.reader), name="reader", size=1)
    projectors = await connect_pool(roles.settings(roles.projector), name="projector")
    rebuilding = Rebuilding(DEBATES, chronicle, pool, nobody_waits, lambda _: None)
    async with running(*make_runners(chronicle, projectors, "one")):
        await reached(waiter, last)
        before = await readers.fetchval(NEWEST)
        assert before == await pool.fetchval(NEWEST) > 0
        await rebuilding.rebuild()
        await rebuilding.rebuild()
        await reached(waiter, await recorder.add(everything()[5:]))
        assert (await generations(pool, DEBATES.name)).serving.number == 3
        assert await readers.fetchval(NEWEST) == await pool.fetchval(NEWEST) > before
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await readers.fetch("SELECT * FROM ops_debates_v1_3.topics")
    readers.terminate()
    projectors.terminate()
