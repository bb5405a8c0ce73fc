"""Wires the API: connections, the app, and the jobs of its process."""

from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from moot.api.callers import Callers
from moot.api.client_addresses import ClientAddresses
from moot.api.cursors import Cursors
from moot.api.exchange import Api
from moot.api.health_pages import HEALTH_PATHS, health_page
from moot.api.idempotency import IdempotencyKeys
from moot.api.inbox_news import InboxNews
from moot.api.key_news import KeyNews
from moot.api.live import Live
from moot.api.measuring import watch_deliveries
from moot.api.operations import answering_exceptions, mount
from moot.api.pages.paths import PAGES
from moot.api.publishing import Publishing
from moot.api.queries import idempotency_keys
from moot.api.queries.agent_keys import PROJECTION as AGENT_KEYS
from moot.api.queries.checkpoints import ANNOUNCEMENTS, ATTEMPTS, DEBATES
from moot.api.queries.deadlines import DEADLINES
from moot.api.queries.publishing import PROJECTION as PUBLISHING
from moot.api.rate_limits import RateLimits
from moot.api.routes import OPERATIONS
from moot.api.server import HttpServer, bind
from moot.api.settings import ApiSettings
from moot.contracts.subjects import Category, StreamName
from moot.contracts.verdict_schemas import REGISTRY
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool, PositionWaiter, connect_pool, schema_problem
from moot.runtime.dispatch import Dispatcher
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.lifecycle import Host, Service
from moot.runtime.nats_connection import NatsConnection, connect
from moot.runtime.provision import chronicle_problem
from moot.runtime.readiness import Readiness

SOURCE = "moot/api"
APPENDS: Final[tuple[Category | StreamName, ...]] = (
    "topic",
    "access",
    "delivery",
    "artifact",
    "posture",
    StreamName("operation", REGISTRY),
)
TABLES = (
    "agent_keys",
    "announcements",
    "arguments",
    "camps",
    "delivery_attempts",
    "dead_letters",
    "deadlines",
    "draws",
    "projector_checkpoint",
    "published_events",
    "publishers",
    "rounds",
    "signups",
    "topics",
    "verdicts",
)
PROJECTIONS = (DEBATES, ANNOUNCEMENTS, ATTEMPTS, DEADLINES, AGENT_KEYS, PUBLISHING)


class _App(FastAPI):
    def build_middleware_stack(self) -> ASGIApp:
        """One layer: operations answer for themselves, with limits and telemetry of their own."""
        return answering_exceptions(self.router)


def create_app(api: Api, readiness: Readiness) -> FastAPI:
    app = _App(
        title="Moot",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Each operation has its own span: see `moot.api.operations`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    mount(app, api, OPERATIONS)
    for path, show in PAGES.items():
        app.add_route(path, show)
    for path in HEALTH_PATHS:
        app.add_route(path, health_page(readiness))
    return app


async def build(settings: ApiSettings, host: Host) -> Service:
    listening = bind(settings.api_host, settings.api_port)
    connection = await host.reach("nats", lambda: connect(settings, name="moot-api"))
    host.on_stop(connection.close)
    pool = await host.reach("postgresql", lambda: _pool(settings))
    host.on_stop(pool.close)
    api = _api(settings, connection, pool)
    host.on_stop(api.callers.note_uses)
    host.on_stop(api.keys.write)

    async def chronicle_holds() -> str | None:
        return await chronicle_problem(connection, settings.nats_monitor_url, appends=APPENDS)

    host.readiness.add("chronicle", chronicle_holds)
    host.readiness.add("postgresql", lambda: schema_problem(pool, TABLES))
    host.readiness.add("idempotency keys", lambda: idempotency_keys.problem(pool))
    server = HttpServer(create_app(api, host.readiness), listening)
    return Service(
        jobs={
            "http": server.serve,
            "live": api.live.fan_out.run,
            "inbox news": api.news.run,
            "key news": api.callers.news.run,
            "positions": api.waiter.run,
            "last uses": api.callers.note_uses_for_ever,
            "idempotency keys": api.keys.run,
            "old idempotency keys": api.keys.prune_for_ever,
            "waiting deliveries": lambda: watch_deliveries(pool),
        },
        drain=(api.live.fan_out.stop, api.news.stop, server.drain),
    )


async def _pool(settings: ApiSettings) -> Pool:
    # What the API writes itself doesn't matter if it is lost: nothing waits for the disk.
    return await connect_pool(settings, name="api", synchronous_commit=False)


def _api(settings: ApiSettings, connection: NatsConnection, pool: Pool) -> Api:
    chronicle = JetStreamChronicle(connection)
    waiter = PositionWaiter(settings)
    live = Live.on(chronicle, pool)
    return Api(
        dispatcher=Dispatcher(chronicle, source=SOURCE, now=utc_now),
        chronicle=chronicle,
        pool=pool,
        waiter=waiter,
        callers=Callers(
            pool,
            KeyNews(chronicle, pool, waiter),
            admin_key=settings.admin_key,
            pepper=settings.agent_key_pepper,
            now=utc_now,
        ),
        publishing=Publishing(chronicle, pool),
        cursors=Cursors(settings.secret_key),
        keys=IdempotencyKeys(pool),
        live=live,
        news=InboxNews(live.fan_out, waiter, pool),
        limits=RateLimits(settings.rate_limit),
        pepper=settings.agent_key_pepper,
        secret_key=settings.secret_key,
        addresses=ClientAddresses(settings.trusted_proxies),
        public_url=settings.public_url,
    )
