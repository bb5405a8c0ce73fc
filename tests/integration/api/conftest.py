"""The API on a real Ops DB."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from moot.api.app import create_app
from moot.api.callers import Callers
from moot.api.cursors import Cursors
from moot.api.exchange import Api
from moot.api.idempotency import IdempotencyKeys
from moot.api.inbox_news import InboxNews
from moot.api.key_news import KeyNews
from moot.api.live import Live
from moot.api.publishing import Publishing
from moot.api.rate_limits import RateLimits
from moot.projector.projections import PROJECTIONS
from moot.runtime.database import Pool, PositionWaiter, connect_pool
from moot.runtime.dispatch import Dispatcher
from moot.runtime.memory import InMemoryChronicle
from moot.runtime.projection_runner import ProjectionRunner, Replica
from moot.runtime.readiness import Readiness
from moot.runtime.settings import DatabaseSettings
from tests.integration.api.clock import Clock
from tests.integration.api.replicas import two_replicas
from tests.integration.api.serving import served
from tests.integration.api.world import ADMIN_KEY, PEPPER, SECRET_KEY, World


@pytest.fixture
def settings(database_url: str) -> DatabaseSettings:
    return DatabaseSettings(nats_url="nats://127.0.0.1:1", database_url=database_url)


@pytest.fixture
async def pool(settings: DatabaseSettings) -> AsyncIterator[Pool]:
    """The migrated Ops DB."""
    pool = await connect_pool(settings, name="tests")
    yield pool
    pool.terminate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chronicle() -> InMemoryChronicle:
    return InMemoryChronicle(idle_seconds=0.2)


@pytest.fixture
def limits() -> RateLimits:
    return RateLimits(0)


@pytest.fixture
async def api(
    settings: DatabaseSettings,
    pool: Pool,
    clock: Clock,
    chronicle: InMemoryChronicle,
    limits: RateLimits,
) -> AsyncIterator[Api]:
    waiter = PositionWaiter(settings)
    replica = Replica("tests")
    # Its own, as its process would have.
    own_pool = await connect_pool(settings, name="tests-api", size=4)
    keys = IdempotencyKeys(own_pool)
    runners = [ProjectionRunner(one, chronicle, pool, replica) for one in PROJECTIONS]
    live = Live.on(chronicle, own_pool)
    news = InboxNews(live.fan_out, waiter, own_pool)
    key_news = KeyNews(chronicle, own_pool, waiter)
    services = (waiter.run, keys.run, live.fan_out.run, news.run, key_news.run)
    running = (*services, *(one.run for one in runners))
    jobs = [asyncio.create_task(job()) for job in running]
    yield Api(
        dispatcher=Dispatcher(chronicle, source="moot/api", now=clock),
        chronicle=chronicle,
        pool=own_pool,
        waiter=waiter,
        callers=Callers(own_pool, key_news, admin_key=ADMIN_KEY, pepper=PEPPER, now=clock),
        publishing=Publishing(chronicle, own_pool),
        cursors=Cursors(SECRET_KEY),
        keys=keys,
        live=live,
        news=news,
        limits=limits,
        pepper=PEPPER,
        secret_key=SECRET_KEY,
    )
    own_pool.terminate()
    for job in jobs:
        job.cancel()
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert not [end for end in ended if isinstance(end, Exception)]


@pytest.fixture
async def address(api: Api) -> AsyncIterator[str]:
    """The API on a port of its own, as its process serves it."""
    async with served(api) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def world(api: Api, clock: Clock) -> AsyncIterator[World]:
    transport = httpx2.ASGITransport(app=create_app(api, Readiness()), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://moot.test") as http:
        yield World(http, api.dispatcher, clock)


@pytest.fixture
async def replicas(nats_url: str, database_url: str) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Clients of two replicas on one NATS and one Ops DB."""
    async with two_replicas(nats_url, database_url) as clients:
        yield clients
