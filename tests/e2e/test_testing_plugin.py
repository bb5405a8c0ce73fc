"""The plugin of `moot.testing` as other projects meet it: pytest, run by itself on their tests."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from moot.cli.local.process import command_line
from moot.testing import MootStack
from tests.architecture.tree import ROOT
from tests.support.local_moot import environment
from tests.support.waiting import until

PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
EXAMPLE = ROOT / "examples/integration_tests"
WITHIN_SECONDS = 200
SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

FAILING = """
def test_fails(moot_stack):
    moot_stack.blocking.debate("signup_open", title="Which one fails?")
    assert not moot_stack.log
"""

UNENDING = """
import asyncio
from pathlib import Path


async def test_waits(moot_stack):
    Path("{told}").write_text(moot_stack.api_url)
    await asyncio.Event().wait()
"""


def outcome_of(folder: Path, *options: str, given: Mapping[str, str]) -> tuple[int, str]:
    """Run a project's tests to their end; the exit code, and what pytest said."""
    done = subprocess.run(
        [*PYTEST, *options],
        check=False,
        cwd=folder,
        env={**environment(), **given},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_SECONDS,
    )
    return done.returncode, done.stdout


@pytest.fixture
def running(moot_stack: MootStack) -> dict[str, str]:
    """An environment that names the Moot that runs already."""
    guild = moot_stack.fabric_guild
    return {
        "MOOT_TEST_API_URL": moot_stack.api_url,
        "MOOT_TEST_ADMIN_KEY": moot_stack.admin_key,
        "MOOT_TEST_NATS_URL": moot_stack.nats_url or "",
        "MOOT_TEST_GUILD_URL": guild.base_url,
        "MOOT_TEST_GUILD_CHANNEL": guild.channel_id,
        "MOOT_TEST_LOG": str(moot_stack.log),
    }


@pytest.mark.timeout(240)
def test_another_teams_project_shares_one_moot_from_wheels_among_its_workers(
    tmp_path: Path,
) -> None:
    options = ("--moot=wheels", "--numprocesses=2", f"--basetemp={tmp_path / 'base'}")
    code, said = outcome_of(EXAMPLE, *options, given={})
    assert code == 0, said
    assert "5 passed" in said
    (log,) = tmp_path.glob("base/moot-stack/*/moot.log")
    assert "service_stopped" in log.read_text()


def test_the_readme_holds(running: Mapping[str, str], tmp_path: Path) -> None:
    blocks = PYTHON_BLOCK.findall((ROOT / "libs/testing/README.md").read_text())
    for number, block in enumerate(blocks):
        (tmp_path / f"test_block_{number}.py").write_text(block)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    code, said = outcome_of(tmp_path, given=running)
    assert code == 0, said
    assert len(blocks) > 2


def test_who_sees_a_test_fail_sees_what_moot_said(
    running: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    code, said = outcome_of(tmp_path, given=running)
    assert code == 1
    assert "What Moot said meanwhile" in said
    assert '"command": "open_signup"' in said
    assert "nats-server" not in said  # which started long before


def test_without_a_moot_it_is_said_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    code, said = outcome_of(tmp_path, "--moot=env", given={})
    assert code == 1
    assert "set MOOT_TEST_API_URL, MOOT_TEST_ADMIN_KEY" in said
    assert "Traceback" not in said


@pytest.mark.timeout(240)
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGKILL])
async def test_nothing_is_left_of_it_however_pytest_ends(
    asked: signal.Signals, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    (tmp_path / "test_it.py").write_text(UNENDING.format(told=told))
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    base = tmp_path / "base"
    process = await asyncio.create_subprocess_exec(
        *PYTEST, "--basetemp=base", cwd=tmp_path, env=environment(), start_new_session=True
    )

    async def is_waiting() -> bool:
        assert process.returncode is None
        return told.exists()

    async def is_gone() -> bool:
        return not _of(base)

    await until(is_waiting, within=WITHIN_SECONDS)
    assert len(_of(base)) >= 3  # NATS, PostgreSQL and `moot up` name their folder
    process.send_signal(asked)
    await process.wait()
    await until(is_gone, within=30)


def _of(folder: Path) -> list[int]:
    """The processes that Moot has started in the folder."""
    pids = [int(process.name) for process in Path("/proc").iterdir() if process.name.isdigit()]
    return [pid for pid in pids if f"{folder}/" in command_line(pid)]
