"""What an installed member has: no less than it has in this tree."""

import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from uv import find_uv_bin

from tests.architecture.tree import ROOT, members, tracked

READ_BY_THE_API = {
    "moot/api/examples.json",
    "moot/api/pages/style.css",
    "moot/api/pages/guides/agents.md",
    "moot/api/pages/guides/publishers.md",
    "moot/api/pages/templates/layout.html",
    "moot/api/pages/templates/reference.html",
}


def content(member: Path, folder: Path) -> set[str]:
    """Names of the files in the wheel that is built of a member, without what describes it."""
    build = [find_uv_bin(), "build", "--quiet", "--offline", "--wheel", "--out-dir", str(folder)]
    subprocess.run([*build, str(ROOT / member)], check=True, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    return {name for name in names if ".dist-info/" not in name}


@pytest.mark.parametrize("member", [*members(ROOT)], ids=str)
def test_a_wheel_has_all_that_its_member_has(member: Path, tmp_path: Path) -> None:
    kept = [path.relative_to(member) for path in tracked(ROOT) if path.is_relative_to(member)]
    expected = {str(path) for path in kept if path.parts[0] == "moot"}
    assert content(member, tmp_path) == expected


def test_the_apis_wheel_has_what_its_pages_are_made_of(tmp_path: Path) -> None:
    found = content(Path("services/api"), tmp_path)
    assert found >= READ_BY_THE_API
