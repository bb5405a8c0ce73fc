"""One stack for all tests of a process here: each leaves it standing, and whole."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.support.composed import IMAGES, Composed, composed
from tests.support.containers import ran

TOOK = "took"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what took how long, whichever process has tried it."""
    reports = [report for some in terminalreporter.stats.values() for report in some]
    notes = [
        note
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "teardown"
        for name, note in report.user_properties
        if name == TOOK
    ]
    if notes:
        terminalreporter.section("how long it took")
        for note in notes:
            terminalreporter.line(str(note))


class Took:
    """Notes what took how long, for the end of the report."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, what: str, took: timedelta) -> None:
        self.notes.append(f"{what}: {took.total_seconds():.1f} s")


@pytest.fixture(scope="session")
def took() -> Took:
    return Took()


@pytest.fixture(autouse=True)
def _reported(request: pytest.FixtureRequest, took: Took) -> Iterator[None]:
    """Let the report of a test have what was noted up to its end."""
    yield
    request.node.user_properties += [(TOOK, note) for note in took.notes]
    took.notes.clear()


@pytest.fixture(scope="session", autouse=True)
def images() -> None:
    """They are made by `make images`: what runs the tests may reach no package index."""
    missing = [name for name in IMAGES if ran("image", "inspect", f"moot/{name}:dev").returncode]
    if missing:
        pytest.fail(f"no image for {', '.join(missing)}: run `make images`")


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """A project of `docker compose` that was never up."""
    with composed(tmp_path_factory.mktemp("composed") / "secrets") as project:
        yield project


@pytest.fixture(scope="session")
def stack(fresh: Composed, took: Took) -> Composed:
    """All of Moot, one container of each part, started from nothing by one command."""
    took.note("up --wait from nothing", fresh.up())
    return fresh
