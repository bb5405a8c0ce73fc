"""Which Moot the tests get, and when it ends."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from moot.testing.failures import MootTestingError
from moot.testing.given import API_URL, given
from moot.testing.sharing import shared
from moot.testing.stack import Form, MootStack

NOTHING_TO_START = (
    f"there is no Moot to test with: set {API_URL} to the address of one that runs, or install"
    " moot-testing[wheels] (starts one here) or moot-testing[containers] (starts one in containers)"
)


@contextmanager
def running(form: Form | None, folder: Path, *, many: bool) -> Generator[MootStack]:
    """A Moot for the tests of this process, or of all processes that have the folder (`many`).

    None takes the first form that can be had: env, wheels, containers. Raises MootTestingError.
    """
    chosen = form or first_to_be_had()
    if chosen == "env":
        with given() as stack:
            yield stack
    elif many:
        with shared(folder, lambda fresh_folder: started(chosen, fresh_folder)) as stack:
            yield stack
    else:
        with started(chosen, folder) as stack:
            yield stack


def first_to_be_had() -> Form:
    if os.environ.get(API_URL):
        return "env"
    if _installed("moot.cli"):
        return "wheels"
    if _installed("testcontainers"):
        return "containers"
    raise MootTestingError(NOTHING_TO_START)


@contextmanager
def started(form: Form, folder: Path) -> Generator[MootStack]:
    """A Moot that is started now and stopped afterwards. Raises MootTestingError."""
    if form == "wheels":
        _need("moot.cli", "wheels")
        from moot.testing.wheels import started_from_wheels  # noqa: PLC0415 an extra brings it

        with started_from_wheels(folder) as stack:
            yield stack
    else:
        _need("testcontainers", "containers")
        from moot.testing.containers import started_in_containers  # noqa: PLC0415 as above

        with started_in_containers(folder) as stack:
            yield stack


def _need(module: str, extra: str) -> None:
    if not _installed(module):
        raise MootTestingError(f"--moot={extra} takes moot-testing[{extra}]")


def _installed(module: str) -> bool:
    return find_spec(module) is not None
