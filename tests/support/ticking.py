"""Tickers as processes of their own."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from moot.cli.local.probe import http_get
from tests.support.service_process import ServiceProcess, service_process

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
_FIRED = re.compile(r'^moot_ticker_firings_total\{moot_outcome="([^"]+)"\} (\S+)$', re.MULTILINE)


async def firings(ticker: ServiceProcess) -> dict[str, float]:
    """Return how many deadlines it has fired, by what came of it."""
    answer = await http_get(ticker.port, "/metrics")
    assert answer is not None
    return {outcome: float(count) for outcome, count in _FIRED.findall(answer.body.decode())}


@asynccontextmanager
async def ticker_process(
    nats_url: str,
    replica: str,
    *,
    database_url: str = NOWHERE,
    environment: Mapping[str, str] | None = None,
) -> AsyncGenerator[ServiceProcess]:
    """A ticker that is ready, and killed in the end."""
    own = {"DATABASE_URL": database_url, **(environment or {})}
    async with service_process("moot.ticker", nats_url, replica, own) as ticker:
        yield ticker
