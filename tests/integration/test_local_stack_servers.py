"""The servers of the local stack: what is stored outlives them, and each error is a sentence."""

# pyright: reportUnknownMemberType=false
# The options of nats-py's functions are untyped.

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import asyncpg
import httpx2
import nats
import pytest

from moot.cli.errors import SurroundingsError
from moot.cli.local.nats_server import NatsServer, refuse_old
from moot.cli.local.ports import LOOPBACK, free_port, is_free
from moot.cli.local.postgres_server import PostgresServer
from tests.support.servers import PASSWORD, no_room_for, running_nats, running_postgres
from tests.support.waiting import until

NOBODY = 65534
IS_BUSY = """
SELECT count(*) > 0 FROM pg_stat_activity
WHERE query LIKE '%AS busy' AND state = 'active' AND pid <> pg_backend_pid()
"""


@contextmanager
def listening() -> Generator[int]:
    with socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        yield taken.getsockname()[1]


async def put_on_stream(server: NatsServer, text: str) -> None:
    async with await nats.connect(server.url) as connection:
        stream = connection.jetstream()
        await stream.add_stream(name="KEPT", subjects=["kept"])
        await stream.publish("kept", text.encode())


async def last_on_stream(server: NatsServer) -> str:
    async with await nats.connect(server.url) as connection:
        message = await connection.jetstream().get_last_msg("KEPT", "kept")
        return (message.data or b"").decode()


async def query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_nats_keeps_what_it_acknowledged_over_a_kill(nats_server: NatsServer) -> None:
    await put_on_stream(nats_server, "said before")
    await nats_server.kill()
    await nats_server.start()
    assert await last_on_stream(nats_server) == "said before"


async def test_nats_syncs_before_it_acknowledges(nats_server: NatsServer) -> None:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(f"{nats_server.monitor_url}/varz")
    assert answer.json()["jetstream"]["config"]["sync_always"] is True


async def test_two_nats_servers_run_beside_each_other(tmp_path: Path) -> None:
    async with running_nats(tmp_path / "one") as one, running_nats(tmp_path / "two") as two:
        await put_on_stream(one, "one")
        await put_on_stream(two, "two")
        assert (await last_on_stream(one), await last_on_stream(two)) == ("one", "two")


async def test_a_nats_server_left_behind_is_ended_before_another_starts(tmp_path: Path) -> None:
    async with running_nats(tmp_path) as left_behind:
        await put_on_stream(left_behind, "kept")
        async with running_nats(tmp_path) as another:
            assert left_behind.has_ended
            assert await last_on_stream(another) == "kept"


async def test_a_nats_server_that_could_not_write_is_ended_to_be_started_again(
    nats_server: NatsServer,
) -> None:
    await put_on_stream(nats_server, "kept")
    ended = asyncio.create_task(nats_server.wait())
    with no_room_for(nats_server), pytest.raises(TimeoutError):
        await put_on_stream(nats_server, "too much")
    async with asyncio.timeout(15):
        await ended
    await nats_server.start()
    assert await last_on_stream(nats_server) == "kept"
    await put_on_stream(nats_server, "written")
    assert await last_on_stream(nats_server) == "written"


async def test_nats_on_a_taken_port_says_so(tmp_path: Path) -> None:
    with listening() as port, pytest.raises(SurroundingsError, match="address already in use"):
        await NatsServer(tmp_path, port=port).start()


def test_an_old_nats_server_is_refused_by_version(tmp_path: Path) -> None:
    binary = tmp_path / "nats-server"
    binary.write_text("#!/bin/sh\necho nats-server: v2.11.9\n")
    binary.chmod(0o755)
    with pytest.raises(SurroundingsError, match=r"is NATS 2\.11\.9; Moot needs 2\.12 or newer"):
        refuse_old(binary)


async def test_postgres_keeps_what_was_committed_over_a_stop_and_a_kill(tmp_path: Path) -> None:
    async with running_postgres(tmp_path) as server:
        await query(server.url, "CREATE TABLE kept AS SELECT 'committed' AS what")
        await server.kill()
        await server.start()
        assert await query(server.url, "SELECT what FROM kept") == "committed"
        await server.stop()
        await server.start()
        assert await query(server.url, "SELECT what FROM kept") == "committed"


async def test_postgres_restarts_at_once_though_backends_of_a_killed_one_linger(
    tmp_path: Path,
) -> None:
    async with running_postgres(tmp_path) as server:
        connection = await asyncpg.connect(server.url)
        busy = asyncio.create_task(
            connection.execute("SELECT count(*) FROM generate_series(1, 5000000) AS busy")
        )

        async def is_busy() -> bool:
            return bool(await query(server.url, IS_BUSY))

        await until(is_busy)
        await server.kill()
        await server.start()
        assert await query(server.url, "SELECT 1") == 1
        await asyncio.gather(busy, return_exceptions=True)


async def test_a_postgres_server_left_behind_is_ended_before_another_starts(
    tmp_path: Path,
) -> None:
    async with running_postgres(tmp_path) as left_behind:
        await query(left_behind.url, "CREATE TABLE kept AS SELECT 'committed' AS what")
        async with running_postgres(tmp_path) as another:
            assert left_behind.has_ended
            assert await query(another.url, "SELECT what FROM kept") == "committed"


async def test_postgres_starts_though_its_old_number_is_now_somebody_elses(tmp_path: Path) -> None:
    async with running_postgres(tmp_path) as server:
        await server.kill()
        pid_file = tmp_path / "data" / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        await server.start()
        assert await query(server.url, "SELECT 1") == 1


async def test_two_postgres_servers_run_beside_each_other(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    async with running_postgres(tmp_path) as another:
        assert await query(another.url, "SELECT inet_server_port()") == another.port
        port = await query(postgres_server.url, "SELECT inet_server_port()")
        assert port == postgres_server.port


def test_postgres_never_runs_as_root(postgres_server: PostgresServer) -> None:
    assert Path(f"/proc/{postgres_server.pid}").stat().st_uid == (os.geteuid() or NOBODY)


async def test_postgres_wants_the_password(postgres_server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.url.replace(PASSWORD, "guessed"))


async def test_postgres_sorts_and_folds_text_alike_everywhere(database_url: str) -> None:
    assert await query(database_url, "SELECT upper('groß é') || current_setting('server_encoding')")
    assert await query(database_url, "SELECT lower('É') = 'é' AND 'Z' < 'a'") is True


async def test_postgres_on_a_taken_port_says_so(tmp_path: Path) -> None:
    with listening() as port:
        server = PostgresServer(tmp_path, password=PASSWORD, port=port, durable=False)
        with pytest.raises(SurroundingsError, match="Address already in use"):
            await server.start()


async def test_data_of_another_postgres_version_are_refused(tmp_path: Path) -> None:
    async with running_postgres(tmp_path) as server:
        await server.stop()
        (tmp_path / "data" / "PG_VERSION").write_text("17\n")
        with pytest.raises(
            SurroundingsError, match="written by PostgreSQL 17, this Moot brings 18"
        ):
            await server.start()


async def test_a_start_cut_off_while_making_the_cluster_is_made_good(tmp_path: Path) -> None:
    half_made = tmp_path / "data.draft"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    async with running_postgres(tmp_path) as server:
        assert await query(server.url, "SELECT 1") == 1


def test_a_usual_port_is_taken_when_it_is_free_and_another_when_not() -> None:
    usual = free_port()
    assert free_port(usual) == usual
    assert free_port(usual, taken=frozenset({usual})) != usual
    with listening() as port:
        assert not is_free(port)
        assert free_port(port) != port
