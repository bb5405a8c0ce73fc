"""What CONTRIBUTING.md says makes a projection, and nothing else, makes one."""

import asyncio
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.config import Config

from moot.projector import projections, tables
from moot.projector.app import make_runners
from moot.projector.generations import generations
from moot.projector.migrate import migrate, newest_revision
from moot.projector.plain.projections import PLAIN
from moot.projector.projections import PROJECTIONS
from moot.projector.rebuilding import Rebuilding
from moot.projector.verification import verify_all
from moot.runtime.database import Pool, PositionWaiter
from moot.runtime.memory import InMemoryChronicle
from tests.integration.projector.running import reached, running
from tests.support import added
from tests.support.added.argument_counts import ARGUMENT_COUNTS
from tests.support.added.plain_argument_counts import PLAIN_ARGUMENT_COUNTS
from tests.support.recording import everything, record
from tests.support.waiting import turn_of_others

NAME = ARGUMENT_COUNTS.name
COUNTS = "SELECT topic_id, agent_id, arguments FROM argument_counts ORDER BY 1, 2"
LEFT = """
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ops_argument_counts%'
UNION ALL SELECT relname FROM pg_class WHERE relname LIKE 'argument_counts%'
UNION ALL SELECT projection FROM ops.projector_checkpoint WHERE projection = 'argument_counts_v1'
UNION ALL SELECT projection FROM ops.projection_generations WHERE projection = 'argument_counts_v1'
UNION ALL
SELECT projection FROM ops.projection_verification WHERE projection = 'argument_counts_v1'
"""


@pytest.fixture
def before() -> str:
    """The newest revision of those that are there."""
    return newest_revision()


@pytest.fixture
def developed(before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the four things where they would be: a table, a migration, and an entry each."""
    folder = files(added)
    migration = (folder / "migration.py").read_text().replace("@newest@", before)
    (tmp_path / "9999_argument_counts.py").write_text(migration)
    table = (folder / f"{NAME}.sql").read_text()
    there = tables.ddl

    def config() -> Config:
        made = Config()
        ours = f"{files('moot.projector') / 'migrations'}"
        made.set_main_option("script_location", ours)
        made.set_main_option("path_separator", "newline")
        made.set_main_option("version_locations", f"{ours}/versions\n{tmp_path}")
        return made

    def ddl(name: str) -> str:
        return table if name == NAME else there(name)

    with monkeypatch.context() as while_it_lasts:
        while_it_lasts.setattr("moot.projector.migrate._config", config)
        while_it_lasts.setattr(tables, "ddl", ddl)
        while_it_lasts.setattr(projections, "PROJECTIONS", (*PROJECTIONS, ARGUMENT_COUNTS))
        while_it_lasts.setattr("moot.projector.app.PROJECTIONS", (*PROJECTIONS, ARGUMENT_COUNTS))
        while_it_lasts.setitem(PLAIN, NAME, PLAIN_ARGUMENT_COUNTS)
        yield


async def recorded(_: int) -> None:
    """Take the place of the event, which isn't looked at here."""
    await turn_of_others()


@pytest.mark.usefixtures("developed")
async def test_a_module_a_table_and_two_lines_of_migration_make_a_projection(
    pool: Pool, chronicle: InMemoryChronicle, waiter: PositionWaiter, database_url: str, before: str
) -> None:
    await asyncio.to_thread(migrate, database_url)
    last = await record(chronicle, everything())
    rebuilding = Rebuilding(ARGUMENT_COUNTS, chronicle, pool, recorded, lambda _: None)
    async with running(*make_runners(chronicle, pool, "one")):
        await reached(waiter, last, [NAME, *(each.name for each in PROJECTIONS)])
        counts = [tuple(row) for row in await pool.fetch(COUNTS)]
        assert sum(count for *_, count in counts) > 1
        assert (await verify_all(pool, chronicle, NAME)).equal
        await rebuilding.rebuild()
        assert [tuple(row) for row in await pool.fetch(COUNTS)] == counts
        await rebuilding.roll_back()
        assert [tuple(row) for row in await pool.fetch(COUNTS)] == counts
        found = await generations(pool, NAME)
        assert {each.number: each.role for each in found.all} == {1: "serving", 2: "retired"}
        await pool.execute("UPDATE argument_counts SET arguments = arguments + 1")
        assert not (await verify_all(pool, chronicle, NAME)).equal
    await asyncio.to_thread(migrate, database_url, before)
    assert await pool.fetch(LEFT) == []
    await asyncio.to_thread(migrate, database_url)
    async with running(*make_runners(chronicle, pool, "two")):
        await reached(waiter, last, [NAME])
        assert (await verify_all(pool, chronicle, NAME)).equal
