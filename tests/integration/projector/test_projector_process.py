"""The projector as a process, on a real NATS and a real PostgreSQL that come and go."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx2
import pytest

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.ports import free_port
from moot.cli.local.postgres_server import PostgresServer
from moot.contracts.subjects import StreamName
from moot.projector.migrate import migrate
from moot.projector.rebuild import rebuild_and_compare
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.provision import provision
from moot.runtime.settings import RuntimeSettings
from tests.support.operating import Operator, of_newer_type
from tests.support.projector_processes import is_at, projector, recorder_on
from tests.support.recording import Recorder, argued, everything, topic_id
from tests.support.servers import running_postgres
from tests.support.waiting import in_time, until


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[PostgresServer]:
    async with running_postgres(tmp_path / "postgres") as server:
        yield server


async def readiness(port: int) -> tuple[int, str]:
    async with httpx2.AsyncClient() as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        except httpx2.TransportError as error:
            return 0, str(error)
        return answer.status_code, answer.text


async def test_it_survives_a_killed_postgresql_and_a_killed_nats(
    nats_server: NatsServer, own_postgres: PostgresServer
) -> None:
    url, written = own_postgres.url_of("postgres"), everything()
    await asyncio.to_thread(migrate, url)
    await provision(nats_server.url)
    async with projector(nats_server, url, "one") as process, recorder_on(nats_server) as recorder:
        position = await recorder.add(written[:15])
        await until(lambda: is_at(url, position))
        await own_postgres.kill()
        position = await recorder.add(written[15:30])
        await own_postgres.start()
        await until(lambda: is_at(url, position))
        await nats_server.kill()
        await nats_server.start()
        position = await recorder.add(written[30:])
        await until(lambda: is_at(url, position))
        assert process.returncode is None
        report = await rebuild_and_compare(url, nats_server.url)
    assert report.equal, report
    assert report.rows


async def test_a_killed_replica_is_replaced_within_three_seconds(
    nats_server: NatsServer, database_url: str
) -> None:
    written = everything()
    await provision(nats_server.url)
    async with (
        recorder_on(nats_server) as recorder,
        projector(nats_server, database_url, "one") as one,
    ):
        position = await recorder.add(written[:10])
        await until(lambda: is_at(database_url, position))
        port = free_port()
        async with projector(nats_server, database_url, "two", port):
            await until(lambda: is_ready(port))
            one.kill()
            position = await recorder.add(written[10:])
            await until(lambda: is_at(database_url, position), within=3)
        report = await rebuild_and_compare(database_url, nats_server.url)
    assert report.equal, report


async def test_a_skip_is_carried_out_once_whoever_is_killed_meanwhile(
    nats_server: NatsServer, database_url: str
) -> None:
    bad_topic, history = StreamName("topic", topic_id("bad")), argued().history
    await provision(nats_server.url)
    connection = await connect(RuntimeSettings(nats_url=nats_server.url))
    chronicle = JetStreamChronicle(connection)
    recorder = Recorder(chronicle)
    await recorder.add([(bad_topic, history[0])])
    bad = await recorder.add_bytes(bad_topic, *of_newer_type(bad_topic, history[1], 99))
    position = await recorder.add([(bad_topic, event) for event in history[1:]])
    async with projector(nats_server, database_url, "one") as one:
        await until(lambda: is_at(database_url, position))
        await Operator(chronicle, "debates_v1").skips(bad_topic, bad)
        one.kill()
    position = await Operator(chronicle, "deadlines_v1").skips(bad_topic, bad)
    async with projector(nats_server, database_url, "two"):
        await until(lambda: is_at(database_url, position))
    report = await rebuild_and_compare(database_url, nats_server.url)
    await connection.close()
    assert report.equal, report
    assert await completed_topics(database_url) == 1


async def completed_topics(database_url: str) -> int:
    """With nothing left aside."""
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(
            "SELECT count(*) FROM ops.topics"
            " WHERE status = 'completed' AND NOT EXISTS (SELECT FROM ops.dead_letters)"
        )
    finally:
        await connection.close()


async def is_ready(port: int) -> bool:
    status, _ = await readiness(port)
    return status == 200


async def test_without_migrations_or_streams_it_isnt_ready_and_says_why(
    nats_server: NatsServer, empty_database_url: str
) -> None:
    port = free_port()
    async with projector(nats_server, empty_database_url, "one", port) as process:

        async def says(reason: str) -> bool:
            status, text = await readiness(port)
            return status == 503 and reason in text

        await until(lambda: says("run `moot migrate`"))
        await until(lambda: says("run `moot provision`"))
        await asyncio.to_thread(migrate, empty_database_url)
        await provision(nats_server.url)
        await until(lambda: is_ready(port))
        process.send_signal(signal.SIGTERM)
        assert await in_time(process.wait(), within=5) == 0
