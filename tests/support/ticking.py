"""Tickers as processes of their own, to be killed, stopped and cut off."""

import os
import re
import signal
import sys
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from moot.cli.local.ports import free_port
from moot.cli.local.probe import http_get
from tests.support.waiting import until

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
READY = 200
READY_SECONDS = 30.0
_FIRED = re.compile(r'^moot_ticker_firings_total\{moot_outcome="([^"]+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TickerProcess:
    process: Process
    port: int

    def send(self, told: signal.Signals) -> None:
        self.process.send_signal(told)

    async def is_ready(self) -> bool:
        answer = await http_get(self.port, "/readyz")
        return answer is not None and answer.status == READY

    async def firings(self) -> dict[str, float]:
        """Return how many deadlines it has fired, by what came of it."""
        answer = await http_get(self.port, "/metrics")
        assert answer is not None
        return {outcome: float(count) for outcome, count in _FIRED.findall(answer.body.decode())}


@asynccontextmanager
async def ticker_process(
    nats_url: str,
    replica: str,
    *,
    database_url: str = NOWHERE,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[TickerProcess]:
    """A ticker that is ready, and killed in the end."""
    port = free_port()
    own = {
        "NATS_URL": nats_url,
        "DATABASE_URL": database_url,
        "MOOT_REPLICA": replica,
        "MOOT_LOG_LEVEL": "warning",
        "HEALTH_PORT": str(port),
    }
    process = await create_subprocess_exec(
        sys.executable, "-m", "moot.ticker", env={**os.environ, **own, **(environment or {})}
    )
    ticker = TickerProcess(process, port)
    try:
        await until(ticker.is_ready, within=READY_SECONDS)
        yield ticker
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
