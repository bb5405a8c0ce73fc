"""`moot status`: how far each projection has come, and how far the Chronicle goes."""

import asyncio
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from moot.cli.errors import SurroundingsError
from moot.cli.local.plan import Servers
from moot.cli.local.prepare import without_password
from moot.cli.options import DataFolder, JsonOutput
from moot.cli.whereabouts import servers_of

ANSWER_SECONDS = 10.0

CHECKPOINTS = """
SELECT
    projection,
    position,
    state,
    CASE WHEN lease_until > clock_timestamp() THEN owner END AS owner,
    error,
    updated_at
FROM ops.projector_checkpoint
ORDER BY projection
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """One projection; `behind` counts the positions between it and the Chronicle's `head`.

    `owner` is the replica that keeps it going, None when none does.
    """

    projection: str
    position: int
    head: int
    behind: int
    state: str
    owner: str | None
    error: str | None
    updated_at: str


def status(data: DataFolder = Path(".moot"), as_json: JsonOutput = False) -> None:
    """Show each projection's position, and how many positions it is behind the Chronicle."""
    progress = asyncio.run(_progress(servers_of(data)))
    console = Console()
    if as_json:
        console.print_json(data=[asdict(of) for of in progress])
        return
    table = Table("projection", "position", "head", "behind", "state", "owner", "error")
    for of in progress:
        numbers = (of.position, of.head, of.behind)
        table.add_row(of.projection, *map(str, numbers), of.state, of.owner or "", of.error or "")
    console.print(table)


async def _progress(servers: Servers) -> list[Progress]:
    head, checkpoints = await asyncio.gather(_head(servers), _checkpoints(servers))
    return [
        Progress(
            projection=row["projection"],
            position=row["position"],
            head=head,
            behind=max(0, head - row["position"]),
            state=row["state"],
            owner=row["owner"],
            error=row["error"],
            updated_at=_in_utc(row["updated_at"]),
        )
        for row in checkpoints
    ]


async def _head(servers: Servers) -> int:
    """The Chronicle's last position. Raises SurroundingsError when NATS doesn't tell."""
    from moot.runtime.jetstream import JetStreamChronicle  # noqa: PLC0415 - as in `prepare`
    from moot.runtime.nats_connection import NatsConnection  # noqa: PLC0415

    connection = NatsConnection()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.open(servers.nats_url, name="moot-status")
            return await JetStreamChronicle(connection).head()
    except Exception as error:
        where = without_password(servers.nats_url)
        raise SurroundingsError(f"NATS at {where} doesn't tell: {error!r}") from error
    finally:
        await connection.close()


async def _checkpoints(servers: Servers) -> list[Any]:
    """Every projection's row. Raises SurroundingsError when PostgreSQL doesn't tell."""
    from moot.runtime.database import connect_pool  # noqa: PLC0415
    from moot.runtime.settings import DatabaseSettings  # noqa: PLC0415

    settings = DatabaseSettings(nats_url=servers.nats_url, database_url=servers.database_url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            pool = await connect_pool(settings, name="status", size=1)
            async with pool:
                return await pool.fetch(CHECKPOINTS)
    except Exception as error:
        where = without_password(servers.database_url)
        raise SurroundingsError(f"The Ops DB at {where} doesn't tell: {error}") from error


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
