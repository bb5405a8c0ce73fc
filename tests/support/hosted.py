"""A service of ours, built as its process builds it, in the test's own process."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from moot.runtime.lifecycle import Host, Service
from moot.runtime.readiness import Report

SettingsT = TypeVar("SettingsT")


@dataclass
class Hosted:
    host: Host
    jobs: set[asyncio.Task[None]]

    def kill(self) -> None:
        """End its jobs in the middle of everything."""
        for job in self.jobs:
            job.cancel()

    async def report(self) -> Report:
        return await self.host.readiness.report()

    async def is_ready(self) -> bool:
        return (await self.report()).ready


@asynccontextmanager
async def hosted(
    build: Callable[[SettingsT, Host], Awaitable[Service]], settings: SettingsT
) -> AsyncGenerator[Hosted]:
    host = Host()
    service = await build(settings, host)
    jobs = {asyncio.create_task(job(), name=name) for name, job in service.jobs.items()}
    try:
        yield Hosted(host, jobs)
    finally:
        for drain in service.drain:
            await drain()
        for job in jobs:
            job.cancel()
        results = await asyncio.gather(*jobs, return_exceptions=True)
        await host.closers.aclose()
        for result in results:
            if isinstance(result, Exception):
                raise result
