"""Another team's tests, on a Moot that `moot.testing` starts in containers."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.support.local_moot import environment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]

EXAMPLE = ROOT / "examples/integration_tests"
OPTIONS = ("-p", "no:cacheprovider", "--moot=containers")
WITHIN_SECONDS = 220


def test_another_teams_project_passes_and_nothing_is_left(tmp_path: Path) -> None:
    before = _containers()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, f"--basetemp={tmp_path / 'base'}"],
        check=False,
        cwd=EXAMPLE,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout
    log = (tmp_path / "base/moot-stack/moot.log").read_text()
    assert "ticker       │ " in log
    assert _containers() <= before


def _containers() -> set[str]:
    """The ids of all containers that testcontainers has started."""
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet", "--filter=label=org.testcontainers"],  # noqa: S607 whichever docker there is
        check=True,
        capture_output=True,
        text=True,
    )
    return set(listed.stdout.split())
