"""A Chronicle on a real NATS that has lost events, as none of ours can: they deny deleting."""

from moot.contracts.subjects import CHRONICLE
from moot.runtime.jetstream_api import ask
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import provision


async def make_deletable(connection: NatsConnection) -> None:
    """Replace the provisioned, empty Chronicle by one that lets events be deleted, for a while."""
    config = (await ask(connection, f"STREAM.INFO.{CHRONICLE}"))["config"]
    await ask(connection, f"STREAM.DELETE.{CHRONICLE}")
    loose = {**config, "deny_delete": False, "deny_purge": False}
    await ask(connection, f"STREAM.CREATE.{CHRONICLE}", loose)


async def lose(connection: NatsConnection, *positions: int) -> None:
    for position in positions:
        await ask(connection, f"STREAM.MSG.DELETE.{CHRONICLE}", {"seq": position})


async def deny_deleting(connection: NatsConnection, nats_url: str) -> None:
    """Make it as `moot provision` wants it, which it will stay."""
    config = (await ask(connection, f"STREAM.INFO.{CHRONICLE}"))["config"]
    strict = {**config, "deny_delete": True, "deny_purge": True}
    await ask(connection, f"STREAM.UPDATE.{CHRONICLE}", strict)
    await provision(nats_url)
