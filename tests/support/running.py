"""Jobs that run beside a test, and are over when the test is."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any


@asynccontextmanager
async def running(*jobs: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run them; a job that fails fails the test."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
