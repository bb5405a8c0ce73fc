"""Servers that go down and owners that stand still, under load: the tables stay right."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.postgres_server import PostgresServer
from moot.projector.migrate import migrate
from moot.runtime.clock import utc_now
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.provision import provision
from moot.runtime.settings import RuntimeSettings
from tests.support.projector_processes import (
    Load,
    Watch,
    check_tables,
    has_passed,
    projector,
    standing,
)
from tests.support.servers import running_postgres
from tests.support.waiting import stopwatch, until, until_moment

RECOVERY_SECONDS = 15.0
"""Generous: what is waited for is a pause of at most 2 s, a lease of 2 s, and catching up."""

START_SECONDS = 40.0
TAKEOVER_SECONDS = 3.0
BETWEEN_SECONDS = 1.0

Outage = Callable[[], Awaitable[None]]


@dataclass
class Stage:
    """Two projectors, what they are connected to, and a load."""

    nats: NatsServer
    database_url: str
    load: Load
    one: asyncio.subprocess.Process
    two: asyncio.subprocess.Process

    async def recovers_from(self, outage: Outage) -> float:
        """Return in how many seconds what is stored right after the outage is in the tables."""
        await outage()
        seconds = stopwatch()
        before = self.load.last
        await until(lambda: self.has_stored_after(before), within=RECOVERY_SECONDS)
        last = self.load.last
        await until(lambda: has_passed(self.database_url, last), within=RECOVERY_SECONDS)
        return seconds()

    async def has_stored_after(self, position: int) -> bool:
        return self.load.last > position


@asynccontextmanager
async def staged(nats: NatsServer, database_url: str) -> AsyncGenerator[Stage]:
    """Everything runs; at the end it is checked that both live and that the tables are right."""
    await provision(nats.url)
    connection = await connect(RuntimeSettings(nats_url=nats.url))
    load = Load(JetStreamChronicle(connection))
    async with (
        projector(nats, database_url, "one") as one,
        projector(nats, database_url, "two") as two,
    ):
        stage = Stage(nats, database_url, load, one, two)
        async with load.going_on():
            await until(lambda: has_passed(database_url, 10), within=START_SECONDS)
            yield stage
        assert await check_tables(database_url, nats) >= load.last > 50
        assert one.returncode is two.returncode is None
    await connection.close()


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    async with running_postgres(tmp_path / "postgres") as server:
        await asyncio.to_thread(migrate, server.url)
        yield server


sizes = pytest.mark.parametrize(
    "times", [3, pytest.param(60, marks=[pytest.mark.hard, pytest.mark.timeout(3600)])]
)


@sizes
async def test_postgresql_is_restarted_again_and_again(
    nats_server: NatsServer, own_postgres: PostgresServer, times: int
) -> None:
    async def immediate() -> None:
        os.kill(own_postgres.pid, signal.SIGQUIT)
        await own_postgres.wait()
        await own_postgres.start()

    async def killed() -> None:
        await own_postgres.kill()
        await own_postgres.start()

    async def fast() -> None:
        await own_postgres.stop()
        await own_postgres.start()

    async with staged(nats_server, own_postgres.url) as stage:
        for outage in islice(cycle((immediate, killed, fast)), times):
            assert await stage.recovers_from(outage) < RECOVERY_SECONDS
            await until_moment(utc_now() + timedelta(seconds=BETWEEN_SECONDS))


@sizes
async def test_nats_is_killed_restarted_and_stands_still_again_and_again(
    nats_server: NatsServer, database_url: str, times: int
) -> None:
    async def killed() -> None:
        await nats_server.kill()
        await nats_server.start()

    async def stands_still() -> None:
        os.kill(nats_server.pid, signal.SIGSTOP)
        await until_moment(utc_now() + timedelta(seconds=5 if times > 3 else 2))
        os.kill(nats_server.pid, signal.SIGCONT)

    async def restarted() -> None:
        await nats_server.stop()
        await nats_server.start()

    async with staged(nats_server, database_url) as stage, Watch(database_url).looking() as watch:
        for outage in islice(cycle((killed, stands_still, restarted)), times):
            assert await stage.recovers_from(outage) < RECOVERY_SECONDS
            await until_moment(utc_now() + timedelta(seconds=BETWEEN_SECONDS))
    assert watch.looks
    assert watch.went_back == []


@pytest.mark.parametrize(
    "seconds", [4, pytest.param(60, marks=[pytest.mark.hard, pytest.mark.timeout(600)])]
)
async def test_an_owner_that_stood_still_is_replaced_and_writes_nothing(
    nats_server: NatsServer, database_url: str, seconds: int
) -> None:
    async with staged(nats_server, database_url) as stage, Watch(database_url).looking() as watch:
        before = await standing(database_url)
        # Whoever began much later owns nothing.
        replica, process, other = (
            ("one", stage.one, "two")
            if any(row["owner"] == "one" for row in before.values())
            else ("two", stage.two, "one")
        )
        owned = {name for name, row in before.items() if row["owner"] == replica}
        process.send_signal(signal.SIGSTOP)
        stopped_at = utc_now()
        last = stage.load.last
        await until(lambda: stage.has_stored_after(last))
        later = stage.load.last
        await until(lambda: has_passed(database_url, later), within=TAKEOVER_SECONDS)
        await until_moment(stopped_at + timedelta(seconds=seconds))
        replaced = await standing(database_url)
        process.send_signal(signal.SIGCONT)
        await until_moment(utc_now() + timedelta(seconds=2))
        after = await standing(database_url)
        for name, row in after.items():
            assert row["owner"] == other, name
            assert (
                row["epoch"] == replaced[name]["epoch"] == before[name]["epoch"] + (name in owned)
            )
            assert replaced[name]["position"] > later
        furthest = max(row["position"] for row in after.values())
        await until(lambda: has_passed(database_url, furthest))
    assert watch.went_back == []
