"""`moot migrate` and `moot provision` where each of them has its own server and no more."""

import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from pathlib import Path

from moot.cli.local.nats_server import NatsServer


async def said_by(folder: Path, command: str, **environment: str) -> tuple[int | None, str]:
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "moot.cli", command), cwd=folder, env=environment, stdout=PIPE
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_migrate_needs_only_the_database(tmp_path: Path, database_url: str) -> None:
    said = await said_by(tmp_path, "migrate", DATABASE_URL=database_url)

    assert said == (0, "Migrated to head.\n")


async def test_provision_needs_only_nats(tmp_path: Path, nats_server: NatsServer) -> None:
    code, said = await said_by(tmp_path, "provision", NATS_URL=nats_server.url)

    assert code == 0
    assert "created CHRONICLE" in said
