"""Where the Moot is that a command is about: as the environment says, else the one running here."""

import os
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from moot.cli.calls import AT_ONCE, reached
from moot.cli.errors import SettingsError
from moot.cli.local.data_folder import RUNNING_FILE
from moot.cli.local.external import external_servers, value_of
from moot.cli.local.plan import Servers
from moot.cli.local.running import Running
from moot.client import MootClient


def servers_of(data: Path) -> Servers:
    """The servers that NATS_URL and DATABASE_URL name, else those of `moot up` on `data`.

    Raises SettingsError when there are neither.
    """
    external = external_servers(os.environ)
    if external is not None:
        return external
    running = _running_in(data)
    if running is None:
        raise SettingsError(
            f"No Moot runs on {data}: start one with `moot up`, or set NATS_URL and DATABASE_URL."
        )
    return Servers(running.nats, running.nats_monitor, running.postgres)


def database_of(data: Path) -> str:
    """DATABASE_URL, which is enough by itself, else the database of `moot up` on `data`."""
    return value_of("DATABASE_URL", os.environ) or servers_of(data).database_url


def nats_of(data: Path) -> tuple[str, str | None]:
    """NATS_URL, which is enough by itself, and NATS_MONITOR_URL; else those of `moot up`."""
    given = value_of("NATS_URL", os.environ)
    if given is not None:
        return given, value_of("NATS_MONITOR_URL", os.environ)
    servers = servers_of(data)
    return servers.nats_url, servers.nats_monitor_url


def address_of(data: Path, api: str | None) -> str:
    """The API's address: as given, else that of `moot up` on `data`, else as in the environment.

    Raises SettingsError when there is none.
    """
    running = _running_in(data)
    address = api or (running.api if running else None) or value_of("MOOT_PUBLIC_URL", os.environ)
    if not address:
        raise SettingsError(f"No API runs on {data}: start one with `moot up`, or give --api URL.")
    return address


def api_of(data: Path, api: str | None) -> tuple[str, str]:
    """The API's address, and the admin key: that of the environment, else as on `data`.

    Raises SettingsError when one of them is missing.
    """
    running = _running_in(data)
    address = address_of(data, api)
    key = value_of("MOOT_ADMIN_KEY", os.environ) or (running.admin_key if running else None)
    if not key:
        raise SettingsError("MOOT_ADMIN_KEY isn't set.")
    return address, key


def caller_at(
    data: Path, api: str | None, agent_key: str | None, *, patience: timedelta = AT_ONCE
) -> MootClient:
    """A client in the name of the agent whose key is given, else of the admin, else of nobody.

    Raises SettingsError where there is no API.
    """
    address = address_of(data, api)
    if agent_key is not None:
        return reached(address, key=agent_key, patience=patience)
    running = _running_in(data)
    admin_key = value_of("MOOT_ADMIN_KEY", os.environ) or (running.admin_key if running else None)
    return reached(address, admin_key=admin_key, patience=patience)


def _running_in(data: Path) -> Running | None:
    try:
        return Running.model_validate_json((data / RUNNING_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
