"""NATS and PostgreSQL behind TLS, trusted by a certificate that the address names."""

import asyncio
import json
import os
import signal
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from moot.cli.local.nats_server import NatsServer
from moot.cli.local.ports import LOOPBACK
from moot.contracts.envelope import Recorded
from moot.projector.migrate import migrate
from moot.runtime.database import connect_pool, schema_problem
from moot.runtime.nats_connection import LostAnswerError, connect
from moot.runtime.provision import check_chronicle, provision
from moot.runtime.reactor import Reactor, Subscription
from moot.runtime.settings import DatabaseSettings, SettingsError, read_settings
from tests.support.certificates import self_signed
from tests.support.waiting import until

HOST = "localhost"
TLS_PLEASE = bytes.fromhex("0000000804d2162f")
"""How a client of PostgreSQL asks for TLS."""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(HOST, tmp_path)


@pytest.fixture
def another(tmp_path: Path) -> Path:
    folder = tmp_path / "another"
    folder.mkdir()
    return self_signed(HOST, folder)


def settings(nats_url: str, database_url: str = "postgresql://nobody") -> DatabaseSettings:
    return DatabaseSettings(nats_url=nats_url, database_url=database_url)


@asynccontextmanager
async def with_tls(server: NatsServer, certificate: Path) -> AsyncGenerator[str]:
    """What a client is told of the server, once it takes nobody without TLS."""
    file = server.folder / "nats-server.conf"
    pem = str(certificate)
    tls = {"cert_file": pem, "key_file": pem, "handshake_first": "auto"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"tls": tls}))
    os.kill(server.pid, signal.SIGHUP)

    async def speaks_tls() -> bool:
        reading, writing = await asyncio.open_connection(LOOPBACK, server.port)
        said = await reading.readline()
        writing.close()
        return b'"tls_required":true' in said

    await until(speaks_tls)
    yield f"tls://{HOST}:{server.port}"


async def test_all_goes_on_over_tls(nats_server: NatsServer, certificate: Path) -> None:
    async def react(event: Recorded) -> str | None:
        raise AssertionError(event)

    async with with_tls(nats_server, certificate) as address:
        url = f"{address}?sslrootcert={certificate}"
        await provision(url)
        connection = await connect(settings(url))
        reactor = Reactor("tests", url, [Subscription("allocator", "topic", react)])
        try:
            assert await check_chronicle(connection, appends=("topic",)) == []
            await reactor.start()
            assert await reactor.check() is None
        finally:
            await reactor.stop()
            await connection.close()


async def test_a_server_that_nobody_vouches_for_is_not_spoken_to(
    nats_server: NatsServer, certificate: Path, another: Path
) -> None:
    async with with_tls(nats_server, certificate) as address:
        with pytest.raises(LostAnswerError, match="CERTIFICATE_VERIFY_FAILED"):
            await connect(settings(f"{address}?sslrootcert={another}"))
        elsewhere = address.replace(HOST, LOOPBACK)
        with pytest.raises(LostAnswerError, match="not valid for"):
            await connect(settings(f"{elsewhere}?sslrootcert={certificate}"))


async def test_no_password_is_said_to_a_server_without_tls(another: Path) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.0","max_payload":1048576}\r\n')
        heard.append(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(listen, LOOPBACK, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"tls://someone:secret@{HOST}:{port}?sslrootcert={another}"
        with pytest.raises(LostAnswerError):
            await connect(settings(url))
    assert heard
    assert b"secret" not in b"".join(heard)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tls://nats?sslrootcert=/nowhere/ca.pem", "NATS_URL: can't read its certificates or key"),
        ("tls://nats?sslmode=require", "NATS_URL: sslmode is none of sslrootcert"),
        ("nats://nats?sslrootcert=/ca.pem", "NATS_URL: sslrootcert means nothing without tls://"),
    ],
)
def test_an_address_that_is_no_good_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("NATS_URL", url)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody")
    with pytest.raises(SettingsError, match=said):
        read_settings(DatabaseSettings)


@asynccontextmanager
async def behind_tls(url: str, certificate: Path) -> AsyncGenerator[str]:
    """PostgreSQL at `url` behind TLS; its own build here, from a wheel, has none."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    there = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(len(TLS_PLEASE)) == TLS_PLEASE
            writer.write(b"S")
            await writer.start_tls(context)
            inner, outer = await asyncio.open_connection(there.hostname, there.port)
            await asyncio.gather(_passed_on(reader, outer), _passed_on(inner, writer))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield there._replace(netloc=f"{there.netloc.rpartition('@')[0]}@{HOST}:{port}").geturl()


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def test_postgresql_is_used_over_tls(
    database_url: str, certificate: Path, another: Path
) -> None:
    async with behind_tls(database_url, certificate) as url:
        trusted = f"{url}?sslmode=verify-full&sslrootcert={certificate}"
        await asyncio.to_thread(migrate, trusted)
        pool = await connect_pool(settings("nats://nobody", trusted), name="tests")
        try:
            assert await schema_problem(pool, ("topics",)) is None
        finally:
            await pool.close()
        for wrong in (
            f"{url}?sslmode=verify-full&sslrootcert={another}",
            trusted.replace(f"@{HOST}:", f"@{LOOPBACK}:"),
        ):
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncpg.connect(wrong)
