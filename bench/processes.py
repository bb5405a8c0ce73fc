"""Services as processes of their own, started as the local stack starts them."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from moot.cli.local.plan import Servers as ServerUrls
from moot.cli.local.plan import arguments_of, service_environment
from moot.cli.local.ports import free_port
from moot.cli.local.probe import http_get
from moot.cli.local.process import Process, dying_with_parent
from moot.runtime.settings import DatabaseSettings

READY = 200
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
NOTHING: Mapping[str, str] = {}

MEASURED: Mapping[str, str] = {"MOOT_LOG_LEVEL": "warning", "MOOT_RATE_LIMIT": "0"}
"""What a service that is measured is told: a refused request costs nothing, and would flatter."""


@asynccontextmanager
async def running_service(
    name: str,
    settings: DatabaseSettings,
    *,
    replica: int = 1,
    port: int | None = None,
    given: Mapping[str, str] = NOTHING,
) -> AsyncGenerator[Process]:
    """`python -m moot.<name>`, ready, with `given` in its environment; asked to stop at the end."""
    port = port or free_port()
    urls = ServerUrls(settings.nats_url, settings.nats_monitor_url, settings.database_url)
    environment = service_environment(
        name, replica, port=port, servers=urls, inherited={**os.environ, **given}
    )
    environment |= MEASURED
    async with running(arguments_of(name), environment) as process:
        async with asyncio.timeout(READY_SECONDS):
            while not await _is_ready(port):  # noqa: ASYNC110 another process tells by HTTP only
                await asyncio.sleep(0.02)
        yield process


async def _is_ready(port: int) -> bool:
    answer = await http_get(port, "/readyz")
    return answer is not None and answer.status == READY


@asynccontextmanager
async def running(arguments: list[str], environment: dict[str, str]) -> AsyncGenerator[Process]:
    command = [*dying_with_parent(signal.SIGKILL), *arguments]
    process = Process(command, environment=environment)
    try:
        yield process
        if process.exit_code not in {None, -signal.SIGKILL}:
            raise RuntimeError(process.tail)
    finally:
        if process.exit_code is None:
            await process.stop(signal.SIGTERM, STOP_SECONDS)
