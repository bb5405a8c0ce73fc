"""Runs a projection in one of several replicas: waits for its turn, and outages out."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from moot.runtime.checkpoint import Checkpoint, OwnershipLostError
from moot.runtime.chronicle import Chronicle, ChronicleUnavailableError
from moot.runtime.database import Connection, Pool, first_failure, is_outage
from moot.runtime.projection import Projection
from moot.runtime.projection_progress import Progress
from moot.runtime.projection_scope import NothingServesError, Scope
from moot.runtime.projection_turn import MOST_EVENTS, StoppedError, Turn

STOPPED_SECONDS = 2.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
HESITATION_SECONDS = 0.02
"""How long a replica waits, for each projection that it owns, before it takes another."""

RELEASE_SECONDS = 0.5
AFTER_LEASE_SECONDS = 0.05
LIVE = Scope()

log = structlog.stdlib.get_logger()


@dataclass
class Replica:
    """One process among those that share the projections. What it owns makes it hesitate.

    It takes one at a time, so that replicas that start together take turns.
    """

    name: str
    owned: set[str] = field(default_factory=set[str])
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class ProjectionRunner:
    """One projection in one replica."""

    def __init__(
        self,
        projection: Projection,
        chronicle: Chronicle,
        pool: Pool,
        replica: Replica,
        scope: Scope = LIVE,
    ) -> None:
        self.projection = projection
        self._chronicle = chronicle
        self._pool = pool
        self._replica = replica
        self._scope = scope
        self._progress = Progress(projection.name)
        self._problem: str | None = "starting"
        self._most = MOST_EVENTS

    async def readiness(self) -> str | None:
        """Say why the projection can't go on here; that another replica owns it is no reason."""
        return self._problem

    async def run(self) -> None:
        """Run for ever, or up to `scope.until`. What builds raises StoppedError."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                if await self._take_turn():
                    return
            except OwnershipLostError:
                log.warning("projection_lost", projection=self.projection.name)
            except (StoppedError, NothingServesError) as stopped:
                if self._scope.builds:
                    raise
                self._say(f"stopped: {stopped}")
                await asyncio.sleep(STOPPED_SECONDS)
            except Exception as error:
                if not isinstance(error, ChronicleUnavailableError) and not is_outage(error):
                    raise
                if self._problem is None:
                    pause = FIRST_PAUSE_SECONDS
                failed = first_failure(error)
                self._say(f"{type(failed).__name__}: {failed}")
                self._progress.failed()
                # Perhaps the transaction was too large for its time limit.
                self._most = max(1, self._most // 2)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _say(self, problem: str) -> None:
        if problem != self._problem:
            log.warning("projection_waits", projection=self.projection.name, reason=problem)
        self._problem = problem

    async def _take_turn(self) -> bool:
        """Take the projection if it is free, and run it; True when it has come to its end."""
        async with AsyncExitStack() as stack:
            async with self._replica.taking:
                # In turn, too: a connection that is slow to be made would let the others run ahead.
                connection = await stack.enter_async_context(self._pool.acquire())
                scope = await self._scope.found(connection, self.projection.name)
                taken = await self._taken(connection, scope)
            if isinstance(taken, Checkpoint):
                await self._own(Turn(self.projection, self._chronicle, connection, taken, scope))
                return True
        self._problem = None
        # A living owner renews long before its lease ends; a dead one is found out right after.
        await asyncio.sleep(max(taken.total_seconds(), 0.0) + AFTER_LEASE_SECONDS)
        return False

    async def _taken(self, connection: Connection, scope: Scope) -> Checkpoint | timedelta:
        name = self.projection.name
        await asyncio.sleep(HESITATION_SECONDS * len(self._replica.owned))
        async with scope.transaction(connection):
            taken = await Checkpoint.take(
                connection, name, self._replica.name, building=scope.builds
            )
        if isinstance(taken, Checkpoint):
            self._replica.owned.add(name)
        return taken

    async def _own(self, turn: Turn) -> None:
        name = self.projection.name
        self._progress.owned(by_us=True)
        log.info("projection_taken", projection=name, position=turn.checkpoint.position)
        reason: str | None = None
        try:
            async with self._replica.taking:
                pass  # those that still wait to be taken begin with this one: one fetch for all
            await turn.begin()
            self._problem = None
            await turn.run(self._most)
        except StoppedError as stopped:
            reason = str(stopped)
            raise
        finally:
            self._replica.owned.discard(name)
            self._progress.owned(by_us=False)
            await _give_up(turn, reason)


async def _give_up(turn: Turn, reason: str | None) -> None:
    """Let another replica take over now rather than when the lease ends."""
    try:
        async with asyncio.timeout(RELEASE_SECONDS):
            await turn.give_up(reason)
    except Exception as error:
        if not is_outage(error):
            raise
        log.warning("projection_not_released", projection=turn.checkpoint.projection)
