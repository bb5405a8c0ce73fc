"""`moot up` as its own process: servers that come up, come back and keep what they hold."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from moot.cli.local.process import Process, command_line, dying_with_parent
from tests.support.local_moot import MOOT, START_SECONDS, STOP_SECONDS, environment, moot, up
from tests.support.waiting import until

SECOND_START_SECONDS = 5.0
WRONG_SETTINGS = 2
WRONG_SURROUNDINGS = 3


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


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


async def test_data_and_secrets_are_there_again_and_a_second_start_is_quick(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "data" / "secrets.json"
    async with up(tmp_path / "data", "--services", "none") as first:
        await query(first.ready["postgres"], "CREATE TABLE kept AS SELECT 'committed' AS what")
        assert mode_of(kept) == 0o600
    kept.chmod(0o644)
    started_at = asyncio.get_running_loop().time()
    async with up(tmp_path / "data", "--services", "none") as second:
        assert asyncio.get_running_loop().time() - started_at < SECOND_START_SECONDS
        assert await query(second.ready["postgres"], "SELECT what FROM kept") == "committed"
        assert second.ready["admin_key"] == first.ready["admin_key"]
        assert mode_of(kept) == 0o600


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

        await until(is_back, within=START_SECONDS)
        assert await query(moot.ready["postgres"], "SELECT 1") == 1


async def test_after_everything_is_killed_it_starts_again(tmp_path: Path) -> None:
    async with up(tmp_path / "data", "--services", "none") as moot:
        await query(moot.ready["postgres"], "CREATE TABLE kept AS SELECT 'committed' AS what")
        for pid in [moot.process.pid, *(pid for group in moot.pids.values() for pid in group)]:
            os.kill(pid, signal.SIGKILL)
        await moot.process.wait()
    async with up(tmp_path / "data", "--services", "none") as moot:
        assert await query(moot.ready["postgres"], "SELECT what FROM kept") == "committed"


async def test_with_servers_given_it_starts_none(tmp_path: Path) -> None:
    async with up(tmp_path / "servers", "--services", "none") as servers:
        given = {"NATS_URL": servers.ready["nats"], "DATABASE_URL": servers.ready["postgres"]}
        async with up(tmp_path / "data", "--services", "none", given=given) as moot:
            assert moot.ready["pids"] == {}
            assert moot.ready["nats"] == servers.ready["nats"]


async def test_told_to_stop_while_it_starts_it_leaves_nothing_behind(tmp_path: Path) -> None:
    said: list[str] = []
    arguments = [*MOOT, "up", "--data", str(tmp_path), "--services", "none"]
    process = Process(
        [*dying_with_parent(signal.SIGTERM), *arguments],
        environment=environment(),
        sink=said.append,
    )

    async def has_started_a_server() -> bool:
        return any("Server is ready" in line for line in said)

    await until(has_started_a_server, within=START_SECONDS)
    nats = int((tmp_path / "nats" / "nats-server.pid").read_text())
    assert await process.stop(signal.SIGINT, STOP_SECONDS) == 0
    assert alive([nats]) == []
    assert not any("Traceback" in line for line in said)


async def test_other_commands_find_the_moot_that_runs(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    async with up(tmp_path / "data", "--services", "none"):
        stand = json.loads(moot("status", "--json", "--data", data).said)
        assert {of["projection"]: of["position"] for of in stand}["debates_v1"] == 0
        assert "projection" in moot("status", "--data", data).said
        assert moot("provision", "--data", data).said.endswith("everything is there.\n")
        assert moot("migrate", "--data", data).said == "Migrated to head.\n"
        refused = moot("migrate", "--to", "nowhere", "--data", data)
    assert refused.code == WRONG_SURROUNDINGS
    assert "to nowhere: " in refused.errors


@pytest.mark.parametrize("command", ["status", "provision", "migrate", "seed"])
def test_other_commands_say_when_no_moot_runs(tmp_path: Path, command: str) -> None:
    refused = moot(command, "--data", str(tmp_path))
    assert refused.code == WRONG_SETTINGS
    assert f"runs on {tmp_path}: start one with `moot up`" in refused.errors
