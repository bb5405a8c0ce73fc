"""The commands of `moot` are listed as they describe themselves, and cost only what they need."""

import subprocess
import sys

import pytest
from typer.main import get_group

from moot.cli.listing import Listed
from moot.cli.main import Moot, app

LISTED = pytest.mark.parametrize("listed", Moot.listed, ids=lambda listed: listed.name)
SLOW = ("asyncpg", "fastapi", "nats", "rich.traceback", "sqlalchemy", "structlog")
IMPORTED = """
import sys
from importlib import import_module
import_module("moot.cli.main")
for module in sys.argv[1:]:
    import_module(module)
print(*sys.modules)
"""


def imported_with(*modules: str) -> set[str]:
    run = [sys.executable, "-c", IMPORTED, *modules]
    return set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())


@LISTED
def test_a_command_is_listed_with_the_beginning_of_its_own_help(listed: Listed) -> None:
    own = listed.imported().help or ""
    assert " ".join(own.split("\n\n")[0].split()) == listed.help


def test_every_listed_command_is_in_the_help_and_nothing_else() -> None:
    assert list(get_group(app).commands) == [listed.name for listed in Moot.listed]


def test_the_help_imports_no_command() -> None:
    imported = imported_with()
    assert not imported & {listed.place.partition(":")[0] for listed in Moot.listed}
    assert not imported & {*SLOW, "pydantic"}


def test_commands_that_log_nothing_import_no_server_and_no_log() -> None:
    quiet = [listed.place.partition(":")[0] for listed in Moot.listed if not listed.logs]
    assert not imported_with(*quiet) & set(SLOW)
