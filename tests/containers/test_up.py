"""`docker compose up --wait`, the first time and after that."""

import pytest

from tests.containers.conftest import Took
from tests.support.composed import PARTS, Composed

pytestmark = [pytest.mark.containers, pytest.mark.timeout(240)]


def test_one_command_starts_everything_from_nothing(stack: Composed) -> None:
    running = {container.service: container for container in stack.containers()}

    assert running.keys() == {*PARTS, "guild"}
    for part in PARTS:
        assert running[part].inspected()["State"]["Health"]["Status"] == "healthy"


def test_a_second_time_leaves_everything_as_it_is(stack: Composed, took: Took) -> None:
    before = {c.name: c.started_at for c in stack.containers()}
    credentials = stack.credentials()

    took.note("up --wait again", stack.up())

    assert {c.name: c.started_at for c in stack.containers()} == before
    assert stack.credentials() == credentials
