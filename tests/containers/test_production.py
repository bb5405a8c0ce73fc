"""compose.production.yaml: nothing is built or made, credentials are a folder of the operator's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moot.cli.credentials import FOLDERS
from tests.support.composed import PARTS, SERVICES, Composed, composed
from tests.support.local_moot import environment

pytestmark = [
    pytest.mark.containers,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders to containers' users"),
]

LIST = "import os; print(*os.listdir('/credentials'))"


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Composed]:
    """A project that wasn't up yet, with its credentials."""
    credentials = tmp_path / "credentials"
    making = ("credentials", "--for-containers", "--nats-uid", "1000", str(credentials))
    subprocess.run([sys.executable, "-m", "moot.cli", *making], check=True, env=environment())
    with composed(tmp_path / "secrets") as project:
        yield replace(
            project,
            files=("compose.yaml", "compose.production.yaml"),
            given={"MOOT_CREDENTIALS": str(credentials)},
        )


def test_each_container_has_its_own_folder_and_missing_credentials_stop_it(
    production: Composed,
) -> None:
    production.up()

    for service in SERVICES:
        found = production.the(service).run("python", "-c", LIST)
        assert sorted(found.split()) == sorted(FOLDERS[service])
    assert {c.service for c in production.containers()} == set(PARTS)
    assert "debates_v1" in production.moot("status", "--json")

    folder = Path(production.given["MOOT_CREDENTIALS"])
    production.compose("down")
    (folder / "nats").rename(folder / "elsewhere")
    with pytest.raises(AssertionError, match="bind source path does not exist"):
        production.up()
