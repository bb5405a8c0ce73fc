"""`docker compose stop`: every service ends by itself, in time."""

import pytest

from tests.containers.conftest import Took
from tests.support.composed import SERVICES, Composed

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]


def test_every_service_ends_by_itself_and_starts_again(stack: Composed, took: Took) -> None:
    containers = stack.containers(*SERVICES)

    stack.compose("stop", *SERVICES)

    codes = {c.service: c.inspected()["State"]["ExitCode"] for c in containers}
    # 137 would be one that was killed when its time was up.
    assert codes == dict.fromkeys(SERVICES, 0)
    took.note("up --wait after a stop", stack.up())
