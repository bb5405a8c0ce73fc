"""Wires the announcer: a topic's event → a request for delivery → posts until it has arrived."""

import structlog

from moot.announcer.channels import Channels, channels
from moot.announcer.delivering import Delivering
from moot.announcer.fabric import Fabric, client
from moot.announcer.requesting import Requesting
from moot.announcer.settings import AnnouncerSettings
from moot.contracts.envelope import Recorded
from moot.runtime.clock import utc_now
from moot.runtime.dispatch import Dispatcher
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.lifecycle import Host, Service
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.provision import check_chronicle
from moot.runtime.reactor import Reactor, Subscription

REQUESTS_IN_FLIGHT = 4
ATTEMPTS_IN_FLIGHT = 16

_log = structlog.stdlib.get_logger(__name__)


async def build(settings: AnnouncerSettings, host: Host) -> Service:
    connection = await host.reach("nats", lambda: connect(settings, name="moot-announcer"))
    host.on_stop(connection.close)
    to = channels(settings)
    if to is None:
        _log.warning("announcing_off", missing=list(settings.missing))
        host.readiness.note("announcing", f"off: {', '.join(settings.missing)} missing")
        subscriptions = [Subscription("announcer", "topic", _pass_over)]
        reactor = Reactor("announcer", settings.nats_url, subscriptions)
    else:
        reactor = _announcing(settings, host, connection, to)

    async def chronicle_holds() -> str | None:
        return "; ".join(await check_chronicle(connection, settings.nats_monitor_url)) or None

    host.readiness.add("chronicle", chronicle_holds)
    host.readiness.add("subscription", reactor.check)
    await host.reach("subscription", reactor.start)
    return Service(jobs={"reactor": reactor.run}, drain=(reactor.stop,))


def _announcing(
    settings: AnnouncerSettings, host: Host, connection: NatsConnection, to: Channels
) -> Reactor:
    chronicle = JetStreamChronicle(connection)
    dispatcher = Dispatcher(chronicle, source="moot/announcer", now=utc_now)
    http = client()
    host.on_stop(http.aclose)
    requesting = Requesting(
        dispatcher,
        chronicle,
        to,
        settled_through=lambda: reactor.acknowledged_through("announcer"),
        public_url=settings.public_url,
    )
    delivering = Delivering(
        dispatcher,
        to,
        Fabric(http, now=utc_now),
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


async def _pass_over(_: Recorded) -> None:
    """What happens while announcing is off isn't announced later; what was requested waits."""
