"""A service that was given another's user of NATS isn't ready, and says why."""

import sys
from collections.abc import Mapping

import pytest

from moot.cli.local.ports import free_port
from moot.cli.local.program import Program
from tests.support.local_moot import environment, moot
from tests.support.privileged import SETTINGS_IN, Privileged, nats_of
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("service", "user", "refused"),
    [
        ("ticker", "projector", "publish to chronicle.delivery.tried"),
        ("allocator", "announcer", "publish to chronicle.topic.tried"),
        ("announcer", "allocator", "publish to chronicle.delivery.tried"),
        ("projector", "allocator", "publish to $js.api.consumer.create.chronicle.follow-"),
        ("api", "auditor", "publish to chronicle.access.tried"),
    ],
)
async def test_a_service_with_anothers_user_is_not_ready_and_says_what_is_refused(
    servers: Privileged, service: str, user: str, refused: str
) -> None:
    port = free_port()
    own = {file.name: file for file in (servers.credentials / service).iterdir()}
    given = {SETTINGS_IN[name]: str(file) for name, file in own.items()}
    given |= {"NATS_URL_FILE": str(servers.file(user, f"nats-{user}"))}
    given |= {"MOOT_API_PORT" if service == "api" else "HEALTH_PORT": str(port)}
    program = Program(
        [sys.executable, "-m", f"moot.{service}"],
        environment=environment() | given,
        health_port=port,
    )

    async def says_so() -> bool:
        reasons = await program.not_ready() or ""
        return "NATS refuses this user: " in reasons and refused in reasons

    await program.start()
    try:
        await until(says_so, within=30.0)
    finally:
        await program.stop()


def test_a_command_says_what_its_user_may_not_do(servers: Privileged) -> None:
    done = moot("projections", "pause", "deadlines_v1", given=_as_auditor(servers))

    assert done.code == 3
    assert "NATS refuses this user: publish to chronicle.operation." in done.errors


def test_a_command_says_that_its_password_is_wrong(servers: Privileged) -> None:
    url = servers.url("auditor", "nats")
    wrong = url.replace("auditor:", "auditor:wrong")
    given = {**_as_auditor(servers), "NATS_URL_FILE": "", "NATS_URL": wrong}
    done = moot("status", given=given)

    assert done.code == 3
    assert "Authorization Violation" in done.errors
    assert url.split(":")[2].split("@")[0] not in done.errors


def _as_auditor(servers: Privileged) -> Mapping[str, str]:
    database = {"DATABASE_URL_FILE": str(servers.file("auditor", "postgres-auditor"))}
    return {**nats_of(servers, "auditor"), **database}
