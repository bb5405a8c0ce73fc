"""`moot migrate` and `moot provision` where each of them has its own server and no more.

And commands where nothing has run yet, or where PostgreSQL says nothing (any more).
"""

import asyncio
import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import asyncpg
import pytest

from moot.cli.local.nats_server import NatsServer
from moot.projector.debates.projection import DEBATES
from moot.projector.projections import PROJECTIONS
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.support.local_moot import moot
from tests.support.recording import everything, record
from tests.support.tables import checkpoint_of
from tests.support.tcp_proxy import running_proxy


async def said_by(folder: Path, command: str, **environment: str) -> tuple[int | None, str]:
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "moot.cli", command), cwd=folder, env=environment, stdout=PIPE
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_migrate_needs_only_the_database(tmp_path: Path, empty_database_url: str) -> None:
    said = await said_by(tmp_path, "migrate", DATABASE_URL=empty_database_url)

    assert said == (0, "Migrated to head.\n")


async def test_provision_needs_only_nats(tmp_path: Path, nats_server: NatsServer) -> None:
    code, said = await said_by(tmp_path, "provision", NATS_URL=nats_server.url)

    assert code == 0
    assert "created CHRONICLE" in said


async def test_status_says_which_projections_no_projector_has_run(
    nats_url: str, database_url: str, connection: NatsConnection
) -> None:
    await record(JetStreamChronicle(connection), everything()[:2])
    given = {"NATS_URL": nats_url, "DATABASE_URL": database_url}
    done = await asyncio.to_thread(moot, "status", "--json", given=given)
    told = {each["projection"]: each["error"] for each in json.loads(done.said)}
    assert told == dict.fromkeys(
        (projection.name for projection in PROJECTIONS), "no projector has ever run it"
    )


@pytest.mark.parametrize("until", [b"", b"projector_checkpoint"], ids=["at once", "when asked"])
async def test_who_asks_a_database_that_says_nothing_is_told_so(
    nats_url: str, database_url: str, until: bytes
) -> None:
    address = urlsplit(database_url)

    def seen(asked: bytes) -> None:
        if until in asked:
            proxy.flowing.clear()

    async with running_proxy(address.port or 5432, seen) as proxy:
        port = str(proxy.port)
        there = database_url.replace(f":{address.port}/", f":{port}/")
        began = monotonic()
        given = {"NATS_URL": nats_url, "DATABASE_URL": there}
        done = await asyncio.to_thread(moot, "status", given=given)
        seconds = monotonic() - began
    assert done.code == 3, done
    assert f"moot: PostgreSQL at postgresql://127.0.0.1:{port}/" in done.errors
    assert done.errors.endswith("can't be asked: it says nothing.\n")
    assert seconds < 40, "10 s, and what a busy machine takes for the rest; it was a minute"


async def test_who_verifies_while_nats_goes_away_is_told_so(
    nats_server: NatsServer, database_url: str, connection: NatsConnection
) -> None:
    last = await record(JetStreamChronicle(connection), everything()[:2])
    database = await asyncpg.connect(database_url)
    there = f"UPDATE {checkpoint_of(DEBATES.name)} SET position = $1"  # noqa: S608 our own names
    await database.execute(there, last)
    await database.close()

    def seen(asked: bytes) -> None:
        if b"CONSUMER.CREATE" in asked:
            proxy.flowing.clear()

    async with running_proxy(urlsplit(nats_server.url).port or 4222, seen) as proxy:
        given = {"NATS_URL": proxy.url, "DATABASE_URL": database_url}
        command = ("projections", "verify", DEBATES.name, "--whole")
        done = await asyncio.to_thread(moot, *command, given=given)
    assert done.code == 3, done
    assert f"moot: NATS at {proxy.url} doesn't answer: not connected to NATS" in done.errors


async def test_who_migrates_a_database_that_says_nothing_is_told_so(database_url: str) -> None:
    address = urlsplit(database_url)
    async with running_proxy(address.port or 5432) as proxy:
        proxy.flowing.clear()
        there = database_url.replace(f":{address.port}/", f":{proxy.port}/")
        done = await asyncio.to_thread(moot, "migrate", given={"DATABASE_URL": there})
    assert done.code == 3, done
    assert done.errors.endswith(" to head: it says nothing\n")
