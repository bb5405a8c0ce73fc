"""Wires the allocator: sign-up opened or closed → a commitment, a draw."""

from typing import Final

from moot.allocator.allocating import Allocating
from moot.allocator.settings import AllocatorSettings
from moot.contracts.subjects import Category
from moot.runtime.clock import utc_now
from moot.runtime.dispatch import Dispatcher
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.lifecycle import Host, Service
from moot.runtime.provision import chronicle_problem
from moot.runtime.reactor import Reactor, Subscription

APPENDS: Final[tuple[Category, ...]] = ("topic",)
IN_FLIGHT = 4
"""Topics drawn at the same time; one topic's two events may come in any order."""


async def build(settings: AllocatorSettings, host: Host) -> Service:
    connection = await host.reach("nats", lambda: connect(settings, name="moot-allocator"))
    host.on_stop(connection.close)
    dispatcher = Dispatcher(JetStreamChronicle(connection), source="moot/allocator", now=utc_now)
    allocating = Allocating(dispatcher, settings.draw_key.get_secret_value().encode())
    reactor = Reactor(
        "allocator",
        settings.nats_url,
        [Subscription("allocator", "topic", allocating.react, in_flight=IN_FLIGHT)],
    )

    async def chronicle_holds() -> str | None:
        return await chronicle_problem(connection, settings.nats_monitor_url, appends=APPENDS)

    host.readiness.add("chronicle", chronicle_holds)
    host.readiness.add("subscription", reactor.check)
    await host.reach("subscription", reactor.start)
    return Service(jobs={"reactor": reactor.run}, drain=(reactor.stop,))
