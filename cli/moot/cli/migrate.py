"""`moot migrate`: the Ops DB's tables, brought to a revision."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from moot.cli.local.prepare import migrated
from moot.cli.options import DataFolder
from moot.cli.whereabouts import database_of


def migrate(
    to: Annotated[str, typer.Option(metavar="REVISION", help="The revision to go to.")] = "head",
    data: DataFolder = Path(".moot"),
) -> None:
    """Bring the Ops DB's tables to the newest revision, or to another."""
    asyncio.run(migrated(database_of(data), to))
    typer.echo(f"Migrated to {to}.")
