"""What there is of a Moot is in its streams: copied while it works, and put back elsewhere."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from moot.cli.backup_folder import CONTENT, MANIFEST
from moot.cli.local.nats_server import NatsServer
from moot.contracts.subjects import CHRONICLE
from moot.projector.app import build as build_projector
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import DURABLES
from tests.support.hosted import hosted
from tests.support.local_moot import Done, moot
from tests.support.reconciling import Operated, is_ready, operated_on, with_store
from tests.support.recording import Recorder, everything
from tests.support.waiting import until


async def run(*arguments: str, url: str = "") -> Done:
    return await asyncio.to_thread(moot, *arguments, given={"NATS_URL": url})


@asynccontextmanager
async def another_server(folder: Path) -> AsyncGenerator[NatsServer]:
    server = NatsServer(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[NatsConnection]:
    connection = NatsConnection()
    await connection.open(url, name="tests")
    try:
        yield connection
    finally:
        await connection.close()


async def contents(chronicle: JetStreamChronicle, until_position: int) -> list[object]:
    return [await chronicle.get(position) for position in range(1, until_position + 1)]


async def test_a_restored_chronicle_is_the_same_to_the_last_byte_and_moment(
    connection: NatsConnection, nats_url: str, tmp_path: Path
) -> None:
    chronicle = JetStreamChronicle(connection)
    recorder = Recorder(chronicle)
    await recorder.add(everything())
    backup = tmp_path / "backup"
    done = await run("backup", str(backup), "--json", url=nats_url)
    assert done.code == 0, done
    head = await chronicle.head()
    told = json.loads(done.said)["streams"][CHRONICLE]
    assert (told["messages"], told["last_position"]) == (head, head)

    async with another_server(tmp_path / "other") as other:
        done = await run("restore", str(backup), url=other.url)
        assert done.code == 0, done
        async with connected(other.url) as to_other:
            restored = JetStreamChronicle(to_other)
            assert await contents(restored, head) == await contents(chronicle, head)
            assert await restored.identity() == await chronicle.identity()
            for durable in DURABLES:
                await ask(to_other, f"CONSUMER.INFO.{CHRONICLE}.{durable.name}")
        again = await run("restore", str(backup), url=other.url)
        assert again.code == 1
        assert "Nothing is overwritten" in again.errors


async def test_a_backup_is_taken_while_events_come_in(
    connection: NatsConnection, nats_url: str, tmp_path: Path
) -> None:
    chronicle = JetStreamChronicle(connection)
    recorder = Recorder(chronicle)
    stop = asyncio.Event()

    async def go_on() -> None:
        while not stop.is_set():
            await recorder.add(
                [written for written in everything() if written[0].category == "access"]
            )

    writing = asyncio.create_task(go_on())
    try:
        done = await run("backup", str(tmp_path / "backup"), "--json", url=nats_url)
    finally:
        stop.set()
        await writing
    assert done.code == 0, done
    last = json.loads(done.said)["streams"][CHRONICLE]["last_position"]
    assert 0 < last < await chronicle.head()
    assert (
        await run("restore", str(tmp_path / "backup"), "--data", str(tmp_path / "new"))
    ).code == 0
    async with another_server(tmp_path / "new" / "nats") as other, connected(other.url) as to_other:
        assert await JetStreamChronicle(to_other).head() == last


async def test_a_damaged_backup_is_refused(
    connection: NatsConnection, nats_url: str, tmp_path: Path
) -> None:
    await Recorder(JetStreamChronicle(connection)).add(everything())
    backup = tmp_path / "backup"
    assert (await run("backup", str(backup), url=nats_url)).code == 0
    refused = await run("backup", str(backup), url=nats_url)
    assert refused.code == 3
    assert "exists" in refused.errors
    content = backup / CHRONICLE / CONTENT
    whole = content.read_bytes()
    content.write_bytes(whole[:-1])
    damaged = await run("restore", str(backup), "--data", str(tmp_path / "new"))
    assert damaged.code == 1
    assert "damaged" in damaged.errors
    (backup / MANIFEST).unlink()
    assert (await run("restore", str(backup), "--data", str(tmp_path / "new"))).code == 1
    assert not (tmp_path / "new").exists()


async def test_a_lost_ops_db_comes_back_from_the_chronicle_that_was_restored(
    nats_server: NatsServer,
    nats_url: str,
    connection: NatsConnection,
    database_url: str,
    tmp_path: Path,
) -> None:
    """Both servers are lost altogether; there is a backup of the streams and nothing else."""
    recorder = Recorder(JetStreamChronicle(connection))
    await recorder.add(everything())
    head = await JetStreamChronicle(connection).head()
    assert (await run("backup", str(tmp_path / "backup"), url=nats_url)).code == 0
    new = tmp_path / "new"
    assert (await run("restore", str(tmp_path / "backup"), "--data", str(new))).code == 0
    await with_store(nats_server, new / "nats", tmp_path / "lost")
    async with operated_on(nats_server, connection, database_url) as operated:
        await equals_after_projecting(operated, head)


async def equals_after_projecting(operated: Operated, head: int) -> None:
    async with hosted(build_projector, operated.settings) as projector:
        await until(lambda: is_ready(projector))
        await until(lambda: operated.is_live_at(head))
        assert await operated.equals_the_chronicle(head)


@pytest.mark.timeout(180)
async def test_a_full_backup_is_gone_on_with_and_an_older_one_is_noticed_and_explained(
    nats_server: NatsServer,
    nats_url: str,
    connection: NatsConnection,
    database_url: str,
    tmp_path: Path,
) -> None:
    """NATS alone is lost; the Ops DB is there."""
    backup, new = tmp_path / "backup", tmp_path / "new"
    async with operated_on(nats_server, connection, database_url) as operated:
        recorder = Recorder(operated.chronicle)
        await recorder.add(everything())
        kept = await operated.chronicle.head()
        await equals_after_projecting(operated, kept)
        assert (await run("backup", str(backup), url=nats_url)).code == 0
        assert (await run("restore", str(backup), "--data", str(new))).code == 0
        await with_store(nats_server, new / "nats", tmp_path / "lost")
        await equals_after_projecting(operated, kept)

        await recorder.add([written for written in everything() if written[0].category == "access"])
        await equals_after_projecting(operated, await operated.chronicle.head())
        await with_store(nats_server, new / "nats", tmp_path / "lost too")
        async with hosted(build_projector, operated.settings) as projector:
            await until(operated.is_stopped)
            assert not await is_ready(projector)
            found = await operated.found()
            assert (found["kind"], found["lost"][0]["first"]) == ("shorter", kept + 1)
            done = await operated.run("--rebuild", "--reason", "there is no other backup")
            assert done.code == 0, done
            await until(lambda: is_ready(projector))
        assert (await operated.run()).code == 0
