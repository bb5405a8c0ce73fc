"""An operator at work: says something to a projection by an event, and sees it carried out."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from moot.cli.condition import NeverHappenedError, until
from moot.cli.errors import CommandError, SurroundingsError, why
from moot.cli.local.plan import Servers
from moot.cli.local.prepare import without_password
from moot.contracts.debates import Caller
from moot.contracts.ids import CommandId
from moot.contracts.operations import OperationCommand
from moot.domain import operations
from moot.domain.operations import Operated
from moot.runtime import database
from moot.runtime.chronicle import Chronicle, ChronicleUnavailableError
from moot.runtime.clock import utc_now
from moot.runtime.database import Pool, connect_pool, is_outage
from moot.runtime.deciding import CommandContext, Outcome
from moot.runtime.dispatch import Dispatcher, Folded, UnreadableStreamError
from moot.runtime.jetstream import JetStreamChronicle
from moot.runtime.luck import new_id
from moot.runtime.nats_connection import NatsConnection
from moot.runtime.settings import DatabaseSettings

ANSWER_SECONDS = 10.0
STATEMENT_SECONDS = ANSWER_SECONDS / 2
"""Of short work: what is given up is rolled back, which an absent server holds up as long again."""
CARRIED_OUT_WITHIN = timedelta(seconds=15)

CHECKPOINT = """
SELECT position, state, lease_until > clock_timestamp() AS is_owned
FROM projector_checkpoint WHERE projection = $1
"""

NAMES = "SELECT projection FROM projector_checkpoint ORDER BY projection"

STATEMENTS = (CHECKPOINT,)

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody with access to the servers, known as `by`."""

    chronicle: Chronicle
    pool: Pool
    dispatcher: Dispatcher
    by: Caller

    @classmethod
    def of(cls, chronicle: Chronicle, pool: Pool) -> "Operator":
        name = os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"
        dispatcher = Dispatcher(chronicle, source="moot/cli", now=utc_now)
        return cls(chronicle, pool, dispatcher, Caller(kind="admin", id=name))

    async def does(self, projection: str, command: OperationCommand) -> Outcome[Operated]:
        """Record it. Raises CommandError when it is refused."""
        command_id = CommandId(new_id())
        context = CommandContext(command_id, self.by.auth_id, command_id)
        outcome = await self.dispatcher.dispatch(operations, projection, command, context)
        if not isinstance(outcome, Outcome):
            raise CommandError(f"Refused: {outcome.detail} ({outcome.code})")
        return outcome

    async def done_to(self, projection: str) -> Folded[Operated]:
        return await self.dispatcher.load(operations, projection)

    async def exists(self, projection: str) -> None:
        """Raises CommandError when there is no such projection."""
        names = [row["projection"] for row in await self.pool.fetch(NAMES)]
        if projection not in names:
            there = ", ".join(names) or "none yet"
            raise CommandError(f"There is no projection {projection!r}; there are: {there}.")

    async def state_of(self, projection: str) -> str:
        row = await self.pool.fetchrow(CHECKPOINT, projection)
        return "" if row is None else row["state"]

    async def carried_out(self, projection: str, position: int) -> None:
        """Wait until the projection is at `position`. Raises SurroundingsError: it isn't in time.

        What was recorded stays recorded: it is carried out when the projection gets there.
        """

        async def is_there() -> bool | None:
            row = await self.pool.fetchrow(CHECKPOINT, projection)
            return True if row is not None and row["position"] >= position else None

        waiting_for = f"{projection} to reach {position}"
        try:
            await until(is_there, within=CARRIED_OUT_WITHIN, waiting_for=waiting_for)
        except NeverHappenedError as error:
            row = await self.pool.fetchrow(CHECKPOINT, projection)
            held_up = "no projector owns it" if row is None or not row["is_owned"] else row["state"]
            raise SurroundingsError(
                f"It is recorded, but not carried out yet: {error} ({held_up})."
            ) from error


def operate(
    servers: Servers,
    work: Callable[[Operator], Coroutine[Any, Any, AnswerT]],
    *,
    connections: int = 2,
    is_long: bool = False,
) -> AnswerT:
    """Do `work` as an operator of these servers. Raises SurroundingsError when one is away.

    Work that goes through the whole Chronicle `is_long`, and so may its statements be.
    """
    statement_seconds = database.STATEMENT_SECONDS if is_long else STATEMENT_SECONDS

    async def run() -> AnswerT:
        async with _connected(servers, connections, statement_seconds) as operator:
            return await work(operator)

    try:
        return _at_full_speed(run()) if is_long else asyncio.run(run())
    except CommandError:
        raise
    except UnreadableStreamError as error:
        raise CommandError(f"A newer version of Moot has been here: {error}") from error
    except ChronicleUnavailableError as error:
        raise _silent(servers, error) from error
    except Exception as error:
        if not is_outage(error):
            raise
        where = without_password(servers.database_url)
        raise SurroundingsError(f"PostgreSQL at {where} can't be asked: {why(error)}.") from error


def _at_full_speed(work: Coroutine[Any, Any, AnswerT]) -> AnswerT:
    from moot.runtime.lifecycle import run_at_full_speed  # noqa: PLC0415 - slow to import

    return run_at_full_speed(work)


@asynccontextmanager
async def _connected(
    servers: Servers, connections: int, statement_seconds: float
) -> AsyncGenerator[Operator]:
    settings = DatabaseSettings(nats_url=servers.nats_url, database_url=servers.database_url)
    nats = NatsConnection()
    try:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await nats.open(servers.nats_url, name="moot-cli")
        except TimeoutError as error:
            raise _silent(servers, nats.absence) from error
        pool = await connect_pool(
            settings, name="cli", size=connections, statement_seconds=statement_seconds
        )
        try:
            async with _giving_up(servers, nats):
                yield Operator.of(JetStreamChronicle(nats), pool)
            await pool.close()
        except ChronicleUnavailableError as error:
            if (refused := nats.refusals.reason) is not None:
                raise SurroundingsError(f"{refused}.") from error
            raise
        finally:
            # A server that says nothing doesn't say goodbye either.
            pool.terminate()
    finally:
        await nats.close()


@asynccontextmanager
async def _giving_up(servers: Servers, nats: NatsConnection) -> AsyncGenerator[None]:
    """End what goes on without NATS: whoever follows the Chronicle would wait for ever."""
    loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)

    def changed() -> None:
        if not limit.expired():
            limit.reschedule(None if nats.connected else loop.time() + ANSWER_SECONDS)

    try:
        async with limit:
            with nats.watching(changed):
                changed()  # it may have broken before anybody watched
                yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise _silent(servers, nats.absence) from error


def _silent(servers: Servers, why_not: object) -> SurroundingsError:
    where = without_password(servers.nats_url)
    return SurroundingsError(f"NATS at {where} doesn't answer: {why_not}.")
