"""PostgreSQL: pools, what its errors mean, and waiting until a projection reaches a position."""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from moot.runtime.metrics import Gauge, Histogram, Values
from moot.runtime.settings import DatabaseSettings

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

LockNotAvailableError = asyncpg.LockNotAvailableError

OPS = "ops"
PROGRESS_CHANNEL = "projection_progress"
"""Payload `<projection>:<position>`, sent by the transaction that moved the checkpoint there.

`<projection>:-<position>` when it was moved back to there, in a Chronicle that was replaced.
"""

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
LOOK_SECONDS = 5.0
RECONNECT_SECONDS = 0.2

# SQLSTATE classes of which the data are guilty, so that trying again is of no use: data exception,
# integrity constraint violation, check option, program limit exceeded, raised by a rule.
_DATA_CLASSES = frozenset({"22", "23", "44", "54", "P0"})

_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

_connections = Gauge(
    "db.client.connection.count",
    "{connection}",
    "Connections to PostgreSQL",
    "db.client.connection.pool.name",
    "db.client.connection.state",
)
_most_connections = Gauge(
    "db.client.connection.max",
    "{connection}",
    "The most connections of a pool",
    "db.client.connection.pool.name",
)
_waits = Histogram(
    "moot.position.wait.duration",
    "How long readers waited for projections to reach a position",
    "moot.outcome",
)
_waiting = Gauge("moot.position.waits", "{reader}", "Readers that wait for a position now")

log = structlog.stdlib.get_logger()


class _StatelessConnection(asyncpg.Connection):
    """Given back without asking the server to reset it, which would double what a read costs.

    Whoever borrows one leaves nothing behind: settings are a transaction's own, LISTEN has a
    connection of its own. A transaction left open is rolled back all the same.
    """

    async def reset(self, *, timeout: float | None = None) -> None:
        if self.is_in_transaction():
            await super().reset(timeout=timeout)

    def get_reset_query(self) -> str:
        return ""


async def connect_pool(
    settings: DatabaseSettings,
    *,
    name: str,
    size: int | None = None,
    synchronous_commit: bool = True,
    statement_seconds: float = STATEMENT_SECONDS,
) -> Pool:
    """Return a pool of connections to the Ops DB, named `name` in `pg_stat_activity`.

    Names without a schema are looked up in `ops`. Raises OSError, TimeoutError or PostgresError
    when PostgreSQL can't be reached; `lifecycle.Host.reach` tries again.
    """
    pool = await asyncpg.create_pool(
        settings.database_url,
        connection_class=_StatelessConnection,
        min_size=1,
        max_size=size or settings.pool_size,
        timeout=CONNECT_SECONDS,
        command_timeout=statement_seconds,
        server_settings={
            "application_name": f"moot-{name}",
            "search_path": OPS,
            "synchronous_commit": "on" if synchronous_commit else "off",
            # A peer that vanished must not hold its locks longer than a lease.
            "tcp_keepalives_idle": "1",
            "tcp_keepalives_interval": "1",
            "tcp_keepalives_count": "2",
        },
    )
    _watch(pool, name)
    return pool


async def connect_alone(database_url: str) -> Any:  # noqa: ANN401 SQLAlchemy knows what it is
    """Return one connection in nobody's pool, to an address as every other is given.

    Raises as `connect_pool` does.
    """
    return await asyncpg.connect(database_url, timeout=CONNECT_SECONDS)


def _watch(pool: Pool, name: str) -> None:
    def connections() -> dict[Values, float]:
        idle = pool.get_idle_size()
        return {(name, "idle"): idle, (name, "used"): pool.get_size() - idle}

    _connections.watch(connections)
    _most_connections.set(pool.get_max_size(), name)


def is_outage(error: BaseException) -> bool:
    """Whether `error` comes from the database's state, not from the data: worth trying again."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] not in _DATA_CLASSES
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    return isinstance(error, OSError | TimeoutError | asyncpg.InternalClientError)


def first_failure(error: BaseException) -> BaseException:
    """Return why a connection was lost, where asyncpg knew it: what follows hides that."""
    while isinstance(error, asyncpg.InterfaceError | asyncpg.PostgresConnectionError):
        before = error.__cause__ or error.__context__
        if before is None or not is_outage(before):
            break
        error = before
    return error


async def schema_problem(pool: Pool, tables: Collection[str]) -> str | None:
    """Say which of the views in `ops` are missing; None when all are there."""
    found = await pool.fetch("SELECT viewname FROM pg_catalog.pg_views WHERE schemaname = $1", OPS)
    missing = sorted(set(tables) - {row["viewname"] for row in found})
    if not missing:
        return None
    return f"tables are missing in schema ops: {', '.join(missing)}; run `moot migrate`"


class PositionWaiter:
    """Waits until projections have reached a position, on one LISTEN connection a process.

    `run` is a job of the service; `wait` may be called from anywhere in its event loop.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._url = settings.listener_url
        self._positions: dict[str, int] = {}
        self._moved = asyncio.Condition()

    async def wait(self, projections: Sequence[str], position: int, timeout: float) -> int:
        """Return the least position of `projections`, as soon as it is `position` or more.

        After `timeout` seconds return what it is then, which is less.
        """
        began, outcome = time.monotonic(), "reached"
        _waiting.add(1)
        try:
            async with asyncio.timeout(timeout), self._moved:
                await self._moved.wait_for(lambda: self.least(projections) >= position)
        except TimeoutError:
            outcome = "behind"
        finally:
            _waiting.add(-1)
        _waits.record(time.monotonic() - began, outcome)
        return self.least(projections)

    def least(self, projections: Sequence[str]) -> int:
        """Return the least position that is known of, 0 where none is."""
        return min(self._positions.get(name, 0) for name in projections)

    async def run(self) -> None:
        """Listen, for ever; after each new connection read the positions again."""
        before: str | None = None
        while True:
            reason = "the connection was closed"
            try:
                await self._listen()
            except _LOST as error:
                reason = f"{type(error).__name__}: {error}"
            if reason != before:
                log.warning("listener_lost", reason=reason)
            before = reason
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            command_timeout=LOOK_SECONDS,
            server_settings={"application_name": DatabaseSettings.LISTENER_NAME},
        )
        lost = asyncio.Event()
        heard: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

        def hear(_: object, __: int, ___: str, payload: object) -> None:
            name, _, position = str(payload).rpartition(":")
            heard.put_nowait((name, int(position)))

        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(PROGRESS_CHANNEL, hear)
            self._positions.clear()
            await self._read(connection)
            telling = asyncio.create_task(self._tell(heard))
            try:
                await self._look_until(lost, connection)
            finally:
                telling.cancel()
        finally:
            connection.terminate()

    async def _read(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        rows = await connection.fetch("SELECT projection, position FROM ops.projector_checkpoint")
        async with self._moved:
            for row in rows:
                self._move(row["projection"], row["position"])
            self._moved.notify_all()

    async def _tell(self, heard: asyncio.Queue[tuple[str, int]]) -> None:
        while True:
            name, position = await heard.get()
            async with self._moved:
                self._move(name, position)
                self._moved.notify_all()

    def _move(self, name: str, position: int) -> None:
        """Forward, as what was read and what was notified may overtake each other.

        Back only for a negative position: see PROGRESS_CHANNEL.
        """
        if position < 0:
            self._positions[name] = -position
        self._positions[name] = max(position, self._positions.get(name, 0))

    async def _look_until(
        self, lost: asyncio.Event, connection: "asyncpg.Connection[asyncpg.Record]"
    ) -> None:
        """Return when the connection is lost; ask now and then, or a silent loss goes unseen."""
        while not lost.is_set():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await lost.wait()
            except TimeoutError:
                await self._read(connection)
