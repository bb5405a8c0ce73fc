"""`moot migrate`: the Ops DB's tables, brought to a revision, and what roles may do with them."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from moot.cli.credentials import password_of, postgres_logins, postgres_superuser
from moot.cli.errors import SurroundingsError, why
from moot.cli.local.external import value_of
from moot.cli.local.prepare import migrated, without_password
from moot.cli.options import DataFolder
from moot.cli.whereabouts import database_of

HOW_TO_MAKE_ROLES = """\
There are no roles {missing}, and this user may not make them. One user for everything needs none.
For a user of each service's own, let an administrator run, and migrate again:
{statements}"""


def migrate(
    to: Annotated[str, typer.Option(metavar="REVISION", help="The revision to go to.")] = "head",
    credentials: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A folder of `moot credentials`: make its logins, with its passwords, first.",
        ),
    ] = None,
    data: DataFolder = Path(".moot"),
) -> None:
    """Bring the Ops DB's tables to the newest revision, or to another, and grant roles their use.

    With --credentials, DATABASE_ADMIN_URL says who makes the roles, DATABASE_URL who migrates;
    both are in the folder, too.
    """
    if credentials is None:
        url = database_of(data)
    else:
        logins = postgres_logins(credentials)
        url = value_of("DATABASE_URL", os.environ) or logins["migrator"]
        admin = value_of("DATABASE_ADMIN_URL", os.environ) or postgres_superuser(credentials)
        _make_roles(admin, logins)
    asyncio.run(migrated(url, to))
    _grant(url)
    typer.echo(f"Migrated to {to}.")


def _make_roles(admin_url: str, logins: dict[str, str]) -> None:
    from moot.projector.roles import make_roles  # noqa: PLC0415 - SQLAlchemy is slow to import

    passwords = {role: password_of(url) for role, url in logins.items()}
    try:
        make_roles(admin_url, passwords)
    except Exception as error:
        where = without_password(admin_url)
        raise SurroundingsError(f"Can't make roles at {where}: {why(error)}") from error


def _grant(url: str) -> None:
    from moot.projector.roles import grant_to_roles  # noqa: PLC0415 - as above

    try:
        missing = grant_to_roles(url)
    except Exception as error:
        where = without_password(url)
        told = f"Can't grant at {where} what roles need: {why(error)}"
        raise SurroundingsError(told) from error
    if missing:
        statements = "\n".join(f"  CREATE ROLE {role} NOLOGIN;" for role in missing)
        told = HOW_TO_MAKE_ROLES.format(missing=", ".join(missing), statements=statements)
        typer.echo(told, err=True)
