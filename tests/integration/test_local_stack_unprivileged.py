"""Where PostgreSQL's programs are run from, when root installed them where others can't look."""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from moot.cli.errors import SurroundingsError
from moot.cli.local import unprivileged
from moot.cli.local.unprivileged import NOBODY, RunAs, programs_for, run_as_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")

NAMES = ("bin/postgres", "share")
VERSION = "18.0"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Programs below a folder that only root enters: pytest's own are closed to others."""
    program = tmp_path / "installed" / "bin" / "postgres"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    share = tmp_path / "installed" / "share"
    share.mkdir()
    (share / "sample").write_text("sample")
    tmp_path.chmod(0o700)
    return tmp_path / "installed"


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A folder that everybody enters and writes to, in place of /var/tmp."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        folder = Path(made)
        folder.chmod(0o1777)
        monkeypatch.setattr(unprivileged, "COPY_FOLDERS", (folder,))
        yield folder


def test_they_are_copied_to_where_the_user_can_run_them(installed: Path, open_folder: Path) -> None:
    run_as = RunAs(NOBODY)
    found = programs_for(run_as, installed, NAMES, VERSION)
    assert found.parent == open_folder
    assert run_as.can([str(found / "bin" / "postgres")])
    assert (found / "share" / "sample").read_text() == "sample"
    assert programs_for(run_as, installed, NAMES, VERSION) == found
    assert list(open_folder.iterdir()) == [found]


def test_a_copy_that_somebody_else_may_have_made_is_not_run(
    installed: Path, open_folder: Path
) -> None:
    found = programs_for(RunAs(NOBODY), installed, NAMES, VERSION)
    os.chown(found, NOBODY, NOBODY)
    with pytest.raises(SurroundingsError, match="nor run programs copied to any of"):
        programs_for(RunAs(NOBODY), installed, NAMES, VERSION)
    os.chown(found, 0, 0)
    found.chmod(0o777)
    with pytest.raises(SurroundingsError, match="nor run programs copied to any of"):
        programs_for(RunAs(NOBODY), installed, NAMES, VERSION)
    assert open_folder.exists()


def test_data_below_a_closed_folder_take_a_capability(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    folder = tmp_path / "data"
    folder.mkdir()
    assert run_as_for(folder) == RunAs(NOBODY, "dac_read_search")
    assert folder.stat().st_uid == NOBODY


def test_data_that_belong_to_somebody_stay_theirs(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 1234, 1234)
    assert run_as_for(folder).user == 1234
    assert folder.stat().st_uid == 1234
