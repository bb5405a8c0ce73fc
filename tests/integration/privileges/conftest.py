"""NATS and PostgreSQL with a user for each part; migrated and provisioned, no service running."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.privileged import Privileged, prepare, privileged_servers
from tests.support.servers import running_postgres


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Privileged]:
    """Their users are of a whole server: so they have one that no other test uses."""
    folder: Path = tmp_path_factory.mktemp("privileged")
    postgres = running_postgres(folder / "postgres")
    with asyncio.Runner() as runner:
        running = privileged_servers(folder, runner.run(postgres.__aenter__()))
        there = runner.run(running.__aenter__())
        runner.run(prepare(there))
        yield there
        runner.run(running.__aexit__(None, None, None))
        runner.run(postgres.__aexit__(None, None, None))
