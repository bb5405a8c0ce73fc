"""Wires the announcer: a topic's event → a request for delivery → posts until it has arrived."""

from typing import Final

import structlog

from moot.announcer.addresses import Addresses
from moot.announcer.answers import Posting, client
from moot.announcer.channels import Channels, channels
from moot.announcer.delivering import Delivering
from moot.announcer.fabric import Fabric
from moot.announcer.requesting import Requesting
from moot.announcer.settings import AnnouncerSettings
from moot.announcer.webhooks import WebhookPosts
from moot.contracts.subjects import Category
from moot.runtime.clock import utc_now
from moot.runtime.dispatch import Dispatcher
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.lifecycle import Host, Service
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import chronicle_problem
from moot.runtime.reactor import Reactor, Subscription

APPENDS: Final[tuple[Category, ...]] = ("delivery",)
REQUESTS_IN_FLIGHT = 4
ATTEMPTS_IN_FLIGHT = 32
FABRIC_CONNECTIONS = 20

_log = structlog.stdlib.get_logger(__name__)


async def build(settings: AnnouncerSettings, host: Host) -> Service:
    connection = await host.reach("nats", lambda: connect(settings, name="moot-announcer"))
    host.on_stop(connection.close)
    to = channels(settings)
    if to is None:
        _log.warning("announcing_off", missing=list(settings.missing))
        host.readiness.note("announcing", f"off: {', '.join(settings.missing)} missing")
    if settings.secret_key is None:
        _log.warning("webhooks_off", missing=["MOOT_SECRET_KEY"])
        host.readiness.note("webhooks", "off: MOOT_SECRET_KEY missing")
    reactor = _announcing(settings, host, connection, to)

    async def chronicle_holds() -> str | None:
        return await chronicle_problem(connection, settings.nats_monitor_url, appends=APPENDS)

    host.readiness.add("chronicle", chronicle_holds)
    host.readiness.add("subscription", reactor.check)
    await host.reach("subscription", reactor.start)
    return Service(jobs={"reactor": reactor.run}, drain=(reactor.stop,))


def _announcing(
    settings: AnnouncerSettings, host: Host, connection: NatsConnection, to: Channels | None
) -> Reactor:
    chronicle = JetStreamChronicle(connection)
    dispatcher = Dispatcher(chronicle, source="moot/announcer", now=utc_now)
    fabric = Posting(client(kept_connections=FABRIC_CONNECTIONS), now=utc_now)
    webhooks = _webhooks(settings, host, dispatcher)
    host.on_stop(fabric.http.aclose)
    requesting = Requesting(
        dispatcher,
        chronicle,
        to,
        webhooks_at=webhooks.there_at,
        settled_through=lambda: reactor.acknowledged_through("announcer"),
        public_url=settings.public_url,
    )
    delivering = Delivering(
        dispatcher,
        Fabric(fabric, to),
        webhooks,
        give_up_after=settings.give_up_after,
        now=utc_now,
    )
    reactor = Reactor(
        "announcer",
        settings.nats_url,
        [
            Subscription("announcer", "topic", requesting.react, in_flight=REQUESTS_IN_FLIGHT),
            Subscription(
                "announcer_deliveries",
                "delivery",
                delivering.react,
                in_flight=ATTEMPTS_IN_FLIGHT,
            ),
        ],
    )
    return reactor


def _webhooks(settings: AnnouncerSettings, host: Host, dispatcher: Dispatcher) -> WebhookPosts:
    # No connection is kept: it would be to an address that was checked for another message.
    posting = Posting(client(kept_connections=0), now=utc_now)
    addresses = Addresses(settings.webhook_allowed_hosts)
    host.on_stop(posting.http.aclose)

    async def forget_lookups() -> None:
        addresses.close()

    host.on_stop(forget_lookups)
    key = settings.secret_key
    return WebhookPosts(
        dispatcher,
        posting,
        addresses,
        None if key is None else key.get_secret_value(),
        now=utc_now,
    )
