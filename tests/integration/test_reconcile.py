"""`moot projections reconcile` on real servers: detected, explained, put right, live again."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from moot.cli.local.nats_server import NatsServer
from moot.contracts.subjects import CHRONICLE
from moot.projector.app import build
from moot.projector.migrate import migrate
from moot.projector.settings import ProjectorSettings
from moot.runtime.database import Pool, connect_pool
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision
from moot.runtime.settings import DatabaseSettings
from tests.support.holes import deny_deleting, lose, make_deletable
from tests.support.hosted import Hosted, hosted
from tests.support.local_moot import Done, moot
from tests.support.plain import differing_rows
from tests.support.recording import Recorder, Written, everything
from tests.support.waiting import until

NAME = "debates_v1"
STANDING = "SELECT state, position, error FROM ops.projector_checkpoint WHERE projection = $1"
STATES = "SELECT DISTINCT state FROM ops.projector_checkpoint"


def topics() -> Sequence[Written]:
    return [written for written in everything() if written[0].category == "topic"]


@dataclass(frozen=True)
class Operated:
    """A NATS and an Ops DB, and an operator who is told of them."""

    server: NatsServer
    connection: NatsConnection
    pool: Pool
    database_url: str

    @property
    def chronicle(self) -> JetStreamChronicle:
        return JetStreamChronicle(self.connection)

    @property
    def settings(self) -> ProjectorSettings:
        return ProjectorSettings(
            nats_url=self.server.url, database_url=self.database_url, replica="one"
        )

    async def run(self, *arguments: str) -> Done:
        given = {"NATS_URL": self.server.url, "DATABASE_URL": self.database_url, "USER": "eve"}
        return await asyncio.to_thread(moot, "projections", "reconcile", *arguments, given=given)

    async def found(self, *arguments: str) -> dict[str, Any]:
        """Return what it says of NAME; it ends as one that has found something."""
        done = await self.run(NAME, *arguments, "--json")
        assert done.code == 1, done
        (found,) = json.loads(done.said)
        return found

    async def stands(self, state: str, position: int) -> bool:
        row = await self.pool.fetchrow(STANDING, NAME)
        return row is not None and (row["state"], row["position"]) == (state, position)

    async def is_stopped(self) -> bool:
        return [row["state"] for row in await self.pool.fetch(STATES)] == ["stopped"]

    async def is_live_at(self, position: int) -> bool:
        alive = [row["state"] for row in await self.pool.fetch(STATES)] == ["live"]
        return alive and await self.stands("live", position)

    async def equals_the_chronicle(self, until: int) -> bool:
        return await differing_rows(self.pool, self.chronicle, until) == []


@pytest.fixture
async def operated(
    nats_server: NatsServer, nats_url: str, connection: NatsConnection, database_url: str
) -> AsyncIterator[Operated]:
    await asyncio.to_thread(migrate, database_url)
    settings = DatabaseSettings(nats_url=nats_url, database_url=database_url)
    pool = await connect_pool(settings, name="tests")
    yield Operated(nats_server, connection, pool, database_url)
    pool.terminate()


async def is_ready(projector: Hosted) -> bool:
    return await projector.is_ready()


async def is_unready(projector: Hosted) -> bool:
    return not await projector.is_ready()


async def with_store(server: NatsServer, store: Path, kept: Path) -> None:
    """Start the server on another state of its store; what it had is kept."""
    await server.stop()
    shutil.move(server.folder, kept)
    shutil.copytree(store, server.folder)
    await server.start()


async def test_who_belongs_to_the_chronicle_has_nothing_to_reconcile(operated: Operated) -> None:
    last = await Recorder(operated.chronicle).add(topics()[:6])
    async with hosted(build, operated.settings):
        await until(lambda: operated.is_live_at(last))
        done = await operated.run()
    assert done.code == 0
    assert f"{NAME} at {last}: nothing to reconcile (live)." in done.said


async def test_an_older_chronicle_is_found_and_the_right_one_is_all_that_is_needed(
    operated: Operated, tmp_path: Path
) -> None:
    recorder = Recorder(operated.chronicle)
    kept_at = await recorder.add(topics()[:6])
    await operated.server.stop()
    shutil.copytree(operated.server.folder, tmp_path / "backup")
    await operated.server.start()
    async with hosted(build, operated.settings) as projector:
        last = await recorder.add(topics()[6:11])
        await until(lambda: operated.is_live_at(last))

        await with_store(operated.server, tmp_path / "backup", tmp_path / "right")
        await until(operated.is_stopped)

        found = await operated.found()
        assert found["kind"] == "shorter"
        assert found["problem"] == (
            f"the checkpoint is at {last}, but the Chronicle ends at {kept_at}"
        )
        (lost,) = found["lost"]
        assert (lost["first"], lost["last"]) == (kept_at + 1, last)
        assert lost["since"]
        assert lost["until"]
        assert "have been shown" in found["meaning"]
        assert await is_unready(projector)

        await with_store(operated.server, tmp_path / "right", tmp_path / "wrong")
        await until(lambda: operated.is_live_at(last))
        await until(lambda: is_ready(projector))
        assert (await operated.run()).code == 0
    assert await operated.equals_the_chronicle(last)


async def test_another_chronicle_and_another_event_are_told_apart(
    operated: Operated, tmp_path: Path
) -> None:
    recorder = Recorder(operated.chronicle)
    kept_at = await recorder.add(topics()[:6])
    await operated.server.stop()
    shutil.copytree(operated.server.folder, tmp_path / "backup")
    await operated.server.start()
    async with hosted(build, operated.settings):
        await recorder.add(topics()[6:9])
        await until(lambda: operated.stands("live", kept_at + 3))

    # Restored from a backup, and written to.
    await with_store(operated.server, tmp_path / "backup", tmp_path / "right")
    others = [written for written in everything() if written[0].category == "access"]
    await Recorder(operated.chronicle).add(others * 2)
    found = await operated.found()
    assert found["kind"] == "another-event"
    assert found["lost"] == []

    await ask(operated.connection, f"STREAM.DELETE.{CHRONICLE}")
    await provision(operated.server.url)
    await Recorder(operated.chronicle).add(others * 3)
    found = await operated.found()
    assert found["kind"] == "another-chronicle"
    assert "isn't here" in found["meaning"]
    assert found["choices"][0]["command"] is None


async def test_a_hole_is_found_explained_and_accepted(operated: Operated) -> None:
    await make_deletable(operated.connection)
    recorder = Recorder(operated.chronicle)
    last = await recorder.add(topics()[:30])
    await lose(operated.connection, 29)
    await deny_deleting(operated.connection, operated.server.url)
    async with hosted(build, operated.settings) as projector:
        await until(operated.is_stopped)
        found = await operated.found()
        assert found["kind"] == "hole"
        assert found["problem"] == "the Chronicle has nothing between 28 and 30"
        assert (found["lost"][0]["first"], found["lost"][0]["last"]) == (29, 29)
        command = found["choices"][1]["command"]
        assert command == f"moot projections reconcile {NAME} --accept-hole 28-30 --reason '…'"
        assert command in (await operated.run(NAME)).said

        wrong = await operated.run(NAME, "--accept-hole", "27-30", "--reason", "why not")
        assert wrong.code == 1
        assert "there are: 28-30" in wrong.errors
        unreasoned = await operated.run(NAME, "--accept-hole", "28-30")
        assert unreasoned.code == 1
        assert "reason-required" in unreasoned.errors
        assert (await operated.run("--accept-hole", "28-30", "--reason", "why")).code == 2
        assert (await operated.run(NAME, "--accept-hole", "28")).code == 2

        for name in ("debates_v1", "deadlines_v1", "announcements_v1", "agent_keys_v1"):
            accept = ("--accept-hole", "28-30", "--reason", "an event of a trial")
            done = await operated.run(name, *accept)
            assert done.code == 0, done
        await until(lambda: operated.is_live_at(last + 4))
        await until(lambda: is_ready(projector))
    assert await operated.equals_the_chronicle(last + 4)
