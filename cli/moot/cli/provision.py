"""`moot provision`: streams and durable consumers, made as they have to be."""

import asyncio
from pathlib import Path

import typer

from moot.cli.local.prepare import provisioned, refuse_old_nats
from moot.cli.options import DataFolder
from moot.cli.whereabouts import nats_of


def provision(data: DataFolder = Path(".moot")) -> None:
    """Make the streams and consumers that are missing, and check those that are there."""
    typer.echo(asyncio.run(_provision(*nats_of(data))))


async def _provision(nats_url: str, monitor_url: str | None) -> str:
    await refuse_old_nats(nats_url)
    return await provisioned(nats_url, monitor_url)
