"""`moot provision`: streams and durable consumers, made as they have to be."""

import asyncio
from pathlib import Path

import typer

from moot.cli.local.plan import Servers
from moot.cli.local.prepare import provisioned, refuse_old_nats
from moot.cli.options import DataFolder
from moot.cli.whereabouts import servers_of


def provision(data: DataFolder = Path(".moot")) -> None:
    """Make the streams and consumers that are missing, and check those that are there."""
    typer.echo(asyncio.run(_provision(servers_of(data))))


async def _provision(servers: Servers) -> str:
    await refuse_old_nats(servers.nats_url)
    return await provisioned(servers)
