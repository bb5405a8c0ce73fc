"""One stack for all tests here: each leaves it standing, and whole."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.support.composed import IMAGES, Composed, composed
from tests.support.containers import ran

NOTES: pytest.StashKey[list[str]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if notes := config.stash.get(NOTES, None):
        terminalreporter.section("how long it took")
        for note in notes:
            terminalreporter.line(note)


class Took:
    """Notes what took how long, for the end of the report."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def note(self, what: str, took: timedelta) -> None:
        self._notes.append(f"{what}: {took.total_seconds():.1f} s")


@pytest.fixture(scope="session")
def took(pytestconfig: pytest.Config) -> Took:
    return Took(pytestconfig.stash[NOTES])


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
