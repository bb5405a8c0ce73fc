"""`moot migrate` and `moot provision` where each of them has its own server and no more.

And `moot status` where nothing has run yet.
"""

import asyncio
import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path

from moot.cli.local.nats_server import NatsServer
from moot.projector.projections import PROJECTIONS
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.nats_connection import NatsConnection
from tests.support.local_moot import moot
from tests.support.recording import everything, record


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
