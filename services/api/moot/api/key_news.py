"""What became of keys, as the Chronicle says it: the Ops DB may not know of it yet."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

import structlog

from moot.api.queries.agent_keys import PROJECTION as AGENT_KEYS
from moot.api.queries.agent_keys import StoredKey
from moot.api.queries.checkpoints import least_position
from moot.api.queries.publishing import PROJECTION as PUBLISHING
from moot.api.queries.publishing import StoredPublisher
from moot.contracts.access import AgentKeyIssued, AgentKeyRevoked
from moot.contracts.envelope import Recorded
from moot.contracts.ids import AgentId, KeyId
from moot.contracts.publishing import PublishingKeyIssued, PublishingKeyRevoked
from moot.runtime.chronicle import Batch, Chronicle, Stored
from moot.runtime.database import Pool, PositionWaiter, is_outage
from moot.runtime.decoding import UndecodableEventError, decoded
from moot.runtime.reached import Reached

RETRY_SECONDS: Final = 1.0
KEPT_SECONDS: Final = 2.0
"""Longer than anybody remembers what the Ops DB said before."""
PRUNED_FROM: Final = 1000
"""From so many changes on, those are looked for that the Ops DB has, too."""

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What became of a key at `position`, and the projection by which the Ops DB learns of it."""

    position: int
    projection: str
    key: StoredKey | StoredPublisher | None
    """None: it was replaced or revoked."""
    heard_at: float = field(default_factory=time.monotonic)


class KeyNews:
    """Follows keys' own events, so that no projection that is behind keeps a key. `run` is a job.

    Only what the Ops DB doesn't have yet, or hasn't had for long, is told from here.
    """

    def __init__(self, chronicle: Chronicle, pool: Pool, waiter: PositionWaiter) -> None:
        self._chronicle = chronicle
        self._pool = pool
        self._waiter = waiter
        self._position = 0
        self._reached = Reached()
        self._changes: dict[KeyId, KeyChange] = {}
        self._prune_at = PRUNED_FROM

    @property
    def kept(self) -> int:
        """Of how many keys something is remembered."""
        return len(self._changes)

    def of(self, key_id: KeyId) -> KeyChange | None:
        """Return what became of the key; None where the Ops DB, or what it said, is to be asked."""
        change = self._changes.get(key_id)
        return change if change is not None and self._is_new(change) else None

    async def reached(self, position: int, seconds: float) -> bool:
        """Wait until everything up to `position` is known here."""
        return await self._reached.wait(position, seconds)

    async def run(self) -> None:
        """Follow, for ever; begin anew when PostgreSQL was away, or the Chronicle is another."""
        while True:
            try:
                await self._follow()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("key_news_interrupted", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        self._position = await least_position(self._pool, (AGENT_KEYS, PUBLISHING))
        self._reached.move(self._position)
        self._changes.clear()
        async with aclosing(self._chronicle.follow(self._position, category="access")) as batches:
            async for batch in batches:
                if batch.head < self._position:
                    log.warning("key_news_begins_anew", position=self._position, head=batch.head)
                    return
                self._take(batch)

    def _take(self, batch: Batch) -> None:
        for stored in batch.events:
            for key_id, change in _changes(stored):
                self._changes[key_id] = change
        self._position = batch.events[-1].position if batch.events else batch.head
        if len(self._changes) > self._prune_at:
            self._changes = {k: one for k, one in self._changes.items() if self._is_new(one)}
            self._prune_at = max(PRUNED_FROM, 2 * len(self._changes))
        self._reached.move(self._position)

    def _is_new(self, change: KeyChange) -> bool:
        if time.monotonic() < change.heard_at + KEPT_SECONDS:
            return True
        return self._waiter.least((change.projection,)) < change.position


def _changes(stored: Stored) -> Iterator[tuple[KeyId, KeyChange]]:
    try:
        recorded = decoded(stored)
    except UndecodableEventError as error:
        # Its projection sets it aside; until somebody looks at that, earlier keys go on.
        log.warning("key_event_unread", position=stored.position, reason=str(error))
        return
    position, event = recorded.position, recorded.event
    match event:
        case AgentKeyIssued() | AgentKeyRevoked():
            projection = AGENT_KEYS
        case PublishingKeyIssued() | PublishingKeyRevoked():
            projection = PUBLISHING
        case _:
            return
    if isinstance(event, AgentKeyRevoked | PublishingKeyRevoked):
        yield event.key_id, KeyChange(position, projection, None)
        return
    if event.replaces is not None:
        yield event.replaces, KeyChange(position, projection, None)
    yield event.key_id, KeyChange(position, projection, _issued(recorded, event))


def _issued(
    recorded: Recorded, event: AgentKeyIssued | PublishingKeyIssued
) -> StoredKey | StoredPublisher:
    key = (event.key_id, event.key_hash, event.expires_at)
    if isinstance(event, PublishingKeyIssued):
        return StoredPublisher(event.publisher, event.grant, *key)
    return StoredKey(AgentId(recorded.stream.id), *key)
