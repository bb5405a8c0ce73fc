"""Wires the ticker: log → board → clock → commands, watched over by the sweep."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from moot.contracts.subjects import Category, ticker_heartbeat
from moot.runtime.chronicle_clock import ChronicleClock
from moot.runtime.database import Pool, connect_pool
from moot.runtime.dispatch import Dispatcher
from moot.runtime.jetstream import JetStreamChronicle, connect
from moot.runtime.lifecycle import Host, Service
from moot.runtime.live import Heartbeats
from moot.runtime.provision import chronicle_problem
from moot.ticker.board import Board
from moot.ticker.clocks import Clocks
from moot.ticker.feed import Feed
from moot.ticker.firing import Firing
from moot.ticker.settings import TickerSettings
from moot.ticker.snapshot import Overdue, Snapshot, open_overdue, open_snapshot
from moot.ticker.sweep import Sweep

APPENDS: Final[tuple[Category, ...]] = ("topic", "delivery")


class OpsDatabase:
    """Connects when it is asked and not before: the ticker works without PostgreSQL, too."""

    def __init__(self, settings: TickerSettings) -> None:
        self._settings = settings
        self._pool: Pool | None = None
        self._connecting = asyncio.Lock()

    async def _connected(self) -> Pool:
        async with self._connecting:
            if self._pool is None:
                self._pool = await connect_pool(self._settings, name="ticker")
            return self._pool

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Snapshot | None]:
        async with open_snapshot(await self._connected()) as snapshot:
            yield snapshot

    @asynccontextmanager
    async def overdue(self, before: datetime) -> AsyncGenerator[Overdue]:
        async with open_overdue(await self._connected(), before) as overdue:
            yield overdue

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()


async def build(settings: TickerSettings, host: Host) -> Service:
    connection = await host.reach("nats", lambda: connect(settings, name="moot-ticker"))
    host.on_stop(connection.close)
    database = OpsDatabase(settings)
    host.on_stop(database.close)
    chronicle = JetStreamChronicle(connection)

    async def chronicle_holds() -> str | None:
        return await chronicle_problem(connection, settings.nats_monitor_url, appends=APPENDS)

    host.readiness.add("chronicle", chronicle_holds)
    clock = ChronicleClock()
    await host.reach("clock", lambda: clock.ask(connection))
    board = Board()
    heartbeats = Heartbeats(
        connection,
        settings.replica,
        subject=ticker_heartbeat,
        fit=lambda: not clock.is_late,
    )
    firing = Firing(
        board,
        Dispatcher(chronicle, source="moot/ticker", now=clock.now),
        replica=settings.replica,
        living=heartbeats.living,
        now=clock.now,
    )
    feed = Feed(board, chronicle, database.snapshot, clock=clock, firing=firing)
    clocks = Clocks(clock, connection, leads=heartbeats.leads, readiness=host.readiness)
    sweep = Sweep(
        board,
        firing,
        database.overdue,
        interval=settings.orchestrator_tick_interval,
        now=clock.now,
        readiness=host.readiness,
    )

    async def memory_holds() -> str | None:
        return None if feed.caught_up.is_set() else "still reading the Chronicle"

    async def look_for_missed() -> None:
        await feed.caught_up.wait()
        await sweep.run()

    host.readiness.add("deadlines", memory_holds)
    await host.reach("snapshot", feed.load)
    return Service(
        jobs={
            "heartbeats": heartbeats.run,
            "clocks": clocks.run,
            "feed": feed.run,
            "firing": firing.run,
            "sweep": look_for_missed,
        }
    )
