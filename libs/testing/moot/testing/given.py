"""A Moot that runs already, as the environment says where."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from moot.testing.fabric_guild import FabricGuild
from moot.testing.failures import MootTestingError
from moot.testing.stack import MootStack

API_URL = "MOOT_TEST_API_URL"
ADMIN_KEY = "MOOT_TEST_ADMIN_KEY"
NATS_URL = "MOOT_TEST_NATS_URL"
DATABASE_URL = "MOOT_TEST_DATABASE_URL"
GUILD_URL = "MOOT_TEST_GUILD_URL"
GUILD_CHANNEL = "MOOT_TEST_GUILD_CHANNEL"
"""Of the stand-in guild there; `announcements` if it isn't said."""

LOG = "MOOT_TEST_LOG"
"""A file that this machine's Moot writes its log to, to be shown when a test fails."""


@contextmanager
def given(environment: Mapping[str, str] = os.environ) -> Generator[MootStack]:
    """The Moot at MOOT_TEST_API_URL; nothing is started or stopped. Raises MootTestingError."""
    missing = [name for name in (API_URL, ADMIN_KEY) if not environment.get(name)]
    if missing:
        raise MootTestingError(f"to test with a Moot that runs already, set {', '.join(missing)}")
    yield MootStack(
        form="env",
        api_url=environment[API_URL].rstrip("/"),
        admin_key=environment[ADMIN_KEY],
        nats_url=environment.get(NATS_URL) or None,
        database_url=environment.get(DATABASE_URL) or None,
        guild=_guild(environment),
        log=Path(environment[LOG]) if environment.get(LOG) else None,
    )


def _guild(environment: Mapping[str, str]) -> FabricGuild | None:
    url = environment.get(GUILD_URL)
    if not url:
        return None
    return FabricGuild(url.rstrip("/"), environment.get(GUILD_CHANNEL) or "announcements")
