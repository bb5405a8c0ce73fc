"""What a container's health check says of the service in it."""

import asyncio
import os
import sys
from dataclasses import dataclass

import pytest

from moot.cli.local.ports import LOOPBACK, free_port
from moot.runtime import health
from moot.runtime.readiness import Readiness


@dataclass(frozen=True)
class Said:
    code: int | None
    text: str


async def healthcheck(port: int) -> Said:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "moot.runtime.healthcheck"),
        env={**os.environ, "HEALTH_PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
    )
    text, _ = await process.communicate()
    return Said(process.returncode, text.decode())


@pytest.mark.parametrize(("reason", "code"), [(None, 0), ("connecting", 1)])
async def test_it_says_whether_the_service_is_ready(reason: str | None, code: int) -> None:
    port, readiness = free_port(), Readiness()
    if reason is not None:
        readiness.block("nats", reason)
    server = await health.serve(readiness, LOOPBACK, port)
    async with server:
        said = await healthcheck(port)

    assert said.code == code
    assert (reason or "ready") in said.text


async def test_nobody_there_is_not_healthy() -> None:
    said = await healthcheck(free_port())

    assert said.code == 1
    assert said.text
