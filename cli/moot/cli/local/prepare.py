"""Servers made ready for services: tables migrated, streams provisioned."""

import asyncio
from urllib.parse import urlsplit, urlunsplit

from moot.cli.errors import SurroundingsError, why
from moot.cli.local.nats_server import refuse_old_version
from moot.cli.local.plan import Servers
from moot.cli.local.probe import nats_information
from moot.runtime.provision import ProvisionError, provision


async def prepare(servers: Servers) -> None:
    """Migrate and provision. Raises SurroundingsError when the servers can't be used."""
    await refuse_old_nats(servers.nats_url)
    await asyncio.gather(
        migrated(servers.database_url),
        provisioned(servers.nats_url, servers.nats_monitor_url),
    )


async def refuse_old_nats(url: str) -> None:
    """Raises SurroundingsError when nobody answers at `url`, or a server that is too old."""
    information = await nats_information(url)
    if information is None:
        raise SurroundingsError(f"No NATS server answers at {without_password(url)}.")
    refuse_old_version(
        str(information.get("version", "")), f"The server at {without_password(url)}"
    )


async def migrated(database_url: str, revision: str = "head") -> None:
    """Bring the tables to `revision`. Raises SurroundingsError when the database refuses."""
    # Alembic takes half a second to import: only those pay for it who migrate.
    from moot.projector.migrate import migrate  # noqa: PLC0415

    try:
        await asyncio.to_thread(migrate, database_url, revision)
    except Exception as error:
        where = without_password(database_url)
        raise SurroundingsError(f"Can't migrate {where} to {revision}: {why(error)}") from error


async def provisioned(nats_url: str, monitor_url: str | None) -> str:
    """Make streams and consumers; the answer says what was found or made, for people.

    Raises SurroundingsError when a stream that is there is weaker than it has to be.
    """
    try:
        return str(await provision(nats_url, monitor_url))
    except ProvisionError as error:
        raise SurroundingsError(str(error)) from error


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    address = urlsplit(url)
    return urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2]))
