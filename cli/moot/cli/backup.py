"""`moot backup` and `moot restore`: all that Moot has to keep, copied while it runs, and put back.

The streams are all: the Ops DB is built from the Chronicle, and what else is in PostgreSQL may be
lost. Passwords and keys are kept apart, by whoever keeps secrets.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from moot.cli.backup_folder import Manifest, StreamCopy, read_content, read_manifest, read_snapshot
from moot.cli.backup_folder import written as written_to
from moot.cli.errors import CommandError, SurroundingsError
from moot.cli.local.data_folder import data_folder
from moot.cli.local.external import value_of
from moot.cli.local.nats_server import RARELY, NatsServer
from moot.cli.local.prepare import provisioned, refuse_old_nats
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.when import in_utc
from moot.cli.whereabouts import nats_of
from moot.contracts.subjects import CHRONICLE, DEAD
from moot.runtime.jetstream_api import NOT_FOUND, JetStreamError, ask
from moot.runtime.nats_connection import LostAnswerError, NatsConnection
from moot.runtime.stream_backup import BackupError, put_back, take

STREAMS = (CHRONICLE, DEAD)
CONNECT_SECONDS = 10.0

Done = TypeVar("Done")
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The backup's own folder.")]


def backup(folder: Folder, data: DataFolder = Path(".moot"), as_json: JsonOutput = False) -> None:
    """Copy the Chronicle, and what is kept beside it, into a new folder, while all goes on."""
    _tell(_ended(_back_up(nats_of(data)[0], folder)), as_json=as_json)


def restore(folder: Folder, data: DataFolder = Path(".moot"), as_json: JsonOutput = False) -> None:
    """Put a backup's streams into a NATS that has none: NATS_URL's, else that of a data folder.

    Nothing that is there is ever overwritten. A data folder's Moot must not run.
    """
    manifest = read_manifest(folder)
    _ended(_restore(manifest, folder, data))
    _tell(manifest, as_json=as_json)


def _ended(work: Awaitable[Done]) -> Done:
    """What `work` gives. Raises CommandError in words for an operator."""

    async def run() -> Done:
        return await work

    try:
        return asyncio.run(run())
    except (BackupError, JetStreamError) as error:
        raise CommandError(str(error)) from error
    except LostAnswerError as error:
        raise SurroundingsError(f"NATS doesn't answer: {error}.") from error


async def _back_up(url: str, folder: Path) -> Manifest:
    taken_at = datetime.now(UTC)
    async with _connected(url) as connection:
        with written_to(folder) as writer:
            for stream in STREAMS:
                with writer.content(stream) as write:
                    snapshot = await take(connection, stream, write)
                writer.described(stream, snapshot)
            return writer.finished(taken_at)


async def _restore(manifest: Manifest, folder: Path, data: Path) -> None:
    url = value_of("NATS_URL", os.environ)
    if url is not None:
        await _put_all_back(url, manifest, folder)
        return
    with data_folder(data) as own:
        server = NatsServer(own / "nats", sync_interval=RARELY)
        await server.start()
        try:
            await _put_all_back(server.url, manifest, folder)
        finally:
            await server.stop()


async def _put_all_back(url: str, manifest: Manifest, folder: Path) -> None:
    await refuse_old_nats(url)
    async with _connected(url) as connection:
        for stream in manifest.streams:
            await _refuse_existing(connection, stream)
        for stream, copy in manifest.streams.items():
            content = read_content(folder, stream)
            state = await put_back(connection, stream, read_snapshot(folder, stream), content)
            if (state["messages"], state["last_seq"]) != (copy.messages, copy.last_position):
                raise CommandError(
                    f"NATS has {state['messages']} messages of {stream} up to position"
                    f" {state['last_seq']}, the backup {copy.messages} up to {copy.last_position}."
                )
    await provisioned(url, None)


async def _refuse_existing(connection: NatsConnection, stream: str) -> None:
    try:
        state = (await ask(connection, f"STREAM.INFO.{stream}"))["state"]
    except JetStreamError as error:
        if error.code == NOT_FOUND:
            return
        raise
    raise CommandError(
        f"There is a stream {stream} already, with {state['messages']} messages. Nothing is"
        " overwritten: move the server's store away, or restore into an empty one."
    )


@asynccontextmanager
async def _connected(url: str) -> AsyncGenerator[NatsConnection]:
    connection = NatsConnection()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await connection.open(url, name="moot-backup")
        yield connection
    except TimeoutError as error:
        raise SurroundingsError(
            f"No NATS server answers in {CONNECT_SECONDS:.0f} s: {connection.absence}."
        ) from error
    finally:
        await connection.close()


def _tell(manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        typer.echo(manifest.model_dump_json())
        return
    typer.echo(f"Taken at {in_utc(manifest.taken_at)}:")
    for stream, copy in manifest.streams.items():
        typer.echo(f"  {stream}: {_told(copy)}")


def _told(copy: StreamCopy) -> str:
    if not copy.messages:
        return "empty"
    last = (
        "" if copy.last_stored_at is None else f", the last stored at {in_utc(copy.last_stored_at)}"
    )
    megabytes = copy.content_bytes / 1e6
    return (
        f"{copy.messages} messages up to position {copy.last_position}{last} ({megabytes:.1f} MB)"
    )
