"""Who may read which topic, as of a position: folded from the Chronicle, never asked of tables.

Only topics that not everybody may read are kept. It starts from what the Ops DB says of those and
follows from its checkpoint, since all else would be to read the whole Chronicle at each start; but
what a projection has set aside, and any topic that becomes private, is read from the Chronicle.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from moot.api.shown_events import type_of
from moot.contracts.catalogue import EVENTS, UPCASTERS
from moot.contracts.debates import Caller, Visibility
from moot.contracts.subjects import StreamName
from moot.contracts.topic_events import TopicAmended, TopicCreated, VisibilitySet
from moot.domain.access_rules import may_read
from moot.runtime.belonging import Place, examine
from moot.runtime.chronicle import Chronicle, Stored
from moot.runtime.database import Pool
from moot.runtime.decoding import UndecodableEventError, decoded

PROJECTION = "debates_v1"
STALE_SECONDS = 0.05

CHECKPOINT = """
SELECT position, stream_created_at, last_event_digest FROM projector_checkpoint
WHERE projection = $1
"""

PRIVATE = """
SELECT replace(topic_id::text, '-', '') AS topic_id, creator, invited_agents FROM topics
WHERE visibility = 'private'
"""

PARKED = """
SELECT DISTINCT key FROM dead_letters
WHERE projection = $1 AND key LIKE 'topic/%'
"""

STATEMENTS = (CHECKPOINT, PRIVATE, PARKED)

_PREFIX: Final = "chronicle.topic."
_NOBODY = "nobody:"
_TELLING: Final = {each.type for each in (TopicCreated, TopicAmended, VisibilitySet)} | {
    old for old, (newer, _) in UPCASTERS.items() if newer.startswith("moot.topic.")
}

log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Readers:
    """Who may read a private topic, besides admins."""

    creator: str
    invited: tuple[str, ...]


ADMINS_ONLY: Final = Readers(_NOBODY, ())
"""Of a topic with an event that this version of the code can't read: it may say anything."""


class Readership:
    """A fold of `moot.runtime.fan_out`."""

    def __init__(self, chronicle: Chronicle, pool: Pool) -> None:
        self._chronicle = chronicle
        self._pool = pool
        self._private: dict[str, Readers] = {}

    def may_read(self, subject: str, caller: Caller) -> bool:
        """Whether the topic, which has been proposed, exists for the caller."""
        readers = self._private.get(subject)
        if readers is None:
            return True
        return may_read(Visibility.PRIVATE, readers.creator, readers.invited, caller)

    async def load(self) -> int:
        """Return the position. Raises what an outage raises."""
        self._private = {}
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            checkpoint = await connection.fetchrow(CHECKPOINT, PROJECTION)
            private = await connection.fetch(PRIVATE)
            parked = await connection.fetch(PARKED, PROJECTION)
        if checkpoint is None:
            return 0
        place = Place(**checkpoint)
        mismatch = (await examine(self._chronicle, place, frozenset())).mismatch
        if mismatch is not None:
            log.warning("readership_reads_everything", reason=str(mismatch))
            return 0
        for row in private:
            readers = Readers(row["creator"], tuple(row["invited_agents"]))
            self._private[f"{_PREFIX}{row['topic_id']}"] = readers
        for row in parked:
            topic_id = row["key"].partition("/")[2]
            await self._read_again(f"{_PREFIX}{topic_id}", place.position)
        return place.position

    async def see(self, event: Stored) -> None:
        if not event.subject.startswith(_PREFIX):
            return
        name = type_of(event)
        if name in _TELLING:
            await self._take(event)
        elif name not in EVENTS:
            _log_hidden(event, f"unknown type {name!r}")
            self._private[event.subject] = ADMINS_ONLY

    async def _take(self, event: Stored) -> None:
        subject = event.subject
        try:
            told = decoded(event).event
        except UndecodableEventError as error:
            _log_hidden(event, str(error))
            self._private[subject] = ADMINS_ONLY
            return
        match told:
            case TopicCreated() if told.visibility is Visibility.PRIVATE:
                self._private[subject] = Readers(told.creator, told.terms.invited_agents)
            case TopicAmended() if (readers := self._private.get(subject)) is not None:
                if readers is not ADMINS_ONLY:
                    invited = told.after.invited_agents
                    self._private[subject] = Readers(readers.creator, invited)
            case VisibilitySet() if told.visibility is Visibility.PUBLIC:
                self._private.pop(subject, None)
            case VisibilitySet():
                await self._read_again(subject, event.position)
            case _:
                pass

    async def _read_again(self, subject: str, position: int) -> None:
        """Fold a topic by itself, up to a position, at which or after which it has events."""
        readers, visibility = ADMINS_ONLY, Visibility.PRIVATE
        for event in await self._whole(subject, position):
            try:
                told = decoded(event).event
            except UndecodableEventError as error:
                _log_hidden(event, str(error))
                readers, visibility = ADMINS_ONLY, Visibility.PRIVATE
                break
            if isinstance(told, TopicCreated):
                readers = Readers(told.creator, told.terms.invited_agents)
                visibility = told.visibility
            elif isinstance(told, TopicAmended):
                readers = Readers(readers.creator, told.after.invited_agents)
            elif isinstance(told, VisibilitySet):
                visibility = told.visibility
        if visibility is Visibility.PUBLIC:
            self._private.pop(subject, None)
        else:
            self._private[subject] = readers

    async def _whole(self, subject: str, position: int) -> list[Stored]:
        stream = StreamName.parse(subject)
        last = await self._chronicle.last(stream)
        newest = 0 if last is None else last.position
        while True:
            events = await self._chronicle.read(stream)
            if (events[-1].position if events else 0) >= newest:
                return [event for event in events if event.position <= position]
            # A follower that doesn't know all of it yet.
            await asyncio.sleep(STALE_SECONDS)


def _log_hidden(event: Stored, reason: str) -> None:
    log.error("topic_hidden", position=event.position, reason=reason)
