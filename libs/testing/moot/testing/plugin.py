"""The pytest plugin: the fixture `moot_stack`, its option, and what Moot said when a test fails.

Nothing else is imported before a test asks for the fixture.
"""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from moot.testing.stack import MootStack

FORMS = ("env", "wheels", "containers")
MOST_SHOWN = 20_000
"""Characters of what Moot said, from the end."""

_running = pytest.StashKey["MootStack"]()
_said_at_first = pytest.StashKey[int]()
_said_before = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    about = "which Moot the tests get: one that runs (env), one from wheels, or one in containers"
    parser.getgroup("moot").addoption("--moot", choices=FORMS, help=f"{about}; by default ini moot")
    parser.addini("moot", f"{about}; empty: the first that can be had, in this order")


@pytest.fixture(scope="session")
def moot_stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "Generator[MootStack]":
    """A running Moot, for all tests of the session; with pytest-xdist, for all its workers.

    What is told to it stays in it: keep tests apart by ids of their own (`moot.testing.fresh`).
    """
    from moot.testing.failures import MootTestingError  # noqa: PLC0415 see above
    from moot.testing.starting import running  # noqa: PLC0415 see above

    config = request.config
    form = config.getoption("--moot") or config.getini("moot") or None
    many = hasattr(config, "workerinput")  # of pytest-xdist
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if many else base) / "moot-stack"
    folder.mkdir(exist_ok=True)
    moot = running(form, folder, many=many)
    try:
        stack = moot.__enter__()
    except MootTestingError as error:
        pytest.fail(str(error), pytrace=False)
    config.stash[_running] = stack
    config.stash[_said_at_first] = _size(stack.log) if stack.form == "env" else 0
    try:
        yield stack
    finally:
        del config.stash[_running]
        moot.__exit__(None, None, None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    log = _log(item)
    if log:
        item.stash[_said_before] = log.stat().st_size


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    log = _log(item) if report.failed else None
    if log:
        said = _said(log, item.stash.get(_said_before, item.config.stash[_said_at_first]))
        report.sections.append((f"What Moot said meanwhile (all of it: {log})", said))
    return report


def _log(item: pytest.Item) -> Path | None:
    """The log of the stack that the test uses, once that runs."""
    stack = item.config.stash.get(_running, None)
    uses = "moot_stack" in getattr(item, "fixturenames", ())
    if stack is None or stack.log is None or not uses or not stack.log.exists():
        return None
    return stack.log


def _size(log: Path | None) -> int:
    return log.stat().st_size if log and log.exists() else 0


def _said(log: Path, since: int) -> str:
    with log.open("rb") as file:
        file.seek(since)
        said = file.read().decode(errors="replace")
    return said if len(said) <= MOST_SHOWN else f"…{said[-MOST_SHOWN:]}"
