"""Each import-linter contract catches a violation that is planted in a copy of the tree."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.architecture.tree import CODE, ROOT, members

# contract, a module of ours, the import planted in it
PLANTED = [
    ("down", "libs/contracts/moot/contracts/planted.py", "import moot.domain"),
    ("down", "libs/runtime/moot/runtime/planted.py", "import moot.api"),
    ("down", "services/api/moot/api/planted.py", "import moot.cli"),
    ("down", "cli/moot/newcomer/__init__.py", ""),
    ("services", "services/ticker/moot/ticker/planted.py", "import moot.projector"),
    ("services", "services/api/moot/api/planted.py", "import moot.announcer"),
    ("domain-and-runtime", "libs/runtime/moot/runtime/planted.py", "import moot.domain"),
    ("domain-and-runtime", "libs/domain/moot/domain/planted.py", "import moot.runtime"),
    ("domain-and-runtime", "libs/client/moot/client/planted.py", "import moot.runtime"),
    ("client", "services/announcer/moot/announcer/planted.py", "import moot.client"),
    ("down", "cli/moot/cli/planted.py", "import moot.testing"),
    ("testing", "libs/testing/moot/testing/planted.py", "import moot.domain"),
    ("testing", "libs/testing/moot/testing/planted.py", "import moot.cli"),
    ("pure-io", "libs/domain/moot/domain/planted.py", "import asyncio"),
    ("pure-io", "libs/domain/moot/domain/planted.py", "import nats"),
    ("pure-io", "libs/contracts/moot/contracts/planted.py", "import asyncpg"),
    ("pure-luck", "libs/domain/moot/domain/planted.py", "import time"),
    ("pure-luck", "libs/domain/moot/domain/planted.py", "from random import Random"),
    ("drivers", "services/api/moot/api/planted.py", "import asyncpg"),
    ("drivers", "services/ticker/moot/ticker/planted.py", "import nats.js"),
    ("drivers", "cli/moot/cli/planted.py", "from opentelemetry import trace"),
    ("faststream", "services/announcer/moot/announcer/planted.py", "import faststream"),
    (
        "rebuilds",
        "services/projector/moot/projector/planted.py",
        "import moot.runtime.reactor",
    ),
    ("measured", "libs/runtime/moot/runtime/planted.py", "import bench"),
    (
        "plain",
        "services/projector/moot/projector/plain/planted.py",
        "import moot.projector.debates",
    ),
    (
        "plain",
        "services/projector/moot/projector/debates/planted.py",
        "import moot.projector.plain",
    ),
    (
        "plain-rows",
        "services/projector/moot/projector/plain/planted.py",
        "import moot.domain.topic",
    ),
    ("migrations", "services/api/moot/api/planted.py", "import sqlalchemy"),
]

# A copy is linted without the interpreter's site step, which would bring in the real tree too.
LINT = """
import sys
sys.path[:0] = sys.argv[1:]
sys.argv[1:] = []
from importlinter.cli import lint_imports
sys.exit(lint_imports(limit_to_contracts=CONTRACTS, no_logo=True, no_cache=True))
"""


@pytest.fixture(scope="module")
def copied_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("tree")
    for folder in CODE:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


@pytest.fixture
def tree_with(copied_tree: Path) -> Iterator[Callable[[str, str], Path]]:
    """Plant one module in the copy, and take it away again."""
    with ExitStack() as undo:

        def plant(module: str, text: str) -> Path:
            file = copied_tree / module
            if not file.parent.exists():
                file.parent.mkdir()
                undo.callback(file.parent.rmdir)
            file.write_text(f"{text}\n", encoding="utf-8")
            undo.callback(file.unlink)
            return copied_tree

        yield plant


def test_the_tree_keeps_every_contract(copied_tree: Path) -> None:
    linted = lint(copied_tree, *(contract for contract, _, _ in PLANTED))

    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize(
    ("contract", "module", "planted"),
    PLANTED,
    ids=[f"{contract}-{number}" for number, (contract, _, _) in enumerate(PLANTED)],
)
def test_planted_import_is_refused(
    contract: str, module: str, planted: str, tree_with: Callable[[str, str], Path]
) -> None:
    linted = lint(tree_with(module, planted), contract)

    assert linted.returncode == 1, linted.stdout
    assert module.removesuffix(".py").removesuffix("/__init__").split("/")[-1] in linted.stdout


def test_every_contract_is_tried() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]

    assert {contract["id"] for contract in contracts} == {contract for contract, _, _ in PLANTED}


def lint(tree: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    folders = [str(tree / member) for member in members(tree)]
    site = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return subprocess.run(
        [sys.executable, "-S", "-c", LINT.replace("CONTRACTS", repr(contracts)), *folders, *site],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
