"""`moot up` as its own process: servers that come up, come back and keep what they hold."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from moot.cli.local.process import Process, command_line, dying_with_parent
from tests.support.waiting import until

MOOT = (sys.executable, "-m", "moot.cli")
START_SECONDS = 30.0
STOP_SECONDS = 20.0
SECOND_START_SECONDS = 5.0
NOTHING: Mapping[str, str] = {}


@dataclass
class Up:
    """A `moot up --json` that is ready, with the line it printed."""

    process: Process
    ready: dict[str, Any]
    folder: Path

    @property
    def pids(self) -> dict[str, list[int]]:
        """As they are now: `ready` has those of the start."""
        return json.loads((self.folder / "running.json").read_text())["pids"]

    async def stop(self) -> int:
        return await self.process.stop(signal.SIGTERM, STOP_SECONDS)


def environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MOOT_")}
    return {name: value for name, value in ours.items() if name not in {"NATS_URL", "DATABASE_URL"}}


@asynccontextmanager
async def up(folder: Path, *options: str, given: Mapping[str, str] = NOTHING) -> AsyncGenerator[Up]:
    lines: list[str] = []
    arguments = [*MOOT, "up", "--json", "--data", str(folder), *options]
    with_errors_apart = ["sh", "-c", f'exec "$0" "$@" 2>>"{folder}.log"', *arguments]
    process = Process(
        [*dying_with_parent(signal.SIGTERM), *with_errors_apart],
        environment=environment() | dict(given),
        sink=lines.append,
    )

    async def is_ready() -> bool:
        assert process.exit_code is None, errors_of(folder)
        return bool(lines)

    try:
        await until(is_ready, within=START_SECONDS)
        (line,) = lines
        yield Up(process, json.loads(line), folder)
        assert len(lines) == 1
    finally:
        await process.stop(signal.SIGTERM, STOP_SECONDS)


def errors_of(folder: Path) -> str:
    return Path(f"{folder}.log").read_text()


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def alive(pids: Sequence[int]) -> list[int]:
    return [pid for pid in pids if command_line(pid)]


async def test_it_prints_one_line_and_leaves_nothing_running(tmp_path: Path) -> None:
    async with up(tmp_path / "data", "--services", "none") as moot:
        assert set(moot.ready) >= {"api", "nats", "postgres", "admin_key", "pids"}
        assert set(moot.ready["pids"]) == {"nats", "postgres"}
        assert moot.ready["api"] is None
        assert len(moot.ready["admin_key"]) >= 32
        is_migrated = "SELECT to_regclass('ops.projector_checkpoint') IS NOT NULL"
        assert await query(moot.ready["postgres"], is_migrated) is True
        pids = [pid for group in moot.pids.values() for pid in group]
        assert alive(pids) == pids
        assert await moot.stop() == 0
    assert alive(pids) == []
    assert not (tmp_path / "data" / "running.json").exists()


async def test_secrets_are_kept_and_only_the_owners(tmp_path: Path) -> None:
    async with up(tmp_path / "data", "--services", "none") as first:
        pass
    kept = tmp_path / "data" / "secrets.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.chmod(0o644)
    async with up(tmp_path / "data", "--services", "none") as second:
        assert second.ready["admin_key"] == first.ready["admin_key"]
        assert kept.stat().st_mode & 0o777 == 0o600


async def test_data_are_there_again_and_a_second_start_is_quick(tmp_path: Path) -> None:
    async with up(tmp_path / "data", "--services", "none") as moot:
        await query(moot.ready["postgres"], "CREATE TABLE kept AS SELECT 'committed' AS what")
    started_at = asyncio.get_running_loop().time()
    async with up(tmp_path / "data", "--services", "none") as moot:
        assert asyncio.get_running_loop().time() - started_at < SECOND_START_SECONDS
        assert await query(moot.ready["postgres"], "SELECT what FROM kept") == "committed"


async def test_two_at_once_on_folders_of_their_own(tmp_path: Path) -> None:
    async with (
        up(tmp_path / "one", "--services", "none") as one,
        up(tmp_path / "two", "--services", "none") as two,
    ):
        assert one.ready["nats"] != two.ready["nats"]
        assert one.ready["postgres"] != two.ready["postgres"]
        assert await query(one.ready["postgres"], "SELECT 1") == 1
        assert await query(two.ready["postgres"], "SELECT 1") == 1


@pytest.mark.parametrize("server", ["nats", "postgres"])
async def test_a_server_that_is_killed_comes_back_at_the_same_address(
    tmp_path: Path, server: str
) -> None:
    async with up(tmp_path / "data", "--services", "none") as moot:
        (killed,) = moot.pids[server]
        os.kill(killed, signal.SIGKILL)

        async def is_back() -> bool:
            return moot.pids[server] != [killed]

        await until(is_back)
        assert await query(moot.ready["postgres"], "SELECT 1") == 1


async def test_after_everything_is_killed_it_starts_again(tmp_path: Path) -> None:
    async with up(tmp_path / "data", "--services", "none") as moot:
        await query(moot.ready["postgres"], "CREATE TABLE kept AS SELECT 'committed' AS what")
        for pid in [moot.process.pid, *(pid for group in moot.pids.values() for pid in group)]:
            os.kill(pid, signal.SIGKILL)
        await moot.process.wait()
    async with up(tmp_path / "data", "--services", "none") as moot:
        assert await query(moot.ready["postgres"], "SELECT what FROM kept") == "committed"


async def test_only_its_parent_killed_it_starts_again(tmp_path: Path) -> None:
    async with up(tmp_path / "data", "--services", "none") as moot:
        await moot.process.kill()
    async with up(tmp_path / "data", "--services", "none") as moot:
        assert await query(moot.ready["postgres"], "SELECT 1") == 1


async def test_with_servers_given_it_starts_none(tmp_path: Path) -> None:
    async with up(tmp_path / "servers", "--services", "none") as servers:
        given = {"NATS_URL": servers.ready["nats"], "DATABASE_URL": servers.ready["postgres"]}
        async with up(tmp_path / "data", "--services", "none", given=given) as moot:
            assert moot.ready["pids"] == {}
            assert moot.ready["nats"] == servers.ready["nats"]
